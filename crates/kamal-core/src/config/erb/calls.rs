//! What a Ruby file calls with values that can be read off it, such as `set :application, "shop"`. Nothing is evaluated:
//! whatever would have to be is said to be unknown, and what is not understood as Ruby is told of by its place.

use std::rc::Rc;

use super::ast::{Argument, Body, Expression, Kind, Pair, Part, Passed, Place, Target};
use super::parse::parse_ruby;

/// A call without a receiver.
#[derive(Clone, Debug)]
pub(crate) struct RubyCall {
    pub(crate) place: Place,
    pub(crate) name: String,
    pub(crate) arguments: Vec<Datum>,
    /// The calls of its block, if it has one.
    pub(crate) block: Option<Vec<RubyCall>>,
    /// Whether it stands below a condition.
    pub(crate) conditional: bool,
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Datum {
    Nil,
    Bool(bool),
    Int(i64),
    Symbol(String),
    /// A text, in pieces.
    Text(Vec<Datum>),
    List(Vec<Datum>),
    Map(Vec<(Datum, Datum)>),
    /// `fetch(:name, default)`
    Fetch(String, Option<Box<Datum>>),
    /// `ENV["NAME"]`, `ENV.fetch("NAME", default)`
    Variable(String, Option<Box<Datum>>),
    Unknown,
}

/// More lines than this that are no Ruby to us, and the file is none.
const MAX_UNREAD: usize = 200;

/// The calls of a file, and the places that were not understood.
pub(crate) fn calls(text: &str) -> (Vec<RubyCall>, Vec<Place>) {
    let mut text: Vec<char> = text.chars().collect();
    let mut unread = Vec::new();
    while unread.len() < MAX_UNREAD {
        let source: String = text.iter().collect();
        match parse_ruby(&source) {
            Ok(program) => {
                let mut reading = Reading::default();
                reading.body(&program.body, false);
                return (reading.calls, unread);
            }
            Err(trouble) => {
                // Without that line the rest may be understood.
                let Some(line) = blank_line(&mut text, trouble.place.0) else { break };
                unread.push(line);
            }
        }
    }
    (Vec::new(), unread)
}

/// Makes blanks of the line a character stands on, or of the last before it that has something on it.
fn blank_line(text: &mut [char], at: usize) -> Option<Place> {
    let mut at = at.min(text.len().checked_sub(1)?);
    while text[at].is_whitespace() {
        at = at.checked_sub(1)?;
    }
    let start = text[..at].iter().rposition(|c| *c == '\n').map_or(0, |newline| newline + 1);
    let end = text[at..].iter().position(|c| *c == '\n').map_or(text.len(), |length| at + length);
    text[start..end].fill(' ');
    Some((start, end))
}

#[derive(Default)]
struct Reading {
    calls: Vec<RubyCall>,
    /// Variables that were assigned, and what.
    variables: Vec<(Rc<str>, Datum)>,
}

impl Reading {
    fn body(&mut self, body: &Body, conditional: bool) {
        for statement in body {
            self.statement(statement, conditional);
        }
    }

    fn statement(&mut self, statement: &Expression, conditional: bool) {
        match &statement.kind {
            Kind::Call(call) if call.receiver.is_none() => {
                let arguments = self.arguments(&call.arguments);
                let block = call.block.as_ref().map(|block| self.block(block, conditional));
                let name = call.name.to_string();
                self.calls.push(RubyCall { place: statement.place, name, arguments, block, conditional });
            }
            // `%w[a b].each do … end`: what it calls matters, not on what it is called.
            Kind::Call(call) => {
                let block = call.block.as_ref().map(|block| self.block(block, conditional));
                if block.as_ref().is_some_and(|calls| !calls.is_empty()) {
                    let (name, arguments) = (call.name.to_string(), self.arguments(&call.arguments));
                    self.calls.push(RubyCall { place: statement.place, name, arguments, block, conditional });
                }
            }
            Kind::If { then, otherwise, .. } => {
                self.body(then, true);
                self.body(otherwise, true);
            }
            Kind::Body(body) => self.body(body, conditional),
            Kind::Assign(target, value) => {
                if let Target::Variable(name) = &**target {
                    let value = self.datum(value);
                    self.variables.push((Rc::clone(name), value));
                }
            }
            _ => {}
        }
    }

    /// The calls of a block.
    fn block(&self, block: &Passed, conditional: bool) -> Vec<RubyCall> {
        let Passed::Written(block) = block else { return Vec::new() };
        let mut inner = Self { calls: Vec::new(), variables: self.variables.clone() };
        inner.body(&block.body, conditional);
        inner.calls
    }

    fn arguments(&self, arguments: &[Argument]) -> Vec<Datum> {
        let one = |argument: &Argument| match argument {
            Argument::Plain(value) => self.datum(value),
            Argument::Splat(value) => self.datum(value),
            Argument::Pairs(pairs) => self.pairs(pairs),
        };
        arguments.iter().map(one).collect()
    }

    fn pairs(&self, pairs: &[Pair]) -> Datum {
        let entry = |pair: &Pair| match pair {
            Pair::Entry(key, value) => Some((self.datum(key), self.datum(value))),
            Pair::Splat(_) => None,
        };
        Datum::Map(pairs.iter().filter_map(entry).collect())
    }

