//! Strings and all that is written like them: commands, symbols, regular expressions, lists of words.

use super::super::TemplateFault;
use super::{Kind, Lexer, MAX_DEPTH, Part};

/// Operators that are names of methods, and so of symbols.
const METHODS: [&str; 22] = [
    "[]=", "[]", "<=>", "===", "==", "=~", "!=", "<=", ">=", "<<", ">>", "**", "+@", "-@", "+", "-", "*", "/", "%",
    "<", ">", "!",
];

impl Lexer<'_> {
    /// `:name`, `:"a b"`, `:+`.
    pub(super) fn symbol(&mut self) -> Result<Option<Kind>, TemplateFault> {
        match self.peek(1) {
            Some('"') => {
                self.at += 1;
                Ok(Some(Kind::Symbol(self.double('"', '"', false)?)))
            }
            Some('\'') => {
                self.at += 1;
                Ok(Some(Kind::Symbol(vec![Part::Literal(self.single('\'', '\'')?)])))
            }
            Some(c) if c.is_alphabetic() || c == '_' => {
                let start = self.at + 1;
                self.at = start;
                while self.peek(0).is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    self.at += 1;
                }
                let suffix = self.peek(0).is_some_and(|c| matches!(c, '?' | '!')) && self.peek(1) != Some('=');
                let writer = self.peek(0) == Some('=') && !matches!(self.peek(1), Some('=' | '~' | '>'));
                if suffix || writer && self.peek(1) != Some(' ') {
                    self.at += 1;
                }
                let name = self.characters[start..self.at].iter().collect();
                Ok(Some(Kind::Symbol(vec![Part::Literal(name)])))
            }
            Some(':') | None => Ok(None),
            Some(_) => {
                let rest: String = self.characters[self.at + 1..].iter().take(3).collect();
                let Some(name) = METHODS.iter().find(|name| rest.starts_with(**name)) else { return Ok(None) };
                self.at += 1 + name.len();
                Ok(Some(Kind::Symbol(vec![Part::Literal((*name).to_owned())])))
            }
        }
    }

    /// `?x`, a string of one character.
    pub(super) fn character(&mut self) -> Result<Option<Kind>, TemplateFault> {
        let follows = self.peek(2).is_some_and(|c| c.is_alphanumeric() || c == '_');
        match self.peek(1) {
            Some('\\') => {
                let start = self.at;
                self.at += 2;
                Ok(Some(Kind::Text(vec![Part::Literal(self.escape(start)?)])))
            }
            Some(c) if !c.is_whitespace() && !follows => {
                self.at += 2;
                Ok(Some(Kind::Text(vec![Part::Literal(c.to_string())])))
            }
            _ => Ok(None),
        }
    }

    /// `%x(…)`, `%w[…]`, `%(…)`, `%q{…}`, `%Q<…>`, `%r{…}`, `%i[…]`, `%s(…)`.
    pub(super) fn percent(&mut self) -> Result<Option<Kind>, TemplateFault> {
        let letter = self.peek(1).filter(char::is_ascii_alphabetic);
        let open = self.peek(1 + usize::from(letter.is_some()));
        let Some((open, close)) = open.and_then(|open| Some((open, closing(open, letter.is_some())?))) else {
            return Ok(None);
        };
        if !letter.is_none_or(|letter| "xwWiIqQrs".contains(letter)) {
            return Ok(None);
        }
        self.at += 1 + usize::from(letter.is_some());
        Ok(Some(match letter {
            Some('x') => Kind::Command(self.double(open, close, false)?),
            Some('r') => return self.regexp(open, close).map(Some),
            Some('s') => Kind::Symbol(vec![Part::Literal(self.single(open, close)?)]),
            Some('w' | 'i') => {
                let words = self.words(open, close)?.into_iter().map(|word| vec![Part::Literal(word)]).collect();
                Kind::Words(words, letter == Some('i'))
            }
            Some('W' | 'I') => {
                let start = self.at;
                let parts = self.double(open, close, false)?;
                // A blank that is escaped, or is what an escape stands for, is part of a word.
                if self.characters[start..self.at].windows(2).any(|pair| {
                    pair[0] == '\\' && (pair[1].is_whitespace() || matches!(pair[1], 'n' | 't' | 's' | 'r' | 'f' | 'v'))
                }) {
                    return Err(self.trouble(start, "an escaped blank is not understood here"));
                }
                Kind::Words(words(parts), letter == Some('I'))
            }
            Some('q') => Kind::Text(vec![Part::Literal(self.single(open, close)?)]),
            _ => Kind::Text(self.double(open, close, false)?),
        }))
    }

    /// A regular expression and its flags. Its escapes are its own.
    pub(super) fn regexp(&mut self, open: char, close: char) -> Result<Kind, TemplateFault> {
        let parts = self.double(open, close, true)?;
        let start = self.at;
        while self.peek(0).is_some_and(|c| c.is_ascii_alphabetic()) {
            self.at += 1;
        }
        let flags: String = self.characters[start..self.at].iter().collect();
        if !flags.chars().all(|flag| "imxou".contains(flag)) {
            return Err(self.trouble(start, "these flags of a regular expression are not understood"));
        }
        Ok(Kind::Regexp(parts, flags))
    }

    /// A string without escapes but for the backslash and the quote.
    pub(super) fn single(&mut self, open: char, close: char) -> Result<String, TemplateFault> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        let mut nested = 0;
        while let Some(character) = self.peek(0) {
            self.at += 1;
            match character {
                '\\' if self.peek(0).is_some_and(|c| c == '\\' || c == open || c == close) => {
                    text.extend(self.peek(0));
                    self.at += 1;
                    continue;
                }
                c if c == close && nested == 0 => return Ok(text),
                c if c == close => nested -= 1,
                c if c == open => nested += 1,
                _ => {}
            }
            text.push(character);
        }
        Err(self.trouble(start, "this string never ends"))
    }

    /// `%w[a b\ c]`: words without escapes but for the backslash, the brackets and blanks.
    fn words(&mut self, open: char, close: char) -> Result<Vec<String>, TemplateFault> {
        let start = self.at;
        self.at += 1;
        let (mut words, mut word, mut nested) = (Vec::new(), String::new(), 0_usize);
        while let Some(mut character) = self.peek(0) {
            self.at += 1;
            let escapes = |c: &char| *c == '\\' || *c == open || *c == close || c.is_whitespace();
            if let Some(escaped) = self.peek(0).filter(|c| character == '\\' && escapes(c)) {
                self.at += 1;
                word.push(escaped);
                continue;
            }
            match character {
                c if c == close && nested == 0 => {
                    words.extend(Some(word).filter(|word| !word.is_empty()));
                    return Ok(words);
                }
                c if c == close => nested -= 1,
                c if c == open => nested += 1,
                c if c.is_whitespace() => character = ' ',
                _ => {}
            }
            if character == ' ' {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
            } else {
                word.push(character);
            }
        }
        Err(self.trouble(start, "these words never end"))
    }

    /// A string with escapes and interpolation. Those of a regular expression keep their backslashes.
    pub(super) fn double(&mut self, open: char, close: char, regexp: bool) -> Result<Vec<Part>, TemplateFault> {
        let start = self.at;
        self.at += 1;
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut nested = 0;
        while let Some(character) = self.peek(0) {
            self.at += 1;
            match character {
                '\\' if regexp => {
                    let escaped = self.peek(0);
                    self.at += 1;
                    if escaped != Some('/') {
                        text.push('\\');
                    }
                    text.extend(escaped);
                }
                '\\' => text.push_str(&self.escape(start)?),
                '#' if self.peek(0) == Some('{') => {
                    self.at += 1;
                    if !text.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut text)));
                    }
                    parts.push(Part::Code(self.interpolation(start)?));
                }
                c if c == close && nested == 0 => {
                    if !text.is_empty() {
                        parts.push(Part::Literal(text));
                    }
                    return Ok(parts);
                }
                c => {
                    if c == close {
                        nested -= 1;
                    } else if c == open {
                        nested += 1;
                    }
                    text.push(c);
                }
            }
        }
        Err(self.trouble(start, "this string never ends"))
    }

    /// The parts of one line of a here document, and where it ended.
    pub(super) fn line_parts(&mut self, line_end: usize) -> Result<(Vec<Part>, usize), TemplateFault> {
        let start = self.at;
        let mut line_end = line_end;
        let mut parts = Vec::new();
        let mut text = String::new();
        while self.at < line_end {
            let Some(character) = self.peek(0) else { break };
            self.at += 1;
            match character {
                '\\' => text.push_str(&self.escape(start)?),
                '#' if self.peek(0) == Some('{') => {
                    self.at += 1;
                    parts.push(Part::Literal(std::mem::take(&mut text)));
                    parts.push(Part::Code(self.interpolation(start)?));
                    if self.at > line_end {
                        let rest = self.characters[self.at..].iter().position(|c| *c == '\n');
                        line_end = rest.map_or(self.characters.len(), |end| self.at + end + 1);
                    }
                }
                c => text.push(c),
            }
        }
        parts.push(Part::Literal(text));
        Ok((parts, self.at))
    }

    /// What stands behind a backslash.
    pub(super) fn escape(&mut self, start: usize) -> Result<String, TemplateFault> {
        let Some(escaped) = self.peek(0) else { return Err(self.trouble(start, "this string never ends")) };
        self.at += 1;
        Ok(match escaped {
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            'r' => "\r".to_owned(),
            's' => " ".to_owned(),
            'e' => "\x1b".to_owned(),
            'a' => "\x07".to_owned(),
            'b' => "\x08".to_owned(),
            'v' => "\x0b".to_owned(),
            'f' => "\x0c".to_owned(),
            '\n' => String::new(),
            '\r' if self.peek(0) == Some('\n') => {
                self.at += 1;
                String::new()
            }
            '0'..='7' => {
                self.at -= 1;
                self.code(8, 3)?
            }
            'x' => self.code(16, 2)?,
            'u' if self.peek(0) == Some('{') => {
                self.at += 1;
                let mut text = String::new();
                while self.peek(0).is_some_and(|c| c != '}') {
                    if self.peek(0) == Some(' ') {
                        self.at += 1;
                    } else {
                        text.push_str(&self.code(16, 6)?);
                    }
                }
                self.at += 1;
                text
            }
            'u' => self.code(16, 4)?,
            'c' | 'C' | 'M' => {
                return Err(self.trouble(self.at - 2, &format!("the escape \\{escaped} is not understood")));
            }
            other => other.to_string(),
        })
    }

    /// A character by its number.
    fn code(&mut self, base: u32, most: usize) -> Result<String, TemplateFault> {
        let start = self.at;
        let mut number = 0;
        while self.at < start + most
            && let Some(digit) = self.peek(0).and_then(|c| c.to_digit(base))
        {
            number = number * base + digit;
            self.at += 1;
        }
        // Below 0x80 a byte is a character; above, `\x` would make bytes that are no text.
        let found = char::from_u32(number).filter(|_| self.at > start && (most > 3 || number < 0x80));
        found.map(String::from).ok_or_else(|| self.trouble(start.saturating_sub(2), "this escape is not understood"))
    }

    /// The code of `#{…}`, up to the brace that closes it.
    fn interpolation(&mut self, start: usize) -> Result<Vec<super::Token>, TemplateFault> {
        if self.depth > MAX_DEPTH {
            return Err(self.trouble(start, "strings nested too deep"));
        }
        let from = self.at;
        let mut depth = 0;
        // Strings inside are skipped whole, so that a brace in them does not count.
        while let Some(character) = self.peek(0) {
            match character {
                '}' if depth == 0 => {
                    let inside = &self.characters[from..self.at];
                    let offset = self.offset + from;
                    self.at += 1;
                    let depth = self.depth + 1;
                    return Lexer { characters: inside, at: 0, offset, depth, ternaries: 0, resume: None }.all();
                }
                '}' => depth -= 1,
                '{' => depth += 1,
                '\'' => {
                    self.single('\'', '\'')?;
                    continue;
                }
                '"' | '`' => {
                    self.depth += 1;
                    let skipped = if self.depth > MAX_DEPTH {
                        Err(self.trouble(start, "strings nested too deep"))
                    } else {
                        self.double(character, character, false)
                    };
                    self.depth -= 1;
                    skipped?;
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        Err(self.trouble(start, "this string never ends"))
    }
}

/// `%W[a#{b} c]`: words with interpolations in them.
fn words(parts: Vec<Part>) -> Vec<Vec<Part>> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    for part in parts {
        match part {
            Part::Literal(text) => {
                for (index, piece) in text.split(char::is_whitespace).enumerate() {
                    if index > 0 && !word.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                    if !piece.is_empty() {
                        word.push(Part::Literal(piece.to_owned()));
                    }
                }
            }
            code @ Part::Code(_) => word.push(code),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

fn closing(open: char, lettered: bool) -> Option<char> {
    Some(match open {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '<' => '>',
        '|' | '!' | '/' => open,
        c if lettered && c.is_ascii_punctuation() && c != ')' && c != ']' && c != '}' => open,
        _ => return None,
    })
}
