//! The tree of a YAML document: plain data with places, and readers that answer `None` instead of guessing.

use indexmap::IndexMap;

use super::super::source::Span;
use super::scalar::float_text;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

/// A value as Ruby holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Symbol(String),
    /// A date or time: no string to Ruby, so it fails every check for one.
    Date(String),
    List(Vec<Node>),
    Map(Map),
}

/// A mapping in the order of first mention.
pub(crate) type Map = IndexMap<String, Entry>;

/// A mapping's value, and where its key stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: Span,
    /// Whether the key is text to Ruby; everything else tells them apart by their text alone.
    pub(crate) form: Form,
    pub(crate) value: Node,
}

/// What a mapping's key is to Ruby, which prints `1:` and `'1':`, `:a:` and `a:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Symbol,
    /// A number, a boolean, a date.
    Other,
}

impl Node {
    /// A mapping without entries, standing at `span`.
    pub(crate) fn empty_map(span: Span) -> Self {
        Self { span, kind: Kind::Map(Map::new()) }
    }

    /// The value below `key`, if this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry below `key`, if this is a mapping that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.map().and_then(|map| map.get(key))
    }

    pub(crate) fn map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn int(&self) -> Option<i128> {
        match self.kind {
            Kind::Int(value) => Some(value),
            _ => None,
        }
    }

    /// Text, symbols, numbers and booleans, printed as Ruby prints them; Kamal calls these "stringish".
    pub(crate) fn text(&self) -> Option<String> {
        match &self.kind {
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Int(value) => Some(value.to_string()),
            Kind::Float(value) => Some(float_text(*value)),
            Kind::Text(text) | Kind::Symbol(text) => Some(text.clone()),
            Kind::Null | Kind::Date(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Only what was text to begin with.
    pub(crate) fn string(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Ruby's `blank?`: nothing, `false`, only blanks, or empty.
    pub(crate) fn is_blank(&self) -> bool {
        match &self.kind {
            Kind::Null => true,
            Kind::Bool(value) => !value,
            Kind::Text(text) | Kind::Symbol(text) => text.trim().is_empty(),
            Kind::List(items) => items.is_empty(),
            Kind::Map(map) => map.is_empty(),
            Kind::Int(_) | Kind::Float(_) | Kind::Date(_) => false,
        }
    }

    /// Ruby's truth: everything but nothing and `false`.
    pub(crate) fn is_truthy(&self) -> bool {
        !matches!(self.kind, Kind::Null | Kind::Bool(false))
    }
}
