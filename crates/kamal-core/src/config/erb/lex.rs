//! Ruby's words, as far as templates need them. What is not known is said, never skipped.

use super::Trouble;

/// A word and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether a blank stands before it: `f (x)` and `f(x)`, `a ?b` and `a?` differ by that.
    pub(super) spaced: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name that begins small, `?` or `!` included.
    Name(String),
    /// A name that begins with a capital.
    Constant(String),
    Int(i64),
    Float(f64),
    /// A string with its interpolations.
    Text(Vec<Part>),
    /// A command in backticks or `%x`.
    Command(Vec<Part>),
    Symbol(String),
    Words(Vec<String>),
    Op(&'static str),
    Newline,
    /// Piece of the template by number: text to copy.
    Copy(usize),
    /// `<%=` and its end, with the number of the piece.
    OutputStart(usize),
    OutputEnd,
    End,
}

/// A part of a string.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Literal(String),
    /// `#{…}`: its words, an end behind them.
    Code(Vec<Token>),
}

const OPERATORS: [&str; 36] = [
    "||=", "&&=", "...", "<=>", "===", "=>", "==", "!=", "=~", "!~", ">=", "<=", "&&", "||", "..", "&.", "::", "+=",
    "-=", "<<", "(", ")", "[", "]", "{", "}", ",", ".", "?", ":", "|", "!", "=", "<", ">", "+",
];
const MORE_OPERATORS: [&str; 5] = ["-", "*", "/", "%", "&"];

/// Cuts code into words. `offset` is where the code stands in the template.
pub(super) fn lex(source: &str, offset: usize) -> Result<Vec<Token>, Trouble> {
    let characters: Vec<char> = source.chars().collect();
    Lexer { characters: &characters, at: 0, offset, depth: 0 }.all()
}

struct Lexer<'a> {
    characters: &'a [char],
    at: usize,
    offset: usize,
    depth: usize,
}

