//! A template to text, keeping the way back to the template.

use super::super::source::Span;
use super::super::yaml::tree::Origin;
use super::eval::evaluate;
use super::parse::parse;
use super::template::{Piece, Unclosed, pieces};
use super::{Outside, Trouble};

/// A rendered template.
pub(crate) struct Rendered {
    pub(crate) text: String,
    file: usize,
    segments: Vec<Segment>,
}

/// A stretch of rendered text and where it came from; all in characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Where it begins in the rendered text.
    pub(super) at: usize,
    /// The stretch of the template.
    pub(super) from: (usize, usize),
    /// Copied, character by character, rather than printed by a tag.
    pub(super) copied: bool,
}

impl Origin for Rendered {
    fn span(&self, start: usize, end: usize) -> Span {
        let (from, _) = self.origin(start);
        let to = if end > start + 1 { self.origin(end - 1).1 } else { self.origin(start).1 };
        Span { file: self.file, start: from, end: to.max(from) }
    }
}

impl Rendered {
    /// The stretch of the template a character came from.
    fn origin(&self, at: usize) -> (usize, usize) {
        let index = self.segments.partition_point(|segment| segment.at <= at);
        let Some(segment) = index.checked_sub(1).and_then(|index| self.segments.get(index)) else {
            return (at, at + 1);
        };
        if segment.copied {
            let place = (segment.from.0 + at - segment.at).min(segment.from.1);
            (place, place + 1)
        } else {
            segment.from
        }
    }
}

/// Why a template could not be rendered.
pub(crate) struct ErbError {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Renders a template.
pub(crate) fn render(template: &str, file: usize, outside: &dyn Outside) -> Result<Rendered, ErbError> {
    if !template.contains("<%") {
        return Ok(Rendered { text: template.to_owned(), file, segments: Vec::new() });
    }
    let trouble = match own(template, outside) {
        Ok((text, segments)) => return Ok(Rendered { text, file, segments }),
        Err(trouble) => trouble,
    };
    let span = Span { file, start: trouble.place.0, end: trouble.place.1 };
    if !trouble.unknown {
        return Err(ErbError { span, message: trouble.message, help: None });
    }
    match outside.ruby_erb(template) {
        Some(Ok(text)) => {
            let segments = by_line(template, &text);
            Ok(Rendered { text, file, segments })
        }
        Some(Err(message)) => Err(ErbError { span, message, help: Some("this is what ruby says".to_owned()) }),
        None => {
            let help = "only common Ruby is understood here; with a `ruby` on PATH any would be".to_owned();
            Err(ErbError { span, message: trouble.message, help: Some(help) })
        }
    }
}

fn own(template: &str, outside: &dyn Outside) -> Result<(String, Vec<Segment>), Trouble> {
    let pieces = pieces(template)
        .map_err(|Unclosed(at)| Trouble::fault((at, at + 2), "this ERB tag is never closed with %>"))?;
    let program = parse(&pieces)?;
    evaluate(&program, &pieces, outside)
}

/// Ruby does not tell where its output came from; ERB seldom adds or removes lines, so the line is the best guess.
fn by_line(template: &str, text: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    let (mut at, mut from) = (0, 0);
    let mut lines = template.split_inclusive('\n');
    for line in text.split_inclusive('\n') {
        let written = lines.next().unwrap_or_default();
        let end = from + written.chars().count();
        segments.push(Segment { at, from: (from, end.max(from + 1)), copied: written == line });
        at += line.chars().count();
        from = end;
    }
    segments
}

/// The pieces' own places, for the evaluator.
pub(super) fn place_of(piece: &Piece) -> (usize, usize) {
    match piece {
        Piece::Text { text, start } => (*start, start + text.chars().count()),
        Piece::Code { tag, .. } => *tag,
    }
}
