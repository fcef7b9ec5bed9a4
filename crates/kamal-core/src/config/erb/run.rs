//! Does what a template says.

mod assign;
mod block;
mod branch;
mod call;
mod make;
mod pattern;

use std::collections::HashMap;
use std::rc::Rc;

use super::ast::{Expression, Kind, Part, Place};
use super::methods;
use super::parse::Program;
use super::render::Segment;
use super::stop::Stop;
use super::template::Piece;
use super::value::{Heap, Key, Map, Match, Proc, Scope, Value};
use super::world::{Complaints, TemplateWorld};
use super::{TemplateFault, ast};

pub(super) use branch::is_a;

/// Statements executed and characters written before a template is taken for runaway.
const MAX_STEPS: usize = 200_000;
pub(super) const MAX_OUTPUT: usize = 8_000_000;

/// As many bytes of a value cost as much as a step.
const STEP_BYTES: usize = 256;

/// Expressions in expressions, through blocks and methods: the evaluation is recursive.
const MAX_DEPTH: usize = 250;

/// The call of a block takes as much of the stack as so many expressions.
const CALL_DEPTH: usize = 2;

pub(super) type Found = Result<Value, Stop>;

/// Runs a program over its template: the text, and where it came from.
pub(super) fn evaluate(
    program: &Program,
    outside: &dyn TemplateWorld,
) -> Result<(String, Vec<Segment>), TemplateFault> {
    let mut run = Run::new(outside);
    let done = run.body(&program.body);
    match done {
        Ok(_) => Ok((run.text, run.segments)),
        Err(stop) => Err(stop.trouble((0, 1))),
    }
}

pub(super) struct Run<'a> {
    pub(super) outside: &'a dyn TemplateWorld,
    pub(super) heap: Heap,
    pub(super) scope: Rc<Scope>,
    /// `$name`, `@name` and constants of the template's own.
    pub(super) globals: HashMap<Rc<str>, Value>,
    pub(super) defined: HashMap<Rc<str>, Rc<ast::Block>>,
    /// What the last regular expression found: `$~`.
    pub(super) last_match: Option<Rc<Match>>,
    /// How the last command ended: `$?`.
    pub(super) last_status: Option<i32>,
    /// The exception being rescued: `$!`.
    rescued: Option<Value>,
    text: String,
    /// Characters of `text`.
    length: usize,
    segments: Vec<Segment>,
    steps: usize,
    depth: usize,
    tags: u64,
}

impl<'a> Run<'a> {
    fn new(outside: &'a dyn TemplateWorld) -> Self {
        Self {
            outside,
            heap: Heap::default(),
            scope: Rc::default(),
            globals: HashMap::new(),
            defined: HashMap::new(),
            last_match: None,
            last_status: None,
            rescued: None,
            text: String::new(),
            length: 0,
            segments: Vec::new(),
            steps: 0,
            depth: 0,
            tags: 0,
        }
    }
}

