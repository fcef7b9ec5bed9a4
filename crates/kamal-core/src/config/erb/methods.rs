//! The methods templates call on strings, numbers and lists. The table of names is consulted before anything runs, so
//! a template with a method that is not here goes to Ruby untouched.

use std::collections::HashSet;

use super::Trouble;
use super::ast::{Block, Place};
use super::eval::{MAX_OUTPUT, Run};
use super::value::{Value, leading_float, leading_int};

/// Name, fewest and most arguments, whether it takes a block.
const METHODS: &[(&str, usize, usize, bool)] = &[
    ("strip", 0, 0, false),
    ("lstrip", 0, 0, false),
    ("rstrip", 0, 0, false),
    ("chomp", 0, 1, false),
    ("upcase", 0, 0, false),
    ("downcase", 0, 0, false),
    ("capitalize", 0, 0, false),
    ("reverse", 0, 0, false),
    ("length", 0, 0, false),
    ("size", 0, 0, false),
    ("empty?", 0, 0, false),
    ("nil?", 0, 0, false),
    ("blank?", 0, 0, false),
    ("present?", 0, 0, false),
    ("presence", 0, 0, false),
    ("freeze", 0, 0, false),
    ("dup", 0, 0, false),
    ("itself", 0, 0, false),
    ("inspect", 0, 0, false),
    ("to_s", 0, 0, false),
    ("to_str", 0, 0, false),
    ("to_i", 0, 0, false),
    ("to_f", 0, 0, false),
    ("to_sym", 0, 0, false),
    ("to_a", 0, 0, false),
    ("split", 0, 1, false),
    ("lines", 0, 0, false),
    ("chars", 0, 0, false),
    ("join", 0, 1, false),
    ("first", 0, 1, false),
    ("last", 0, 1, false),
    ("include?", 1, 1, false),
    ("start_with?", 1, 4, false),
    ("end_with?", 1, 4, false),
    ("delete_prefix", 1, 1, false),
    ("delete_suffix", 1, 1, false),
    ("sub", 2, 2, false),
    ("tr", 2, 2, false),
    ("gsub", 2, 2, false),
    ("sort", 0, 0, false),
    ("uniq", 0, 0, false),
    ("compact", 0, 0, false),
    ("flatten", 0, 0, false),
    ("each", 0, 0, true),
    ("each_with_index", 0, 0, true),
    ("map", 0, 0, true),
    ("collect", 0, 0, true),
    ("select", 0, 0, true),
    ("filter", 0, 0, true),
    ("reject", 0, 0, true),
    ("times", 0, 0, true),
];

/// Whether such a call is understood.
pub(super) fn is_known(name: &str, arguments: usize, block: bool) -> bool {
    METHODS
        .iter()
        .any(|(known, least, most, takes)| *known == name && (*least..=*most).contains(&arguments) && *takes == block)
}

/// Calls a method.
pub(super) fn call(
    run: &mut Run<'_>,
    place: Place,
    receiver: &Value,
    name: &str,
    arguments: &[Value],
    block: Option<&Block>,
) -> Result<Value, Trouble> {
    if let Some(block) = block {
        return with_block(run, place, receiver, name, block);
    }
    let found = any(receiver, name, arguments).or_else(|| match receiver {
        Value::Text(text) => of_text(text, name, arguments),
        Value::List(items) => of_list(items, name, arguments),
        _ => None,
    });
    found.ok_or_else(|| undefined(place, receiver, name))
}

fn undefined(place: Place, receiver: &Value, name: &str) -> Trouble {
    Trouble::fault(place, format!("cannot call `{name}` so on {}", receiver.class()))
}

