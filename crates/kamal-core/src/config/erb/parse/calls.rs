//! Calls of methods, their arguments, and lists and mappings, which are written like arguments.

use super::super::TemplateFault;
use super::super::ast::{Argument, Call, Expression, Kind as E, Pair, Part, Passed};
use super::super::lex::{Kind, Token};
use super::Parser;

/// Words that go on with a statement and so are no argument.
const NO_ARGUMENTS: [&str; 16] = [
    "if", "unless", "while", "until", "and", "or", "then", "do", "rescue", "ensure", "end", "in", "when", "else",
    "elsif", "not",
];

impl Parser {
    /// Calls and indexes behind a value.
    pub(super) fn postfix(&mut self, mut value: Expression) -> Result<Expression, TemplateFault> {
        loop {
            self.skip_to_dot();
            if self.at_op("[") && !self.token().spaced {
                self.link()?;
                let start = value.place.0;
                self.advance();
                let arguments = self.with_do(true, |parser| parser.apart(|parser| parser.list("]")))?;
                let place = (start, self.place().0.max(start + 1));
                self.calls("[]", place);
                value = super::operators::method(place, value, "[]", arguments);
                continue;
            }
            let safe = self.at_op("&.");
            let scoped = self.at_op("::") && matches!(self.peek_at(1), Kind::Name(_) | Kind::Constant(_));
            if !safe && !scoped && !self.at_op(".") {
                return Ok(value);
            }
            self.link()?;
            self.advance();
            self.skip_newlines();
            let token = self.advance();
            let place = (token.start, token.end);
            let name = match token.kind {
                Kind::Name(name) | Kind::Constant(name) => name,
                Kind::Op("(") => {
                    self.at -= 1;
                    "call".to_owned()
                }
                Kind::Op("[") if self.take("]") => "[]".to_owned(),
                _ => {
                    self.at = self.at.saturating_sub(1);
                    return Err(self.unexpected());
                }
            };
            self.calls(&name, place);
            let (arguments, block) = self.apart(|parser| parser.call_arguments(false))?;
            let call = Call { receiver: Some(value), safe, name: name.into(), arguments, block };
            value = Expression { place, kind: E::Call(Box::new(call)) };
        }
    }

    /// A call may go on in the next line: `x\n  .strip`.
    fn skip_to_dot(&mut self) {
        let newlines = self.tokens[self.at..].iter().take_while(|token| token.kind == Kind::Newline).count();
        if newlines > 0 && matches!(self.peek_at(newlines), Kind::Op("." | "&.")) {
            self.at += newlines;
        }
    }

    /// Arguments with or without parentheses, and a block.
    pub(super) fn call_arguments(&mut self, bare: bool) -> Result<(Vec<Argument>, Option<Passed>), TemplateFault> {
        let mut passed = None;
        let mut arguments = Vec::new();
        if self.at_op("(") && !self.token().spaced {
            self.advance();
            (arguments, passed) = self.with_do(true, |parser| parser.arguments(")"))?;
        } else if self.starts_argument(bare) {
            (arguments, passed) = self.with_do(false, |parser| parser.arguments(""))?;
        }
        if passed.is_none() {
            passed = self.block()?.map(Passed::Written);
        }
        Ok((arguments, passed))
    }

    /// The arguments of `yield`.
    pub(super) fn plain_arguments(&mut self) -> Result<Vec<Argument>, TemplateFault> {
        match self.call_arguments(true)? {
            (arguments, None) => Ok(arguments),
            _ => Err(self.unexpected()),
        }
    }

    /// Whether an argument without parentheses stands here: `puts x`, `raise "no"`, `list.push x`.
    pub(super) fn starts_argument(&self, bare: bool) -> bool {
        let Token { kind, spaced, spaced_after, .. } = self.token();
        *spaced
            && match kind {
                Kind::Int(_)
                | Kind::Float(_)
                | Kind::Text(_)
                | Kind::Command(_)
                | Kind::Regexp(..)
                | Kind::Symbol(_)
                | Kind::Words(..)
                | Kind::Label(_)
                | Kind::Global(_)
                | Kind::Constant(_)
                | Kind::Op("->") => true,
                Kind::Name(name) => !NO_ARGUMENTS.contains(&name.as_str()),
                Kind::Op("(") => true,
                Kind::Op("[") => bare || !spaced_after,
                Kind::Op("!" | "-" | "*" | "**" | "&" | "::") => !spaced_after,
                _ => false,
            }
    }

