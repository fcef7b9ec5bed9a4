//! The document `kamal config` prints, before it has a spelling.

use super::super::ruby;
use super::super::source::Span;
use super::super::yaml::{Entry, Form, Kind, Node};
use crate::redact::{Redactor, data::Names};

/// A value as Ruby holds it.
#[derive(Clone, Debug)]
pub(in crate::config) enum Value {
    /// Anything but lists and mappings.
    Scalar(Kind),
    List(Vec<Value>),
    /// A mapping; an object of a Ruby class carries its tag.
    Map {
        tag: Option<&'static str>,
        entries: Vec<(Key, Value)>,
    },
}

/// A mapping's key.
#[derive(Clone, Debug)]
pub(in crate::config) struct Key {
    pub(in crate::config) text: String,
    pub(in crate::config) form: Form,
}

impl Value {
    pub(in crate::config) fn text(text: &str) -> Self {
        Self::Scalar(Kind::Text(text.to_owned()))
    }

    pub(in crate::config) fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        Self::List(texts.map(Self::text).collect())
    }

    /// A mapping with symbols for keys, of those that have a value.
    pub(in crate::config) fn symbols<const N: usize>(entries: [(&str, Option<Self>); N]) -> Self {
        Self::map(None, Form::Symbol, entries)
    }

    /// An object of a Ruby class, by its instance variables.
    pub(in crate::config) fn object<const N: usize>(tag: &'static str, entries: [(&str, Self); N]) -> Self {
        Self::map(Some(tag), Form::Text, entries.map(|(name, value)| (name, Some(value))))
    }

    fn map<const N: usize>(tag: Option<&'static str>, form: Form, entries: [(&str, Option<Self>); N]) -> Self {
        let entry = |(name, value): (&str, Option<Self>)| Some((Key { text: name.to_owned(), form }, value?));
        Self::Map { tag, entries: entries.into_iter().filter_map(entry).collect() }
    }

    /// Without secrets, in names or in values; `true` and `false` are none, nor are the symbols that Kamal has for names.
    pub(super) fn redacted(self, redactor: &Redactor) -> Self {
        match self {
            Self::Scalar(Kind::Null | Kind::Bool(_)) => self,
            Self::Scalar(kind) => {
                let text = ruby::text(&Node { span: Span::default(), kind: kind.clone() });
                match redactor.value(&text) {
                    shown if shown == text => Self::Scalar(kind),
                    shown => Self::text(&shown),
                }
            }
            Self::List(items) => Self::List(items.into_iter().map(|item| item.redacted(redactor)).collect()),
            Self::Map { tag, entries } => {
                let mut names = Names::default();
                let mut entry = |(key, value): (Key, Self)| {
                    let text = if key.form == Form::Symbol { key.text } else { names.shown(redactor, &key.text) };
                    (Key { text, form: key.form }, value.redacted(redactor))
                };
                Self::Map { tag, entries: entries.into_iter().map(&mut entry).collect() }
            }
        }
    }

    /// As JSON, objects and symbols as plain data.
    pub(in crate::config) fn json(&self) -> serde_json::Value {
        match self {
            Self::Scalar(Kind::Bool(value)) => (*value).into(),
            Self::Scalar(Kind::Int(value)) => {
                i64::try_from(*value).map_or_else(|_| value.to_string().into(), Into::into)
            }
            Self::Scalar(Kind::Float(value)) => (*value).into(),
            Self::Scalar(Kind::Text(text) | Kind::Symbol(text) | Kind::Date(text)) => text.clone().into(),
            Self::Scalar(_) => serde_json::Value::Null,
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Map { entries, .. } => {
                serde_json::Value::Object(entries.iter().map(|(key, value)| (key.text.clone(), value.json())).collect())
            }
        }
    }
}

impl From<&Node> for Value {
    fn from(node: &Node) -> Self {
        match &node.kind {
            Kind::List(items) => Self::List(items.iter().map(Self::from).collect()),
            Kind::Map(map) => {
                let entry = |(name, entry): (&String, &Entry)| {
                    (Key { text: name.clone(), form: entry.form }, Self::from(&entry.value))
                };
                Self::Map { tag: None, entries: map.iter().map(entry).collect() }
            }
            kind => Self::Scalar(kind.clone()),
        }
    }
}
