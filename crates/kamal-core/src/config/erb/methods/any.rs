//! What every value answers to.

use std::rc::Rc;

use super::super::run::{Found, Run, is_a};
use super::super::value::{Callable, Key, Value};
use super::{ANY, Call, Method, block, json, plain, yaml};

/// Methods of nil that other values have otherwise or not at all.
pub(super) const NIL: &[Method] = &[
    plain("to_i", 0, 0, |_, _| Ok(Value::Int(0))),
    plain("to_f", 0, 0, |_, _| Ok(Value::Float(0.0))),
    plain("to_a", 0, 0, |run, _| Ok(run.list(Vec::new()))),
    plain("to_h", 0, 0, |run, call| run.map(Vec::new(), call.place).map(Value::Map)),
    plain("& =~", 1, 1, |_, call| Ok(if call.name == "&" { Value::Bool(false) } else { Value::Nil })),
    plain("|", 1, 1, |_, call| Ok(Value::Bool(call.value(0).truthy()))),
];

pub(super) const BOOL: &[Method] = &[
    plain("&", 1, 1, |_, call| Ok(Value::Bool(call.receiver.truthy() && call.value(0).truthy()))),
    plain("|", 1, 1, |_, call| Ok(Value::Bool(call.receiver.truthy() || call.value(0).truthy()))),
    plain("^", 1, 1, |_, call| Ok(Value::Bool(call.receiver.truthy() != call.value(0).truthy()))),
];

pub(super) const METHODS: &[Method] = &[
    plain("nil?", 0, 0, |_, call| Ok(Value::Bool(call.receiver.is_nil()))),
    plain("! !@", 0, 0, |_, call| Ok(Value::Bool(!call.receiver.truthy()))),
    plain("blank?", 0, 0, |_, call| Ok(Value::Bool(call.receiver.blank()))),
    plain("present?", 0, 0, |_, call| Ok(Value::Bool(!call.receiver.blank()))),
    plain("presence", 0, 0, |_, call| Ok(if call.receiver.blank() { Value::Nil } else { call.receiver.clone() })),
    plain("in?", 1, 1, |run, call| {
        run.send(call.value(0), "include?", std::slice::from_ref(call.receiver), call.place)
    }),
    plain("presence_in", 1, 1, |run, call| {
        let inside = run.send(call.value(0), "include?", std::slice::from_ref(call.receiver), call.place)?;
        Ok(if inside.truthy() { call.receiver.clone() } else { Value::Nil })
    }),
    plain("freeze itself html_safe to_param", 0, 0, |_, call| Ok(call.receiver.clone())),
    plain("dup clone deep_dup +@", 0, 1, copy),
    plain("frozen?", 0, 0, |_, call| {
        let changes = matches!(call.receiver, Value::Text(_) | Value::List(_) | Value::Map(_));
        if changes { Err(call.unknown()) } else { Ok(Value::Bool(true)) }
    }),
    plain("inspect", 0, 0, |run, call| {
        run.measure(call.receiver, call.place)?;
        Ok(Value::text(call.receiver.inspect()))
    }),
    plain("to_s", 0, 0, |run, call| run.print(call.receiver, call.place).map(Value::text)),
    plain("to_json", 0, ANY, |run, call| json::compact(run, call.receiver, call.place).map(Value::text)),
    plain("to_yaml", 0, 0, |run, call| yaml::print(run, call.receiver, call.place).map(Value::text)),
    plain("==", 1, 1, |run, call| run.equal(call.receiver, call.value(0), call.place).map(Value::Bool)),
    // Whole numbers and those with a fraction are never that.
    plain("eql?", 1, 1, |run, call| {
        let equal = run.equal(call.receiver, call.value(0), call.place)?;
        Ok(Value::Bool(equal && Key::from(call.receiver) == Key::from(call.value(0))))
    }),
    plain("equal?", 1, 1, |run, call| match call.receiver {
        Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Symbol(_) => {
            let other = call.value(0);
            Ok(Value::Bool(!matches!(other, Value::Float(_)) && run.equal(call.receiver, other, call.place)?))
        }
        _ => Err(call.unknown()),
    }),
    plain("===", 1, 1, |run, call| run.fits(call.receiver, call.value(0), call.place).map(Value::Bool)),
    plain("<=>", 1, 1, |run, call| {
        run.measure(call.receiver, call.place)?;
        run.measure(call.value(0), call.place)?;
        Ok(call.receiver.order(call.value(0)).map_or(Value::Nil, |order| Value::Int(order as i64)))
    }),
    plain("is_a? kind_of? instance_of?", 1, 1, |_, call| match call.value(0) {
        Value::Module(class) if call.name == "instance_of?" => Ok(Value::Bool(call.receiver.class() == *class)),
        Value::Module(class) => Ok(Value::Bool(is_a(call.receiver, class))),
        _ => Err(call.raise("TypeError", "class or module required")),
    }),
    plain("class", 0, 0, |_, call| Ok(Value::Module(call.receiver.class()))),
    plain("respond_to?", 1, 2, |_, call| {
        let name = call.name(0)?;
        let answers = super::tables(call.receiver).into_iter().flatten().any(|method| method.is_called(&name));
        Ok(Value::Bool(answers))
    }),
    plain("hash object_id __id__", 0, 0, |_, call| Err(call.unknown())),
    block("tap", 0, 0, |run, call| {
        call.yields(run, std::slice::from_ref(call.receiver))?;
        Ok(call.receiver.clone())
    }),
    block("then yield_self", 0, 0, |run, call| call.yields(run, std::slice::from_ref(call.receiver))),
    block("send public_send __send__", 1, ANY, forward),
    block("try", 0, ANY, |run, call| match (call.receiver, call.values.is_empty()) {
        (Value::Nil, _) => Ok(Value::Nil),
        (receiver, true) => call.yields(run, std::slice::from_ref(receiver)),
        _ => forward(run, call),
    }),
    block("instance_eval", 0, 0, |run, call| call.yields(run, std::slice::from_ref(call.receiver))),
    plain("method", 1, 1, |run, call| {
        let kind = Callable::Bound(call.receiver.clone(), call.name(0)?);
        Ok(Value::Proc(run.callable(kind)))
    }),
    block("enum_for to_enum", 0, 0, |run, call| run.send(call.receiver, "each", &[], call.place)),
];