    fn arguments(&mut self, close: &str) -> Result<(Vec<Argument>, Option<Passed>), TemplateFault> {
        let mut arguments = Vec::new();
        loop {
            if !close.is_empty() {
                self.skip_newlines();
                if self.take(close) {
                    return Ok((arguments, None));
                }
            }
            if self.at_op("&") {
                self.advance();
                let passed = self.operand()?;
                self.skip_newlines_before(close);
                if !close.is_empty() {
                    self.expect(close)?;
                }
                return Ok((arguments, Some(Passed::Value(passed))));
            }
            self.argument(&mut arguments)?;
            self.skip_newlines_before(close);
            if !self.take(",") {
                if !close.is_empty() {
                    self.expect(close)?;
                }
                return Ok((arguments, None));
            }
            self.skip_newlines();
        }
    }

    fn skip_newlines_before(&mut self, close: &str) {
        if !close.is_empty() {
            self.skip_newlines();
        }
    }

    /// What stands in brackets.
    pub(super) fn list(&mut self, close: &str) -> Result<Vec<Argument>, TemplateFault> {
        match self.arguments(close)? {
            (items, None) => Ok(items),
            _ => Err(self.unexpected()),
        }
    }

    /// `{ key => value, name: value, **other }`, behind the brace.
    pub(super) fn map(&mut self) -> Result<Vec<Pair>, TemplateFault> {
        let place = self.place();
        let items = self.list("}")?;
        let mut pairs = Vec::new();
        for item in items {
            match item {
                Argument::Pairs(more) => pairs.extend(more),
                Argument::Plain(_) | Argument::Splat(_) => {
                    return Err(TemplateFault::unknown(place, "this hash is not understood"));
                }
            }
        }
        Ok(pairs)
    }

    fn argument(&mut self, arguments: &mut Vec<Argument>) -> Result<(), TemplateFault> {
        let pair = if self.take("**") {
            Pair::Splat(self.operand()?)
        } else if let Kind::Label(parts) = self.peek().clone() {
            self.labelled(parts)?
        } else {
            let argument = self.plain_or_splat()?;
            match argument {
                Argument::Plain(key) if self.take("=>") => {
                    self.skip_newlines();
                    Pair::Entry(key, self.apart(Self::expression)?)
                }
                argument => {
                    arguments.push(argument);
                    return Ok(());
                }
            }
        };
        match arguments.last_mut() {
            Some(Argument::Pairs(pairs)) => pairs.push(pair),
            _ => arguments.push(Argument::Pairs(vec![pair])),
        }
        Ok(())
    }

    /// `name: value`, or `name:` alone for `name: name`.
    fn labelled(&mut self, parts: Vec<super::lex::Part>) -> Result<Pair, TemplateFault> {
        let place = self.place();
        self.advance();
        let key = self.parts(parts)?;
        let mut ahead = 0;
        while *self.peek_at(ahead) == Kind::Newline {
            ahead += 1;
        }
        if let Kind::Op("," | ")" | "}") = self.peek_at(ahead)
            && let [Part::Literal(name)] = &key[..]
        {
            let kind = if self.knows(name) {
                E::Variable(name.clone())
            } else {
                self.calls(name, place);
                let call = Call { receiver: None, safe: false, name: name.clone(), arguments: Vec::new(), block: None };
                E::Call(Box::new(call))
            };
            return Ok(Pair::Entry(Expression { place, kind: E::Symbol(key) }, Expression { place, kind }));
        }
        self.skip_newlines();
        let value = self.apart(Self::expression)?;
        Ok(Pair::Entry(Expression { place, kind: E::Symbol(key) }, value))
    }

    /// `value` or `*list`.
    pub(super) fn plain_or_splat(&mut self) -> Result<Argument, TemplateFault> {
        if self.at_op("*") {
            self.advance();
            return Ok(Argument::Splat(self.apart(Self::expression)?));
        }
        // `f(x if y)` is not Ruby, `f((x if y))` is.
        self.apart(Self::expression).map(Argument::Plain)
    }
}