    fn datum(&self, expression: &Expression) -> Datum {
        match &expression.kind {
            Kind::Nil => Datum::Nil,
            Kind::Bool(value) => Datum::Bool(*value),
            Kind::Int(value) => Datum::Int(*value),
            Kind::Symbol(parts) => match &self.parts(parts)[..] {
                [Datum::Symbol(text)] => Datum::Symbol(text.clone()),
                _ => Datum::Unknown,
            },
            Kind::Text(parts) => Datum::Text(self.parts(parts)),
            Kind::List(items) => Datum::List(self.arguments(items)),
            Kind::Map(pairs) => self.pairs(pairs),
            Kind::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known.map_or(Datum::Unknown, |(_, value)| value.clone())
            }
            Kind::Body(body) if body.len() == 1 => self.datum(&body[0]),
            // `ENV["BRANCH"] || "main"`
            Kind::Or(left, right) => match self.datum(left) {
                Datum::Variable(name, None) => Datum::Variable(name, Some(Box::new(self.datum(right)))),
                other => other,
            },
            // `-> { "/srv/#{fetch(:stage)}" }`, which is asked for late and says the same.
            Kind::Lambda(block) if block.body.len() == 1 => self.datum(&block.body[0]),
            Kind::Call(call) => self.call(call),
            _ => Datum::Unknown,
        }
    }

    /// The parts of a text; what is literal is a symbol.
    fn parts(&self, parts: &[Part]) -> Vec<Datum> {
        let part = |part: &Part| match part {
            Part::Literal(text) => Datum::Symbol(text.to_string()),
            Part::Code(body) if body.len() == 1 => self.datum(&body[0]),
            Part::Code(_) => Datum::Unknown,
        };
        parts.iter().map(part).collect()
    }

    fn call(&self, call: &super::ast::Call) -> Datum {
        let mut arguments = self.arguments(&call.arguments).into_iter();
        let receiver = call.receiver.as_ref();
        let of_environment =
            receiver.is_some_and(|receiver| matches!(&receiver.kind, Kind::Constant(name) if &**name == "ENV"));
        match (receiver, &*call.name) {
            (Some(_), "[]" | "fetch") if of_environment => match arguments.next() {
                Some(Datum::Text(parts)) => match &parts[..] {
                    [Datum::Symbol(name)] => Datum::Variable(name.clone(), arguments.next().map(Box::new)),
                    _ => Datum::Unknown,
                },
                _ => Datum::Unknown,
            },
            (None, "fetch") => match arguments.next() {
                Some(Datum::Symbol(name)) => Datum::Fetch(name, arguments.next().map(Box::new)),
                _ => Datum::Unknown,
            },
            (Some(receiver), "freeze" | "to_s" | "to_sym" | "to_i" | "strip" | "uniq" | "flatten") => {
                self.datum(receiver)
            }
            (Some(receiver), "push" | "+" | "concat" | "<<" | "append") => {
                Datum::List([self.datum(receiver)].into_iter().chain(arguments).collect())
            }
            _ => Datum::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Datum {
        Datum::Symbol(text.to_owned())
    }

    #[test]
    fn values_are_read_and_nothing_is_run() {
        let text = "branch = ENV['BRANCH'] || 'main'\nset :a, \"/srv/#{fetch(:b)}\"\nset :b, branch\n\
                    server 'h', user: 'u', roles: %w{app db}\nset :c, -> { `rm -rf /` }\nset :d, `date`\n";
        let (calls, unread) = calls(text);
        assert!(unread.is_empty());
        assert_eq!(calls[0].arguments[1], Datum::Text(vec![word("/srv/"), Datum::Fetch("b".to_owned(), None)]));
        let main = Datum::Text(vec![word("main")]);
        assert_eq!(calls[1].arguments[1], Datum::Variable("BRANCH".to_owned(), Some(Box::new(main))));
        let Datum::Map(pairs) = &calls[2].arguments[1] else { panic!("{:?}", calls[2]) };
        assert_eq!(pairs[0], (word("user"), Datum::Text(vec![word("u")])));
        assert_eq!((&calls[3].arguments[1], &calls[4].arguments[1]), (&Datum::Unknown, &Datum::Unknown));
    }

    #[test]
    fn what_is_not_understood_costs_its_line_alone() {
        let text = "set :a, 1\nset :b, ]] what\nset :c, 3\n";
        let (calls, unread) = calls(text);
        assert_eq!(
            calls.iter().map(|call| call.arguments[1].clone()).collect::<Vec<_>>(),
            [Datum::Int(1), Datum::Int(3)]
        );
        assert_eq!(unread, [(10, 25)]);
    }

    #[test]
    fn blocks_and_conditions_are_entered() {
        let text = "namespace :deploy do\n  task :restart do\n    on roles(:app) do\n      execute :touch, 'x'\n    end\n  end\nend\n\
                    set :x, 1 if ENV['Y']\n";
        let (calls, unread) = calls(text);
        assert!(unread.is_empty(), "{unread:?}");
        assert_eq!((calls[0].name.as_str(), calls[0].block.as_ref().unwrap()[0].name.as_str()), ("namespace", "task"));
        assert!(calls[1].conditional);
    }
}
