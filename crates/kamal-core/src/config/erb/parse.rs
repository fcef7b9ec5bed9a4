//! From words to meaning. The whole template is one program: text between tags is a statement that copies itself, so
//! that `<% if x %>…<% end %>` needs no rule of its own.

mod assignment;
mod block;
mod branches;
mod calls;
mod operators;
mod pattern;
mod primary;
mod statements;

use std::collections::HashSet;
use std::rc::Rc;

use super::TemplateFault;
use super::ast::{Body, Expression, Kind as E, Part, Place};
use super::lex::{self, Kind, Token, lex};
use super::template::Piece;

/// Deeper than any template nests; this is a recursive descent.
const MAX_DEPTH: usize = 60;

/// More operators, calls and branches than any one statement strings together; each is a level of what is evaluated.
const MAX_LINKS: usize = 200;

/// A template understood.
pub(super) struct Program {
    pub(super) body: Body,
    /// Methods called and constants named, where they stand. Whether they are known is for others to say.
    pub(super) mentions: Vec<(Mention, Place)>,
}

/// What a template counts on.
pub(super) enum Mention {
    Method(Rc<str>),
    Constant(Rc<str>),
}

/// Understands a template as a whole.
pub(super) fn parse(pieces: &[Piece]) -> Result<Program, TemplateFault> {
    let mut tokens = Vec::new();
    for piece in pieces {
        let mark = |kind, start, end| Token { kind, start, end, spaced: true, spaced_after: true };
        match piece {
            Piece::Text { text, start } => {
                tokens.push(mark(Kind::Copy(text.clone()), *start, start + text.chars().count()));
            }
            Piece::Code { source, start, tag, output } => {
                let end = tag.1.saturating_sub(2);
                if *output {
                    tokens.push(mark(Kind::OutputStart, tag.0, tag.1));
                }
                tokens.extend(lex(source, *start)?);
                tokens.push(mark(if *output { Kind::OutputEnd } else { Kind::Newline }, end, end + 1));
            }
        }
    }
    program(tokens)
}

/// Understands plain Ruby.
pub(super) fn parse_ruby(source: &str) -> Result<Program, TemplateFault> {
    program(lex(source, 0)?)
}

fn program(tokens: Vec<Token>) -> Result<Program, TemplateFault> {
    let mut parser = Parser {
        tokens: ended(tokens),
        at: 0,
        variables: Vec::new(),
        depth: 0,
        links: 0,
        no_do: false,
        implicit: Vec::new(),
        mentions: Vec::new(),
        defined: HashSet::new(),
    };
    let body = parser.statements(&[])?;
    if !matches!(parser.peek(), Kind::End) {
        return Err(parser.unexpected());
    }
    let Parser { mut mentions, defined, .. } = parser;
    mentions.retain(|(mention, _)| match mention {
        Mention::Method(name) | Mention::Constant(name) => !defined.contains(name),
    });
    Ok(Program { body, mentions })
}

fn ended(mut tokens: Vec<Token>) -> Vec<Token> {
    let end = tokens.last().map_or(0, |token| token.end);
    tokens.push(Token { kind: Kind::End, start: end, end: end + 1, spaced: true, spaced_after: true });
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// Variables assigned so far, which tell names from calls.
    variables: Vec<Rc<str>>,
    depth: usize,
    /// Links strung together so far, on the way from the template's own statement down to here.
    links: usize,
    /// A `do` here belongs to something further out: `while x do`, `f a do`.
    no_do: bool,
    /// For each block around, which of `it`, `_1`, `_2` it has used: 0 for none, else how many.
    implicit: Vec<Implicit>,
    mentions: Vec<(Mention, Place)>,
    /// Methods and constants the template defines.
    defined: HashSet<Rc<str>>,
}

/// Parameters a block has without naming them.
#[derive(Clone, Copy, Default)]
struct Implicit {
    it: bool,
    numbered: u8,
}

