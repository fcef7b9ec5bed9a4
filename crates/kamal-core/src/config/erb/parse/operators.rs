//! Operators by how tight they bind, the ternary among them.

use std::rc::Rc;

use super::super::TemplateFault;
use super::super::ast::{Argument, Call, Expression, Kind as E, Part, Target};
use super::super::lex::Kind;
use super::{Mention, Parser};

/// Binds as loosely as a range.
pub(super) const LOOSEST: u8 = 1;
const OR: u8 = 2;
const AND: u8 = 3;
const EQUALITY: u8 = 5;
const COMPARISON: u8 = 6;
const SHIFT: u8 = 9;
const POWER: u8 = 13;

/// How tight an operator between two values binds.
fn tightness(operator: &str) -> Option<u8> {
    Some(match operator {
        ".." | "..." => LOOSEST,
        "||" => OR,
        "&&" => AND,
        "==" | "!=" | "===" | "=~" | "!~" | "<=>" => EQUALITY,
        "<" | "<=" | ">" | ">=" => COMPARISON,
        "|" | "^" => 7,
        "&" => 8,
        "<<" | ">>" => SHIFT,
        "+" | "-" => 10,
        "*" | "/" | "%" => 11,
        "**" => POWER,
        _ => return None,
    })
}

impl Parser {
    /// `not`, `and`, `or`.
    pub(super) fn loose(&mut self) -> Result<Expression, TemplateFault> {
        let mut left = self.negated()?;
        loop {
            let and = self.at_word("and");
            if !and && !self.at_word("or") {
                return Ok(left);
            }
            self.advance();
            self.skip_newlines();
            self.link()?;
            let right = self.negated()?;
            left = logic(and, left, right);
        }
    }

    fn negated(&mut self) -> Result<Expression, TemplateFault> {
        if self.take_word("not") { Ok(not(self.expression()?)) } else { self.expression() }
    }

    /// Assignment, ternary, and all that binds tighter.
    pub(super) fn expression(&mut self) -> Result<Expression, TemplateFault> {
        self.deeper()?;
        let found = self.ternary();
        self.depth -= 1;
        found
    }

    fn ternary(&mut self) -> Result<Expression, TemplateFault> {
        let condition = self.binary(LOOSEST, true)?;
        if !self.take("?") {
            return Ok(condition);
        }
        self.skip_newlines();
        let then = self.apart(Self::expression)?;
        self.skip_newlines();
        self.expect(":")?;
        self.skip_newlines();
        let otherwise = self.apart(Self::expression)?;
        let place = condition.place;
        let kind = E::If { condition: Box::new(condition), then: vec![then], otherwise: vec![otherwise] };
        Ok(Expression { place, kind })
    }

    /// Operators that bind at least so tight. Without `pipes`, `|` is none of them.
    pub(super) fn binary(&mut self, least: u8, pipes: bool) -> Result<Expression, TemplateFault> {
        let mut left = if least <= LOOSEST && (self.at_op("..") || self.at_op("...")) {
            let place = self.place();
            let exclusive = self.advance().kind == Kind::Op("...");
            let last = self.binary(OR, pipes)?;
            Expression { place, kind: E::Range(None, Some(Box::new(last)), exclusive) }
        } else {
            self.operand()?
        };
        loop {
            let Kind::Op(operator) = *self.peek() else { return Ok(left) };
            let Some(tight) = tightness(operator).filter(|tight| *tight >= least) else { return Ok(left) };
            if operator == "|" && !pipes {
                return Ok(left);
            }
            self.link()?;
            self.advance();
            if tight == LOOSEST {
                left = self.range(left, operator == "...", pipes)?;
                continue;
            }
            self.skip_newlines();
            let place = left.place;
            if matches!(operator, "||" | "&&") && self.at_word("not") {
                return Err(self.unexpected());
            }
            let right = self.binary(if operator == "**" { POWER } else { tight + 1 }, pipes)?;
            left = match operator {
                "||" | "&&" => logic(operator == "&&", left, right),
                "!=" => not(called(place, left, "==", right)),
                "!~" => not(called(place, left, "=~", right)),
                "=~" => self.matched(place, left, right),
                _ => called(place, left, operator, right),
            };
        }
    }

