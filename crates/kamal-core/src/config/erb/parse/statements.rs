//! Statements, and what is made of statements: branches and blocks.

use super::super::Trouble;
use super::super::ast::{Block, Expression, Kind as E, Place, Statement};
use super::super::lex::Kind;
use super::Parser;
use super::operators::not;

impl Parser {
    pub(super) fn statements(&mut self, until: &[&str]) -> Result<Vec<Statement>, Trouble> {
        self.deeper()?;
        let mut statements = Vec::new();
        loop {
            match self.peek().clone() {
                Kind::End => break,
                Kind::Newline => drop(self.advance()),
                Kind::Copy(number) => {
                    self.advance();
                    statements.push(Statement::Copy(number));
                }
                Kind::OutputStart(number) => {
                    self.advance();
                    self.skip_newlines();
                    let value = self.apart(Self::statement)?;
                    self.skip_newlines();
                    if !matches!(self.peek(), Kind::OutputEnd) {
                        return Err(self.unexpected());
                    }
                    self.advance();
                    statements.push(Statement::Output(number, value));
                }
                Kind::Name(name) if until.contains(&name.as_str()) => break,
                Kind::Op("}") if until.contains(&"}") => break,
                _ => {
                    let value = self.apart(Self::statement)?;
                    statements.push(Statement::Do(value));
                    if !matches!(self.peek(), Kind::Newline | Kind::End | Kind::Op("}"))
                        && !matches!(self.peek(), Kind::Name(name) if until.contains(&name.as_str()))
                    {
                        return Err(self.unexpected());
                    }
                }
            }
        }
        self.depth -= 1;
        Ok(statements)
    }

    /// An expression with what may follow it: `… if x`, `… unless x`.
    pub(super) fn statement(&mut self) -> Result<Expression, Trouble> {
        let mut value = self.loose()?;
        loop {
            let unless = self.at_word("unless");
            if !unless && !self.at_word("if") {
                return Ok(value);
            }
            self.link()?;
            self.advance();
            let condition = self.loose()?;
            let place = value.place;
            let condition = if unless { not(condition) } else { condition };
            let kind =
                E::If { condition: Box::new(condition), then: vec![Statement::Do(value)], otherwise: Vec::new() };
            value = Expression { place, kind };
        }
    }

    pub(super) fn condition(&mut self, unless: bool, place: Place) -> Result<Expression, Trouble> {
        let condition = self.loose()?;
        self.take_word("then");
        let then = self.statements(&["elsif", "else", "end"])?;
        let otherwise = if self.take_word("elsif") {
            self.link()?;
            // The inner condition takes the `end`.
            vec![Statement::Do(self.condition(false, place)?)]
        } else {
            let otherwise = if self.take_word("else") { self.statements(&["end"])? } else { Vec::new() };
            if !self.take_word("end") {
                return Err(Trouble::unknown(place, "this `if` is never ended"));
            }
            otherwise
        };
        let condition = Box::new(if unless { not(condition) } else { condition });
        Ok(Expression { place, kind: E::If { condition, then, otherwise } })
    }

    pub(super) fn block(&mut self) -> Result<Option<Block>, Trouble> {
        let close = if matches!(self.peek(), Kind::Op("{")) {
            "}"
        } else if self.at_word("do") {
            "end"
        } else {
            return Ok(None);
        };
        self.advance();
        let mut parameters = Vec::new();
        if self.take("|") {
            while !self.take("|") {
                let Kind::Name(name) = self.advance().kind else {
                    self.at = self.at.saturating_sub(1);
                    return Err(self.unexpected());
                };
                parameters.push(name);
                self.take(",");
            }
        }
        let known = self.variables.len();
        self.variables.extend(parameters.iter().cloned());
        let body = self.statements(&[close])?;
        self.variables.truncate(known);
        if !(self.take(close) || self.take_word(close)) {
            return Err(self.unexpected());
        }
        Ok(Some(Block { parameters, body }))
    }
}
