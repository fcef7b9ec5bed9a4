//! Statements, and what may follow them.

use super::super::TemplateFault;
use super::super::ast::{Begin, Body, Branch, Expression, Kind as E, Rescue};
use super::super::lex::Kind;
use super::Parser;
use super::operators::not;

impl Parser {
    /// Statements up to one of these words, or the end.
    pub(super) fn statements(&mut self, until: &[&str]) -> Result<Body, TemplateFault> {
        self.deeper()?;
        let body = self.with_do(true, |parser| parser.body(until));
        self.depth -= 1;
        body
    }

    fn body(&mut self, until: &[&str]) -> Result<Body, TemplateFault> {
        let mut statements = Vec::new();
        loop {
            let place = self.place();
            match self.peek().clone() {
                Kind::End | Kind::OutputEnd => break,
                Kind::Newline => drop(self.advance()),
                Kind::Copy(text) => {
                    self.advance();
                    statements.push(Expression { place, kind: E::Copy(text.into()) });
                }
                Kind::OutputStart => {
                    self.advance();
                    self.skip_newlines();
                    if matches!(self.peek(), Kind::OutputEnd) {
                        return Err(self.unexpected());
                    }
                    let inside = self.place();
                    let mut values = self.statements(&[])?;
                    if !matches!(self.peek(), Kind::OutputEnd) {
                        return Err(self.unexpected());
                    }
                    self.advance();
                    let value = match (values.pop(), values.is_empty()) {
                        (Some(only), true) => Box::new(only),
                        (last, _) => {
                            values.extend(last);
                            super::boxed(inside, E::Body(values))
                        }
                    };
                    statements.push(Expression { place, kind: E::Output(value) });
                }
                Kind::Name(name) if until.contains(&name.as_str()) => break,
                Kind::Op("}") if until.contains(&"}") => break,
                Kind::Op(")") if until.contains(&")") => break,
                _ => {
                    statements.push(self.apart(Self::statement)?);
                    let ended = match self.peek() {
                        Kind::Newline | Kind::End | Kind::OutputEnd | Kind::Op("}" | ")") => true,
                        Kind::Name(name) => until.contains(&name.as_str()),
                        _ => false,
                    };
                    if !ended {
                        return Err(self.unexpected());
                    }
                }
            }
        }
        Ok(statements)
    }

    /// An expression with what may follow it: `… if x`, `… unless x`, `… while x`, `… rescue x`.
    pub(super) fn statement(&mut self) -> Result<Expression, TemplateFault> {
        let mut value = if self.spreads() { self.spread()? } else { self.loose()? };
        loop {
            if self.at_word("in") || self.at_op("=>") {
                value = self.taken_apart(value)?;
                continue;
            }
            let Kind::Name(word) = self.peek().clone() else { return Ok(value) };
            if !matches!(word.as_str(), "if" | "unless" | "while" | "until" | "rescue") {
                return Ok(value);
            }
            self.link()?;
            self.advance();
            let place = value.place;
            let other = self.loose()?;
            let kind = match word.as_str() {
                "rescue" => rescued(value, other),
                "while" | "until" => {
                    let first = matches!(value.kind, E::Begin(_));
                    let condition = Box::new(if word == "until" { not(other) } else { other });
                    E::While { condition, body: vec![value], first }
                }
                _ => {
                    let condition = Box::new(if word == "unless" { not(other) } else { other });
                    E::If { condition, then: vec![value], otherwise: Vec::new() }
                }
            };
            value = Expression { place, kind };
        }
    }

    /// `value in pattern`, which says whether it fits, and `value => pattern`, which has to.
    fn taken_apart(&mut self, value: Expression) -> Result<Expression, TemplateFault> {
        let asks = self.at_word("in");
        self.advance();
        let place = value.place;
        let body = |kind| vec![Expression { place, kind }];
        let fits = if asks { E::Bool(true) } else { E::Nil };
        let branches = vec![Branch { pattern: self.top_pattern()?, guard: None, body: body(fits) }];
        let otherwise = asks.then(|| body(E::Bool(false)));
        Ok(Expression { place, kind: E::Match { subject: Box::new(value), branches, otherwise } })
    }

    /// Statements with what may go wrong in them, up to `end`, which is taken.
    pub(super) fn guarded(&mut self, begun: &str) -> Result<E, TemplateFault> {
        let start = self.place();
        let body = self.statements(&["rescue", "else", "ensure", "end"])?;
        let mut begin = Begin { body, rescues: Vec::new(), otherwise: Vec::new(), ensure: Vec::new() };
        while self.take_word("rescue") {
            begin.rescues.push(self.rescue()?);
        }
        if self.take_word("else") {
            begin.otherwise = self.statements(&["ensure", "end"])?;
        }
        if self.take_word("ensure") {
            begin.ensure = self.statements(&["end"])?;
        }
        if !self.take_word("end") {
            return Err(match self.peek() {
                Kind::End => TemplateFault::unknown(start, format!("this `{begun}` is never ended")),
                _ => self.unexpected(),
            });
        }
        let plain = begin.rescues.is_empty() && begin.ensure.is_empty() && begun != "begin";
        Ok(if plain { E::Body(begin.body) } else { E::Begin(Box::new(begin)) })
    }

    fn rescue(&mut self) -> Result<Rescue, TemplateFault> {
        let mut classes = Vec::new();
        while !matches!(self.peek(), Kind::Newline | Kind::End | Kind::Op("=>")) && !self.at_word("then") {
            classes.push(self.plain_or_splat()?);
            if !self.take(",") {
                break;
            }
            self.skip_newlines();
        }
        let target = if self.take("=>") {
            let value = self.operand()?;
            Some(self.target(value)?)
        } else {
            None
        };
        self.take_word("then");
        let body = self.statements(&["rescue", "else", "ensure", "end"])?;
        Ok(Rescue { classes, target, body })
    }
}

/// `value rescue other`.
pub(super) fn rescued(value: Expression, other: Expression) -> E {
    let rescue = Rescue { classes: Vec::new(), target: None, body: vec![other] };
    E::Begin(Box::new(Begin { body: vec![value], rescues: vec![rescue], otherwise: Vec::new(), ensure: Vec::new() }))
}
