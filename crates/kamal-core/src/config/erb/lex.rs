//! Ruby's words, as far as templates need them. What is not known is said, never skipped.

mod heredoc;
mod literal;
mod number;

use super::TemplateFault;

/// A word and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether a blank stands before it: `f (x)` and `f(x)`, `a ?b` and `a?` differ by that.
    pub(super) spaced: bool,
    /// Whether a blank stands behind it: `f -x` and `f - x` differ by that.
    pub(super) spaced_after: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name that begins small, `?` or `!` included.
    Name(String),
    /// A name that begins with a capital.
    Constant(String),
    /// `@name` and `$name`.
    Global(String),
    /// `name:` or `"name":` before a value.
    Label(Vec<Part>),
    Int(i64),
    Float(f64),
    /// A string with its interpolations.
    Text(Vec<Part>),
    /// A command in backticks or `%x`.
    Command(Vec<Part>),
    Regexp(Vec<Part>, String),
    Symbol(Vec<Part>),
    /// `%w[…]`, and `%i[…]` of symbols.
    Words(Vec<Vec<Part>>, bool),
    Op(&'static str),
    Newline,
    /// A piece of the template to copy.
    Copy(String),
    /// `<%=` and its end.
    OutputStart,
    OutputEnd,
    End,
}

/// A part of a string.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Literal(String),
    /// `#{…}`: its words.
    Code(Vec<Token>),
}

/// Longer ones before those they begin with.
const OPERATORS: [&str; 55] = [
    "**=", "||=", "&&=", "<<=", ">>=", "...", "<=>", "===", "=>", "==", "!=", "=~", "!~", ">=", "<=", "&&", "||", "..",
    "&.", "::", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "**", "<<", ">>", "->", "(", ")", "[", "]", "{", "}",
    ",", ".", "?", ":", "|", "!", "=", "<", ">", "+", "-", "*", "/", "%", "&", "^", "~",
];

/// Names behind which a value begins.
const BEFORE_VALUES: [&str; 20] = [
    "if", "unless", "elsif", "and", "or", "not", "then", "do", "when", "in", "while", "until", "case", "return",
    "else", "begin", "rescue", "ensure", "puts", "raise",
];

/// Strings in strings in strings.
const MAX_DEPTH: usize = 8;

/// Cuts code into words. `offset` is where the code stands in the template.
pub(super) fn lex(source: &str, offset: usize) -> Result<Vec<Token>, TemplateFault> {
    let characters: Vec<char> = source.chars().collect();
    Lexer { characters: &characters, at: 0, offset, depth: 0, ternaries: 0, resume: None }.all()
}

struct Lexer<'a> {
    characters: &'a [char],
    at: usize,
    offset: usize,
    depth: usize,
    /// `?` whose `:` is still to come.
    ternaries: usize,
    /// Where to go on after this line, when here documents begin on it.
    resume: Option<usize>,
}

