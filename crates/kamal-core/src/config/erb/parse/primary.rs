//! What operators stand between: literals, names, parentheses, and calls of methods on them.

use super::super::Trouble;
use super::super::ast::{Block, Expression, Kind as E, Part, Place, Statement};
use super::super::lex::{self, Kind, Token};
use super::super::methods::is_known;
use super::Parser;

impl Parser {
    pub(super) fn primary(&mut self) -> Result<Expression, Trouble> {
        let token = self.advance();
        let place = (token.start, token.end);
        let kind = match token.kind {
            Kind::Int(value) => E::Int(value),
            Kind::Float(value) => E::Float(value),
            Kind::Symbol(name) => E::Symbol(name),
            Kind::Text(parts) => {
                let mut parts = self.parts(parts)?;
                // `"a" "b"` is one string.
                while let Kind::Text(more) = self.peek().clone() {
                    self.advance();
                    parts.extend(self.parts(more)?);
                }
                E::Text(parts)
            }
            Kind::Command(parts) => E::Command(self.parts(parts)?),
            Kind::Words(words) => {
                let word = |word| Expression { place, kind: E::Text(vec![Part::Literal(word)]) };
                E::List(words.into_iter().map(word).collect())
            }
            Kind::Op("[") => E::List(self.list("]")?),
            Kind::Op("(") => {
                self.skip_newlines();
                let inside = self.statement()?;
                self.skip_newlines();
                let exclusive = self.take("...");
                if exclusive || self.take("..") {
                    return self.range(place, inside, exclusive);
                }
                self.expect(")")?;
                return Ok(inside);
            }
            Kind::Name(name) => return self.name(name, place),
            Kind::Constant(name) => return self.constant(&name, place),
            _ => {
                self.at = self.at.saturating_sub(usize::from(!matches!(self.peek(), Kind::End)));
                return Err(self.unexpected_at(token_kind_is_end(&self.tokens, place), place));
            }
        };
        Ok(Expression { place, kind })
    }

    /// The rest of a range in parentheses. It is understood where its numbers are gone through.
    fn range(&mut self, place: Place, first: Expression, exclusive: bool) -> Result<Expression, Trouble> {
        let last = self.or()?;
        self.expect(")")?;
        let called = match (self.peek(), self.tokens.get(self.at + 1).map(|token| &token.kind)) {
            (Kind::Op("."), Some(Kind::Name(name))) => name.as_str(),
            _ => "",
        };
        if !["each", "each_with_index", "map", "collect", "select", "filter", "reject", "to_a"].contains(&called) {
            return Err(Trouble::unknown(place, "this range is not understood"));
        }
        let (first, last) = (Box::new(first), Box::new(last));
        Ok(Expression { place, kind: E::Range { first, last, exclusive } })
    }

    pub(super) fn unexpected_at(&self, ended: bool, place: Place) -> Trouble {
        if ended {
            Trouble::unknown(place, "this Ruby expression ends too early")
        } else {
            Trouble { place, ..self.unexpected() }
        }
    }

    pub(super) fn postfix(&mut self, mut value: Expression) -> Result<Expression, Trouble> {
        loop {
            // A call may go on in the next line: `x\n  .strip`.
            let mut ahead = self.at;
            while matches!(self.tokens.get(ahead).map(|token| &token.kind), Some(Kind::Newline)) {
                ahead += 1;
            }
            if matches!(self.tokens.get(ahead).map(|token| &token.kind), Some(Kind::Op("." | "&."))) {
                self.at = ahead;
            }
            if matches!(self.peek(), Kind::Op("[")) && !self.token().spaced {
                self.link()?;
                let start = value.place.0;
                self.advance();
                let index = self.expression()?;
                self.expect("]")?;
                let place = (start, self.place().0);
                value = Expression { place, kind: E::Index(Box::new(value), Box::new(index)) };
                continue;
            }
            let safe = matches!(self.peek(), Kind::Op("&."));
            if !safe && !matches!(self.peek(), Kind::Op(".")) {
                return Ok(value);
            }
            self.link()?;
            self.advance();
            self.skip_newlines();
            let token = self.advance();
            let Kind::Name(name) = token.kind else {
                self.at = self.at.saturating_sub(1);
                return Err(self.unexpected());
            };
            let place = (token.start, token.end);
            let (arguments, block) = match self.method_of_each() {
                Some(block) => (Vec::new(), Some(block)),
                None => (self.arguments()?, self.block()?),
            };
            if !is_known(&name, arguments.len(), block.is_some()) {
                return Err(Trouble::unknown(place, format!("the method `{name}` is not understood")));
            }
            let receiver = Box::new(value);
            value = Expression { place, kind: E::Call { receiver, safe, name, arguments, block } };
        }
    }

