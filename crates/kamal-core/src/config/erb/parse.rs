//! From words to meaning. The whole template is one program: text between tags is a statement that copies itself, so
//! that `<% if x %>…<% end %>` needs no rule of its own.

mod constant;
mod operators;
mod primary;
mod statements;

use super::Trouble;
use super::ast::{Place, Statement};
use super::lex::{Kind, Token, lex};
use super::template::Piece;

/// Deeper than any template nests; this is a recursive descent.
const MAX_DEPTH: usize = 60;

/// More operators, calls and branches than any one statement strings together; each is a level of what is evaluated.
const MAX_LINKS: usize = 200;

/// Understands a template as a whole.
pub(super) fn parse(pieces: &[Piece]) -> Result<Vec<Statement>, Trouble> {
    let mut tokens = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        let mark = |kind, at| Token { kind, start: at, end: at + 1, spaced: true };
        match piece {
            Piece::Text { start, .. } => tokens.push(mark(Kind::Copy(number), *start)),
            Piece::Code { source, start, tag, output } => {
                if *output {
                    tokens.push(mark(Kind::OutputStart(number), tag.0));
                }
                tokens.extend(lex(source, *start)?);
                tokens.push(mark(if *output { Kind::OutputEnd } else { Kind::Newline }, tag.1.saturating_sub(2)));
            }
        }
    }
    let mut parser = Parser::new(tokens, Vec::new(), 0);
    let program = parser.statements(&[])?;
    match parser.peek() {
        Kind::End => Ok(program),
        _ => Err(parser.unexpected()),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// Variables assigned so far. They are known before anything runs, so an unknown name is found in time.
    variables: Vec<String>,
    depth: usize,
    /// Links strung together so far, on the way from the template's own statement down to here.
    links: usize,
}

impl Parser {
    fn new(mut tokens: Vec<Token>, variables: Vec<String>, depth: usize) -> Self {
        let end = tokens.last().map_or(0, |token| token.end);
        tokens.push(Token { kind: Kind::End, start: end, end: end + 1, spaced: true });
        Self { tokens, at: 0, variables, depth, links: 0 }
    }

    fn token(&self) -> &Token {
        // The last token is the end, and nothing moves past it.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> &Kind {
        &self.token().kind
    }

    fn advance(&mut self) -> Token {
        let token = self.token().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn take(&mut self, operator: &str) -> bool {
        let found = matches!(self.peek(), Kind::Op(found) if *found == operator);
        if found {
            self.advance();
        }
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn at_word(&self, word: &str) -> bool {
        matches!(self.peek(), Kind::Name(name) if name == word)
    }

    fn expect(&mut self, operator: &str) -> Result<(), Trouble> {
        if self.take(operator) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn skip_newlines(&mut self) {
        while matches!(self.peek(), Kind::Newline) {
            self.advance();
        }
    }

    fn unexpected(&self) -> Trouble {
        let token = self.token();
        let place = (token.start, token.end);
        match &token.kind {
            Kind::End | Kind::Newline | Kind::OutputEnd | Kind::Copy(_) | Kind::OutputStart(_) => {
                Trouble::unknown(place, "this Ruby expression ends too early")
            }
            Kind::Name(name) if name == "end" => Trouble::unknown(place, "`end` without a beginning"),
            Kind::Name(name) | Kind::Constant(name) => {
                Trouble::unknown(place, format!("`{name}` is not understood here"))
            }
            Kind::Op(operator) => Trouble::unknown(place, format!("`{operator}` is not understood here")),
            _ => Trouble::unknown(place, "this is not understood here"),
        }
    }

    fn deeper(&mut self) -> Result<(), Trouble> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let token = self.token();
            return Err(Trouble::unknown((token.start, token.end), "nested too deep"));
        }
        Ok(())
    }

    /// Counts a link of a chain such as `a || b || c`, which is a level deep in what is evaluated though not here.
    fn link(&mut self) -> Result<(), Trouble> {
        self.links += 1;
        if self.links > MAX_LINKS {
            let (start, end) = self.place();
            return Err(Trouble::unknown((start, end), "too much in one expression"));
        }
        Ok(())
    }

    /// Reads one of several neighbours, whose links do not add up.
    fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let links = self.links;
        let found = read(self);
        self.links = links;
        found
    }

    fn place(&self) -> Place {
        let token = self.token();
        (token.start, token.end)
    }
}
