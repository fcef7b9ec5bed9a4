//! Going through all items, and making something of each.

use super::super::super::run::{Found, Run};
use super::super::super::value::Value;
use super::super::{Call, Method, block, plain, series};
use super::{items, yields};

pub(in super::super) const WALK: &[Method] = &[
    block("each each_entry", 0, 0, |run, call| {
        if call.block.is_none() {
            return unblocked(call);
        }
        for item in items(run, call)? {
            yields(run, call, &item)?;
        }
        Ok(call.receiver.clone())
    }),
    block("reverse_each", 0, 0, |run, call| {
        let reversed: Vec<Value> = items(run, call)?.into_iter().rev().collect();
        if call.block.is_none() {
            return series::of(run, reversed, "each");
        }
        for item in reversed {
            yields(run, call, &item)?;
        }
        Ok(call.receiver.clone())
    }),
    block("each_with_index", 0, 0, |run, call| {
        let items = items(run, call)?;
        if call.block.is_none() {
            let pairs =
                items.into_iter().zip(0..).map(|(item, index)| run.list(vec![item, Value::Int(index)])).collect();
            return series::of(run, pairs, "each");
        }
        for (item, index) in items.into_iter().zip(0..) {
            run.step(call.place)?;
            call.yields(run, &[item, Value::Int(index)])?;
        }
        Ok(call.receiver.clone())
    }),
    block("each_with_object", 1, 1, |run, call| {
        for item in items(run, call)? {
            run.step(call.place)?;
            call.yields(run, &[item, call.value(0).clone()])?;
        }
        Ok(call.value(0).clone())
    }),
    block("each_slice each_cons in_groups_of", 1, 2, |run, call| {
        let size = call.size(0)?;
        if size == 0 {
            return Err(call.raise("ArgumentError", "invalid slice size"));
        }
        let items = items(run, call)?;
        let mut groups: Vec<Vec<Value>> = match call.name {
            "each_cons" => items.windows(size).map(<[Value]>::to_vec).collect(),
            _ => items.chunks(size).map(<[Value]>::to_vec).collect(),
        };
        let total: usize = groups.iter().map(Vec::len).sum();
        for _ in 0..total {
            run.step(call.place)?;
        }
        if call.name == "in_groups_of"
            && !matches!(call.value(1), Value::Bool(false))
            && let Some(last) = groups.last_mut()
        {
            last.resize(size, call.value(1).clone());
        }
        let groups: Vec<Value> = groups.into_iter().map(|group| run.list(group)).collect();
        if call.block.is_none() {
            return if call.name == "in_groups_of" { Ok(run.list(groups)) } else { series::of(run, groups, "each") };
        }
        for group in groups {
            yields(run, call, &group)?;
        }
        Ok(call.receiver.clone())
    }),
    block("map collect", 0, 0, |run, call| {
        if call.block.is_none() {
            return unblocked(call);
        }
        let mut results = Vec::new();
        for item in items(run, call)? {
            results.push(yields(run, call, &item)?);
        }
        Ok(run.list(results))
    }),
    block("flat_map collect_concat", 0, 0, |run, call| {
        if call.block.is_none() {
            return unblocked(call);
        }
        let mut results = Vec::new();
        for item in items(run, call)? {
            match yields(run, call, &item)? {
                Value::List(list) => results.extend(list.items()),
                other => results.push(other),
            }
        }
        Ok(run.list(results))
    }),
    block("filter_map", 0, 0, |run, call| {
        if call.block.is_none() {
            return unblocked(call);
        }
        let mut results = Vec::new();
        for item in items(run, call)? {
            let value = yields(run, call, &item)?;
            if value.truthy() {
                results.push(value);
            }
        }
        Ok(run.list(results))
    }),
    block("inject reduce", 0, 2, reduce),
    block("sum", 0, 1, |run, call| {
        let mut total = call.values.first().cloned().unwrap_or(Value::Int(0));
        let mut parts = Vec::new();
        for item in items(run, call)? {
            parts.push(if call.block.is_some() { yields(run, call, &item)? } else { item });
        }
        if let Some(total) = float_sum(&total, &parts) {
            return Ok(Value::Float(total));
        }
        for part in parts {
            run.step(call.place)?;
            total = run.send(&total, "+", &[part], call.place)?;
        }
        Ok(total)
    }),
    block("to_h", 0, 0, |run, call| {
        let mut pairs = Vec::new();
        for item in items(run, call)? {
            let item = if call.block.is_some() { yields(run, call, &item)? } else { item };
            let pair = if let Value::List(list) = &item { list.items() } else { Vec::new() };
            let Ok([key, value]) = <[Value; 2]>::try_from(pair) else {
                return Err(call.raise("TypeError", "wrong element type (expected array of two)"));
            };
            pairs.push((key, value));
        }
        run.map(pairs, call.place).map(Value::Map)
    }),
    block("index_by index_with", 0, 1, |run, call| {
        let mut pairs = Vec::new();
        for item in items(run, call)? {
            let other = if call.block.is_some() { yields(run, call, &item)? } else { call.value(0).clone() };
            pairs.push(if call.name == "index_by" { (other, item) } else { (item, other) });
        }
        run.map(pairs, call.place).map(Value::Map)
    }),
    plain("to_a entries lazy force", 0, 0, |run, call| {
        let items = items(run, call)?;
        Ok(run.list(items))
    }),
    block("zip", 0, 20, |run, call| {
        let items = items(run, call)?;
        let mut others = Vec::new();
        for value in call.values {
            others.push(match value {
                // As many as are needed of a range without end.
                Value::Range(range) if range.last.is_nil() => {
                    let count = Value::count(items.len());
                    let taken = run.send(value, "first", &[count], call.place)?;
                    super::listed(run, &taken, call.place)?
                }
                other => super::listed(run, other, call.place)?,
            });
        }
        let mut rows = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let rest = others.iter().map(|other| other.get(index).cloned().unwrap_or(Value::Nil));
            let row = std::iter::once(item).chain(rest).collect();
            let row = run.list(row);
            run.step(call.place)?;
            if call.block.is_some() { drop(yields(run, call, &row)?) } else { rows.push(row) }
        }
        Ok(if call.block.is_some() { Value::Nil } else { run.list(rows) })
    }),
    block("cycle", 1, 1, |run, call| {
        let items = items(run, call)?;
        for _ in 0..call.size(0)? {
            run.step(call.place)?;
            for item in &items {
                yields(run, call, item)?;
            }
        }
        Ok(Value::Nil)
    }),
];

