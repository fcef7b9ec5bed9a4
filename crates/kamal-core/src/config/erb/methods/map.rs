//! Mappings.

use super::super::run::{Found, Run};
use super::super::stop::Stop;
use super::super::value::{Map, Value};
use super::{ANY, Call, Method, block, list, plain};

pub(super) const METHODS: &[Method] = &[
    plain("length size", 0, 0, |_, call| Ok(Value::count(own(call)?.len()))),
    block("count", 0, 0, |run, call| {
        if call.block.is_none() {
            return Ok(Value::count(own(call)?.len()));
        }
        let chosen = pairs_where(run, call, true)?;
        Ok(Value::count(chosen.len()))
    }),
    plain("empty?", 0, 0, |_, call| Ok(Value::Bool(own(call)?.is_empty()))),
    block("to_h to_hash", 0, 0, |run, call| {
        if call.block.is_none() {
            return Ok(call.receiver.clone());
        }
        let mut pairs = Vec::new();
        for (key, value) in own(call)?.pairs() {
            let Value::List(pair) = both(run, call, &key, &value)? else { return Err(call.unknown()) };
            let Ok([key, value]) = <[Value; 2]>::try_from(pair.items()) else { return Err(call.unknown()) };
            pairs.push((key, value));
        }
        run.map(pairs, call.place).map(Value::Map)
    }),
    plain("[]", 1, 1, |run, call| get(run, call, call.value(0))),
    plain("[]= store", 2, 2, |run, call| {
        let key = run.key(call.value(0), call.place)?;
        // A text that is a key does not change with its original.
        let name = match call.value(0) {
            Value::Text(text) => Value::text(text.borrow().clone()),
            other => other.clone(),
        };
        own(call)?.set(key, name, call.value(1).clone());
        Ok(call.value(1).clone())
    }),
    block("fetch", 1, 2, |run, call| {
        let key = run.key(call.value(0), call.place)?;
        match (own(call)?.get(&key), &call.block) {
            (Some(value), _) => Ok(value),
            (None, Some(_)) => call.yields(run, &[call.value(0).clone()]),
            (None, None) if call.values.len() > 1 => Ok(call.value(1).clone()),
            (None, None) => Err(call.raise("KeyError", format!("key not found: {}", call.value(0).inspect()))),
        }
    }),
    plain("dig", 1, ANY, |run, call| {
        let first = get(run, call, call.value(0))?;
        list::dig(run, call, first)
    }),
    plain("key? has_key? include? member?", 1, 1, |run, call| {
        let key = run.key(call.value(0), call.place)?;
        Ok(Value::Bool(own(call)?.get(&key).is_some()))
    }),
    plain("value? has_value?", 1, 1, |run, call| Ok(Value::Bool(key_of(run, call)?.is_some()))),
    plain("key", 1, 1, |run, call| Ok(key_of(run, call)?.unwrap_or(Value::Nil))),
    plain("assoc", 1, 1, |run, call| {
        let key = run.key(call.value(0), call.place)?;
        match own(call)?.get(&key) {
            Some(value) => Ok(run.list(vec![call.value(0).clone(), value])),
            None => Ok(Value::Nil),
        }
    }),
    plain("keys", 0, 0, |run, call| {
        let keys = own(call)?.pairs().into_iter().map(|(key, _)| key).collect();
        Ok(run.list(keys))
    }),
    plain("values", 0, 0, |run, call| {
        let values = own(call)?.pairs().into_iter().map(|(_, value)| value).collect();
        Ok(run.list(values))
    }),
    plain("values_at", 0, ANY, |run, call| {
        let mut found = Vec::new();
        for key in call.values {
            found.push(get(run, call, key)?);
        }
        Ok(run.list(found))
    }),
    plain("fetch_values", 0, ANY, |run, call| {
        let mut found = Vec::new();
        for key in call.values {
            found.push(run.send(call.receiver, "fetch", std::slice::from_ref(key), call.place)?);
        }
        Ok(run.list(found))
    }),
    block("each_key", 0, 0, |run, call| {
        for (key, _) in own(call)?.pairs() {
            call.yields(run, &[key])?;
        }
        Ok(call.receiver.clone())
    }),
    block("each_value", 0, 0, |run, call| {
        for (_, value) in own(call)?.pairs() {
            call.yields(run, &[value])?;
        }
        Ok(call.receiver.clone())
    }),
    block("each_pair each", 0, 0, |run, call| {
        if call.block.is_none() {
            let pairs = super::listed(run, call.receiver, call.place)?;
            return super::series::of(run, pairs, "each");
        }
        for (key, value) in own(call)?.pairs() {
            both(run, call, &key, &value)?;
        }
        Ok(call.receiver.clone())
    }),
    block("select filter", 0, 0, |run, call| chosen(run, call, true)),
    block("reject", 0, 0, |run, call| chosen(run, call, false)),
    block("select! filter! keep_if", 0, 0, |run, call| kept(run, call, true)),
    block("reject! delete_if", 0, 0, |run, call| kept(run, call, false)),
    block("partition", 0, 0, |run, call| {
        let mut halves = Vec::new();
        for wanted in [true, false] {
            let pairs = pairs_where(run, call, wanted)?;
            let pairs = pairs.into_iter().map(|(key, value)| run.list(vec![key, value])).collect();
            halves.push(run.list(pairs));
        }
        Ok(run.list(halves))
    }),
    block("find detect", 0, 0, |run, call| {
        for (key, value) in own(call)?.pairs() {
            if both(run, call, &key, &value)?.truthy() {
                return Ok(run.list(vec![key, value]));
            }
        }
        Ok(Value::Nil)
    }),
    block("any?", 0, 0, |run, call| match call.block {
        Some(_) => Ok(Value::Bool(!pairs_where(run, call, true)?.is_empty())),
        None => Ok(Value::Bool(!own(call)?.is_empty())),
    }),
    block("all?", 0, 0, |run, call| match call.block {
        Some(_) => Ok(Value::Bool(pairs_where(run, call, false)?.is_empty())),
        None => Ok(Value::Bool(true)),
    }),
    block("none?", 0, 0, |run, call| match call.block {
        Some(_) => Ok(Value::Bool(pairs_where(run, call, true)?.is_empty())),
        None => Ok(Value::Bool(own(call)?.is_empty())),
    }),
    plain("slice", 0, ANY, |run, call| {
        let mut pairs = Vec::new();
        for name in call.values {
            let key = run.key(name, call.place)?;
            pairs.extend(own(call)?.get(&key).map(|value| (name.clone(), value)));
        }
        run.map(pairs, call.place).map(Value::Map)
    }),
    plain("except without", 0, ANY, |run, call| {
        let copy = run.map(own(call)?.pairs(), call.place)?;
        for name in call.values {
            let key = run.key(name, call.place)?;
            copy.take(&key);
        }
        Ok(Value::Map(copy))
    }),
    block("delete", 1, 1, |run, call| {
        let key = run.key(call.value(0), call.place)?;
        match own(call)?.take(&key) {
            Some(value) => Ok(value),
            None if call.block.is_some() => call.yields(run, &[call.value(0).clone()]),
            None => Ok(Value::Nil),
        }
    }),
    plain("clear", 0, 0, |_, call| {
        own(call)?.replace(indexmap::IndexMap::new());
        Ok(call.receiver.clone())
    }),
    plain("shift", 0, 0, |run, call| {
        let first = own(call)?.keyed().into_iter().next();
        let Some((key, name, value)) = first else { return Ok(Value::Nil) };
        own(call)?.take(&key);
        Ok(run.list(vec![name, value]))
    }),
    plain("compact compact_blank", 0, 0, |run, call| {
        let blank = call.name == "compact_blank";
        let pairs = own(call)?.pairs().into_iter();
        let pairs = pairs.filter(|(_, value)| !(value.is_nil() || blank && value.blank())).collect();
        run.map(pairs, call.place).map(Value::Map)
    }),
    plain("invert", 0, 0, |run, call| {
        let pairs = own(call)?.pairs().into_iter().map(|(key, value)| (value, key)).collect();
        run.map(pairs, call.place).map(Value::Map)
    }),
    block("merge", 0, ANY, |run, call| {
        let copy = run.map(own(call)?.pairs(), call.place)?;
        let (value, block) = own(call)?.fallback();
        copy.set_fallback(value, block);
        merge(run, call, &copy)
    }),
    block("merge! update", 0, ANY, |run, call| {
        let map = own(call)?.clone();
        merge(run, call, &map)
    }),
    plain("deep_merge deep_merge!", 1, 1, |run, call| {
        run.measure(call.receiver, call.place)?;
        run.measure(call.value(0), call.place)?;
        let Value::Map(other) = call.value(0) else { return Err(call.no_conversion(call.value(0), "Hash")) };
        let merged = deep_merge(run, call, own(call)?, other)?;
        if call.name == "deep_merge" {
            return Ok(Value::Map(merged));
        }
        own(call)?.replace(merged.entries().clone());
        Ok(call.receiver.clone())
    }),
    plain("reverse_merge with_defaults reverse_merge!", 1, 1, |run, call| {
        let Value::Map(other) = call.value(0) else { return Err(call.no_conversion(call.value(0), "Hash")) };
        let merged = run.map(other.pairs(), call.place)?;
        for (key, name, value) in own(call)?.keyed() {
            merged.set(key, name, value);
        }
        if call.name != "reverse_merge!" {
            return Ok(Value::Map(merged));
        }
        own(call)?.replace(merged.entries().clone());
        Ok(call.receiver.clone())
    }),
    plain("replace", 1, 1, |_, call| {
        let Value::Map(other) = call.value(0) else { return Err(call.no_conversion(call.value(0), "Hash")) };
        let new = other.entries().clone();
        own(call)?.replace(new);
        Ok(call.receiver.clone())
    }),
    block("transform_values transform_values!", 0, 0, |run, call| {
        let mut pairs = Vec::new();
        for (key, value) in own(call)?.pairs() {
            run.step(call.place)?;
            pairs.push((key, call.yields(run, &[value])?));
        }
        given(run, call, pairs, "transform_values!")
    }),
    block("transform_keys transform_keys!", 0, 1, |run, call| {
        let mut pairs = Vec::new();
        for (key, value) in own(call)?.pairs() {
            run.step(call.place)?;
            let renamed = match call.value(0) {
                Value::Map(names) => names.get(&run.key(&key, call.place)?),
                _ => None,
            };
            let key = match renamed {
                Some(renamed) => renamed,
                None if call.block.is_some() => call.yields(run, &[key])?,
                None if call.values.is_empty() => return Err(call.unknown()),
                None => key,
            };
            pairs.push((key, value));
        }
        given(run, call, pairs, "transform_keys!")
    }),
    plain("symbolize_keys to_options deep_symbolize_keys stringify_keys deep_stringify_keys", 0, 0, renamed),
    plain("with_indifferent_access", 0, 0, |_, call| Err(call.unknown())),
    plain("to_query to_param", 0, 0, |_, call| Err(call.unknown())),
    plain("default", 0, 0, |_, call| Ok(own(call)?.fallback().0)),
    plain("default=", 1, 1, |_, call| {
        own(call)?.set_fallback(call.value(0).clone(), None);
        Ok(call.value(0).clone())
    }),
];

