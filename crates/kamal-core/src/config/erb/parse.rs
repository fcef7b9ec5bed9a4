//! From words to meaning. The whole template is one program: text between tags is a statement that copies itself, so
//! that `<% if x %>…<% end %>` needs no rule of its own.

use super::Trouble;
use super::ast::{Block, Expression, Kind as E, Part, Place, Statement};
use super::lex::{self, Kind, Token, lex};
use super::methods::is_known;
use super::template::Piece;

/// Deeper than any template nests; this is a recursive descent.
const MAX_DEPTH: usize = 60;

/// Understands a template as a whole.
pub(super) fn parse(pieces: &[Piece]) -> Result<Vec<Statement>, Trouble> {
    let mut tokens = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        let mark = |kind, at| Token { kind, start: at, end: at + 1, spaced: true };
        match piece {
            Piece::Text { start, .. } => tokens.push(mark(Kind::Copy(number), *start)),
            Piece::Code { source, start, tag, output } => {
                if *output {
                    tokens.push(mark(Kind::OutputStart(number), tag.0));
                }
                tokens.extend(lex(source, *start)?);
                tokens.push(mark(if *output { Kind::OutputEnd } else { Kind::Newline }, tag.1.saturating_sub(2)));
            }
        }
    }
    let mut parser = Parser::new(tokens, Vec::new(), 0);
    let program = parser.statements(&[])?;
    match parser.peek() {
        Kind::End => Ok(program),
        _ => Err(parser.unexpected()),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// Variables assigned so far. They are known before anything runs, so an unknown name is found in time.
    variables: Vec<String>,
    depth: usize,
}

impl Parser {
    fn new(mut tokens: Vec<Token>, variables: Vec<String>, depth: usize) -> Self {
        let end = tokens.last().map_or(0, |token| token.end);
        tokens.push(Token { kind: Kind::End, start: end, end: end + 1, spaced: true });
        Self { tokens, at: 0, variables, depth }
    }

    fn token(&self) -> &Token {
        // The last token is the end, and nothing moves past it.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> &Kind {
        &self.token().kind
    }

