//! Ruby's values. Lists, mappings and texts are shared and can be changed through every name they have, as in Ruby.

mod heap;
mod key;
mod print;
mod regexp;

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::rc::Rc;

use jiff::Zoned;
use jiff::civil::Date;

pub(super) use heap::{Heap, List, Map, Scope};
pub(super) use key::Key;
pub(super) use regexp::{Match, Regexp};

use super::ast::{Block, Place};

#[derive(Clone, Debug)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Symbol(Rc<str>),
    Text(Rc<RefCell<String>>),
    List(List),
    Map(Map),
    Range(Rc<Range>),
    Regexp(Rc<Regexp>),
    Match(Rc<Match>),
    Proc(Rc<Proc>),
    Time(Rc<Zoned>),
    Date(Date),
    Path(Rc<str>),
    Uri(Rc<str>),
    /// A class or module, by its name.
    Module(Rc<str>),
    Error(Rc<Error>),
    Series(Rc<Series>),
    /// A file or command opened to be read: all of it.
    Stream(Rc<str>),
    /// `ERB.new(text)`.
    Template(Rc<str>),
    /// How a command ended.
    Status(i32),
    /// `ENV`.
    Env,
    /// `self` outside of any object.
    Main,
}

/// `first..last`, either of which may be nil.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) first: Value,
    pub(super) last: Value,
    pub(super) exclusive: bool,
}

/// An exception.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) class: Rc<str>,
    /// Its message in Ruby.
    pub(super) message: String,
    /// What the user is told when nothing rescues it.
    pub(super) told: String,
    pub(super) place: Place,
}

/// What is called: a block, a lambda, `:name.to_proc`.
#[derive(Debug)]
pub(super) struct Proc {
    pub(super) kind: Callable,
    /// Checks its arguments, and is what its own `return` ends.
    pub(super) lambda: bool,
    /// The call whose block this is, for `break`, or the lambda itself, for `return`.
    pub(super) tag: u64,
}

#[derive(Debug)]
pub(super) enum Callable {
    Code(Rc<Block>, Rc<Scope>),
    /// `&:name`
    Method(Rc<str>),
    /// `method(:name)`
    Bound(Value, Rc<str>),
    /// A block that also gets the number of its call.
    Counted(Rc<Proc>, Cell<i64>),
    /// A block that also gets the same object each time.
    With(Rc<Proc>, Value),
    /// `f >> g`
    Chain(Rc<Proc>, Rc<Proc>),
}

