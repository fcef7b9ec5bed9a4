//! JSON.

use serde_json::Value as Json;

use super::super::super::yaml::scalar::float_text;
use super::super::ast::Place;
use super::super::run::{Found, Run};
use super::super::stop::Stop;
use super::super::value::Value;
use super::{Call, Method, file, plain};

/// `JSON` itself.
pub(super) const MODULE: &[Method] = &[
    plain("parse parse! load", 1, 2, |run, call| {
        let (values, options) = call.options(&["symbolize_names"])?;
        let text = match values.first() {
            Some(Value::Stream(text)) => text.to_string(),
            _ => call.text(0)?,
        };
        read(run, &text, options.is_set("symbolize_names"), call.place)
    }),
    plain("load_file parse_file", 1, 2, |run, call| {
        let (_, options) = call.options(&["symbolize_names"])?;
        let text = file::read(run, &call.text(0)?, call.place)?;
        read(run, &text, options.is_set("symbolize_names"), call.place)
    }),
    plain("generate dump", 1, 1, |run, call| compact(run, call.value(0), call.place).map(Value::text)),
    plain("pretty_generate", 1, 1, |run, call| pretty(run, call).map(Value::text)),
];

fn read(run: &mut Run<'_>, text: &str, symbols: bool, place: Place) -> Found {
    match serde_json::from_str(text) {
        Ok(json) => value(run, json, symbols, place),
        Err(error) => Err(Stop::raise(place, "JSON::ParserError", format!("invalid JSON: {error}"))),
    }
}

fn value(run: &mut Run<'_>, json: Json, symbols: bool, place: Place) -> Found {
    run.step(place)?;
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) => {
            let items = items.into_iter().map(|item| value(run, item, symbols, place)).collect::<Result<_, _>>()?;
            run.list(items)
        }
        Json::Object(entries) => {
            let mut pairs = Vec::new();
            for (name, entry) in entries {
                let name = if symbols { Value::symbol(&name) } else { Value::text(name) };
                pairs.push((name, value(run, entry, symbols, place)?));
            }
            Value::Map(run.map(pairs, place)?)
        }
    })
}

/// `to_json`.
pub(super) fn compact(run: &mut Run<'_>, value: &Value, place: Place) -> Result<String, Stop> {
    run.measure(value, place)?;
    let mut out = String::new();
    write(value, None, &mut out);
    Ok(out)
}

fn pretty(run: &mut Run<'_>, call: &Call<'_>) -> Result<String, Stop> {
    run.measure(call.value(0), call.place)?;
    let mut out = String::new();
    write(call.value(0), Some(0), &mut out);
    Ok(out)
}

/// Writes a value that has been measured, on one line or with its depth in indents.
fn write(value: &Value, depth: Option<usize>, out: &mut String) {
    let line = |out: &mut String, depth: Option<usize>| {
        if let Some(depth) = depth {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
    };
    let inner = depth.map(|depth| depth + 1);
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(_) | Value::Int(_) => out.push_str(&value.print()),
        Value::Float(number) => out.push_str(&float_text(*number)),
        Value::List(list) if list.is_empty() => out.push_str("[]"),
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.items().iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                line(out, inner);
                write(item, inner, out);
            }
            line(out, depth);
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, value)) in map.pairs().iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                line(out, inner);
                out.push_str(&Json::from(key.print()).to_string());
                out.push_str(if depth.is_some() { ": " } else { ":" });
                write(value, inner, out);
            }
            line(out, depth);
            out.push('}');
        }
        other => out.push_str(&Json::from(other.print()).to_string()),
    }
}
