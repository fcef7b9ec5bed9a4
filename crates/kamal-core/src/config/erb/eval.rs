//! Does what a template says.

use std::collections::{HashMap, HashSet};

use super::ast::{Block, Expression, Kind, Part, Place, Statement};
use super::methods::call;
use super::render::{Segment, place_of};
use super::template::Piece;
use super::value::Value;
use super::{Outside, Trouble};

/// Statements executed and characters written before a template is taken for runaway.
const MAX_STEPS: usize = 200_000;
pub(super) const MAX_OUTPUT: usize = 8_000_000;

/// As many bytes of a value cost as much as a step.
const STEP_BYTES: usize = 256;

/// Runs a program over its template: the text, and where it came from.
pub(super) fn evaluate(
    program: &[Statement],
    pieces: &[Piece],
    outside: &dyn Outside,
) -> Result<(String, Vec<Segment>), Trouble> {
    let mut run = Run {
        pieces,
        outside,
        variables: HashMap::new(),
        text: String::new(),
        length: 0,
        segments: Vec::new(),
        steps: 0,
    };
    run.statements(program)?;
    Ok((run.text, run.segments))
}

pub(super) struct Run<'a> {
    pieces: &'a [Piece],
    outside: &'a dyn Outside,
    variables: HashMap<String, Value>,
    text: String,
    /// Characters of `text`.
    length: usize,
    segments: Vec<Segment>,
    steps: usize,
}

