//! Lists.

use super::super::run::{Found, MAX_OUTPUT, Run};
use super::super::stop::Stop;
use super::super::value::{List, Value};
use super::each::listed;
use super::range::stretch;
use super::{ANY, Call, Method, block, plain};

pub(super) const METHODS: &[Method] = &[
    plain("length size", 0, 0, |_, call| Ok(Value::count(own(call)?.len()))),
    plain("empty?", 0, 0, |_, call| Ok(Value::Bool(own(call)?.is_empty()))),
    plain("to_a to_ary entries", 0, 0, |_, call| Ok(call.receiver.clone())),
    plain("[] slice", 1, 2, |run, call| match cut(call)? {
        Cut::One(item) => Ok(item.unwrap_or(Value::Nil)),
        Cut::Some(Some((start, end))) => {
            let items = own(call)?.items()[start..end].to_vec();
            Ok(run.list(items))
        }
        Cut::Some(None) => Ok(Value::Nil),
    }),
    plain("at", 1, 1, |_, call| Ok(at(&own(call)?.items(), call.int(0)?).unwrap_or(Value::Nil))),
    plain("second third fourth fifth", 0, 0, |_, call| {
        let index = match call.name {
            "second" => 1,
            "third" => 2,
            "fourth" => 3,
            _ => 4,
        };
        Ok(own(call)?.items().get(index).cloned().unwrap_or(Value::Nil))
    }),
    block("fetch", 1, 2, |run, call| {
        let items = own(call)?.items();
        match (at(&items, call.int(0)?), &call.block) {
            (Some(item), _) => Ok(item),
            (None, Some(_)) => call.yields(run, &[call.value(0).clone()]),
            (None, None) if call.values.len() > 1 => Ok(call.value(1).clone()),
            (None, None) => {
                let (index, length) = (call.int(0)?, items.len());
                Err(call.raise("IndexError", format!("index {index} outside of array bounds: -{length}...{length}")))
            }
        }
    }),
    plain("dig", 1, ANY, |run, call| {
        let first = at(&own(call)?.items(), call.int(0)?).unwrap_or(Value::Nil);
        dig(run, call, first)
    }),
    plain("values_at", 0, ANY, |run, call| {
        let items = own(call)?.items();
        let mut found = Vec::new();
        for index in 0..call.values.len() {
            found.push(at(&items, call.int(index)?).unwrap_or(Value::Nil));
        }
        Ok(run.list(found))
    }),
    plain("last", 0, 1, |run, call| {
        let items = own(call)?.items();
        if call.values.is_empty() {
            return Ok(items.last().cloned().unwrap_or(Value::Nil));
        }
        let found = items[items.len().saturating_sub(call.size(0)?)..].to_vec();
        Ok(run.list(found))
    }),
    plain("reverse", 0, 0, |run, call| {
        let items = own(call)?.items().into_iter().rev().collect();
        Ok(run.list(items))
    }),
    plain("rotate", 0, 1, |run, call| {
        let mut items = own(call)?.items();
        let by = if call.values.is_empty() { 1 } else { call.int(0)? };
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX).max(1);
        items.rotate_left(usize::try_from(by.rem_euclid(length)).unwrap_or(0));
        Ok(run.list(items))
    }),
    plain("compact compact_blank", 0, 0, |run, call| {
        let blank = call.name == "compact_blank";
        let items = own(call)?.items().into_iter();
        let items = items.filter(|item| !(item.is_nil() || blank && item.blank())).collect();
        Ok(run.list(items))
    }),
    plain("flatten", 0, 1, |run, call| {
        let depth = if call.values.is_empty() { usize::MAX } else { call.size(0)? };
        run.measure(call.receiver, call.place)?;
        let items = flat(&own(call)?.items(), depth);
        Ok(run.list(items))
    }),
    plain("join", 0, 1, |run, call| {
        run.measure(call.receiver, call.place)?;
        let separator = if call.value(0).is_nil() { String::new() } else { call.text(0)? };
        let texts: Vec<String> = flat(&own(call)?.items(), usize::MAX).iter().map(Value::print).collect();
        let length = texts.iter().map(String::len).sum::<usize>() + separator.len().saturating_mul(texts.len());
        if length > MAX_OUTPUT {
            return Err(Stop::limit(call.place, "this template makes too large a value"));
        }
        Ok(Value::text(texts.join(&separator)))
    }),
    plain("shelljoin", 0, 0, |run, call| {
        run.send(&Value::module("Shellwords"), "join", std::slice::from_ref(call.receiver), call.place)
    }),
    plain("to_sentence", 0, 0, |_, call| {
        let texts: Vec<String> = own(call)?.items().iter().map(Value::print).collect();
        Ok(Value::text(match &texts[..] {
            [] => String::new(),
            [only] => only.clone(),
            [first, second] => format!("{first} and {second}"),
            [first @ .., last] => format!("{}, and {last}", first.join(", ")),
        }))
    }),
    plain("+ concat |", 1, 20, |run, call| {
        if call.name != "concat" && call.values.len() != 1 {
            return Err(call.unknown());
        }
        let mut items = own(call)?.items();
        for value in call.values {
            let Value::List(other) = value else { return Err(call.no_conversion(value, "Array")) };
            items.extend(other.items());
        }
        match call.name {
            "concat" => change(call, items),
            "|" => {
                let list = run.list(items);
                run.send(&list, "uniq", &[], call.place)
            }
            _ => Ok(run.list(items)),
        }
    }),
    plain("union", 0, 20, |run, call| {
        let mut items = own(call)?.items();
        for value in call.values {
            items.extend(listed(run, value, call.place)?);
        }
        let list = run.list(items);
        run.send(&list, "uniq", &[], call.place)
    }),
    plain("- difference & intersection", 1, 1, |run, call| {
        let Value::List(other) = call.value(0) else { return Err(call.no_conversion(call.value(0), "Array")) };
        let keep = matches!(call.name, "&" | "intersection");
        let mut others = std::collections::HashSet::new();
        for item in other.items() {
            others.insert(run.key(&item, call.place)?);
        }
        let mut found = Vec::new();
        for item in own(call)?.items() {
            let key = run.key(&item, call.place)?;
            if keep && others.remove(&key) || !keep && !others.contains(&key) {
                found.push(item);
            }
        }
        Ok(run.list(found))
    }),
    plain("intersect?", 1, 1, |run, call| {
        let common = run.send(call.receiver, "&", call.values, call.place)?;
        Ok(Value::Bool(matches!(common, Value::List(list) if !list.is_empty())))
    }),
    plain("*", 1, 1, |run, call| {
        if let Value::Text(_) = call.value(0) {
            return run.send(call.receiver, "join", call.values, call.place);
        }
        let items = own(call)?.items();
        let times = call.size(0)?;
        if times.saturating_mul(items.len()).saturating_mul(size_of::<Value>()) > MAX_OUTPUT {
            return Err(Stop::limit(call.place, "this template makes too large a value"));
        }
        Ok(run.list(std::iter::repeat_n(items, times).flatten().collect()))
    }),
    plain("transpose", 0, 0, |run, call| {
        let mut rows = Vec::new();
        for item in own(call)?.items() {
            rows.push(listed(run, &item, call.place)?);
        }
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(call.raise("IndexError", "element size differs"));
        }
        let columns: Vec<Vec<Value>> =
            (0..width).map(|column| rows.iter().map(|row| row[column].clone()).collect()).collect();
        let columns = columns.into_iter().map(|column| run.list(column)).collect();
        Ok(run.list(columns))
    }),
    plain("product", 1, 1, |run, call| {
        let others = listed(run, call.value(0), call.place)?;
        let mut pairs = Vec::new();
        for item in own(call)?.items() {
            for other in &others {
                run.step(call.place)?;
                let pair = run.list(vec![item.clone(), other.clone()]);
                pairs.push(pair);
            }
        }
        Ok(run.list(pairs))
    }),
    plain("assoc", 1, 1, |run, call| {
        for item in own(call)?.items() {
            let first = listed(run, &item, call.place)?.into_iter().next().unwrap_or(Value::Nil);
            if run.equal(&first, call.value(0), call.place)? {
                return Ok(item);
            }
        }
        Ok(Value::Nil)
    }),
    plain("sample shuffle", 0, 0, |run, call| {
        let mut items = own(call)?.items();
        let mut shuffled = Vec::new();
        while !items.is_empty() {
            let chosen = super::random::below(run, items.len());
            shuffled.push(items.swap_remove(chosen));
        }
        Ok(if call.name == "sample" { shuffled.pop().unwrap_or(Value::Nil) } else { run.list(shuffled) })
    }),
    plain("extract_options!", 0, 0, |run, call| {
        let last = own(call)?.change().pop();
        match last {
            Some(Value::Map(map)) => Ok(Value::Map(map)),
            other => {
                own(call)?.change().extend(other);
                run.map(Vec::new(), call.place).map(Value::Map)
            }
        }
    }),
    plain("<< push append", 0, ANY, |_, call| {
        own(call)?.change().extend(call.values.iter().cloned());
        Ok(call.receiver.clone())
    }),
    plain("unshift prepend", 0, ANY, |_, call| {
        own(call)?.change().splice(0..0, call.values.iter().cloned());
        Ok(call.receiver.clone())
    }),
    plain("pop shift", 0, 1, |run, call| {
        let mut items = own(call)?.items();
        let count = if call.values.is_empty() { 1 } else { call.size(0)? }.min(items.len());
        let taken: Vec<Value> =
            if call.name == "pop" { items.split_off(items.len() - count) } else { items.drain(..count).collect() };
        change(call, items)?;
        if call.values.is_empty() { Ok(taken.into_iter().next().unwrap_or(Value::Nil)) } else { Ok(run.list(taken)) }
    }),
    plain("insert", 2, ANY, |_, call| {
        let mut items = own(call)?.items();
        let at = call.int(0)?;
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let at = usize::try_from(if at < 0 { at + length + 1 } else { at }).ok().filter(|at| *at <= 100_000);
        let Some(at) = at else { return Err(call.unknown()) };
        if at > items.len() {
            items.resize(at, Value::Nil);
        }
        items.splice(at..at, call.values[1..].iter().cloned());
        change(call, items)
    }),
    plain("[]=", 2, 3, |_, call| {
        let mut items = own(call)?.items();
        let value = call.value(call.values.len() - 1).clone();
        if let (2, Value::Int(index)) = (call.values.len(), call.value(0)) {
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let at = usize::try_from(if *index < 0 { index + length } else { *index }).ok();
            let Some(at) = at.filter(|at| *at <= 100_000) else { return Err(call.unknown()) };
            if at >= items.len() {
                items.resize(at + 1, Value::Nil);
            }
            items[at] = value;
            return change(call, items);
        }
        Err(call.unknown())
    }),
    plain("delete", 1, 1, |run, call| {
        let mut kept = Vec::new();
        let mut found = Value::Nil;
        for item in own(call)?.items() {
            if run.equal(&item, call.value(0), call.place)? { found = item } else { kept.push(item) }
        }
        change(call, kept)?;
        Ok(found)
    }),
    plain("delete_at", 1, 1, |_, call| {
        let mut items = own(call)?.items();
        let at = call.int(0)?;
        let at = if at < 0 { at + i64::try_from(items.len()).unwrap_or(i64::MAX) } else { at };
        let Some(at) = usize::try_from(at).ok().filter(|at| *at < items.len()) else { return Ok(Value::Nil) };
        let found = items.remove(at);
        change(call, items)?;
        Ok(found)
    }),
    plain("clear", 0, 0, |_, call| change(call, Vec::new())),
    plain("replace", 1, 1, |run, call| {
        let items = listed(run, call.value(0), call.place)?;
        change(call, items)
    }),
    plain("fill", 1, 1, |_, call| {
        let items = vec![call.value(0).clone(); own(call)?.len()];
        change(call, items)
    }),
    block("map! collect! select! filter! keep_if reject! delete_if sort! sort_by! uniq!", 0, 0, in_place),
    plain("compact! flatten! reverse! rotate! shuffle! compact_blank!", 0, 0, in_place),
    plain("pack combination permutation each_index bsearch", 0, 2, |_, call| Err(call.unknown())),
    block("each", 0, 0, |run, call| {
        if call.block.is_none() {
            let items = own(call)?.items();
            return super::series::of(run, items, "each");
        }
        // The list may grow or shrink meanwhile.
        let list = own(call)?.clone();
        let mut index = 0;
        while let Some(item) = list.items().get(index).cloned() {
            run.step(call.place)?;
            call.yields(run, &[item])?;
            index += 1;
        }
        Ok(call.receiver.clone())
    }),
];

