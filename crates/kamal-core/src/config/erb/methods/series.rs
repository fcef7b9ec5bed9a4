//! What `each` and its like give without a block: `map.with_index { … }`.

use std::cell::Cell;
use std::rc::Rc;

use super::super::run::{Found, Run};
use super::super::value::{Callable, Series, Value};
use super::{Call, Method, block, each, plain};

pub(super) const METHODS: &[Method] = &[
    block("with_index each_with_index", 0, 1, |run, call| {
        let from = if call.values.is_empty() { 0 } else { call.int(0)? };
        match &call.block {
            Some(inner) => {
                let kind = Callable::Counted(Rc::clone(inner), Cell::new(from));
                again(run, call, kind)
            }
            None => {
                let items = each::listed(run, call.receiver, call.place)?;
                let numbers = from..;
                let pairs =
                    items.into_iter().zip(numbers).map(|(item, number)| run.list(vec![item, Value::Int(number)]));
                let pairs = pairs.collect();
                let method = method_of(call);
                of(run, pairs, &method)
            }
        }
    }),
    block("with_object each_with_object", 1, 1, |run, call| {
        let Some(inner) = &call.block else { return Err(call.unknown()) };
        let object = call.value(0).clone();
        again(run, call, Callable::With(Rc::clone(inner), object.clone()))?;
        Ok(object)
    }),
    plain("size", 0, 0, |run, call| Ok(Value::count(each::listed(run, call.receiver, call.place)?.len()))),
    plain("rewind", 0, 0, |_, call| Ok(call.receiver.clone())),
    plain("next peek", 0, 0, |_, call| Err(call.unknown())),
];

/// Calls what gave the series, with a block now.
fn again(run: &mut Run<'_>, call: &Call<'_>, kind: Callable) -> Found {
    let Value::Series(series) = call.receiver else { return Err(call.unknown()) };
    let block = run.callable(kind);
    let inner = Call {
        place: call.place,
        receiver: &series.items,
        name: &series.method,
        values: &[],
        keywords: false,
        block: Some(block),
    };
    super::call(run, &inner)
}

fn method_of(call: &Call<'_>) -> Rc<str> {
    match call.receiver {
        Value::Series(series) => Rc::clone(&series.method),
        _ => "each".into(),
    }
}

/// A series over items, which `method` would go through.
pub(super) fn of(run: &mut Run<'_>, items: Vec<Value>, method: &str) -> Found {
    let items = run.list(items);
    Ok(Value::Series(Rc::new(Series { items, method: method.into() })))
}