impl Run<'_> {
    /// The value of the last statement, as in Ruby.
    fn statements(&mut self, statements: &[Statement]) -> Result<Value, Trouble> {
        let mut last = Value::Nil;
        for statement in statements {
            last = match statement {
                Statement::Do(expression) => self.value(expression)?,
                Statement::Copy(number) => self.write(*number, None)?,
                Statement::Output(number, expression) => {
                    let text = self.value(expression)?.print();
                    self.write(*number, Some(&text))?
                }
            };
        }
        Ok(last)
    }

    fn write(&mut self, number: usize, printed: Option<&str>) -> Result<Value, Trouble> {
        let Some(piece) = self.pieces.get(number) else { return Ok(Value::Nil) };
        let from = place_of(piece);
        self.step(from)?;
        let text = match (printed, piece) {
            (Some(text), _) => text,
            (None, Piece::Text { text, .. }) => text,
            (None, Piece::Code { .. }) => "",
        };
        self.segments.push(Segment { at: self.length, from, copied: printed.is_none() });
        self.text.push_str(text);
        self.length += text.chars().count();
        if self.length > MAX_OUTPUT {
            return Err(Trouble::fault(from, "this template writes too much"));
        }
        Ok(Value::Nil)
    }

    /// Counts a step. Whoever repeats something counts each time.
    pub(super) fn step(&mut self, place: Place) -> Result<(), Trouble> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(Trouble::fault(place, "this template runs too long"));
        }
        Ok(())
    }

    fn value(&mut self, expression: &Expression) -> Result<Value, Trouble> {
        self.step(expression.place)?;
        let value = self.evaluated(expression)?;
        // A few loops that double a value would fill the memory.
        let weight = value.weight();
        if weight > MAX_OUTPUT {
            return Err(Trouble::fault(expression.place, "this template makes too large a value"));
        }
        self.steps += weight / STEP_BYTES;
        Ok(value)
    }

    fn evaluated(&mut self, expression: &Expression) -> Result<Value, Trouble> {
        let place = expression.place;
        Ok(match &expression.kind {
            Kind::Nil | Kind::Require => Value::Nil,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Int(value) => Value::Int(*value),
            Kind::Float(value) => Value::Float(*value),
            Kind::Symbol(name) => Value::Symbol(name.clone()),
            Kind::Text(parts) => Value::Text(self.join(parts)?),
            Kind::Command(parts) => {
                let command = self.join(parts)?;
                self.run(&command, place)?
            }
            Kind::List(items) => Value::List(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?),
            // Assigned in a branch that was not taken: nil, as in Ruby.
            Kind::Variable(name) => self.variables.get(name).cloned().unwrap_or(Value::Nil),
            Kind::Assign(name, value) => {
                let value = self.value(value)?;
                self.variables.insert(name.clone(), value.clone());
                value
            }
            Kind::Env(key) => {
                let key = self.text(key)?;
                self.outside.env(&key).map_or(Value::Nil, Value::Text)
            }
            Kind::EnvFetch(key, default) => {
                let key = self.text(key)?;
                match (self.outside.env(&key), default) {
                    (Some(value), _) => Value::Text(value),
                    (None, Some(default)) => self.value(default)?,
                    (None, None) => {
                        return Err(Trouble::fault(place, format!("the environment variable {key} is not set")));
                    }
                }
            }
            Kind::EnvHas(key) => {
                let key = self.text(key)?;
                Value::Bool(self.outside.env(&key).is_some())
            }
            Kind::ReadFile(path) => {
                let path = self.text(path)?;
                let read = self.outside.read_file(&path);
                Value::Text(read.map_err(|error| Trouble::fault(place, format!("cannot read {path}: {error}")))?)
            }
            Kind::FileExists(path) => {
                let path = self.text(path)?;
                match self.outside.read_file(&path) {
                    Ok(_) => Value::Bool(true),
                    Err(error) if error.contains("No such file") || error.contains("os error 2") => Value::Bool(false),
                    Err(error) => return Err(Trouble::fault(place, format!("cannot look at {path}: {error}"))),
                }
            }
            Kind::DockerArch => self.docker_arch(place)?,
            Kind::Raise(message) => {
                let message = self.value(message)?.print();
                return Err(Trouble::fault(place, message));
            }
            Kind::Not(value) => Value::Bool(!self.value(value)?.truthy()),
            Kind::And(left, right) => {
                let left = self.value(left)?;
                if left.truthy() { self.value(right)? } else { left }
            }
            Kind::Or(left, right) => {
                let left = self.value(left)?;
                if left.truthy() { left } else { self.value(right)? }
            }
            Kind::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                binary(operator, left, right)
                    .ok_or_else(|| Trouble::fault(place, format!("cannot apply `{operator}` here")))?
            }
            Kind::Range { first, last, exclusive } => self.range(first, last, *exclusive, place)?,
            Kind::If { condition, then, otherwise } => {
                let chosen = if self.value(condition)?.truthy() { then } else { otherwise };
                self.statements(chosen)?
            }
            Kind::Index(receiver, index) => {
                let (receiver, index) = (self.value(receiver)?, self.value(index)?);
                call(self, place, &receiver, "[]", &[index], None)?
            }
            Kind::Call { receiver, safe, name, arguments, block } => {
                let receiver = self.value(receiver)?;
                if *safe && receiver == Value::Nil {
                    return Ok(Value::Nil);
                }
                let arguments: Vec<Value> = arguments.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?;
                call(self, place, &receiver, name, &arguments, block.as_ref())?
            }
        })
    }

    /// The numbers of a range. On its own, so that its room on the stack is not taken at every level.
    fn range(&mut self, first: &Expression, last: &Expression, exclusive: bool, at: Place) -> Result<Value, Trouble> {
        let (first, last) = (self.value(first)?, self.value(last)?);
        range(&first, &last, exclusive)
            .ok_or_else(|| Trouble::fault(at, "a range is made of whole numbers, ten thousand at most"))
    }

    /// Calls a block with values for its parameters; a list is spread over several.
    pub(super) fn yield_to(&mut self, block: &Block, values: &[Value]) -> Result<Value, Trouble> {
        let spread = match values {
            [Value::List(items)] if block.parameters.len() > 1 => items,
            _ => values,
        };
        let mut shadowed = Vec::new();
        for (index, name) in block.parameters.iter().enumerate() {
            let value = spread.get(index).cloned().unwrap_or(Value::Nil);
            shadowed.push((name.clone(), self.variables.insert(name.clone(), value)));
        }
        let result = self.statements(&block.body);
        for (name, old) in shadowed.into_iter().rev() {
            match old {
                Some(old) => drop(self.variables.insert(name, old)),
                None => drop(self.variables.remove(&name)),
            }
        }
        result
    }

    fn join(&mut self, parts: &[Part]) -> Result<String, Trouble> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Code(body) => text.push_str(&self.statements(body)?.print()),
            }
        }
        Ok(text)
    }

    fn text(&mut self, expression: &Expression) -> Result<String, Trouble> {
        match self.value(expression)? {
            Value::Text(text) => Ok(text),
            other => Err(Trouble::fault(expression.place, format!("a string is needed here, not {}", other.class()))),
        }
    }

    fn run(&mut self, command: &str, place: Place) -> Result<Value, Trouble> {
        let output = self.outside.run(command);
        output.map(Value::Text).map_err(|error| Trouble::fault(place, format!("cannot run `{command}`: {error}")))
    }

    fn docker_arch(&mut self, place: Place) -> Result<Value, Trouble> {
        let printed = self.run("docker info --format '{{.Architecture}}'", place)?.print();
        let arch = match printed.trim() {
            arch if arch.contains("aarch64") => "arm64",
            arch if arch.contains("x86_64") => "amd64",
            other => other,
        };
        Ok(Value::Text(arch.to_owned()))
    }
}