fn own<'a>(call: &'a Call<'_>) -> Result<&'a List, Stop> {
    if let Value::List(list) = call.receiver { Ok(list) } else { Err(call.unknown()) }
}

fn change(call: &Call<'_>, items: Vec<Value>) -> Found {
    *own(call)?.change() = items;
    Ok(call.receiver.clone())
}

/// `map!` and its like: what the method without `!` gives takes the list's place.
fn in_place(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    let name = match call.name {
        "keep_if" => "select",
        "delete_if" => "reject",
        name => name.trim_end_matches('!'),
    };
    let before = own(call)?.len();
    let inner = Call { name, block: call.block.clone(), ..*call };
    let Value::List(new) = super::call(run, &inner)? else { return Err(call.unknown()) };
    let shorter = new.len() < before;
    change(call, new.items())?;
    let says_nil = matches!(call.name, "select!" | "filter!" | "reject!" | "uniq!" | "compact!" | "flatten!");
    Ok(if says_nil && !shorter { Value::Nil } else { call.receiver.clone() })
}

/// What an index means.
enum Cut {
    One(Option<Value>),
    Some(Option<(usize, usize)>),
}

fn cut(call: &Call<'_>) -> Result<Cut, Stop> {
    let list = own(call)?;
    let length = list.len();
    Ok(match (call.value(0), call.values.len()) {
        (Value::Range(range), 1) => Cut::Some(stretch(range, length)),
        (_, 1) => Cut::One(at(&list.items(), call.int(0)?)),
        _ => {
            let start = call.int(0)?;
            let start = if start < 0 { start + i64::try_from(length).unwrap_or(i64::MAX) } else { start };
            let start = usize::try_from(start).ok().filter(|start| *start <= length);
            let count = usize::try_from(call.int(1)?).ok();
            Cut::Some(start.zip(count).map(|(start, count)| (start, start.saturating_add(count).min(length))))
        }
    })
}

/// Ruby's index, which counts from the end when negative.
fn at(items: &[Value], index: i64) -> Option<Value> {
    let length = i64::try_from(items.len()).ok()?;
    let index = if index < 0 { index.checked_add(length)? } else { index };
    items.get(usize::try_from(index).ok()?).cloned()
}

/// `dig` behind its first step.
pub(super) fn dig(run: &mut Run<'_>, call: &Call<'_>, first: Value) -> Found {
    let rest = &call.values[1..];
    if rest.is_empty() || first.is_nil() {
        return Ok(first);
    }
    if !matches!(first, Value::List(_) | Value::Map(_)) {
        return Err(call.raise("TypeError", format!("{} does not have #dig method", first.class())));
    }
    run.send(&first, "dig", rest, call.place)
}

/// Lists in a list taken apart; only for one that has been measured.
fn flat(items: &[Value], depth: usize) -> Vec<Value> {
    let mut out = Vec::new();
    for item in items {
        match item {
            Value::List(inner) if depth > 0 => out.extend(flat(&inner.items(), depth.saturating_sub(1))),
            other => out.push(other.clone()),
        }
    }
    out
}