impl Lexer<'_> {
    fn all(&mut self) -> Result<Vec<Token>, TemplateFault> {
        let mut tokens: Vec<Token> = Vec::new();
        loop {
            let before = self.at;
            while self.peek(0).is_some_and(|c| matches!(c, ' ' | '\t' | '\r')) {
                self.at += 1;
            }
            let spaced = self.at > before;
            let start = self.at;
            let Some(first) = self.peek(0) else { return Ok(tokens) };
            let Some(kind) = self.word(first, &tokens, spaced)? else { continue };
            let spaced_after = self.peek(0).is_none_or(char::is_whitespace);
            tokens.push(Token { kind, start: self.offset + start, end: self.offset + self.at, spaced, spaced_after });
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == Some(c))
    }

    fn trouble(&self, start: usize, message: &str) -> TemplateFault {
        TemplateFault::unknown((self.offset + start, self.offset + self.at.max(start + 1)), message)
    }

    fn word(&mut self, first: char, before: &[Token], spaced: bool) -> Result<Option<Kind>, TemplateFault> {
        let last = before.last().map(|token| &token.kind);
        let value_before = last.is_some_and(ends_value);
        // `puts /x/`, `puts %w[a]`, `puts <<~X`: a blank before and none behind begin an argument.
        let tight = self.peek(1).is_some_and(|c| !c.is_whitespace() && c != '=');
        let begins = !value_before || matches!(last, Some(Kind::Name(_))) && spaced && tight;
        match first {
            '#' => {
                while self.peek(0).is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
                return Ok(None);
            }
            '\\' if self.starts_with("\\\n") || self.starts_with("\\\r\n") => {
                self.at += if self.peek(1) == Some('\n') { 2 } else { 3 };
                return Ok(None);
            }
            '\n' => {
                self.at = self.resume.take().unwrap_or(self.at + 1);
                self.skip_long_comment();
                return Ok(Some(Kind::Newline));
            }
            ';' => {
                self.at += 1;
                return Ok(Some(Kind::Newline));
            }
            '0'..='9' => return self.number().map(Some),
            '@' | '$' => return self.global().map(Some),
            c if c == '_' || c.is_alphabetic() => return Ok(Some(self.name(last))),
            '\'' => {
                let text = vec![Part::Literal(self.single('\'', '\'')?)];
                return Ok(Some(self.text_or_label(text, last)));
            }
            '"' => {
                let text = self.double('"', '"', false)?;
                return Ok(Some(self.text_or_label(text, last)));
            }
            '`' => return Ok(Some(Kind::Command(self.double('`', '`', false)?))),
            // In `x ? y :z` it is no symbol.
            ':' if !(value_before && self.ternaries > 0) => {
                if let Some(symbol) = self.symbol()? {
                    return Ok(Some(symbol));
                }
            }
            '?' if !value_before => {
                if let Some(kind) = self.character()? {
                    return Ok(Some(kind));
                }
            }
            '%' if begins => {
                if let Some(kind) = self.percent()? {
                    return Ok(Some(kind));
                }
            }
            '/' if begins => return self.regexp('/', '/').map(Some),
            '<' if begins && self.peek(1) == Some('<') => {
                if let Some(kind) = self.heredoc()? {
                    return Ok(Some(kind));
                }
            }
            _ => {}
        }
        let Some(operator) = OPERATORS.iter().find(|operator| self.starts_with(operator)) else {
            return Err(self.trouble(self.at, &format!("`{first}` is not understood here")));
        };
        self.at += operator.len();
        match *operator {
            "?" => self.ternaries += 1,
            ":" => self.ternaries = self.ternaries.saturating_sub(1),
            _ => {}
        }
        Ok(Some(Kind::Op(operator)))
    }

    /// `=begin` at the beginning of a line, up to the line of `=end`.
    fn skip_long_comment(&mut self) {
        if !self.starts_with("=begin") {
            return;
        }
        while self.peek(0).is_some() && !self.starts_with("\n=end") {
            self.at += 1;
        }
        self.at = (self.at + "\n=end".len()).min(self.characters.len());
    }

    fn name(&mut self, last: Option<&Kind>) -> Kind {
        let start = self.at;
        while self.peek(0).is_some_and(|c| c.is_alphanumeric() || c == '_') {
            self.at += 1;
        }
        // `empty?` and `freeze!`, but not `a ?b :c` nor `a!=b`.
        if self.peek(0).is_some_and(|c| matches!(c, '?' | '!'))
            && (self.peek(1) != Some('=') || matches!(self.peek(2), Some('=' | '~' | '>')))
            // `x ? y::z` and `{a?: 1}` aside, `x?:` is no name.
            && !(self.peek(0) == Some('?') && self.peek(1) == Some(':') && self.peek(2) != Some(' '))
        {
            self.at += 1;
        }
        let name: String = self.characters[start..self.at].iter().collect();
        if self.label_follows(last) {
            self.at += 1;
            return Kind::Label(vec![Part::Literal(name)]);
        }
        if name.starts_with(char::is_uppercase) { Kind::Constant(name) } else { Kind::Name(name) }
    }

    /// Whether the `:` of a label stands here. Inside `x ? y : z` it may be the other half of that.
    fn label_follows(&self, last: Option<&Kind>) -> bool {
        let opened = matches!(last, Some(Kind::Op("(" | "," | "{" | "|")) | None);
        let method = matches!(last, Some(Kind::Op("." | "&.")));
        self.peek(0) == Some(':') && self.peek(1) != Some(':') && !method && (self.ternaries == 0 || opened)
    }

    fn text_or_label(&mut self, text: Vec<Part>, last: Option<&Kind>) -> Kind {
        // `"a":` begins an entry only where one can begin.
        let entry = matches!(last, Some(Kind::Op("(" | "," | "{") | Kind::Newline | Kind::Name(_)));
        if entry && self.label_follows(last) {
            self.at += 1;
            Kind::Label(text)
        } else {
            Kind::Text(text)
        }
    }

    fn global(&mut self) -> Result<Kind, TemplateFault> {
        let start = self.at;
        let sign = self.peek(0);
        self.at += 1;
        if sign == Some('$') && self.peek(0).is_some_and(|c| "?!~&0@,;/\\*$`'".contains(c)) {
            self.at += 1;
        } else {
            while self.peek(0).is_some_and(|c| c.is_alphanumeric() || c == '_') {
                self.at += 1;
            }
        }
        if self.at == start + 1 {
            return Err(self.trouble(start, "this is not understood here"));
        }
        Ok(Kind::Global(self.characters[start..self.at].iter().collect()))
    }
}

/// Whether an operator behind this word has something on its left.
fn ends_value(kind: &Kind) -> bool {
    match kind {
        Kind::Name(name) => !BEFORE_VALUES.contains(&name.as_str()),
        Kind::Op(operator) => matches!(*operator, ")" | "]" | "}"),
        Kind::Newline | Kind::Copy(_) | Kind::OutputStart | Kind::OutputEnd | Kind::Label(_) | Kind::End => false,
        _ => true,
    }
}
