//! What can be asked of a text, and its pieces.

use std::rc::Rc;

use super::super::super::run::{Found, Run};
use super::super::super::value::Value;
use super::super::number::{leading_float, leading_int};
use super::super::range::stretch;
use super::super::{Call, Method, block, plain, series};
use super::fits;

pub(in super::super) const LOOK: &[Method] = &[
    plain("to_s to_str", 0, 0, |_, call| Ok(call.receiver.clone())),
    plain("to_sym intern", 0, 0, |_, call| Ok(Value::symbol(&call.subject()?))),
    plain("to_i", 0, 1, |_, call| {
        let base = if call.values.is_empty() { 10 } else { call.int(0)? };
        let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base)).ok_or_else(|| call.unknown())?;
        leading_int(&call.subject()?, base).map(Value::Int).ok_or_else(|| call.unknown())
    }),
    plain("to_f", 0, 0, |_, call| Ok(Value::Float(leading_float(&call.subject()?)))),
    plain("hex", 0, 0, |_, call| leading_int(&call.subject()?, 16).map(Value::Int).ok_or_else(|| call.unknown())),
    plain("oct", 0, 0, |_, call| leading_int(&call.subject()?, 8).map(Value::Int).ok_or_else(|| call.unknown())),
    plain("length size", 0, 0, |_, call| Ok(Value::count(call.subject()?.chars().count()))),
    plain("bytesize", 0, 0, |_, call| Ok(Value::count(call.subject()?.len()))),
    plain("empty?", 0, 0, |_, call| Ok(Value::Bool(call.subject()?.is_empty()))),
    plain("ascii_only?", 0, 0, |_, call| Ok(Value::Bool(call.subject()?.is_ascii()))),
    plain("valid_encoding?", 0, 0, |_, _| Ok(Value::Bool(true))),
    // All text is UTF-8 here, as in Kamal.
    plain("encoding", 0, 0, |_, _| Ok(Value::module("UTF-8"))),
    plain("encode force_encoding scrub unicode_normalize b", 0, 4, |_, call| {
        let (values, _) = call.options(&["invalid", "undef", "replace"])?;
        let is_utf8 = |value: &Value| matches!(value, Value::Text(text) if text.borrow().eq_ignore_ascii_case("utf-8"));
        let known = matches!(call.name, "encode" | "force_encoding" | "scrub");
        if known && values.iter().all(is_utf8) { Ok(call.receiver.clone()) } else { Err(call.unknown()) }
    }),
    plain("include?", 1, 1, |_, call| Ok(Value::Bool(call.subject()?.contains(&call.text(0)?)))),
    plain("exclude?", 1, 1, |_, call| Ok(Value::Bool(!call.subject()?.contains(&call.text(0)?)))),
    plain("start_with? starts_with?", 1, 20, |run, call| {
        let text = call.subject()?;
        for (index, value) in call.values.iter().enumerate() {
            let begins = match value {
                Value::Regexp(regexp) => {
                    let found = run.search(regexp, &Rc::from(text.as_str()), 0, call.place)?;
                    found.is_some_and(|found| found.range().0 == 0)
                }
                _ => text.starts_with(&call.text(index)?),
            };
            if begins {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    plain("end_with? ends_with?", 1, 20, |_, call| {
        let text = call.subject()?;
        for index in 0..call.values.len() {
            if text.ends_with(&call.text(index)?) {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    plain("casecmp?", 1, 1, |_, call| Ok(Value::Bool(call.subject()?.to_lowercase() == call.text(0)?.to_lowercase()))),
    plain("casecmp", 1, 1, |_, call| {
        let order = call.subject()?.to_ascii_lowercase().cmp(&call.text(0)?.to_ascii_lowercase());
        Ok(Value::Int(order as i64))
    }),
    plain("< <= > >=", 1, 1, |_, call| match call.value(0) {
        Value::Text(_) => {
            let order = call.subject()?.cmp(&call.text(0)?);
            Ok(Value::Bool(super::super::number::compares(call.name, order)))
        }
        other => {
            let message = format!("comparison of String with {} failed", other.inspect());
            Err(call.raise("ArgumentError", message))
        }
    }),
    plain("between?", 2, 2, |_, call| {
        let text = call.subject()?;
        Ok(Value::Bool(call.text(0)? <= text && text <= call.text(1)?))
    }),
    plain("ord", 0, 0, |_, call| match call.subject()?.chars().next() {
        Some(first) => Ok(Value::Int(u32::from(first).into())),
        None => Err(call.raise("ArgumentError", "empty string")),
    }),
    plain("sum hash crypt unpack unpack1", 0, 2, |_, call| Err(call.unknown())),
    plain("[] slice", 1, 2, slice),
    plain("byteslice", 1, 2, |_, call| if call.subject()?.is_ascii() { cut(call) } else { Err(call.unknown()) }),
    plain("at", 1, 1, |_, call| cut(call)),
    plain("from to first last", 0, 1, |_, call| {
        let characters: Vec<char> = call.subject()?.chars().collect();
        let count = if call.values.is_empty() { 1 } else { call.int(0)? };
        let length = i64::try_from(characters.len()).unwrap_or(i64::MAX);
        let place = if count < 0 { count + length } else { count };
        let (from, to) = match call.name {
            "first" => (0, count),
            "last" => (length.saturating_sub(count), length),
            "from" => (place, length),
            _ => (0, place.saturating_add(1)),
        };
        let within = |at: i64| usize::try_from(at.clamp(0, length)).unwrap_or_default();
        Ok(Value::text(characters[within(from)..within(to).max(within(from))].iter().collect::<String>()))
    }),
    block("lines each_line", 0, 1, |run, call| {
        let (values, options) = call.options(&["chomp"])?;
        if !values.is_empty() {
            return Err(call.unknown());
        }
        let text = call.subject()?;
        let bare = |line: &str| {
            line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line)).to_owned()
        };
        let lines = text.split_inclusive('\n');
        let lines: Vec<String> =
            if options.is_set("chomp") { lines.map(bare).collect() } else { lines.map(str::to_owned).collect() };
        pieces(run, call, "each_line", lines)
    }),
    block("chars each_char grapheme_clusters", 0, 0, |run, call| {
        let characters = call.subject()?.chars().map(String::from).collect();
        pieces(run, call, "each_char", characters)
    }),
    plain("bytes codepoints", 0, 0, |run, call| {
        let text = call.subject()?;
        let numbers: Vec<Value> = match call.name {
            "bytes" => text.bytes().map(|byte| Value::Int(byte.into())).collect(),
            _ => text.chars().map(|c| Value::Int(u32::from(c).into())).collect(),
        };
        Ok(run.list(numbers))
    }),
    block("upto", 1, 2, |run, call| {
        let range = super::super::super::value::Range {
            first: call.receiver.clone(),
            last: call.value(0).clone(),
            exclusive: call.value(1).truthy(),
        };
        let items = super::super::range::items(run, &range, call.place)?;
        match call.block {
            Some(_) => {
                for item in items {
                    call.yields(run, &[item])?;
                }
                Ok(call.receiver.clone())
            }
            None => series::of(run, items, "each"),
        }
    }),
    plain("+", 1, 1, |_, call| {
        let (left, right) = (call.subject()?, call.text(0)?);
        fits(call, left.len() + right.len())?;
        Ok(Value::text(left + &right))
    }),
    plain("*", 1, 1, |_, call| {
        let text = call.subject()?;
        let times = call.size(0)?;
        fits(call, times.saturating_mul(text.len()))?;
        Ok(Value::text(text.repeat(times)))
    }),
    plain("%", 1, 1, |run, call| {
        let values = match call.value(0) {
            Value::List(list) => list.items(),
            other => vec![other.clone()],
        };
        super::format(run, &call.subject()?, &values, call.place).map(Value::text)
    }),
];

/// The pieces of a text: a list, or each to the block. `each` names the method that is a series without one.
fn pieces(run: &mut Run<'_>, call: &Call<'_>, each: &str, pieces: Vec<String>) -> Found {
    if call.block.is_some() {
        for piece in pieces {
            call.yields(run, &[Value::text(piece)])?;
        }
        return Ok(call.receiver.clone());
    }
    if call.name == each {
        let items = pieces.into_iter().map(Value::text).collect();
        return series::of(run, items, "each");
    }
    Ok(run.texts(pieces))
}

/// `text[…]` with all that can stand there.
fn slice(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    match call.value(0) {
        Value::Regexp(regexp) => {
            let found = run.search(regexp, &Rc::from(call.subject()?), 0, call.place)?;
            let Some(found) = found else { return Ok(Value::Nil) };
            Ok(Value::or_nil(match call.value(1) {
                Value::Nil => found.text(0),
                Value::Int(group) => usize::try_from(*group).ok().and_then(|group| found.text(group)),
                _ => found.named(&call.name(1)?).flatten(),
            }))
        }
        Value::Text(part) => {
            let there = call.subject()?.contains(&*part.borrow());
            Ok(if there { Value::text(part.borrow().clone()) } else { Value::Nil })
        }
        _ => cut(call),
    }
}

/// `text[1]`, `text[1, 2]`, `text[1..]`.
fn cut(call: &Call<'_>) -> Found {
    let characters: Vec<char> = call.subject()?.chars().collect();
    let length = characters.len();
    let stretch = match call.value(0) {
        Value::Range(range) => stretch(range, length),
        _ => {
            let start = call.int(0)?;
            let start = if start < 0 { start + i64::try_from(length).unwrap_or(i64::MAX) } else { start };
            let start = usize::try_from(start).ok().filter(|start| *start <= length);
            if call.values.len() == 1 {
                start.filter(|start| *start < length).map(|start| (start, start + 1))
            } else {
                let count = call.int(1)?;
                let end =
                    |start: usize| usize::try_from(count).ok().map(|count| start.saturating_add(count).min(length));
                start.and_then(|start| Some((start, end(start)?)))
            }
        }
    };
    Ok(Value::or_nil(stretch.map(|(start, end)| characters[start..end].iter().collect::<String>())))
}