    /// `/(?<year>\d+)/ =~ text` sets the variable `year` as well.
    fn matched(&mut self, place: super::Place, left: Expression, right: Expression) -> Expression {
        let names = if let E::Regexp(parts, _) = &left.kind { group_names(parts) } else { Vec::new() };
        let matched = called(place, left, "=~", right);
        if names.is_empty() {
            return matched;
        }
        let expression = |kind| Expression { place, kind };
        let set =
            |name: &Rc<str>, value| expression(E::Assign(Box::new(Target::Variable(Rc::clone(name))), Box::new(value)));
        // No template can spell it.
        let worth: Rc<str> = "=~".into();
        self.declare(&worth);
        let mut body = vec![set(&worth, matched)];
        for name in names {
            self.declare(&name);
            let last = || expression(E::Global("$~".into()));
            let group = called(place, last(), "[]", expression(E::Symbol(literal(&name))));
            body.push(set(&name, expression(E::And(Box::new(last()), Box::new(group)))));
        }
        body.push(expression(E::Variable(worth)));
        expression(E::Body(body))
    }

    fn range(&mut self, first: Expression, exclusive: bool, pipes: bool) -> Result<Expression, TemplateFault> {
        let place = first.place;
        let endless = matches!(self.peek(), Kind::Op(")" | "]") | Kind::Newline | Kind::End) || self.at_word("then");
        let last = if endless { None } else { Some(Box::new(self.binary(OR, pipes)?)) };
        Ok(Expression { place, kind: E::Range(Some(Box::new(first)), last, exclusive) })
    }

    /// What stands between operators, with the signs before it. An assignment may begin here.
    pub(super) fn operand(&mut self) -> Result<Expression, TemplateFault> {
        self.deeper()?;
        let place = self.place();
        let found = match *self.peek() {
            Kind::Op("!") => {
                self.link()?;
                self.advance();
                self.operand().map(not)
            }
            Kind::Op("-") => {
                self.advance();
                self.negative(place)
            }
            Kind::Op("+") => {
                self.advance();
                self.operand()
            }
            Kind::Op("~") => {
                self.advance();
                self.calls("~", place);
                self.operand().map(|value| method(place, value, "~", Vec::new()))
            }
            _ if self.at_word("defined?") => {
                self.advance();
                let mentions = self.mentions.len();
                let grouped = self.at_op("(");
                let value = if grouped { self.primary() } else { self.operand() };
                // Asking whether something is there counts on nothing.
                self.mentions.truncate(mentions);
                let asked = value.map(|value| Expression { place, kind: E::Defined(Box::new(value)) })?;
                if grouped { self.postfix(asked) } else { Ok(asked) }
            }
            _ => {
                let value = self.postfixed()?;
                self.assignment(value)
            }
        };
        self.depth -= 1;
        found
    }

    /// Behind a minus. `-2 ** 2` is -4, `-2.abs` is 2.
    fn negative(&mut self, place: super::Place) -> Result<Expression, TemplateFault> {
        let number = match *self.peek() {
            Kind::Int(value) => value.checked_neg().map(E::Int),
            Kind::Float(value) => Some(E::Float(-value)),
            _ => None,
        };
        if let Some(kind) = number
            && !matches!(self.peek_at(1), Kind::Op("**"))
        {
            self.advance();
            return self.postfix(Expression { place, kind });
        }
        let value = self.binary(POWER, true)?;
        Ok(method(place, value, "-@", Vec::new()))
    }

    /// Remembers that a method is called.
    pub(super) fn calls(&mut self, name: &str, place: super::Place) {
        self.mention(Mention::Method(name.into()), place);
    }
}

pub(super) fn not(value: Expression) -> Expression {
    Expression { place: value.place, kind: E::Not(Box::new(value)) }
}

pub(super) fn method(place: super::Place, receiver: Expression, name: &str, arguments: Vec<Argument>) -> Expression {
    let call = Call { receiver: Some(receiver), safe: false, name: name.into(), arguments, block: None };
    Expression { place, kind: E::Call(Box::new(call)) }
}

fn called(place: super::Place, left: Expression, operator: &str, right: Expression) -> Expression {
    method(place, left, operator, vec![Argument::Plain(right)])
}

/// The names of the groups of a regular expression that is written out.
fn group_names(parts: &[Part]) -> Vec<Rc<str>> {
    let [Part::Literal(source)] = parts else { return Vec::new() };
    let name = |piece: &str| -> Option<Rc<str>> {
        let (name, _) = piece.split_once('>')?;
        let is_name = name.starts_with(|c: char| c.is_lowercase() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        is_name.then(|| name.into())
    };
    source.split("(?<").skip(1).filter_map(name).collect()
}

fn logic(and: bool, left: Expression, right: Expression) -> Expression {
    let place = (left.place.0, right.place.1);
    let (left, right) = (Box::new(left), Box::new(right));
    Expression { place, kind: if and { E::And(left, right) } else { E::Or(left, right) } }
}

/// A word that is plain text.
pub(super) fn literal(text: &str) -> Vec<Part> {
    vec![Part::Literal(text.into())]
}