impl Run<'_> {
    /// The value of the last statement, as in Ruby.
    pub(super) fn body(&mut self, body: &[Expression]) -> Found {
        let mut last = Value::Nil;
        for statement in body {
            last = self.value(statement)?;
        }
        Ok(last)
    }

    /// Counts a step. Whoever repeats something counts each time.
    pub(super) fn step(&mut self, place: Place) -> Result<(), Stop> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(Stop::limit(place, "this template runs too long"));
        }
        Ok(())
    }

    pub(super) fn value(&mut self, expression: &Expression) -> Found {
        self.step(expression.place)?;
        let value = self.deeper(1, expression.place, |run| run.evaluated(expression))?;
        // A few loops that double a value would fill the memory.
        let weight = value.weight();
        if weight > MAX_OUTPUT {
            return Err(Stop::limit(expression.place, "this template makes too large a value"));
        }
        self.steps += weight / STEP_BYTES;
        Ok(value)
    }

    /// Does something that is so many levels deeper.
    fn deeper(&mut self, levels: usize, place: Place, inside: impl FnOnce(&mut Self) -> Found) -> Found {
        self.depth += levels;
        let done = if self.depth > MAX_DEPTH {
            Err(Stop::limit(place, "this template calls itself too deep"))
        } else {
            inside(self)
        };
        self.depth -= levels;
        done
    }

    fn evaluated(&mut self, expression: &Expression) -> Found {
        let place = expression.place;
        match &expression.kind {
            Kind::Copy(text) => self.write(place, text, true),
            Kind::Output(value) => self.output(place, value),
            Kind::Nil => Ok(Value::Nil),
            Kind::Main => Ok(Value::Main),
            Kind::Bool(value) => Ok(Value::Bool(*value)),
            Kind::Int(value) => Ok(Value::Int(*value)),
            Kind::Float(value) => Ok(Value::Float(*value)),
            Kind::Symbol(parts) => Ok(Value::symbol(&self.join(parts, place)?)),
            Kind::Text(parts) => Ok(Value::text(self.join(parts, place)?)),
            Kind::Command(parts) => self.command_of(parts, place),
            Kind::Regexp(parts, flags) => self.regexp_of(parts, flags, place),
            Kind::List(items) => self.list_of(items),
            Kind::Map(pairs) => self.map_of(pairs, place).map(Value::Map),
            // Assigned in a branch that was not taken: nil, as in Ruby.
            Kind::Variable(name) => Ok(self.scope.get(name).unwrap_or(Value::Nil)),
            Kind::Global(name) => self.global(name, place),
            Kind::Constant(name) => self.constant(name, place),
            Kind::Assign(target, value) => {
                let value = self.value(value)?;
                self.assign(target, value.clone(), place)?;
                Ok(value)
            }
            Kind::Update(target, operator, value) => self.update(target, operator, value, place),
            Kind::Spread(targets, value) => self.spread(targets, value, place),
            Kind::Not(value) => Ok(Value::Bool(!self.value(value)?.truthy())),
            Kind::And(left, right) => {
                let left = self.value(left)?;
                if left.truthy() { self.value(right) } else { Ok(left) }
            }
            Kind::Or(left, right) => {
                let left = self.value(left)?;
                if left.truthy() { Ok(left) } else { self.value(right) }
            }
            Kind::Defined(value) => self.is_defined(value),
            Kind::Range(first, last, exclusive) => self.range(first.as_deref(), last.as_deref(), *exclusive, place),
            Kind::If { condition, then, otherwise } => {
                let chosen = if self.value(condition)?.truthy() { then } else { otherwise };
                self.body(chosen)
            }
            Kind::While { condition, body, first } => self.repeat(condition, body, *first, place),
            Kind::For { targets, list, body } => self.for_each(targets, list, body, place),
            Kind::Case { subject, branches, otherwise } => self.case(subject.as_deref(), branches, otherwise, place),
            Kind::Match { subject, branches, otherwise } => {
                self.matches(subject, branches, otherwise.as_deref(), place)
            }
            Kind::Begin(begin) => self.begin(begin, place),
            Kind::Body(body) => self.body(body),
            Kind::Call(call) => self.called(call, place),
            Kind::Lambda(block) => Ok(Value::Proc(self.lambda(block))),
            Kind::Define(name, block) => {
                self.defined.insert(Rc::clone(name), Rc::clone(block));
                Ok(Value::Symbol(Rc::clone(name)))
            }
            Kind::Yield(arguments) => self.yielded(arguments, place),
            Kind::Return(value) => {
                let value = self.optional(value.as_deref())?;
                Err(Stop::Return(self.scope.home.get(), value))
            }
            Kind::Break(value) => {
                let value = self.optional(value.as_deref())?;
                Err(Stop::Break(0, value))
            }
            Kind::Next(value) => {
                let value = self.optional(value.as_deref())?;
                Err(Stop::Next(value))
            }
            Kind::Retry => Err(Stop::Retry),
        }
    }

    fn optional(&mut self, value: Option<&Expression>) -> Found {
        value.map_or(Ok(Value::Nil), |value| self.value(value))
    }

    fn output(&mut self, place: Place, value: &Expression) -> Found {
        let value = self.value(value)?;
        let text = self.print(&value, place)?;
        self.write(place, &text, false)
    }

    /// Adds to the text. `copied` says that it stands so in the template, at its place.
    pub(super) fn write(&mut self, from: Place, text: &str, copied: bool) -> Found {
        self.step(from)?;
        self.segments.push(Segment { at: self.length, from, copied });
        self.text.push_str(text);
        self.length += text.chars().count();
        if self.length > MAX_OUTPUT {
            return Err(Stop::limit(from, "this template writes too much"));
        }
        Ok(Value::Nil)
    }

    /// Renders a template inside this one, with what this one knows. Its text is no part of this one's.
    pub(super) fn nested(&mut self, pieces: &[Piece], place: Place) -> Result<String, Stop> {
        let program = super::parse::parse(pieces).map_err(|trouble| Stop::unknown(place, trouble.message))?;
        let (text, length) = (std::mem::take(&mut self.text), std::mem::take(&mut self.length));
        let segments = std::mem::take(&mut self.segments);
        let done = self.body(&program.body);
        self.length = length;
        self.segments = segments;
        let text = std::mem::replace(&mut self.text, text);
        done.map_err(|stop| at(stop, place))?;
        Ok(text)
    }

    /// Runs a file of Ruby with what this template knows.
    pub(super) fn include(&mut self, source: &str, place: Place) -> Result<(), Stop> {
        let program = super::parse::parse_ruby(source).map_err(|trouble| Stop::unknown(place, trouble.message))?;
        let outer = std::mem::take(&mut self.scope);
        let done = self.body(&program.body);
        self.scope = outer;
        done.map(drop).map_err(|stop| at(stop, place))
    }

    /// The text of a string with interpolations.
    pub(super) fn join(&mut self, parts: &[Part], place: Place) -> Result<String, Stop> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Code(body) => {
                    let value = self.body(body)?;
                    text.push_str(&self.print(&value, place)?);
                }
            }
            if text.len() > MAX_OUTPUT {
                return Err(Stop::limit(place, "this template makes too large a value"));
            }
        }
        Ok(text)
    }

    /// `to_s`, also of what holds other values.
    pub(super) fn print(&mut self, value: &Value, place: Place) -> Result<String, Stop> {
        self.measure(value, place)?;
        Ok(value.print())
    }

    fn command_of(&mut self, parts: &[Part], place: Place) -> Found {
        let command = self.join(parts, place)?;
        let answer = self.command(&command, Complaints::Shown, place)?;
        Ok(Value::text(answer.printed))
    }

    /// Runs a command and remembers how it ended.
    pub(super) fn command(
        &mut self,
        command: &str,
        complaints: Complaints,
        place: Place,
    ) -> Result<super::world::Answer, Stop> {
        let answer = self.outside.run(command, complaints).map_err(|error| {
            Stop::tell(place, error.class(), error.to_string(), format!("cannot run `{command}`: {error}"))
        })?;
        self.last_status = Some(answer.status);
        Ok(answer)
    }

    fn global(&mut self, name: &str, place: Place) -> Found {
        let found = self.last_match.as_deref();
        Ok(match name {
            "$~" => self.last_match.clone().map_or(Value::Nil, Value::Match),
            "$?" => self.last_status.map_or(Value::Nil, Value::Status),
            "$!" => self.rescued.clone().unwrap_or(Value::Nil),
            "$stdout" | "$stderr" | "$stdin" => Value::Module(name.into()),
            "$0" | "$PROGRAM_NAME" => Value::text("kamal"),
            "$&" => Value::or_nil(found.and_then(|found| found.text(0))),
            "$`" => Value::or_nil(found.map(|found| &found.subject[..found.range().0])),
            "$'" => Value::or_nil(found.map(|found| &found.subject[found.range().1..])),
            _ => match name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok()) {
                Some(group) => Value::or_nil(found.and_then(|found| found.text(group))),
                None if name.starts_with('$') && !self.globals.contains_key(name) => {
                    return Err(Stop::unknown(place, format!("`{name}` is not understood")));
                }
                None => self.globals.get(name).cloned().unwrap_or(Value::Nil),
            },
        })
    }

    fn constant(&mut self, name: &Rc<str>, place: Place) -> Found {
        if let Some(value) = self.globals.get(name) {
            return Ok(value.clone());
        }
        if let Some(value) = methods::constant(self, name) {
            return Ok(value);
        }
        if methods::is_of_the_app(name) {
            return Err(Stop::raise(place, "NameError", format!("uninitialized constant {name}")));
        }
        Err(Stop::unknown(place, format!("`{name}` is not understood")))
    }

    fn is_defined(&mut self, value: &Expression) -> Found {
        let kind = match &value.kind {
            Kind::Body(body) if body.len() == 1 => return self.is_defined(&body[0]),
            Kind::Variable(name) => self.scope.get(name).map(|_| "local-variable"),
            Kind::Constant(name) => {
                let there = self.globals.contains_key(name) || methods::constant(self, name).is_some();
                there.then_some("constant")
            }
            Kind::Global(name) => self.globals.get(name).map(|_| "global-variable"),
            Kind::Call(call) if call.receiver.is_none() => {
                (self.defined.contains_key(&call.name) || methods::is_function(&call.name)).then_some("method")
            }
            Kind::Call(_) => match self.value(value) {
                Ok(_) => Some("method"),
                Err(Stop::Raise(_)) => None,
                Err(other) => return Err(other),
            },
            Kind::Assign(..) | Kind::Update(..) => Some("assignment"),
            _ => Some("expression"),
        };
        Ok(Value::or_nil(kind))
    }

    /// A number no other block has.
    fn tag(&mut self) -> u64 {
        self.tags += 1;
        self.tags
    }

    fn lambda(&mut self, block: &Rc<ast::Block>) -> Rc<Proc> {
        let tag = self.tag();
        let scope = Rc::clone(&self.scope);
        self.kept(Proc { kind: super::value::Callable::Code(Rc::clone(block), scope), lambda: true, tag })
    }
}

/// The same reason at another place, for what stands in another file.
fn at(stop: Stop, place: Place) -> Stop {
    match stop {
        Stop::TemplateFault(trouble) => Stop::TemplateFault(Box::new(TemplateFault { place, ..*trouble })),
        Stop::Raise(error) => Stop::Raise(Rc::new(super::value::Error {
            class: Rc::clone(&error.class),
            message: error.message.clone(),
            told: error.told.clone(),
            place,
        })),
        other => other,
    }
}
