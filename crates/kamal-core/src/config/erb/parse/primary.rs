//! What operators stand between: literals, names, keywords, parentheses.

use super::super::TemplateFault;
use super::super::ast::{Argument, Call, Expression, Kind as E, Place};
use super::super::lex::{Kind, Token};
use super::operators::literal;
use super::{Mention, Parser};

impl Parser {
    pub(super) fn postfixed(&mut self) -> Result<Expression, TemplateFault> {
        let value = self.primary()?;
        self.postfix(value)
    }

    pub(super) fn primary(&mut self) -> Result<Expression, TemplateFault> {
        let token = self.advance();
        let place = (token.start, token.end);
        let kind = match token.kind {
            Kind::Int(value) => E::Int(value),
            Kind::Float(value) => E::Float(value),
            Kind::Symbol(parts) => E::Symbol(self.parts(parts)?),
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
            Kind::Regexp(parts, flags) => E::Regexp(self.parts(parts)?, flags),
            Kind::Words(words, symbols) => {
                let mut items = Vec::new();
                for word in words {
                    let word = self.parts(word)?;
                    let kind = if symbols { E::Symbol(word) } else { E::Text(word) };
                    items.push(Argument::Plain(Expression { place, kind }));
                }
                E::List(items)
            }
            Kind::Op("[") => E::List(self.with_do(true, |parser| parser.list("]"))?),
            Kind::Op("{") => E::Map(self.with_do(true, Self::map)?),
            Kind::Op("(") => {
                let mut body = self.statements(&[")"])?;
                self.expect(")")?;
                // A range or a call in parentheses stays what it is.
                match (body.pop(), body.is_empty()) {
                    (Some(only), true) => E::Body(vec![only]),
                    (last, _) => {
                        body.extend(last);
                        E::Body(body)
                    }
                }
            }
            Kind::Op("->") => self.lambda()?,
            Kind::Op("::") => match self.advance() {
                Token { kind: Kind::Constant(name), start, end, .. } => return self.constant(name, (start, end)),
                _ => return Err(TemplateFault::unknown(place, "`::` is not understood here")),
            },
            Kind::Global(name) => E::Global(name.into()),
            Kind::Name(name) => return self.name(name, place),
            Kind::Constant(name) => return self.constant(name, place),
            kind => {
                let last = self.tokens.len() - 1;
                if kind != Kind::End || self.at != last {
                    self.at = self.at.saturating_sub(1);
                }
                return Err(TemplateFault { place, ..self.unexpected() });
            }
        };
        Ok(Expression { place, kind })
    }

    /// `A`, `A::B`, and the functions that are called like constants: `Integer(x)`.
    fn constant(&mut self, name: String, place: Place) -> Result<Expression, TemplateFault> {
        let mut name = name;
        let (start, mut end) = place;
        let converts = matches!(name.as_str(), "Integer" | "Float" | "String" | "Array" | "Pathname");
        if !self.token().spaced && self.at_op("(") || converts && self.starts_argument(false) {
            return self.function(&name, place);
        }
        while self.at_op("::")
            && let Kind::Constant(inner) = self.peek_at(1).clone()
            && !matches!(self.tokens.get(self.at + 2), Some(Token { kind: Kind::Op("("), spaced: false, .. }))
        {
            self.advance();
            end = self.advance().end;
            name = format!("{name}::{inner}");
        }
        self.mention(Mention::Constant(name.as_str().into()), (start, end));
        Ok(Expression { place: (start, end), kind: E::Constant(name.into()) })
    }

    /// A call without a receiver.
    fn function(&mut self, name: &str, place: Place) -> Result<Expression, TemplateFault> {
        self.calls(name, place);
        let (arguments, block) = self.call_arguments(true)?;
        let call = Call { receiver: None, safe: false, name: name.into(), arguments, block };
        Ok(Expression { place, kind: E::Call(Box::new(call)) })
    }

    fn name(&mut self, name: String, place: Place) -> Result<Expression, TemplateFault> {
        let kind = match name.as_str() {
            "nil" => E::Nil,
            "true" => E::Bool(true),
            "false" => E::Bool(false),
            "self" => E::Main,
            "__FILE__" => E::Text(literal("(erb)")),
            "if" | "unless" => self.condition(name == "unless", place)?,
            "while" | "until" => self.looped(name == "until", place)?,
            "case" => self.case(place)?,
            "for" => self.each(place)?,
            "begin" => self.guarded("begin")?,
            "def" => self.definition(place)?,
            "return" => E::Return(self.outcome()?),
            "break" => E::Break(self.outcome()?),
            "next" => E::Next(self.outcome()?),
            "retry" => E::Retry,
            "yield" => E::Yield(self.plain_arguments()?),
            "end" => return Err(TemplateFault::unknown(place, "`end` without a beginning")),
            "class" | "module" => return Err(TemplateFault::unknown(place, "classes and modules are not understood")),
            "else" | "elsif" | "then" | "do" | "when" | "in" | "rescue" | "ensure" | "alias" | "undef" | "redo"
            | "super" | "BEGIN" | "END" => {
                return Err(TemplateFault::unknown(place, format!("`{name}` is not understood here")));
            }
            _ if self.knows(&name) && (self.token().spaced || !self.at_op("(")) => E::Variable(name.into()),
            "it" if !self.implicit.is_empty() && !self.starts_argument(true) => {
                if let Some(block) = self.implicit.last_mut() {
                    block.it = true;
                }
                E::Variable(name.into())
            }
            "_1" | "_2" if !self.implicit.is_empty() => {
                let number = if name == "_1" { 1 } else { 2 };
                if let Some(block) = self.implicit.last_mut() {
                    block.numbered = block.numbered.max(number);
                }
                E::Variable(name.into())
            }
            _ => return self.function(&name, place),
        };
        Ok(Expression { place, kind })
    }

    /// The value behind `return`, `break`, `next`.
    fn outcome(&mut self) -> Result<Option<Box<Expression>>, TemplateFault> {
        let nothing = match self.peek() {
            Kind::Newline | Kind::End | Kind::OutputEnd | Kind::Copy(_) | Kind::Op("}" | ")") => true,
            Kind::Name(name) => matches!(name.as_str(), "if" | "unless" | "end" | "while" | "until"),
            _ => false,
        };
        if nothing {
            return Ok(None);
        }
        let place = self.place();
        let mut values = vec![self.plain_or_splat()?];
        while self.take(",") {
            values.push(self.plain_or_splat()?);
        }
        Ok(Some(match (values.pop(), values.is_empty()) {
            (Some(Argument::Plain(only)), true) => Box::new(only),
            (last, _) => {
                values.extend(last);
                super::boxed(place, E::List(values))
            }
        }))
    }
}
