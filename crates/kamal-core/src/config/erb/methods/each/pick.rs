//! Choosing among items, and asking about them.

use super::super::super::value::Value;
use super::super::{Method, block, plain};
use super::walk::unblocked;
use super::{chosen, holds, items, yields};

pub(in super::super) const PICK: &[Method] = &[
    block("select filter find_all", 0, 0, |run, call| {
        if call.block.is_none() {
            return unblocked(call);
        }
        let found = chosen(run, call, true)?;
        Ok(run.list(found))
    }),
    block("reject", 0, 0, |run, call| {
        if call.block.is_none() {
            return unblocked(call);
        }
        let found = chosen(run, call, false)?;
        Ok(run.list(found))
    }),
    block("grep grep_v", 1, 1, |run, call| {
        let mut found = Vec::new();
        for item in items(run, call)? {
            run.step(call.place)?;
            if run.fits(call.value(0), &item, call.place)? != (call.name == "grep_v") {
                let item = if call.block.is_some() { yields(run, call, &item)? } else { item };
                found.push(item);
            }
        }
        Ok(run.list(found))
    }),
    block("find detect", 0, 0, |run, call| {
        for item in items(run, call)? {
            if yields(run, call, &item)?.truthy() {
                return Ok(item);
            }
        }
        Ok(Value::Nil)
    }),
    block("find_index index", 0, 1, |run, call| {
        for (item, index) in items(run, call)?.into_iter().zip(0..) {
            run.step(call.place)?;
            let found = match call.values.first() {
                Some(wanted) => run.equal(&item, wanted, call.place)?,
                None => yields(run, call, &item)?.truthy(),
            };
            if found {
                return Ok(Value::Int(index));
            }
        }
        Ok(Value::Nil)
    }),
    block("partition", 0, 0, |run, call| {
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        for item in items(run, call)? {
            if yields(run, call, &item)?.truthy() { yes.push(item) } else { no.push(item) }
        }
        let halves = vec![run.list(yes), run.list(no)];
        Ok(run.list(halves))
    }),
    block("group_by", 0, 0, |run, call| {
        if call.block.is_none() {
            return unblocked(call);
        }
        let mut groups = indexmap::IndexMap::<_, (Value, Vec<Value>)>::new();
        for item in items(run, call)? {
            let name = yields(run, call, &item)?;
            let key = run.key(&name, call.place)?;
            groups.entry(key).or_insert_with(|| (name, Vec::new())).1.push(item);
        }
        let groups = groups.into_values().map(|(name, items)| (name, run.list(items))).collect();
        run.map(groups, call.place).map(Value::Map)
    }),
    block("tally tally_by", 0, 0, |run, call| {
        let mut counts = indexmap::IndexMap::<_, (Value, i64)>::new();
        for item in items(run, call)? {
            let name = if call.block.is_some() { yields(run, call, &item)? } else { item };
            let key = run.key(&name, call.place)?;
            counts.entry(key).or_insert((name, 0)).1 += 1;
        }
        let counts = counts.into_values().map(|(name, count)| (name, Value::Int(count))).collect();
        run.map(counts, call.place).map(Value::Map)
    }),
    block("chunk_while slice_when", 0, 0, |run, call| {
        let mut groups: Vec<Vec<Value>> = Vec::new();
        for item in items(run, call)? {
            let joins = match groups.last().and_then(|group| group.last()).cloned() {
                Some(before) => call.yields(run, &[before, item.clone()])?.truthy() != (call.name == "slice_when"),
                None => false,
            };
            match groups.last_mut() {
                Some(group) if joins => group.push(item),
                _ => groups.push(vec![item]),
            }
        }
        let groups = groups.into_iter().map(|group| run.list(group)).collect();
        Ok(run.list(groups))
    }),
    block("any?", 0, 1, |run, call| {
        for item in items(run, call)? {
            if holds(run, call, &item)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    block("all?", 0, 1, |run, call| {
        for item in items(run, call)? {
            if !holds(run, call, &item)? {
                return Ok(Value::Bool(false));
            }
        }
        Ok(Value::Bool(true))
    }),
    block("none?", 0, 1, |run, call| {
        for item in items(run, call)? {
            if holds(run, call, &item)? {
                return Ok(Value::Bool(false));
            }
        }
        Ok(Value::Bool(true))
    }),
    block("one? many?", 0, 1, |run, call| {
        let mut count = 0;
        let all = call.name == "many?" && call.block.is_none();
        for item in items(run, call)? {
            if all || holds(run, call, &item)? {
                count += 1;
            }
        }
        Ok(Value::Bool(if call.name == "one?" { count == 1 } else { count > 1 }))
    }),
    block("count", 0, 1, |run, call| {
        let items = items(run, call)?;
        if call.values.is_empty() && call.block.is_none() {
            return Ok(Value::count(items.len()));
        }
        let mut count = 0;
        for item in items {
            let counts = match call.values.first() {
                Some(wanted) => run.equal(&item, wanted, call.place)?,
                None => yields(run, call, &item)?.truthy(),
            };
            count += i64::from(counts);
        }
        Ok(Value::Int(count))
    }),
    plain("include? member?", 1, 1, |run, call| inside(run, call).map(Value::Bool)),
    plain("exclude?", 1, 1, |run, call| inside(run, call).map(|inside| Value::Bool(!inside))),
    plain("first", 0, 1, |run, call| {
        let items = items(run, call)?;
        if call.values.is_empty() {
            return Ok(items.into_iter().next().unwrap_or(Value::Nil));
        }
        let found = items.into_iter().take(call.size(0)?).collect();
        Ok(run.list(found))
    }),
    plain("sole", 0, 0, |run, call| match &items(run, call)?[..] {
        [only] => Ok(only.clone()),
        _ => Err(call.raise("Enumerable::SoleItemExpectedError", "not exactly one item")),
    }),
    plain("take", 1, 1, |run, call| {
        let found = items(run, call)?.into_iter().take(call.size(0)?).collect();
        Ok(run.list(found))
    }),
    plain("drop", 1, 1, |run, call| {
        let found = items(run, call)?.into_iter().skip(call.size(0)?).collect();
        Ok(run.list(found))
    }),
    block("take_while drop_while", 0, 0, |run, call| {
        let all = items(run, call)?;
        let mut kept = 0;
        for item in &all {
            if !yields(run, call, item)?.truthy() {
                break;
            }
            kept += 1;
        }
        let found = if call.name == "take_while" { all[..kept].to_vec() } else { all[kept..].to_vec() };
        Ok(run.list(found))
    }),
    plain("without excluding including", 0, 50, |run, call| {
        let mut others = Vec::new();
        for value in call.values {
            match value {
                Value::List(list) => others.extend(list.items()),
                other => others.push(other.clone()),
            }
        }
        let mut found = items(run, call)?;
        if call.name == "including" {
            found.extend(others);
            return Ok(run.list(found));
        }
        let mut kept = Vec::new();
        for item in found {
            if !contains(run, call, &others, &item)? {
                kept.push(item);
            }
        }
        Ok(run.list(kept))
    }),
    plain("pluck pick", 1, 1, |run, call| {
        let mut found = Vec::new();
        for item in items(run, call)? {
            found.push(run.send(&item, "[]", call.values, call.place)?);
        }
        Ok(if call.name == "pick" { found.into_iter().next().unwrap_or(Value::Nil) } else { run.list(found) })
    }),
];

fn inside(run: &mut super::Run<'_>, call: &super::Call<'_>) -> Result<bool, super::Stop> {
    let all = items(run, call)?;
    contains(run, call, &all, call.value(0))
}

/// Whether a value is among others.
pub(in super::super) fn contains(
    run: &mut super::Run<'_>,
    call: &super::Call<'_>,
    all: &[Value],
    wanted: &Value,
) -> Result<bool, super::Stop> {
    for item in all {
        run.step(call.place)?;
        if run.equal(item, wanted, call.place)? {
            return Ok(true);
        }
    }
    Ok(false)
}