fn range(first: &Value, last: &Value, exclusive: bool) -> Option<Value> {
    let (Value::Int(first), Value::Int(last)) = (first, last) else { return None };
    let end = if exclusive { *last } else { last.checked_add(1)? };
    (end.saturating_sub(*first) <= 10_000).then(|| Value::List((*first..end).map(Value::Int).collect()))
}

fn binary(operator: &str, left: Value, right: Value) -> Option<Value> {
    use std::cmp::Ordering;
    Some(match (operator, left, right) {
        ("==", left, right) => Value::Bool(same(&left, &right)),
        ("!=", left, right) => Value::Bool(!same(&left, &right)),
        ("+", Value::Text(left), Value::Text(right)) => Value::Text(left + &right),
        ("+", Value::List(left), Value::List(right)) => Value::List(left.into_iter().chain(right).collect()),
        ("-", Value::List(left), Value::List(right)) => {
            let right: HashSet<String> = right.iter().map(Value::inspect).collect();
            Value::List(left.into_iter().filter(|item| !right.contains(&item.inspect())).collect())
        }
        ("*", Value::Text(text), Value::Int(times)) => {
            let times = usize::try_from(times).ok().filter(|times| times.saturating_mul(text.len()) <= MAX_OUTPUT)?;
            Value::Text(text.repeat(times))
        }
        ("%", Value::Text(pattern), value) => Value::Text(format(&pattern, &value)?),
        ("+", Value::Int(left), Value::Int(right)) => Value::Int(left.checked_add(right)?),
        ("-", Value::Int(left), Value::Int(right)) => Value::Int(left.checked_sub(right)?),
        ("*", Value::Int(left), Value::Int(right)) => Value::Int(left.checked_mul(right)?),
        // Ruby rounds down, not towards zero.
        ("/", Value::Int(left), Value::Int(right)) => {
            let quotient = left.checked_div(right)?;
            Value::Int(if left % right != 0 && (left < 0) != (right < 0) { quotient - 1 } else { quotient })
        }
        ("%", Value::Int(left), Value::Int(right)) => {
            let rest = left.checked_rem(right)?;
            Value::Int(if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest })
        }
        (operator, left, right) => {
            let order = match (&left, &right) {
                (Value::Text(left), Value::Text(right)) => left.cmp(right),
                _ => number(&left)?.partial_cmp(&number(&right)?)?,
            };
            match operator {
                "<" => Value::Bool(order == Ordering::Less),
                ">" => Value::Bool(order == Ordering::Greater),
                "<=" => Value::Bool(order != Ordering::Greater),
                ">=" => Value::Bool(order != Ordering::Less),
                _ => {
                    let (left, right) = (number(&left)?, number(&right)?);
                    Value::Float(match operator {
                        "+" => left + right,
                        "-" => left - right,
                        "*" => left * right,
                        "/" => left / right,
                        _ => return None,
                    })
                }
            }
        }
    })
}

/// `"web-%02d" % 7`: one `%d`, `%s` or `%0Nd`.
fn format(pattern: &str, value: &Value) -> Option<String> {
    let (before, rest) = pattern.split_once('%')?;
    let directive = rest.find(['d', 's'])?;
    let (width, kind, after) = (&rest[..directive], &rest[directive..=directive], &rest[directive + 1..]);
    if after.contains('%') || !width.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size: usize = if width.is_empty() { 0 } else { width.parse().ok().filter(|size| *size <= 1000)? };
    let text = match (kind, value) {
        ("d", Value::Int(number)) if width.starts_with('0') => format!("{number:0size$}"),
        ("d", Value::Int(number)) => format!("{number:size$}"),
        ("s", Value::Text(_) | Value::Int(_)) if width.is_empty() => value.print(),
        _ => return None,
    };
    Some(format!("{before}{text}{after}"))
}

fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => number(left) == number(right),
        _ => left == right,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}
