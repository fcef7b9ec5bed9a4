//! What lists, mappings and ranges have in common: going through their items.

mod order;
mod pick;
mod walk;

pub(super) use order::ORDER;
pub(super) use pick::PICK;
pub(super) use walk::WALK;

use super::super::ast::Place;
use super::super::run::Run;
use super::super::stop::Stop;
use super::super::value::Value;
use super::{Call, env, range};

/// The items of a value, as its `to_a`. A mapping's are pairs.
pub(in super::super) fn listed(run: &mut Run<'_>, value: &Value, place: Place) -> Result<Vec<Value>, Stop> {
    Ok(match value {
        Value::List(list) => list.items(),
        Value::Map(map) => {
            let pairs = map.pairs();
            pairs.into_iter().map(|(key, value)| run.list(vec![key, value])).collect()
        }
        Value::Range(range) => range::items(run, range, place)?,
        Value::Series(series) => listed(run, &series.items.clone(), place)?,
        Value::Nil => Vec::new(),
        Value::Env => {
            let map = env::map(run, place)?;
            listed(run, &map, place)?
        }
        other => vec![other.clone()],
    })
}

fn items(run: &mut Run<'_>, call: &Call<'_>) -> Result<Vec<Value>, Stop> {
    listed(run, call.receiver, call.place)
}

/// Calls the block with an item.
fn yields(run: &mut Run<'_>, call: &Call<'_>, item: &Value) -> Result<Value, Stop> {
    run.step(call.place)?;
    call.yields(run, std::slice::from_ref(item))
}

/// What a predicate says of an item: the block, a pattern for `===`, or whether it is true itself.
fn holds(run: &mut Run<'_>, call: &Call<'_>, item: &Value) -> Result<bool, Stop> {
    match (call.values.first(), &call.block) {
        (Some(pattern), _) => {
            run.step(call.place)?;
            run.fits(pattern, item, call.place)
        }
        (None, Some(_)) => Ok(yields(run, call, item)?.truthy()),
        (None, None) => Ok(item.truthy()),
    }
}

/// Those items for which the block says so.
fn chosen(run: &mut Run<'_>, call: &Call<'_>, wanted: bool) -> Result<Vec<Value>, Stop> {
    let mut found = Vec::new();
    for item in items(run, call)? {
        if yields(run, call, &item)?.truthy() == wanted {
            found.push(item);
        }
    }
    Ok(found)
}