impl Lexer<'_> {
    fn all(&mut self) -> Result<Vec<Token>, Trouble> {
        let mut tokens: Vec<Token> = Vec::new();
        loop {
            let before = self.at;
            while self.peek(0).is_some_and(|c| matches!(c, ' ' | '\t' | '\r')) {
                self.at += 1;
            }
            let spaced = self.at > before;
            let start = self.at;
            let Some(first) = self.peek(0) else { return Ok(tokens) };
            let value_before = tokens.last().is_some_and(|token| ends_value(&token.kind));
            let Some(kind) = self.word(first, value_before, spaced)? else { continue };
            tokens.push(Token { kind, start: self.offset + start, end: self.offset + self.at, spaced });
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn trouble(&self, start: usize, message: &str) -> Trouble {
        Trouble::unknown((self.offset + start, self.offset + self.at.max(start + 1)), message)
    }

    fn word(&mut self, first: char, value_before: bool, spaced: bool) -> Result<Option<Kind>, Trouble> {
        let start = self.at;
        match first {
            '#' => {
                while self.peek(0).is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
                return Ok(None);
            }
            '\\' if self.peek(1) == Some('\n') => {
                self.at += 2;
                return Ok(None);
            }
            '\n' | ';' => {
                self.at += 1;
                return Ok(Some(Kind::Newline));
            }
            '0'..='9' => return self.number().map(Some),
            'a'..='z' | 'A'..='Z' | '_' => return Ok(Some(self.name())),
            '\'' => return Ok(Some(Kind::Text(vec![Part::Literal(self.single('\'', '\'')?)]))),
            '"' => return Ok(Some(Kind::Text(self.double('"', '"')?))),
            '`' => return Ok(Some(Kind::Command(self.double('`', '`')?))),
            ':' if self.peek(1) == Some('"') => {
                self.at += 1;
                return match self.double('"', '"')?.as_slice() {
                    [] => Ok(Some(Kind::Symbol(String::new()))),
                    [Part::Literal(text)] => Ok(Some(Kind::Symbol(text.clone()))),
                    _ => Err(self.trouble(start, "a symbol with interpolation is not understood")),
                };
            }
            ':' if self.peek(1).is_some_and(|c| c.is_ascii_alphabetic() || c == '_') => {
                self.at += 1;
                let (Kind::Name(name) | Kind::Constant(name)) = self.name() else { return Ok(None) };
                return Ok(Some(Kind::Symbol(name)));
            }
            '%' if !value_before || spaced => {
                if let Some(kind) = self.percent()? {
                    return Ok(Some(kind));
                }
            }
            '/' if !value_before => return Err(self.trouble(start, "regular expressions are not understood")),
            '<' if self.peek(1) == Some('<') && !value_before => {
                return Err(self.trouble(start, "here documents are not understood"));
            }
            _ => {}
        }
        let rest: String = self.characters[self.at..].iter().take(3).collect();
        let operator = OPERATORS.iter().chain(&MORE_OPERATORS).find(|operator| rest.starts_with(**operator));
        let Some(operator) = operator else {
            return Err(self.trouble(start, &format!("`{first}` is not understood here")));
        };
        self.at += operator.len();
        Ok(Some(Kind::Op(operator)))
    }

    fn name(&mut self) -> Kind {
        let start = self.at;
        while self.peek(0).is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            self.at += 1;
        }
        // `empty?` and `freeze!`, but not `a ?b :c` nor `a!=b`.
        if self.peek(0).is_some_and(|c| matches!(c, '?' | '!')) && self.peek(1) != Some('=') {
            self.at += 1;
        }
        let name: String = self.characters[start..self.at].iter().collect();
        if name.starts_with(|c: char| c.is_ascii_uppercase()) { Kind::Constant(name) } else { Kind::Name(name) }
    }

    fn number(&mut self) -> Result<Kind, Trouble> {
        let start = self.at;
        let digits = |lexer: &mut Self| {
            while lexer.peek(0).is_some_and(|c| c.is_ascii_digit() || c == '_') {
                lexer.at += 1;
            }
        };
        digits(self);
        let float = self.peek(0) == Some('.') && self.peek(1).is_some_and(|c| c.is_ascii_digit());
        if float {
            self.at += 1;
            digits(self);
        }
        let odd = self.peek(0).is_some_and(|c| c.is_ascii_alphanumeric());
        let text: String = self.characters[start..self.at].iter().filter(|c| **c != '_').collect();
        let octal = !float && text.len() > 1 && text.starts_with('0');
        let kind = if float { text.parse().ok().map(Kind::Float) } else { text.parse().ok().map(Kind::Int) };
        kind.filter(|_| !odd && !octal).ok_or_else(|| self.trouble(start, "this number is not understood"))
    }

    /// `%x(…)`, `%w[…]`, `%(…)`, `%q{…}`, `%Q<…>`.
    fn percent(&mut self) -> Result<Option<Kind>, Trouble> {
        let letter = self.peek(1).filter(char::is_ascii_alphabetic);
        let open = self.peek(1 + usize::from(letter.is_some()));
        let Some(close) = open.and_then(closing) else { return Ok(None) };
        let open = open.unwrap_or_default();
        if !matches!(letter, None | Some('x' | 'w' | 'q' | 'Q' | 'i')) {
            return Ok(None);
        }
        self.at += 1 + usize::from(letter.is_some());
        Ok(Some(match letter {
            Some('x') => Kind::Command(self.double(open, close)?),
            Some('w' | 'i') if letter == Some('w') => {
                Kind::Words(self.single(open, close)?.split_whitespace().map(str::to_owned).collect())
            }
            Some('q') => Kind::Text(vec![Part::Literal(self.single(open, close)?)]),
            Some('i') => return Err(self.trouble(self.at, "%i is not understood")),
            _ => Kind::Text(self.double(open, close)?),
        }))
    }

    /// A string without escapes but for the backslash and the quote.
    fn single(&mut self, open: char, close: char) -> Result<String, Trouble> {
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

    /// A string with escapes and interpolation.
    fn double(&mut self, open: char, close: char) -> Result<Vec<Part>, Trouble> {
        let start = self.at;
        self.at += 1;
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut nested = 0;
        while let Some(character) = self.peek(0) {
            self.at += 1;
            match character {
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

    fn escape(&mut self, start: usize) -> Result<String, Trouble> {
        let Some(escaped) = self.peek(0) else { return Err(self.trouble(start, "this string never ends")) };
        self.at += 1;
        Ok(match escaped {
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            'r' => "\r".to_owned(),
            's' => " ".to_owned(),
            'e' => "\x1b".to_owned(),
            '\n' => String::new(),
            '0'..='9' | 'x' | 'u' | 'a' | 'b' | 'v' | 'f' | 'c' | 'C' | 'M' => {
                return Err(self.trouble(self.at - 2, &format!("the escape \\{escaped} is not understood")));
            }
            other => other.to_string(),
        })
    }

    /// The code of `#{…}`, up to the brace that closes it.
    fn interpolation(&mut self, start: usize) -> Result<Vec<Token>, Trouble> {
        if self.depth > 8 {
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
                    return Lexer { characters: inside, at: 0, offset, depth: self.depth + 1 }.all();
                }
                '}' => depth -= 1,
                '{' => depth += 1,
                '\'' => {
                    self.single('\'', '\'')?;
                    continue;
                }
                '"' | '`' => {
                    self.depth += 1;
                    let skipped = if self.depth > 8 {
                        Err(self.trouble(start, "strings nested too deep"))
                    } else {
                        self.double(character, character)
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

fn closing(open: char) -> Option<char> {
    Some(match open {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '<' => '>',
        '|' | '!' | '/' => open,
        _ => return None,
    })
}

/// Whether an operator behind this word has something on its left.
fn ends_value(kind: &Kind) -> bool {
    match kind {
        Kind::Name(name) => {
            !matches!(name.as_str(), "if" | "unless" | "elsif" | "and" | "or" | "not" | "then" | "do" | "raise")
        }
        Kind::Op(operator) => matches!(*operator, ")" | "]" | "}"),
        Kind::Newline | Kind::Copy(_) | Kind::OutputStart(_) | Kind::OutputEnd | Kind::End => false,
        _ => true,
    }
}