fn forward(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    let name = call.name(0)?;
    let values = call.values.get(1..).unwrap_or_default();
    let keywords = call.keywords && !values.is_empty();
    let call =
        Call { place: call.place, receiver: call.receiver, name: &name, values, keywords, block: call.block.clone() };
    if matches!(call.receiver, Value::Main) { super::function(run, &call) } else { super::call(run, &call) }
}

/// A copy that can be changed on its own; what it holds is shared, but for `deep_dup`.
fn copy(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    if !call.values.is_empty() && !call.keywords {
        return Err(call.unknown());
    }
    let deep = call.name == "deep_dup";
    if deep {
        run.measure(call.receiver, call.place)?;
    }
    copied(run, call, call.receiver, deep)
}

fn copied(run: &mut Run<'_>, call: &Call<'_>, value: &Value, deep: bool) -> Found {
    Ok(match value {
        Value::Text(text) => Value::text(text.borrow().clone()),
        Value::List(list) => {
            let mut items = list.items();
            if deep {
                items = items.iter().map(|item| copied(run, call, item, true)).collect::<Result<_, _>>()?;
            }
            run.list(items)
        }
        Value::Map(map) => {
            let mut pairs = map.pairs();
            if deep {
                for (_, value) in &mut pairs {
                    *value = copied(run, call, value, true)?;
                }
            }
            let copy = run.map(pairs, call.place)?;
            let (value, block) = map.fallback();
            copy.set_fallback(value, block);
            Value::Map(copy)
        }
        Value::Regexp(regexp) => Value::Regexp(Rc::clone(regexp)),
        other => other.clone(),
    })
}
