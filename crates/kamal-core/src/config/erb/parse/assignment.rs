//! What stands on the left of a `=`, and all its forms.

use std::rc::Rc;

use super::super::TemplateFault;
use super::super::ast::{Argument, Expression, Kind as E, Target};
use super::super::lex::Kind;
use super::statements::rescued;
use super::{Mention, Parser};

/// Operators with a `=` behind them, and the operators they are made of.
const UPDATES: [(&str, &str); 13] = [
    ("||=", "||"),
    ("&&=", "&&"),
    ("+=", "+"),
    ("-=", "-"),
    ("*=", "*"),
    ("/=", "/"),
    ("%=", "%"),
    ("**=", "**"),
    ("<<=", "<<"),
    (">>=", ">>"),
    ("|=", "|"),
    ("&=", "&"),
    ("^=", "^"),
];

impl Parser {
    /// The assignment whose left side has just been read, if it is one.
    pub(super) fn assignment(&mut self, left: Expression) -> Result<Expression, TemplateFault> {
        let Kind::Op(operator) = *self.peek() else { return Ok(left) };
        let update = UPDATES.iter().find(|(written, _)| *written == operator).map(|(_, made_of)| *made_of);
        if operator != "=" && update.is_none() {
            return Ok(left);
        }
        let place = left.place;
        let target = self.target(left)?;
        self.link()?;
        self.advance();
        self.skip_newlines();
        let mut value = if self.at_op("*") { self.listed()? } else { self.expression()? };
        if self.take_word("rescue") {
            let other = self.expression()?;
            value = Expression { place: value.place, kind: rescued(value, other) };
        }
        let (target, value) = (Box::new(target), Box::new(value));
        let kind = match update {
            Some(operator) => E::Update(target, operator, value),
            None => E::Assign(target, value),
        };
        Ok(Expression { place, kind })
    }

    /// What has been read as an expression, as something to assign to.
    pub(super) fn target(&mut self, left: Expression) -> Result<Target, TemplateFault> {
        let place = left.place;
        Ok(match left.kind {
            E::Variable(name) => Target::Variable(name),
            E::Global(name) => Target::Global(name),
            E::Constant(name) => {
                self.defined.insert(Rc::clone(&name));
                Target::Constant(name)
            }
            E::Call(call) if call.block.is_none() && !call.safe => match call.receiver {
                None if call.arguments.is_empty() => {
                    self.declare(&call.name);
                    self.forget(&call.name);
                    Target::Variable(call.name)
                }
                Some(receiver) if &*call.name == "[]" => Target::Index(receiver, call.arguments),
                Some(receiver) if call.arguments.is_empty() => Target::Attribute(receiver, call.name),
                _ => return Err(TemplateFault::unknown(place, "this cannot be assigned to")),
            },
            _ => return Err(TemplateFault::unknown(place, "this cannot be assigned to")),
        })
    }

    /// A name that turned out to be a variable's was no call.
    fn forget(&mut self, name: &str) {
        if matches!(self.mentions.last(), Some((Mention::Method(last), _)) if &**last == name) {
            self.mentions.pop();
        }
    }

    /// Whether `a, b = …` stands here.
    pub(super) fn spreads(&self) -> bool {
        let mut depth = 0_usize;
        let mut several = self.at_op("*");
        for token in &self.tokens[self.at..] {
            match &token.kind {
                Kind::Op("(" | "[") => depth += 1,
                Kind::Op(")" | "]") if depth == 0 => return false,
                Kind::Op(")" | "]") => depth -= 1,
                _ if depth > 0 => {}
                Kind::Op(",") => several = true,
                Kind::Op("=") => return several,
                Kind::Op("*" | ".") | Kind::Global(_) | Kind::Constant(_) => {}
                Kind::Name(name) if !matches!(name.as_str(), "if" | "unless" | "while" | "do") => {}
                _ => return false,
            }
        }
        false
    }

    /// `a, (b, *c) = value`.
    pub(super) fn spread(&mut self) -> Result<Expression, TemplateFault> {
        let place = self.place();
        let targets = self.targets()?;
        self.expect("=")?;
        self.skip_newlines();
        let value = self.listed()?;
        Ok(Expression { place, kind: E::Spread(targets, Box::new(value)) })
    }

    /// `a, *b, (c, d)`.
    pub(super) fn targets(&mut self) -> Result<Vec<Target>, TemplateFault> {
        let mut targets = Vec::new();
        loop {
            targets.push(self.one_target()?);
            if !self.take(",") || matches!(self.peek(), Kind::Op("=" | ")" | "|")) {
                return Ok(targets);
            }
        }
    }

    fn one_target(&mut self) -> Result<Target, TemplateFault> {
        self.deeper()?;
        let target = if self.take("*") {
            let named = matches!(self.peek(), Kind::Name(name) if name != "in");
            Target::Splat(if named { Some(Box::new(self.one_target()?)) } else { None })
        } else if self.take("(") {
            let nested = self.targets()?;
            self.expect(")")?;
            Target::Nested(nested)
        } else {
            let value = self.postfixed()?;
            self.target(value)?
        };
        self.depth -= 1;
        Ok(target)
    }

    /// One value, or several that make a list.
    fn listed(&mut self) -> Result<Expression, TemplateFault> {
        let place = self.place();
        let mut items = Vec::new();
        loop {
            items.push(self.plain_or_splat()?);
            if !self.take(",") {
                break;
            }
            self.skip_newlines();
        }
        if items.len() == 1
            && let Some(Argument::Plain(_)) = items.first()
            && let Some(Argument::Plain(only)) = items.pop()
        {
            return Ok(only);
        }
        Ok(Expression { place, kind: E::List(items) })
    }
}