    /// `(&:name)`: a block that calls the method.
    fn method_of_each(&mut self) -> Option<Block> {
        let kinds: Vec<&Kind> = self.tokens.iter().skip(self.at).take(4).map(|token| &token.kind).collect();
        let [Kind::Op("("), Kind::Op("&"), Kind::Symbol(name), Kind::Op(")")] = kinds[..] else { return None };
        let name = name.clone();
        if self.token().spaced || !is_known(&name, 0, false) {
            return None;
        }
        let place = (self.token().start, self.tokens.get(self.at + 3).map_or(0, |token| token.end));
        self.at += 4;
        // No variable of the template's can be called so.
        let item = "&".to_owned();
        let receiver = Box::new(Expression { place, kind: E::Variable(item.clone()) });
        let call = E::Call { receiver, safe: false, name, arguments: Vec::new(), block: None };
        Some(Block { parameters: vec![item], body: vec![Statement::Do(Expression { place, kind: call })] })
    }

    /// `(a, b)` right behind a name.
    pub(super) fn arguments(&mut self) -> Result<Vec<Expression>, Trouble> {
        if self.token().spaced || !matches!(self.peek(), Kind::Op("(")) {
            return Ok(Vec::new());
        }
        self.advance();
        self.list(")")
    }

    pub(super) fn list(&mut self, close: &str) -> Result<Vec<Expression>, Trouble> {
        let mut items = Vec::new();
        loop {
            self.skip_newlines();
            if self.take(close) {
                return Ok(items);
            }
            if self.take("&") {
                return Err(self.unexpected());
            }
            items.push(self.apart(Self::expression)?);
            self.skip_newlines();
            if !self.take(",") {
                self.expect(close)?;
                return Ok(items);
            }
        }
    }

    pub(super) fn name(&mut self, name: String, place: Place) -> Result<Expression, Trouble> {
        let kind = match name.as_str() {
            "nil" => E::Nil,
            "true" => E::Bool(true),
            "false" => E::Bool(false),
            "if" | "unless" => return self.condition(name == "unless", place),
            "require" | "raise" | "abort" => {
                let argument = self.argument()?;
                if name == "require" { E::Require } else { E::Raise(Box::new(argument)) }
            }
            _ if self.variables.contains(&name) => E::Variable(name),
            "end" => return Err(Trouble::unknown(place, "`end` without a beginning")),
            "else" | "elsif" | "then" | "do" => {
                return Err(Trouble::unknown(place, format!("`{name}` is not understood here")));
            }
            _ => {
                let call = !self.token().spaced && matches!(self.peek(), Kind::Op("("));
                let what = if call { "method" } else { "local variable or method" };
                return Err(Trouble::unknown(place, format!("undefined {what} `{name}`")));
            }
        };
        Ok(Expression { place, kind })
    }

    /// One argument, in parentheses or not.
    pub(super) fn argument(&mut self) -> Result<Expression, Trouble> {
        if self.token().spaced || !matches!(self.peek(), Kind::Op("(")) {
            return self.expression();
        }
        let place = self.place();
        let mut arguments = self.arguments()?;
        match (arguments.pop(), arguments.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err(Trouble::unknown(place, "one argument is understood here")),
        }
    }

    pub(super) fn parts(&mut self, parts: Vec<lex::Part>) -> Result<Vec<Part>, Trouble> {
        parts
            .into_iter()
            .map(|part| match part {
                lex::Part::Literal(text) => Ok(Part::Literal(text)),
                lex::Part::Code(tokens) => {
                    let mut inner = Self::new(tokens, self.variables.clone(), self.depth + 1);
                    inner.links = self.links;
                    let body = inner.statements(&[])?;
                    match inner.peek() {
                        Kind::End => Ok(Part::Code(body)),
                        _ => Err(inner.unexpected()),
                    }
                }
            })
            .collect()
    }
}

fn token_kind_is_end(tokens: &[Token], place: Place) -> bool {
    let at_place = tokens.iter().find(|token| token.start == place.0);
    at_place.is_none_or(|token| {
        matches!(token.kind, Kind::End | Kind::Newline | Kind::OutputEnd | Kind::Copy(_) | Kind::OutputStart(_))
    })
}
