//! YAML, read as deploy.yml itself is, and printed as Ruby prints it.

use super::super::super::diagnostic::Report;
use super::super::super::effective::{psych, value as document};
use super::super::super::source::Span;
use super::super::super::yaml::tree::Origin;
use super::super::super::yaml::{Entry, Form, Kind, Node, parse};
use super::super::ast::Place;
use super::super::run::{Found, Run};
use super::super::stop::Stop;
use super::super::value::Value;
use super::{Method, file, plain};

/// What may be allowed of what is read. Nothing but plain data is made here, so there is nothing to forbid.
const OPTIONS: [&str; 7] =
    ["aliases", "symbolize_names", "permitted_classes", "permitted_symbols", "filename", "fallback", "freeze"];

/// `YAML` itself.
pub(super) const MODULE: &[Method] = &[
    plain("load safe_load unsafe_load", 1, 4, |run, call| {
        let (values, options) = call.options(&OPTIONS)?;
        let text = match values.first() {
            Some(Value::Stream(text)) => text.to_string(),
            _ => call.text(0)?,
        };
        read(run, &text, options.is_set("symbolize_names"), call.place)
    }),
    plain("load_file safe_load_file unsafe_load_file", 1, 2, |run, call| {
        let (_, options) = call.options(&OPTIONS)?;
        let text = file::read(run, &call.text(0)?, call.place)?;
        read(run, &text, options.is_set("symbolize_names"), call.place)
    }),
    plain("dump", 1, 1, |run, call| print(run, call.value(0), call.place).map(Value::text)),
];

/// Nothing read here has a place of its own.
struct Nowhere;

impl Origin for Nowhere {
    fn span(&self, _: usize, _: usize) -> Span {
        Span::default()
    }
}

fn read(run: &mut Run<'_>, text: &str, symbols: bool, place: Place) -> Found {
    let mut report = Report::new(Vec::new());
    let Some(node) = parse(text, &Nowhere, &mut report) else {
        let why = report.errors.first().map(|error| error.message.clone()).unwrap_or_default();
        return Err(Stop::raise(place, "Psych::SyntaxError", why));
    };
    value(run, &node, symbols, place)
}

fn value(run: &mut Run<'_>, node: &Node, symbols: bool, place: Place) -> Found {
    run.step(place)?;
    Ok(match &node.kind {
        Kind::List(items) => {
            let items = items.iter().map(|item| value(run, item, symbols, place)).collect::<Result<_, _>>()?;
            run.list(items)
        }
        Kind::Map(map) => {
            let mut pairs = Vec::new();
            for (name, entry) in map {
                pairs.push((key(name, entry, symbols), value(run, &entry.value, symbols, place)?));
            }
            Value::Map(run.map(pairs, place)?)
        }
        Kind::Null => Value::Nil,
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Int(value) => match i64::try_from(*value) {
            Ok(value) => Value::Int(value),
            Err(_) => return Err(Stop::unknown(place, format!("{value} is too large a number here"))),
        },
        Kind::Float(value) => Value::Float(*value),
        Kind::Text(text) => Value::text(text.clone()),
        Kind::Symbol(name) => Value::symbol(name),
        Kind::Date(text) => match text.parse() {
            Ok(date) if text.len() == 10 => Value::Date(date),
            _ => return Err(Stop::unknown(place, format!("the time {text} is not understood"))),
        },
    })
}

fn key(name: &str, entry: &Entry, symbols: bool) -> Value {
    match entry.form {
        Form::Symbol => Value::symbol(name),
        Form::Text if symbols => Value::symbol(name),
        Form::Text => Value::text(name),
        Form::Other => match (name, name.parse()) {
            (_, Ok(number)) => Value::Int(number),
            ("true", _) => Value::Bool(true),
            ("false", _) => Value::Bool(false),
            ("", _) => Value::Nil,
            _ => Value::text(name),
        },
    }
}

/// `to_yaml`.
pub(super) fn print(run: &mut Run<'_>, value: &Value, place: Place) -> Result<String, Stop> {
    run.measure(value, place)?;
    Ok(psych::print(&written(value)))
}

fn written(value: &Value) -> document::Value {
    use document::{Key, Value as Document};
    Document::Scalar(match value {
        Value::Nil => Kind::Null,
        Value::Bool(value) => Kind::Bool(*value),
        Value::Int(value) => Kind::Int((*value).into()),
        Value::Float(value) => Kind::Float(*value),
        Value::Symbol(name) => Kind::Symbol(name.to_string()),
        Value::Date(date) => Kind::Date(date.to_string()),
        Value::List(list) => return Document::List(list.items().iter().map(written).collect()),
        Value::Map(map) => {
            let key = |key: &Value| Key {
                text: key.print(),
                form: match key {
                    Value::Symbol(_) => Form::Symbol,
                    Value::Text(_) => Form::Text,
                    _ => Form::Other,
                },
            };
            let entries = map.pairs().iter().map(|(name, value)| (key(name), written(value))).collect();
            return Document::Map { tag: None, entries };
        }
        other => Kind::Text(other.print()),
    })
}
