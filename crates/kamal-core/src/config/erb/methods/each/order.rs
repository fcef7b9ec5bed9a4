//! Items in order, and the least and greatest of them.

use std::cmp::Ordering;

use super::super::super::run::{Found, Run};
use super::super::super::stop::Stop;
use super::super::super::value::Value;
use super::super::{Call, Method, block};
use super::walk::unblocked;
use super::{items, yields};

pub(in super::super) const ORDER: &[Method] = &[
    block("sort", 0, 0, |run, call| {
        let items = items(run, call)?;
        let sorted = sort(run, call, items, call.block.is_some())?;
        Ok(run.list(sorted))
    }),
    block("sort_by", 0, 0, |run, call| {
        if call.block.is_none() {
            return unblocked(call);
        }
        let sorted = by_block(run, call)?.into_iter().map(|(_, item)| item).collect();
        Ok(run.list(sorted))
    }),
    block("min max", 0, 1, |run, call| {
        let items = items(run, call)?;
        let mut sorted = sort(run, call, items, call.block.is_some())?;
        if call.name == "max" {
            sorted.reverse();
        }
        ends(run, call, sorted)
    }),
    block("min_by max_by", 0, 1, |run, call| {
        if call.block.is_none() {
            return unblocked(call);
        }
        let mut sorted = by_block(run, call)?;
        if call.name == "max_by" {
            // Of several the first, as in Ruby, so that turning round keeps neighbours as they were.
            let most = sorted.last().map(|(key, _)| key.clone());
            let first = sorted.iter().position(|(key, _)| most.as_ref().is_some_and(|most| key.same(most)));
            if call.values.is_empty() {
                return Ok(first.map_or(Value::Nil, |first| sorted[first].1.clone()));
            }
            sorted.reverse();
        }
        let sorted = sorted.into_iter().map(|(_, item)| item).collect();
        ends(run, call, sorted)
    }),
    block("minmax", 0, 0, |run, call| {
        let items = items(run, call)?;
        let sorted = sort(run, call, items, call.block.is_some())?;
        let ends = vec![sorted.first().cloned().unwrap_or(Value::Nil), sorted.last().cloned().unwrap_or(Value::Nil)];
        Ok(run.list(ends))
    }),
    block("uniq", 0, 0, |run, call| {
        let mut seen = std::collections::HashSet::new();
        let mut found = Vec::new();
        for item in items(run, call)? {
            let key = if call.block.is_some() { yields(run, call, &item)? } else { item.clone() };
            if seen.insert(run.key(&key, call.place)?) {
                found.push(item);
            }
        }
        Ok(run.list(found))
    }),
];

fn ends(run: &mut Run<'_>, call: &Call<'_>, sorted: Vec<Value>) -> Found {
    if call.values.is_empty() {
        return Ok(sorted.into_iter().next().unwrap_or(Value::Nil));
    }
    let count = call.size(0)?;
    Ok(run.list(sorted.into_iter().take(count).collect()))
}

fn by_block(run: &mut Run<'_>, call: &Call<'_>) -> Result<Vec<(Value, Value)>, Stop> {
    let mut keyed = Vec::new();
    for item in items(run, call)? {
        keyed.push((yields(run, call, &item)?, item));
    }
    let mut failed = None;
    for (key, _) in &keyed {
        run.measure(key, call.place)?;
    }
    keyed.sort_by(|(left, _), (right, _)| {
        left.order(right).unwrap_or_else(|| {
            failed.get_or_insert_with(|| incomparable(call, right, left));
            Ordering::Equal
        })
    });
    failed.map_or(Ok(keyed), Err)
}

/// Sorts by Ruby's `<=>`, or by what the block says.
pub(in super::super) fn sort(
    run: &mut Run<'_>,
    call: &Call<'_>,
    mut items: Vec<Value>,
    by_block: bool,
) -> Result<Vec<Value>, Stop> {
    let mut failed = None;
    for item in &items {
        run.measure(item, call.place)?;
    }
    items.sort_by(|left, right| {
        if failed.is_some() {
            return Ordering::Equal;
        }
        let order = if by_block {
            match call.yields(run, &[left.clone(), right.clone()]) {
                Ok(order) => order.order(&Value::Int(0)),
                Err(stop) => {
                    failed = Some(stop);
                    return Ordering::Equal;
                }
            }
        } else {
            left.order(right)
        };
        order.unwrap_or_else(|| {
            failed = Some(incomparable(call, right, left));
            Ordering::Equal
        })
    });
    failed.map_or(Ok(items), Err)
}

/// As Ruby says it, which compares the first with the second.
fn incomparable(call: &Call<'_>, left: &Value, right: &Value) -> Stop {
    let right = match right {
        Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_) => right.inspect(),
        other => other.class().to_string(),
    };
    call.raise("ArgumentError", format!("comparison of {} with {right} failed", left.class()))
}
