//! `ENV`.

use super::super::ast::Place;
use super::super::run::{Found, Run};
use super::super::value::Value;
use super::{ANY, Call, Method, block, plain};

pub(super) const METHODS: &[Method] = &[
    plain("[]", 1, 1, |run, call| Ok(Value::or_nil(run.outside.env(&call.text(0)?)))),
    block("fetch", 1, 2, |run, call| {
        let name = call.text(0)?;
        match (run.outside.env(&name), &call.block) {
            (Some(value), _) => Ok(Value::text(value)),
            (None, Some(_)) => call.yields(run, &[Value::text(name)]),
            (None, None) if call.values.len() > 1 => Ok(call.value(1).clone()),
            (None, None) => {
                let ruby = format!("key not found: {}", call.value(0).inspect());
                let told = format!("the environment variable {name} is not set");
                Err(super::Stop::tell(call.place, "KeyError", ruby, told))
            }
        }
    }),
    plain("key? has_key? include? member?", 1, 1, |run, call| {
        Ok(Value::Bool(run.outside.env(&call.text(0)?).is_some()))
    }),
    plain("[]= store", 2, 2, |run, call| {
        set(run, call, call.value(0), call.value(1))?;
        Ok(call.value(1).clone())
    }),
    plain("delete", 1, 1, |run, call| {
        let name = call.text(0)?;
        let before = run.outside.env(&name);
        run.outside.set_env(&name, None);
        Ok(Value::or_nil(before))
    }),
    plain("update merge!", 0, ANY, |run, call| {
        for value in call.values {
            let Value::Map(other) = value else { return Err(call.no_conversion(value, "Hash")) };
            for (name, value) in other.pairs() {
                set(run, call, &name, &value)?;
            }
        }
        Ok(Value::Env)
    }),
    block(
        "to_h to_hash",
        0,
        0,
        |run, call| if call.block.is_some() { as_map(run, call) } else { map(run, call.place) },
    ),
    block(
        "each each_pair select filter reject map collect flat_map filter_map find detect find_all any? all?",
        0,
        1,
        as_map,
    ),
    block(
        "none? count sum sort sort_by min_by max_by group_by partition each_with_object each_with_index",
        0,
        1,
        as_map,
    ),
    block(
        "inject reduce keys values to_a length size empty? each_key each_value inspect transform_values",
        0,
        2,
        as_map,
    ),
    plain("slice values_at except key value? has_value? rassoc assoc invert", 0, ANY, as_map),
    block("replace clear delete_if keep_if select! reject! filter!", 0, 1, |_, call| Err(call.unknown())),
];

/// Sets a variable, or takes it away for nil, where the system knows such a thing.
fn set(run: &mut Run<'_>, call: &Call<'_>, name: &Value, value: &Value) -> Result<(), super::Stop> {
    let text = |value: &Value| match value {
        Value::Text(text) if !text.borrow().contains('\0') => Ok(text.borrow().clone()),
        Value::Text(_) => Err(call.raise("ArgumentError", "string contains null byte")),
        other => Err(call.no_conversion(other, "String")),
    };
    let name = text(name)?;
    let value = if value.is_nil() { None } else { Some(text(value)?) };
    if name.is_empty() || name.contains('=') {
        return Err(call.raise("Errno::EINVAL", format!("Invalid argument - setenv({name})")));
    }
    run.outside.set_env(&name, value.as_deref());
    Ok(())
}

/// All variables as a mapping.
pub(super) fn map(run: &mut Run<'_>, place: Place) -> Found {
    let variables = run.outside.variables();
    let pairs = variables.into_iter().map(|(name, value)| (Value::text(name), Value::text(value))).collect();
    run.map(pairs, place).map(Value::Map)
}

/// What the mapping of all variables answers.
fn as_map(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    let map = map(run, call.place)?;
    super::call(run, &Call { receiver: &map, block: call.block.clone(), ..*call })
}