    fn advance(&mut self) -> Token {
        let token = self.token().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn take(&mut self, operator: &str) -> bool {
        let found = matches!(self.peek(), Kind::Op(found) if *found == operator);
        if found {
            self.advance();
        }
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn at_word(&self, word: &str) -> bool {
        matches!(self.peek(), Kind::Name(name) if name == word)
    }

    fn expect(&mut self, operator: &str) -> Result<(), Trouble> {
        if self.take(operator) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn skip_newlines(&mut self) {
        while matches!(self.peek(), Kind::Newline) {
            self.advance();
        }
    }

    fn unexpected(&self) -> Trouble {
        let token = self.token();
        let place = (token.start, token.end);
        match &token.kind {
            Kind::End | Kind::Newline | Kind::OutputEnd | Kind::Copy(_) | Kind::OutputStart(_) => {
                Trouble::unknown(place, "this Ruby expression ends too early")
            }
            Kind::Name(name) if name == "end" => Trouble::unknown(place, "`end` without a beginning"),
            Kind::Name(name) | Kind::Constant(name) => {
                Trouble::unknown(place, format!("`{name}` is not understood here"))
            }
            Kind::Op(operator) => Trouble::unknown(place, format!("`{operator}` is not understood here")),
            _ => Trouble::unknown(place, "this is not understood here"),
        }
    }

    fn deeper(&mut self) -> Result<(), Trouble> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let token = self.token();
            return Err(Trouble::unknown((token.start, token.end), "nested too deep"));
        }
        Ok(())
    }

    fn statements(&mut self, until: &[&str]) -> Result<Vec<Statement>, Trouble> {
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
                    let value = self.statement()?;
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
                    let value = self.statement()?;
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
    fn statement(&mut self) -> Result<Expression, Trouble> {
        let mut value = self.loose()?;
        loop {
            let unless = self.at_word("unless");
            if !unless && !self.at_word("if") {
                return Ok(value);
            }
            self.advance();
            let condition = self.loose()?;
            let place = value.place;
            let condition = if unless { not(condition) } else { condition };
            let kind =
                E::If { condition: Box::new(condition), then: vec![Statement::Do(value)], otherwise: Vec::new() };
            value = Expression { place, kind };
        }
    }

    /// `not`, `and`, `or`.
    fn loose(&mut self) -> Result<Expression, Trouble> {
        let mut left = self.negated()?;
        loop {
            let and = self.at_word("and");
            if !and && !self.at_word("or") {
                return Ok(left);
            }
            self.advance();
            self.skip_newlines();
            let right = self.negated()?;
            left = logic(and, left, right);
        }
    }

    fn negated(&mut self) -> Result<Expression, Trouble> {
        if self.take_word("not") { Ok(not(self.expression()?)) } else { self.expression() }
    }

    /// Assignment, ternary, and all that binds tighter.
    fn expression(&mut self) -> Result<Expression, Trouble> {
        self.deeper()?;
        let found = self.assignment_or_ternary();
        self.depth -= 1;
        found
    }

    fn assignment_or_ternary(&mut self) -> Result<Expression, Trouble> {
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

    fn place(&self) -> Place {
        let token = self.token();
        (token.start, token.end)
    }

    fn or(&mut self) -> Result<Expression, Trouble> {
        let mut left = self.and()?;
        while self.take("||") {
            self.skip_newlines();
            // `x || raise("…")`: a command call may stand on the right.
            let right = self.and()?;
            left = logic(false, left, right);
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, Trouble> {
        let mut left = self.binary(0)?;
        while self.take("&&") {
            self.skip_newlines();
            let right = self.binary(0)?;
            left = logic(true, left, right);
        }
        Ok(left)
    }

    fn binary(&mut self, level: usize) -> Result<Expression, Trouble> {
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
            let right = self.binary(level + 1)?;
            let place = (left.place.0, right.place.1);
            left = Expression { place, kind: E::Binary(operator, Box::new(left), Box::new(right)) };
        }
    }

    fn unary(&mut self) -> Result<Expression, Trouble> {
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

    fn postfix(&mut self, mut value: Expression) -> Result<Expression, Trouble> {
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
            self.advance();
            self.skip_newlines();
            let token = self.advance();
            let Kind::Name(name) = token.kind else {
                self.at = self.at.saturating_sub(1);
                return Err(self.unexpected());
            };
            let place = (token.start, token.end);
            let arguments = self.arguments()?;
            let block = self.block()?;
            if !is_known(&name, arguments.len(), block.is_some()) {
                return Err(Trouble::unknown(place, format!("the method `{name}` is not understood")));
            }
            let receiver = Box::new(value);
            value = Expression { place, kind: E::Call { receiver, safe, name, arguments, block } };
        }
    }

    /// `(a, b)` right behind a name.
    fn arguments(&mut self) -> Result<Vec<Expression>, Trouble> {
        if self.token().spaced || !matches!(self.peek(), Kind::Op("(")) {
            return Ok(Vec::new());
        }
        self.advance();
        self.list(")")
    }

    fn list(&mut self, close: &str) -> Result<Vec<Expression>, Trouble> {
        let mut items = Vec::new();
        loop {
            self.skip_newlines();
            if self.take(close) {
                return Ok(items);
            }
            if self.take("&") {
                return Err(self.unexpected());
            }
            items.push(self.expression()?);
            self.skip_newlines();
            if !self.take(",") {
                self.expect(close)?;
                return Ok(items);
            }
        }
    }

    fn block(&mut self) -> Result<Option<Block>, Trouble> {
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

    fn primary(&mut self) -> Result<Expression, Trouble> {
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

    fn unexpected_at(&self, ended: bool, place: Place) -> Trouble {
        if ended {
            Trouble::unknown(place, "this Ruby expression ends too early")
        } else {
            Trouble { place, ..self.unexpected() }
        }
    }

    fn name(&mut self, name: String, place: Place) -> Result<Expression, Trouble> {
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
    fn argument(&mut self) -> Result<Expression, Trouble> {
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

    fn condition(&mut self, unless: bool, place: Place) -> Result<Expression, Trouble> {
        let condition = self.loose()?;
        self.take_word("then");
        let then = self.statements(&["elsif", "else", "end"])?;
        let otherwise = if self.take_word("elsif") {
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

    fn constant(&mut self, name: &str, place: Place) -> Result<Expression, Trouble> {
        let unknown = || Trouble::unknown(place, format!("`{name}` is not understood"));
        if name == "ENV" && !self.token().spaced && self.take("[") {
            let key = Box::new(self.expression()?);
            self.expect("]")?;
            return Ok(Expression { place, kind: E::Env(key) });
        }
        let scoped = self.take("::");
        if scoped && name == "Kamal" && matches!(self.peek(), Kind::Constant(inner) if inner == "Utils") {
            self.advance();
        } else if scoped || name == "Kamal" {
            return Err(unknown());
        }
        if !self.take(".") {
            return Err(unknown());
        }
        let Kind::Name(method) = self.advance().kind else { return Err(unknown()) };
        let arguments = self.arguments()?;
        let mut arguments = arguments.into_iter().map(Box::new);
        let kind = match (name, method.as_str(), arguments.next(), arguments.next(), arguments.next()) {
            ("ENV", "fetch", Some(key), default, None) => {
                let default = match self.block()? {
                    Some(_) if default.is_some() => return Err(unknown()),
                    Some(block) => {
                        let body = E::If {
                            condition: Box::new(Expression { place, kind: E::Bool(true) }),
                            then: block.body,
                            otherwise: Vec::new(),
                        };
                        Some(Box::new(Expression { place, kind: body }))
                    }
                    None => default,
                };
                E::EnvFetch(key, default)
            }
            ("ENV", "key?" | "has_key?" | "include?" | "member?", Some(key), None, None) => E::EnvHas(key),
            ("File", "read", Some(path), None, None) => E::ReadFile(path),
            ("File", "exist?" | "file?", Some(path), None, None) => E::FileExists(path),
            ("Kamal", "docker_arch", None, None, None) => E::DockerArch,
            _ => {
                let message = format!("`{name}.{method}` is not understood");
                return Err(Trouble::unknown(place, message));
            }
        };
        Ok(Expression { place, kind })
    }

    fn parts(&mut self, parts: Vec<lex::Part>) -> Result<Vec<Part>, Trouble> {
        parts
            .into_iter()
            .map(|part| match part {
                lex::Part::Literal(text) => Ok(Part::Literal(text)),
                lex::Part::Code(tokens) => {
                    let mut inner = Self::new(tokens, self.variables.clone(), self.depth + 1);
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

fn not(value: Expression) -> Expression {
    Expression { place: value.place, kind: E::Not(Box::new(value)) }
}

fn logic(and: bool, left: Expression, right: Expression) -> Expression {
    let place = (left.place.0, right.place.1);
    let (left, right) = (Box::new(left), Box::new(right));
    Expression { place, kind: if and { E::And(left, right) } else { E::Or(left, right) } }
}