/// The sum of numbers of which one is broken at least, as exact as Ruby's (Kahan and Babuška): 0.1 + 0.2 + 0.3 is 0.6.
fn float_sum(first: &Value, parts: &[Value]) -> Option<f64> {
    let broken = |value: &Value| matches!(value, Value::Float(_));
    if !broken(first) && !parts.iter().any(broken) {
        return None;
    }
    let (mut total, mut lost) = (first.number()?, 0.0);
    for part in parts {
        let part = part.number()?;
        let sum = total + part;
        lost += if total.abs() >= part.abs() { total - sum + part } else { part - sum + total };
        total = sum;
    }
    Some(total + lost)
}

/// A method without its block.
pub(super) fn unblocked(call: &Call<'_>) -> Found {
    let series = super::super::super::value::Series { items: call.receiver.clone(), method: call.name.into() };
    Ok(Value::Series(std::rc::Rc::new(series)))
}

/// `inject(first) { |sum, item| … }`, `inject(:+)`, `inject(first, :+)`.
fn reduce(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    let mut values = call.values.to_vec();
    let operator = match (values.last(), &call.block) {
        (Some(Value::Symbol(name)), None) => {
            let name = name.clone();
            values.pop();
            Some(name)
        }
        _ => None,
    };
    let mut items = items(run, call)?.into_iter();
    let Some(mut result) = values.pop().or_else(|| items.next()) else { return Ok(Value::Nil) };
    for item in items {
        run.step(call.place)?;
        result = match &operator {
            Some(operator) => run.send(&result, operator, &[item], call.place)?,
            None => call.yields(run, &[result, item])?,
        };
    }
    Ok(result)
}