fn own<'a>(call: &'a Call<'_>) -> Result<&'a Map, Stop> {
    if let Value::Map(map) = call.receiver { Ok(map) } else { Err(call.unknown()) }
}

/// Calls the block with a key and its value.
fn both(run: &mut Run<'_>, call: &Call<'_>, key: &Value, value: &Value) -> Found {
    run.step(call.place)?;
    let pair = run.list(vec![key.clone(), value.clone()]);
    call.yields(run, &[pair])
}

fn get(run: &mut Run<'_>, call: &Call<'_>, name: &Value) -> Found {
    let key = run.key(name, call.place)?;
    let map = own(call)?;
    match map.get(&key) {
        Some(value) => Ok(value),
        None => match map.fallback() {
            (_, Some(block)) => run.invoke(&block, &[call.receiver.clone(), name.clone()], call.place),
            (value, None) => Ok(value),
        },
    }
}

fn key_of(run: &mut Run<'_>, call: &Call<'_>) -> Result<Option<Value>, Stop> {
    for (key, value) in own(call)?.pairs() {
        if run.equal(&value, call.value(0), call.place)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// The pairs for which the block says so.
fn pairs_where(run: &mut Run<'_>, call: &Call<'_>, wanted: bool) -> Result<Vec<(Value, Value)>, Stop> {
    let mut found = Vec::new();
    for (key, value) in own(call)?.pairs() {
        if both(run, call, &key, &value)?.truthy() == wanted {
            found.push((key, value));
        }
    }
    Ok(found)
}

/// As [`pairs_where`] for methods that give their block a key and a value and not a pair: `|key|` is the key.
fn entries_where(run: &mut Run<'_>, call: &Call<'_>, wanted: bool) -> Result<Vec<(Value, Value)>, Stop> {
    let mut found = Vec::new();
    for (key, value) in own(call)?.pairs() {
        run.step(call.place)?;
        if call.yields(run, &[key.clone(), value.clone()])?.truthy() == wanted {
            found.push((key, value));
        }
    }
    Ok(found)
}

fn chosen(run: &mut Run<'_>, call: &Call<'_>, wanted: bool) -> Found {
    let pairs = entries_where(run, call, wanted)?;
    run.map(pairs, call.place).map(Value::Map)
}

fn kept(run: &mut Run<'_>, call: &Call<'_>, wanted: bool) -> Found {
    let pairs = entries_where(run, call, wanted)?;
    let all = pairs.len() == own(call)?.len();
    let new = run.map(pairs, call.place)?.entries().clone();
    own(call)?.replace(new);
    Ok(if all && call.name.ends_with('!') { Value::Nil } else { call.receiver.clone() })
}

/// The pairs as a new mapping, or in the place of the old ones when the method is the one that changes.
fn given(run: &mut Run<'_>, call: &Call<'_>, pairs: Vec<(Value, Value)>, changing: &str) -> Found {
    let map = run.map(pairs, call.place)?;
    if call.name != changing {
        return Ok(Value::Map(map));
    }
    own(call)?.replace(map.entries().clone());
    Ok(call.receiver.clone())
}

fn merge(run: &mut Run<'_>, call: &Call<'_>, into: &Map) -> Found {
    for value in call.values {
        let Value::Map(other) = value else { return Err(call.no_conversion(value, "Hash")) };
        for (key, name, new) in other.keyed() {
            run.step(call.place)?;
            let value = match (into.get(&key), &call.block) {
                (Some(old), Some(_)) => call.yields(run, &[name.clone(), old, new])?,
                _ => new,
            };
            into.set(key, name, value);
        }
    }
    Ok(Value::Map(into.clone()))
}

fn deep_merge(run: &mut Run<'_>, call: &Call<'_>, base: &Map, other: &Map) -> Result<Map, Stop> {
    let merged = run.map(base.pairs(), call.place)?;
    for (key, name, new) in other.keyed() {
        let value = match (merged.get(&key), new) {
            (Some(Value::Map(old)), Value::Map(new)) => Value::Map(deep_merge(run, call, &old, &new)?),
            (_, new) => new,
        };
        merged.set(key, name, value);
    }
    Ok(merged)
}

fn renamed(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    run.measure(call.receiver, call.place)?;
    let symbols = matches!(call.name, "symbolize_keys" | "deep_symbolize_keys" | "to_options");
    rename(run, call, call.receiver, symbols, call.name.starts_with("deep"))
}

fn rename(run: &mut Run<'_>, call: &Call<'_>, value: &Value, symbols: bool, deep: bool) -> Found {
    match value {
        Value::Map(map) => {
            let mut pairs = Vec::new();
            for (key, value) in map.pairs() {
                let key = match key {
                    Value::Text(text) if symbols => Value::symbol(&text.borrow()),
                    key if symbols => key,
                    key => Value::text(key.print()),
                };
                let value = if deep { rename(run, call, &value, symbols, deep)? } else { value };
                pairs.push((key, value));
            }
            run.map(pairs, call.place).map(Value::Map)
        }
        Value::List(list) if deep => {
            let items = list.items();
            let items = items.iter().map(|item| rename(run, call, item, symbols, deep)).collect::<Result<_, _>>()?;
            Ok(run.list(items))
        }
        other => Ok(other.clone()),
    }
}
