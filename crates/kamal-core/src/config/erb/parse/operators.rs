//! Operators by how tight they bind, assignment and the ternary among them.

use super::super::Trouble;
use super::super::ast::{Expression, Kind as E, Statement};
use super::super::lex::{Kind, Token};
use super::Parser;

impl Parser {
    /// `not`, `and`, `or`.
    pub(super) fn loose(&mut self) -> Result<Expression, Trouble> {
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

    pub(super) fn negated(&mut self) -> Result<Expression, Trouble> {
        if self.take_word("not") { Ok(not(self.expression()?)) } else { self.expression() }
    }

    /// Assignment, ternary, and all that binds tighter.
    pub(super) fn expression(&mut self) -> Result<Expression, Trouble> {
        self.deeper()?;
        let found = self.assignment_or_ternary();
        self.depth -= 1;
        found
    }

    pub(super) fn assignment_or_ternary(&mut self) -> Result<Expression, Trouble> {
        if let Kind::Name(name) = self.peek().clone()
            && let Some(Token { kind: Kind::Op(operator @ ("=" | "||=")), .. }) = self.tokens.get(self.at + 1)
        {
            let operator = *operator;
            let place = self.place();
            self.advance();
            self.advance();
            self.skip_newlines();
            self.variables.push(name.clone());
            let value = self.expression()?;
            let assign = Expression { place, kind: E::Assign(name.clone(), Box::new(value)) };
            let variable = Expression { place, kind: E::Variable(name) };
            return Ok(if operator == "=" { assign } else { logic(false, variable, assign) });
        }
        let condition = self.or()?;
        if !self.take("?") {
            return Ok(condition);
        }
        self.skip_newlines();
        let then = self.expression()?;
        self.skip_newlines();
        // `x ? y :z` reads `:z` as a symbol.
        let otherwise = if let Kind::Symbol(name) = self.peek().clone() {
            let place = self.place();
            self.advance();
            if !self.variables.contains(&name) {
                return Err(Trouble::unknown(place, "put a blank behind the colon"));
            }
            Expression { place, kind: E::Variable(name) }
        } else {
            self.expect(":")?;
            self.skip_newlines();
            self.expression()?
        };
        let place = condition.place;
        let (then, otherwise) = (vec![Statement::Do(then)], vec![Statement::Do(otherwise)]);
        Ok(Expression { place, kind: E::If { condition: Box::new(condition), then, otherwise } })
    }

    pub(super) fn or(&mut self) -> Result<Expression, Trouble> {
        let mut left = self.and()?;
        while self.take("||") {
            self.skip_newlines();
            self.link()?;
            // `x || raise("…")`: a command call may stand on the right.
            let right = self.and()?;
            left = logic(false, left, right);
        }
        Ok(left)
    }

    pub(super) fn and(&mut self) -> Result<Expression, Trouble> {
        let mut left = self.binary(0)?;
        while self.take("&&") {
            self.skip_newlines();
            self.link()?;
            let right = self.binary(0)?;
            left = logic(true, left, right);
        }
        Ok(left)
    }

    pub(super) fn binary(&mut self, level: usize) -> Result<Expression, Trouble> {
        const LEVELS: [&[&str]; 4] = [&["==", "!="], &["<", ">", "<=", ">="], &["+", "-"], &["*", "/", "%"]];
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let Kind::Op(operator) = *self.peek() else { return Ok(left) };
            if !operators.contains(&operator) {
                return Ok(left);
            }
            self.advance();
            self.skip_newlines();
            self.link()?;
            let right = self.binary(level + 1)?;
            let place = (left.place.0, right.place.1);
            left = Expression { place, kind: E::Binary(operator, Box::new(left), Box::new(right)) };
        }
    }

    pub(super) fn unary(&mut self) -> Result<Expression, Trouble> {
        self.deeper()?;
        let found = if self.take("!") {
            self.unary().map(not)
        } else if let (Kind::Op("-"), Some(Token { kind: Kind::Int(_) | Kind::Float(_), .. })) =
            (self.peek(), self.tokens.get(self.at + 1))
        {
            let place = self.place();
            self.advance();
            let kind = match self.advance().kind {
                Kind::Int(value) => E::Int(-value),
                Kind::Float(value) => E::Float(-value),
                _ => E::Nil,
            };
            self.postfix(Expression { place, kind })
        } else {
            self.primary().and_then(|value| self.postfix(value))
        };
        self.depth -= 1;
        found
    }
}

pub(super) fn not(value: Expression) -> Expression {
    Expression { place: value.place, kind: E::Not(Box::new(value)) }
}

fn logic(and: bool, left: Expression, right: Expression) -> Expression {
    let place = (left.place.0, right.place.1);
    let (left, right) = (Box::new(left), Box::new(right));
    Expression { place, kind: if and { E::And(left, right) } else { E::Or(left, right) } }
}