impl Parser {
    fn token(&self) -> &Token {
        // The last token is the end, and nothing moves past it.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> &Kind {
        &self.token().kind
    }

    fn peek_at(&self, ahead: usize) -> &Kind {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)].kind
    }

    fn advance(&mut self) -> Token {
        let token = self.token().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn at_op(&self, operator: &str) -> bool {
        matches!(self.peek(), Kind::Op(found) if *found == operator)
    }

    fn take(&mut self, operator: &str) -> bool {
        let found = self.at_op(operator);
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

    fn expect(&mut self, operator: &str) -> Result<(), TemplateFault> {
        if self.take(operator) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn skip_newlines(&mut self) {
        while matches!(self.peek(), Kind::Newline) {
            self.advance();
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.variables.iter().any(|known| &**known == name)
    }

    fn declare(&mut self, name: &Rc<str>) {
        if !self.knows(name) {
            self.variables.push(Rc::clone(name));
        }
    }

    fn mention(&mut self, mention: Mention, place: Place) {
        self.mentions.push((mention, place));
    }

    fn unexpected(&self) -> TemplateFault {
        let token = self.token();
        let place = (token.start, token.end);
        match &token.kind {
            Kind::End | Kind::Newline | Kind::OutputEnd | Kind::Copy(_) | Kind::OutputStart => {
                TemplateFault::unknown(place, "this Ruby expression ends too early")
            }
            Kind::Name(name) if name == "end" => TemplateFault::unknown(place, "`end` without a beginning"),
            Kind::Name(name) | Kind::Constant(name) | Kind::Global(name) => {
                TemplateFault::unknown(place, format!("`{name}` is not understood here"))
            }
            Kind::Op(operator) => TemplateFault::unknown(place, format!("`{operator}` is not understood here")),
            _ => TemplateFault::unknown(place, "this is not understood here"),
        }
    }

    fn deeper(&mut self) -> Result<(), TemplateFault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(TemplateFault::unknown(self.place(), "nested too deep"));
        }
        Ok(())
    }

    /// Counts a link of a chain such as `a || b || c`, which is a level deep in what is evaluated though not here.
    fn link(&mut self) -> Result<(), TemplateFault> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(TemplateFault::unknown(self.place(), "too much in one expression"));
        }
        Ok(())
    }

    /// Reads one of several neighbours, whose links do not add up.
    fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, TemplateFault>) -> Result<T, TemplateFault> {
        let links = self.links;
        let found = read(self);
        self.links = links;
        found
    }

    /// Reads something in which a `do` is, or is not, its own.
    fn with_do<T>(
        &mut self,
        allowed: bool,
        read: impl FnOnce(&mut Self) -> Result<T, TemplateFault>,
    ) -> Result<T, TemplateFault> {
        let before = std::mem::replace(&mut self.no_do, !allowed);
        let found = read(self);
        self.no_do = before;
        found
    }

    fn place(&self) -> Place {
        let token = self.token();
        (token.start, token.end)
    }

    /// The parts of a string, code in it understood.
    fn parts(&mut self, parts: Vec<lex::Part>) -> Result<Vec<Part>, TemplateFault> {
        parts
            .into_iter()
            .map(|part| match part {
                lex::Part::Literal(text) => Ok(Part::Literal(text.into())),
                lex::Part::Code(tokens) => self.interpolated(tokens).map(Part::Code),
            })
            .collect()
    }

    fn interpolated(&mut self, tokens: Vec<Token>) -> Result<Body, TemplateFault> {
        let tokens = std::mem::replace(&mut self.tokens, ended(tokens));
        let at = std::mem::take(&mut self.at);
        let body = self.with_do(true, |parser| {
            let body = parser.statements(&[])?;
            if matches!(parser.peek(), Kind::End) { Ok(body) } else { Err(parser.unexpected()) }
        });
        (self.tokens, self.at) = (tokens, at);
        body
    }
}

fn boxed(place: Place, kind: E) -> Box<Expression> {
    Box::new(Expression { place, kind })
}
