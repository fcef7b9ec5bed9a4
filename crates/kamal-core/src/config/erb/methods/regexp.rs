//! Regular expressions, and what they find.

use std::rc::Rc;

use super::super::stop::Stop;
use super::super::value::{Match, Regexp, Value};
use super::{ANY, Call, Method, plain};

pub(super) const METHODS: &[Method] = &[
    plain("match", 1, 1, |run, call| {
        let Some(text) = subject(call)? else { return Ok(Value::Nil) };
        let found = run.search(own(call)?, &text, 0, call.place)?;
        Ok(found.map_or(Value::Nil, Value::Match))
    }),
    plain("match?", 1, 1, |run, call| {
        let Some(text) = subject(call)? else { return Ok(Value::Bool(false)) };
        let before = run.last_match.clone();
        let found = run.search(own(call)?, &text, 0, call.place)?.is_some();
        run.last_match = before;
        Ok(Value::Bool(found))
    }),
    plain("=~", 1, 1, |run, call| {
        let Some(text) = subject(call)? else { return Ok(Value::Nil) };
        let Some(found) = run.search(own(call)?, &text, 0, call.place)? else { return Ok(Value::Nil) };
        // `/(?<name>…)/ =~ text` makes variables of its groups.
        for (group, name) in found.names.iter().enumerate() {
            if let Some(name) = name {
                run.scope.set(name, Value::or_nil(found.text(group)));
            }
        }
        Ok(Value::count(text[..found.range().0].chars().count()))
    }),
    plain("source", 0, 0, |_, call| Ok(Value::text(own(call)?.source.clone()))),
    plain("names", 0, 0, |_, call| Err(call.unknown())),
];

pub(super) const MATCH: &[Method] = &[
    plain("[]", 1, 1, |_, call| {
        let found = found(call)?;
        Ok(Value::or_nil(match call.value(0) {
            Value::Int(group) => {
                let length = i64::try_from(found.groups.len()).unwrap_or(i64::MAX);
                let group = if *group < 0 { group + length } else { *group };
                usize::try_from(group).ok().and_then(|group| found.text(group))
            }
            _ => match found.named(&call.name(0)?) {
                Some(text) => text,
                None => {
                    return Err(call.raise("IndexError", format!("undefined group name reference: {}", call.name(0)?)));
                }
            },
        }))
    }),
    plain("captures to_a deconstruct", 0, 0, |run, call| {
        let found = found(call)?;
        let first = usize::from(call.name != "to_a");
        let groups = (first..found.groups.len()).map(|group| Value::or_nil(found.text(group))).collect();
        Ok(run.list(groups))
    }),
    plain("named_captures", 0, 0, |run, call| {
        let found = found(call)?;
        let named = found.names.iter().enumerate();
        let pairs = named
            .filter_map(|(group, name)| Some((Value::text(&**name.as_ref()?), Value::or_nil(found.text(group)))))
            .collect();
        run.map(pairs, call.place).map(Value::Map)
    }),
    plain("names", 0, 0, |run, call| {
        let names: Vec<String> = found(call)?.names.iter().flatten().map(ToString::to_string).collect();
        Ok(run.texts(names))
    }),
    plain("values_at", 0, ANY, |run, call| {
        let mut texts = Vec::new();
        for index in 0..call.values.len() {
            texts.push(Value::or_nil(found(call)?.text(call.size(index)?)));
        }
        Ok(run.list(texts))
    }),
    plain("pre_match", 0, 0, |_, call| {
        let found = found(call)?;
        Ok(Value::text(&found.subject[..found.range().0]))
    }),
    plain("post_match", 0, 0, |_, call| {
        let found = found(call)?;
        Ok(Value::text(&found.subject[found.range().1..]))
    }),
    plain("string", 0, 0, |_, call| Ok(Value::text(&*found(call)?.subject))),
];

fn own<'a>(call: &'a Call<'_>) -> Result<&'a Regexp, Stop> {
    if let Value::Regexp(regexp) = call.receiver { Ok(regexp) } else { Err(call.unknown()) }
}

fn found<'a>(call: &'a Call<'_>) -> Result<&'a Match, Stop> {
    if let Value::Match(found) = call.receiver { Ok(found) } else { Err(call.unknown()) }
}

/// What is searched; nothing for nil.
fn subject(call: &Call<'_>) -> Result<Option<Rc<str>>, Stop> {
    match call.value(0) {
        Value::Nil => Ok(None),
        Value::Symbol(name) => Ok(Some(Rc::clone(name))),
        _ => call.text(0).map(|text| Some(text.into())),
    }
}

/// Ruby's `Regexp.escape`.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            ' ' => out.push_str("\\ "),
            '.' | '*' | '?' | '+' | '^' | '$' | '|' | '\\' | '(' | ')' | '[' | ']' | '{' | '}' | '-' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