/// What a method like `each` gives when it has no block: what it would go through, and itself.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) items: Value,
    pub(super) method: Rc<str>,
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Rc::new(RefCell::new(text.into())))
    }

    /// A text, or nil for nothing.
    pub(super) fn or_nil(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Nil, Self::text)
    }

    pub(super) fn symbol(name: &str) -> Self {
        Self::Symbol(name.into())
    }

    pub(super) fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn module(name: &str) -> Self {
        Self::Module(name.into())
    }

    pub(super) fn truthy(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    pub(super) fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Roughly the bytes it takes itself, without what it holds.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.borrow().len(),
            Self::Symbol(text) | Self::Path(text) => text.len(),
            Self::List(list) => list.len() * size_of::<Self>(),
            Self::Map(map) => map.len() * size_of::<Self>() * 3,
            _ => 0,
        }
    }

    /// ActiveSupport's `blank?`, which Kamal loads.
    pub(super) fn blank(&self) -> bool {
        match self {
            Self::Nil | Self::Bool(false) => true,
            Self::Text(text) => text.borrow().trim().is_empty(),
            Self::Symbol(text) => text.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Map(map) => map.is_empty(),
            _ => false,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The name of its class.
    pub(super) fn class(&self) -> Rc<str> {
        match self {
            Self::Nil => "NilClass",
            Self::Bool(true) => "TrueClass",
            Self::Bool(false) => "FalseClass",
            Self::Int(_) => "Integer",
            Self::Float(_) => "Float",
            Self::Text(_) => "String",
            Self::Symbol(_) => "Symbol",
            Self::List(_) => "Array",
            Self::Map(_) => "Hash",
            Self::Range(_) => "Range",
            Self::Regexp(_) => "Regexp",
            Self::Match(_) => "MatchData",
            Self::Proc(_) => "Proc",
            Self::Time(_) => "Time",
            Self::Date(_) => "Date",
            Self::Path(_) => "Pathname",
            Self::Uri(_) => "URI::Generic",
            Self::Module(_) => "Module",
            Self::Error(error) => return Rc::clone(&error.class),
            Self::Series(_) => "Enumerator",
            Self::Stream(_) => "IO",
            Self::Template(_) => "ERB",
            Self::Status(_) => "Process::Status",
            Self::Env | Self::Main => "Object",
        }
        .into()
    }

    /// What it is called in complaints.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Nil | Self::Bool(_) => self.inspect(),
            Self::Module(name) => name.to_string(),
            Self::Env => "ENV".to_owned(),
            Self::Main => "the template".to_owned(),
            other => format!("an instance of {}", other.class()),
        }
    }

    /// Ruby's `==`. Only for values that have been measured.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) | (Self::Env, Self::Env) | (Self::Main, Self::Main) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Int(_) | Self::Float(_), Self::Int(_) | Self::Float(_)) => self.number() == other.number(),
            (Self::Text(left), Self::Text(right)) => *left.borrow() == *right.borrow(),
            (Self::Symbol(left), Self::Symbol(right))
            | (Self::Path(left), Self::Path(right))
            | (Self::Uri(left), Self::Uri(right))
            | (Self::Module(left), Self::Module(right)) => left == right,
            (Self::List(left), Self::List(right)) => {
                let (left, right) = (left.items(), right.items());
                left.len() == right.len() && left.iter().zip(&right).all(|(left, right)| left.same(right))
            }
            (Self::Map(left), Self::Map(right)) => {
                left.len() == right.len()
                    && left.keyed().iter().all(|(key, _, value)| right.get(key).is_some_and(|other| value.same(&other)))
            }
            (Self::Range(left), Self::Range(right)) => {
                left.exclusive == right.exclusive && left.first.same(&right.first) && left.last.same(&right.last)
            }
            (Self::Time(left), Self::Time(right)) => left.timestamp() == right.timestamp(),
            (Self::Date(left), Self::Date(right)) => left == right,
            (Self::Status(left), Self::Status(right)) => left == right,
            (Self::Status(left), Self::Int(right)) => i64::from(*left) == *right,
            (Self::Error(left), Self::Error(right)) => Rc::ptr_eq(left, right),
            (Self::Regexp(left), Self::Regexp(right)) => left.source == right.source && left.flags == right.flags,
            (Self::Proc(left), Self::Proc(right)) => Rc::ptr_eq(left, right),
            _ => false,
        }
    }

    /// Ruby's `<=>`. Only for values that have been measured.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Int(_) | Self::Float(_), _) => self.number()?.partial_cmp(&other.number()?),
            (Self::Text(left), Self::Text(right)) => Some(left.borrow().cmp(&right.borrow())),
            (Self::Symbol(left), Self::Symbol(right)) | (Self::Path(left), Self::Path(right)) => Some(left.cmp(right)),
            (Self::List(left), Self::List(right)) => {
                let (left, right) = (left.items(), right.items());
                for (left, right) in left.iter().zip(&right) {
                    match left.order(right)? {
                        Ordering::Equal => {}
                        other => return Some(other),
                    }
                }
                Some(left.len().cmp(&right.len()))
            }
            (Self::Time(left), Self::Time(right)) => Some(left.timestamp().cmp(&right.timestamp())),
            (Self::Date(left), Self::Date(right)) => Some(left.cmp(right)),
            _ => self.same(other).then_some(Ordering::Equal),
        }
    }
}

/// The classes and modules that are a class's own and above it, itself aside.
pub(super) fn ancestors(class: &str) -> &'static [&'static str] {
    match class {
        "Integer" | "Float" => &["Numeric", "Comparable"],
        "String" => &["Comparable"],
        "Array" | "Range" | "Enumerator" => &["Enumerable"],
        "Hash" => &["Enumerable"],
        "KeyError" | "StopIteration" => &["IndexError", "StandardError", "Exception"],
        "NoMethodError" => &["NameError", "StandardError", "Exception"],
        "FrozenError" => &["RuntimeError", "StandardError", "Exception"],
        "FloatDomainError" => &["RangeError", "StandardError", "Exception"],
        "LoadError" | "NotImplementedError" | "SyntaxError" => &["ScriptError", "Exception"],
        "SystemExit" | "ScriptError" | "StandardError" | "Interrupt" => &["Exception"],
        "URI::InvalidURIError" => &["URI::Error", "StandardError", "Exception"],
        "JSON::ParserError" => &["JSON::JSONError", "StandardError", "Exception"],
        "Psych::SyntaxError" => &["Psych::Exception", "StandardError", "Exception"],
        "UncaughtThrowError" => &["ArgumentError", "StandardError", "Exception"],
        _ if class.starts_with("Errno::") => &["SystemCallError", "StandardError", "Exception"],
        _ if is_error(class) => &["StandardError", "Exception"],
        _ => &[],
    }
}

/// Whether a class is one of exceptions.
pub(super) fn is_error(class: &str) -> bool {
    const OTHERS: [&str; 2] = ["Exception", "SystemExit"];
    class.ends_with("Error") || class.starts_with("Errno::") || OTHERS.contains(&class)
}
