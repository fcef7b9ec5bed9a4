//! Here documents: `<<~TEXT`, `<<-TEXT`, `<<TEXT`, the name in quotes or not.

use super::super::TemplateFault;
use super::{Kind, Lexer, Part};

impl Lexer<'_> {
    /// A here document that begins here; `None` when `<<` is an operator.
    pub(super) fn heredoc(&mut self) -> Result<Option<Kind>, TemplateFault> {
        let start = self.at;
        let dash = self.peek(2).filter(|c| matches!(c, '~' | '-'));
        let mut at = self.at + 2 + usize::from(dash.is_some());
        let quote = self.characters.get(at).copied().filter(|c| matches!(c, '\'' | '"' | '`'));
        at += usize::from(quote.is_some());
        let name: String = self.characters[at.min(self.characters.len())..]
            .iter()
            .take_while(|c| c.is_alphanumeric() || **c == '_')
            .collect();
        // Without a dash or quotes it is one only by a name in capitals, which `a <<b` has not.
        if name.is_empty() || dash.is_none() && quote.is_none() && !name.starts_with(char::is_uppercase) {
            return Ok(None);
        }
        at += name.chars().count();
        if quote.is_some() {
            if self.characters.get(at).copied() != quote {
                return Ok(None);
            }
            at += 1;
        }
        let Some(body) = self.body_start(at) else { return Err(self.trouble(start, "this here document never ends")) };
        let mut end = body;
        loop {
            if end >= self.characters.len() {
                return Err(self.trouble(start, "this here document never ends"));
            }
            let line: String = self.characters[end..].iter().take_while(|c| **c != '\n').collect();
            let after = end + line.chars().count() + 1;
            let bare = if dash.is_some() { line.trim() } else { line.trim_end_matches('\r') };
            if bare == name {
                self.resume = Some(after.min(self.characters.len()));
                break;
            }
            end = after;
        }
        let text = self.document(body, end, quote == Some('\''), dash == Some('~'))?;
        self.at = at;
        Ok(Some(if quote == Some('`') { Kind::Command(text) } else { Kind::Text(text) }))
    }

    /// Where the document begins: on the next line, or behind one that began on this line before.
    fn body_start(&self, at: usize) -> Option<usize> {
        let line = self.characters.get(at..)?.iter().position(|c| *c == '\n')?;
        Some(self.resume.unwrap_or(at + line + 1))
    }

    fn document(&mut self, from: usize, to: usize, raw: bool, squiggly: bool) -> Result<Vec<Part>, TemplateFault> {
        let indent = if squiggly { indent(&self.characters[from..to]) } else { 0 };
        let mut parts: Vec<Part> = Vec::new();
        let mut at = from;
        while at < to {
            let length = self.characters[at..to].iter().position(|c| *c == '\n').map_or(to - at, |end| end + 1);
            let mut begin = at;
            while begin < at + indent && matches!(self.characters.get(begin), Some(' ' | '\t')) && begin < at + length {
                begin += 1;
            }
            if raw {
                parts.push(Part::Literal(self.characters[begin..at + length].iter().collect()));
            } else {
                // An interpolation may go over several lines.
                let (found, end) = self.stretch(begin, at + length, to)?;
                parts.extend(found);
                at = end;
                continue;
            }
            at += length;
        }
        Ok(joined(parts))
    }

    /// The parts of a document's line, and where the next line begins.
    fn stretch(&mut self, from: usize, line_end: usize, to: usize) -> Result<(Vec<Part>, usize), TemplateFault> {
        let mut inner = Lexer {
            characters: &self.characters[..to],
            at: from,
            offset: self.offset,
            depth: self.depth + 1,
            ternaries: 0,
            resume: None,
        };
        inner.line_parts(line_end)
    }
}

/// The blanks that every line that is not blank begins with.
fn indent(text: &[char]) -> usize {
    let lines = text.split(|c| *c == '\n').filter(|line| line.iter().any(|c| !c.is_whitespace()));
    lines.map(|line| line.iter().take_while(|c| matches!(c, ' ' | '\t')).count()).min().unwrap_or(0)
}

/// Neighbouring literals made one.
fn joined(parts: Vec<Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::new();
    for part in parts {
        match (out.last_mut(), part) {
            (Some(Part::Literal(before)), Part::Literal(text)) => before.push_str(&text),
            (_, part) => out.push(part),
        }
    }
    out
}
