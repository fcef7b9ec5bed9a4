//! Blocks, lambdas and methods, and their parameters.

use std::rc::Rc;

use super::super::TemplateFault;
use super::super::ast::{Block, Expression, Kind as E, Parameter, Place, Target};
use super::super::lex::{Kind, Part};
use super::operators::LOOSEST;
use super::{Implicit, Parser};

impl Parser {
    /// `{ … }` or `do … end` behind a call.
    pub(super) fn block(&mut self) -> Result<Option<Rc<Block>>, TemplateFault> {
        if self.at_op("{") || !self.no_do && self.at_word("do") {
            return self.written_block(None).map(Some);
        }
        Ok(None)
    }

    /// `->(x) { … }`, behind the arrow.
    pub(super) fn lambda(&mut self) -> Result<E, TemplateFault> {
        let known = self.variables.len();
        let parameters = if self.take("(") {
            self.parameters(")")?
        } else if matches!(self.peek(), Kind::Name(name) if name != "do") {
            self.parameters("{")?
        } else {
            Vec::new()
        };
        let block = self.written_block(Some(parameters));
        self.variables.truncate(known);
        block.map(E::Lambda)
    }

    fn written_block(&mut self, parameters: Option<Vec<Parameter>>) -> Result<Rc<Block>, TemplateFault> {
        let place = self.place();
        let braces = self.take("{");
        if !braces && !self.take_word("do") {
            return Err(self.unexpected());
        }
        let known = self.variables.len();
        let mut bare = parameters.as_ref().is_none_or(Vec::is_empty);
        let mut parameters = parameters.unwrap_or_default();
        if bare && self.take("||") {
            bare = false;
        } else if bare && self.take("|") {
            parameters = self.parameters("|")?;
            bare = false;
        }
        self.implicit.push(Implicit::default());
        let body = if braces {
            let body = self.statements(&["}"])?;
            self.expect("}")?;
            body
        } else {
            vec![Expression { place, kind: self.guarded("do")? }]
        };
        let implicit = self.implicit.pop().unwrap_or_default();
        self.variables.truncate(known);
        if bare && implicit.it {
            parameters = vec![Parameter::Needed(Target::Variable("it".into()))];
        } else if bare {
            let numbered = (1..=implicit.numbered).map(|number| format!("_{number}").as_str().into());
            parameters = numbered.map(|name| Parameter::Needed(Target::Variable(name))).collect();
        }
        Ok(Rc::new(Block { parameters, body }))
    }

    /// `def name(a, b) … end` or `def name = value`, behind the `def`.
    pub(super) fn definition(&mut self, place: Place) -> Result<E, TemplateFault> {
        let name: Rc<str> = match self.advance().kind {
            Kind::Name(name) if !self.at_op(".") => name.into(),
            _ => return Err(TemplateFault::unknown(place, "this kind of method is not understood")),
        };
        self.defined.insert(Rc::clone(&name));
        // A method sees nothing of what is around it.
        let outer = std::mem::take(&mut self.variables);
        let implicit = std::mem::take(&mut self.implicit);
        let parameters = if self.take("(") {
            self.parameters(")")?
        } else if matches!(self.peek(), Kind::Newline | Kind::Op("=")) {
            Vec::new()
        } else {
            self.parameters("\n")?
        };
        let kind = if self.take("=") {
            self.skip_newlines();
            E::Body(vec![self.statement()?])
        } else {
            self.guarded("def")?
        };
        (self.variables, self.implicit) = (outer, implicit);
        Ok(E::Define(name, Rc::new(Block { parameters, body: vec![Expression { place, kind }] })))
    }

    /// Parameters up to what closes them, which is taken unless it opens the body.
    fn parameters(&mut self, close: &str) -> Result<Vec<Parameter>, TemplateFault> {
        let mut parameters = Vec::new();
        loop {
            if close == ")" || close == "|" {
                self.skip_newlines();
            }
            let closed = match self.peek() {
                Kind::Op(operator) => *operator == close,
                Kind::Newline => close == "\n",
                Kind::Name(name) => close == "{" && name == "do",
                _ => false,
            };
            if closed {
                if close != "{" {
                    self.advance();
                }
                return Ok(parameters);
            }
            if close == "|" && matches!(self.peek(), Kind::Newline) {
                return Err(self.unexpected());
            }
            parameters.push(self.parameter()?);
            if close == "|" && matches!(self.peek(), Kind::Newline) {
                // `|a; b|`: `b` is the block's own.
                self.advance();
                while let Kind::Name(name) = self.peek().clone() {
                    self.advance();
                    self.variables.push(name.into());
                    self.take(",");
                }
                continue;
            }
            // `|a,|` takes a list apart as `|a, b|` does.
            if self.take(",") && close == "|" && self.at_op("|") {
                parameters.push(Parameter::Rest(None));
            }
        }
    }

    fn parameter(&mut self) -> Result<Parameter, TemplateFault> {
        if self.take("*") {
            return Ok(Parameter::Rest(self.parameter_name()));
        }
        if self.take("**") {
            return Ok(Parameter::Keywords(self.parameter_name()));
        }
        if self.take("&") {
            let name = self.parameter_name().ok_or_else(|| self.unexpected())?;
            return Ok(Parameter::Block(name));
        }
        if self.at_op("(") {
            self.advance();
            let mut nested = Vec::new();
            loop {
                nested.push(match self.parameter()? {
                    Parameter::Needed(target) => target,
                    Parameter::Rest(name) => Target::Splat(name.map(|name| Box::new(Target::Variable(name)))),
                    _ => return Err(self.unexpected()),
                });
                if !self.take(",") {
                    break;
                }
            }
            self.expect(")")?;
            return Ok(Parameter::Needed(Target::Nested(nested)));
        }
        if let Kind::Label(parts) = self.peek().clone() {
            let [Part::Literal(name)] = &parts[..] else { return Err(self.unexpected()) };
            let name: Rc<str> = name.as_str().into();
            self.advance();
            self.variables.push(Rc::clone(&name));
            let without = matches!(self.peek(), Kind::Op("," | ")" | "|") | Kind::Newline);
            return Ok(Parameter::Keyword(name, if without { None } else { Some(self.default()?) }));
        }
        let Some(name) = self.parameter_name() else { return Err(self.unexpected()) };
        if self.take("=") {
            return Ok(Parameter::Optional(name, self.default()?));
        }
        Ok(Parameter::Needed(Target::Variable(name)))
    }

    /// The value of a parameter that is not given; a `|` ends it.
    fn default(&mut self) -> Result<Expression, TemplateFault> {
        self.binary(LOOSEST, false)
    }

    fn parameter_name(&mut self) -> Option<Rc<str>> {
        let Kind::Name(name) = self.peek().clone() else { return None };
        self.advance();
        let name: Rc<str> = name.into();
        self.variables.push(Rc::clone(&name));
        Some(name)
    }
}
