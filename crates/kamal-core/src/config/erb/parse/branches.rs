//! `if`, `case`, `while`, `for`.

use super::super::TemplateFault;
use super::super::ast::{Branch, Expression, Kind as E, Place};
use super::super::lex::Kind;
use super::operators::not;
use super::{Parser, boxed};

impl Parser {
    pub(super) fn condition(&mut self, unless: bool, place: Place) -> Result<E, TemplateFault> {
        let condition = self.with_do(true, Self::statement_of_condition)?;
        self.take_word("then");
        let then = self.statements(&["elsif", "else", "end"])?;
        let otherwise = if self.take_word("elsif") {
            self.link()?;
            // The inner condition takes the `end`.
            vec![Expression { place, kind: self.condition(false, place)? }]
        } else {
            let otherwise = if self.take_word("else") { self.statements(&["end"])? } else { Vec::new() };
            self.end_of("if", place)?;
            otherwise
        };
        let condition = Box::new(if unless { not(condition) } else { condition });
        Ok(E::If { condition, then, otherwise })
    }

    fn statement_of_condition(&mut self) -> Result<Expression, TemplateFault> {
        let condition = self.loose()?;
        self.skip_newlines();
        Ok(condition)
    }

    fn end_of(&mut self, begun: &str, place: Place) -> Result<(), TemplateFault> {
        if self.take_word("end") {
            return Ok(());
        }
        Err(match self.peek() {
            Kind::End => TemplateFault::unknown(place, format!("this `{begun}` is never ended")),
            _ => self.unexpected(),
        })
    }

    pub(super) fn looped(&mut self, until: bool, place: Place) -> Result<E, TemplateFault> {
        let condition = self.with_do(false, Self::loose)?;
        self.take_word("do");
        let body = self.statements(&["end"])?;
        self.end_of("while", place)?;
        let condition = Box::new(if until { not(condition) } else { condition });
        Ok(E::While { condition, body, first: false })
    }

    /// `for a, b in list`.
    pub(super) fn each(&mut self, place: Place) -> Result<E, TemplateFault> {
        let targets = self.targets()?;
        if !self.take_word("in") {
            return Err(self.unexpected());
        }
        let list = Box::new(self.with_do(false, Self::loose)?);
        self.take_word("do");
        let body = self.statements(&["end"])?;
        self.end_of("for", place)?;
        Ok(E::For { targets, list, body })
    }

    pub(super) fn case(&mut self, place: Place) -> Result<E, TemplateFault> {
        let bare = matches!(self.peek(), Kind::Newline) || self.at_word("when");
        let subject = if bare { None } else { Some(Box::new(self.loose()?)) };
        self.skip_blank_text();
        if self.at_word("in") {
            let subject = subject.unwrap_or_else(|| boxed(place, E::Nil));
            return self.matches(subject, place);
        }
        let mut branches = Vec::new();
        while self.take_word("when") {
            let mut values = Vec::new();
            loop {
                self.skip_newlines();
                values.push(self.plain_or_splat()?);
                if !self.take(",") {
                    break;
                }
            }
            self.take_word("then");
            branches.push((values, self.statements(&["when", "else", "end"])?));
        }
        let otherwise = if self.take_word("else") { self.statements(&["end"])? } else { Vec::new() };
        self.end_of("case", place)?;
        Ok(E::Case { subject, branches, otherwise })
    }

    fn matches(&mut self, subject: Box<Expression>, place: Place) -> Result<E, TemplateFault> {
        let mut branches = Vec::new();
        while self.take_word("in") {
            let pattern = self.top_pattern()?;
            let guard = match self.peek() {
                Kind::Name(word) if word == "if" || word == "unless" => {
                    let unless = word == "unless";
                    self.advance();
                    let guard = self.loose()?;
                    Some(if unless { not(guard) } else { guard })
                }
                _ => None,
            };
            self.take_word("then");
            branches.push(Branch { pattern, guard, body: self.statements(&["in", "else", "end"])? });
        }
        let otherwise = if self.take_word("else") { Some(self.statements(&["end"])?) } else { None };
        self.end_of("case", place)?;
        Ok(E::Match { subject, branches, otherwise })
    }

    /// Between `case` and its first branch there is nothing to print.
    fn skip_blank_text(&mut self) {
        while matches!(self.peek(), Kind::Newline) || matches!(self.peek(), Kind::Copy(text) if text.trim().is_empty())
        {
            self.advance();
        }
    }
}