/// What every value answers to, or several kinds of value.
fn any(receiver: &Value, name: &str, arguments: &[Value]) -> Option<Value> {
    if !arguments.is_empty() {
        return None;
    }
    Some(match (name, receiver) {
        ("nil?", value) => Value::Bool(*value == Value::Nil),
        ("blank?", value) => Value::Bool(value.blank()),
        ("present?", value) => Value::Bool(!value.blank()),
        ("presence", value) => {
            if value.blank() {
                Value::Nil
            } else {
                value.clone()
            }
        }
        ("freeze" | "dup" | "itself", value) => value.clone(),
        ("inspect", value) => Value::Text(value.inspect()),
        ("to_s", value) => Value::Text(value.print()),
        ("to_i", Value::Nil) => Value::Int(0),
        ("to_i", Value::Int(value)) => Value::Int(*value),
        ("to_i", Value::Float(value)) if value.abs() < 9e15 => {
            Value::Int(format!("{:.0}", value.trunc()).parse().ok()?)
        }
        ("to_f", Value::Nil) => Value::Float(0.0),
        ("to_f", Value::Int(value)) => Value::Float(value.to_string().parse().ok()?),
        ("to_f", Value::Float(value)) => Value::Float(*value),
        ("to_a", Value::Nil) => Value::List(Vec::new()),
        ("to_sym", Value::Symbol(name)) => Value::Symbol(name.clone()),
        _ => return None,
    })
}

