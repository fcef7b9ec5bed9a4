//! Values as keys of a mapping.

use std::rc::Rc;

use super::Value;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Nil,
    Bool(bool),
    Int(i64),
    Float(u64),
    Text(String),
    Symbol(Rc<str>),
    List(Vec<Key>),
    /// By its class and how it prints.
    Other(Rc<str>, String),
}

impl From<&Value> for Key {
    /// Only for values that have been measured.
    fn from(value: &Value) -> Self {
        match value {
            Value::Nil => Self::Nil,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Float(value) => Self::Float(value.to_bits()),
            Value::Text(text) => Self::Text(text.borrow().clone()),
            Value::Symbol(name) => Self::Symbol(Rc::clone(name)),
            Value::List(list) => Self::List(list.items().iter().map(Self::from).collect()),
            other => Self::Other(other.class(), other.inspect()),
        }
    }
}