fn of_text(text: &str, name: &str, arguments: &[Value]) -> Option<Value> {
    let texts: Option<Vec<&str>> = arguments
        .iter()
        .map(|argument| match argument {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    if let ("[]", [Value::Int(index)]) = (name, arguments) {
        let characters: Vec<char> = text.chars().collect();
        return Some(at(&characters, *index).map_or(Value::Nil, |c| Value::Text(c.to_string())));
    }
    let blank = |c: char| c.is_ascii_whitespace() || c == '\x0b' || c == '\0';
    let own = |text: &str| Value::Text(text.to_owned());
    Some(match (name, texts?.as_slice()) {
        ("strip", []) => own(text.trim_matches(blank)),
        ("lstrip", []) => own(text.trim_start_matches(blank)),
        ("rstrip", []) => own(text.trim_end_matches(blank)),
        ("chomp", []) => own(text
            .strip_suffix("\r\n")
            .or_else(|| text.strip_suffix('\n'))
            .or_else(|| text.strip_suffix('\r'))
            .unwrap_or(text)),
        ("chomp" | "delete_suffix", [end]) => own(text.strip_suffix(end).unwrap_or(text)),
        ("delete_prefix", [start]) => own(text.strip_prefix(start).unwrap_or(text)),
        ("upcase", []) => Value::Text(text.to_uppercase()),
        ("downcase", []) => Value::Text(text.to_lowercase()),
        ("capitalize", []) => {
            let mut characters = text.chars();
            let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
            Value::Text(first + &characters.as_str().to_lowercase())
        }
        ("reverse", []) => Value::Text(text.chars().rev().collect()),
        ("length" | "size", []) => Value::Int(i64::try_from(text.chars().count()).ok()?),
        ("empty?", []) => Value::Bool(text.is_empty()),
        ("to_str", []) => own(text),
        ("to_i", []) => Value::Int(leading_int(text)?),
        ("to_f", []) => Value::Float(leading_float(text)),
        ("to_sym", []) => Value::Symbol(text.to_owned()),
        ("split", []) | ("split", [" "]) => Value::List(text.split_ascii_whitespace().map(own).collect()),
        ("split", [""]) | ("chars", []) => Value::List(text.chars().map(|c| Value::Text(c.to_string())).collect()),
        ("split", [separator]) => {
            let mut parts: Vec<&str> = text.split(separator).collect();
            while parts.last().is_some_and(|part| part.is_empty()) {
                parts.pop();
            }
            Value::List(parts.into_iter().map(own).collect())
        }
        ("lines", []) => Value::List(text.split_inclusive('\n').map(own).collect()),
        ("include?", [part]) => Value::Bool(text.contains(part)),
        ("start_with?", parts) => Value::Bool(parts.iter().any(|part| text.starts_with(part))),
        ("end_with?", parts) => Value::Bool(parts.iter().any(|part| text.ends_with(part))),
        // A backslash in a replacement is a back reference to Ruby.
        // Of single characters; ranges and the like go to Ruby or are a fault.
        ("tr", [from, to]) if from.chars().count() == 1 && to.chars().count() == 1 => {
            Value::Text(text.replace(from, to))
        }
        ("sub", [from, to]) if !to.contains('\\') => Value::Text(text.replacen(from, to, 1)),
        ("gsub", [from, to]) if !to.contains('\\') && fits(text.len() + 1, to) => Value::Text(text.replace(from, to)),
        _ => return None,
    })
}

fn of_list(items: &[Value], name: &str, arguments: &[Value]) -> Option<Value> {
    Some(match (name, arguments) {
        ("[]", [Value::Int(index)]) => at(items, *index).cloned().unwrap_or(Value::Nil),
        ("first", []) => items.first().cloned().unwrap_or(Value::Nil),
        ("last", []) => items.last().cloned().unwrap_or(Value::Nil),
        ("first", [Value::Int(count)]) => {
            Value::List(items.iter().take(usize::try_from(*count).ok()?).cloned().collect())
        }
        ("last", [Value::Int(count)]) => {
            let skipped = items.len().saturating_sub(usize::try_from(*count).ok()?);
            Value::List(items[skipped..].to_vec())
        }
        ("length" | "size", []) => Value::Int(i64::try_from(items.len()).ok()?),
        ("empty?", []) => Value::Bool(items.is_empty()),
        ("include?", [item]) => Value::Bool(items.contains(item)),
        ("join", []) => Value::Text(join(items, "")),
        ("join", [Value::Text(separator)]) if fits(items.len(), separator) => Value::Text(join(items, separator)),
        ("reverse", []) => Value::List(items.iter().rev().cloned().collect()),
        ("to_a", []) => Value::List(items.to_vec()),
        ("compact", []) => Value::List(items.iter().filter(|item| **item != Value::Nil).cloned().collect()),
        ("flatten", []) => Value::List(flat(items)),
        ("uniq", []) => {
            let mut seen = HashSet::new();
            Value::List(items.iter().filter(|item| seen.insert(item.inspect())).cloned().collect())
        }
        ("sort", []) => sorted(items)?,
        _ => return None,
    })
}

fn with_block(run: &mut Run<'_>, place: Place, receiver: &Value, name: &str, block: &Block) -> Result<Value, Trouble> {
    let items = match (name, receiver) {
        ("times", Value::Int(count)) => (0..(*count).min(1_000_000)).map(Value::Int).collect(),
        (_, Value::List(items)) if name != "times" => items.clone(),
        _ => return Err(undefined(place, receiver, name)),
    };
    let mut results = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        run.step(place)?;
        match name {
            "each_with_index" => {
                let index = Value::Int(i64::try_from(index).unwrap_or(i64::MAX));
                run.yield_to(block, &[item, index])?;
            }
            "map" | "collect" => results.push(run.yield_to(block, &[item])?),
            "select" | "filter" | "reject" => {
                let chosen = run.yield_to(block, std::slice::from_ref(&item))?.truthy();
                if chosen != (name == "reject") {
                    results.push(item);
                }
            }
            _ => drop(run.yield_to(block, &[item])?),
        }
    }
    Ok(match name {
        "each" | "each_with_index" | "times" => receiver.clone(),
        _ => Value::List(results),
    })
}

/// Whether so many copies of a text are still of a size to be made at once.
fn fits(times: usize, text: &str) -> bool {
    times.saturating_mul(text.len()) <= MAX_OUTPUT
}

/// Ruby's index, which counts from the end when negative.
fn at<T>(items: &[T], index: i64) -> Option<&T> {
    let length = i64::try_from(items.len()).ok()?;
    let index = if index < 0 { index.checked_add(length)? } else { index };
    items.get(usize::try_from(index).ok()?)
}

fn flat(items: &[Value]) -> Vec<Value> {
    let mut out = Vec::new();
    for item in items {
        match item {
            Value::List(inner) => out.extend(flat(inner)),
            other => out.push(other.clone()),
        }
    }
    out
}

fn join(items: &[Value], separator: &str) -> String {
    let texts: Vec<String> = flat(items).iter().map(Value::print).collect();
    texts.join(separator)
}

fn sorted(items: &[Value]) -> Option<Value> {
    let texts: Option<Vec<&String>> = items
        .iter()
        .map(|item| match item {
            Value::Text(text) => Some(text),
            _ => None,
        })
        .collect();
    let mut texts = texts?;
    texts.sort();
    Some(Value::List(texts.into_iter().cloned().map(Value::Text).collect()))
}
