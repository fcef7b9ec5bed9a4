//! The schema and the loader agree: a file made after the schema is never wrong in its types or its keys, and a file
//! that is not quite after it loads or is refused with a place.

use kamal_core::config::{effective::effective, schema::schema};
use proptest::prelude::*;
use proptest::strategy::{Union, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::template_world::load_text;

/// Values a schema takes. `astray` out of 100 values are something else instead.
fn after(schema: &Value, astray: u32) -> BoxedStrategy<Value> {
    let right = exactly(schema, astray);
    if astray == 0 {
        return right;
    }
    prop_oneof![(100 - astray) => right, astray => anything()].boxed()
}

fn exactly(schema: &Value, astray: u32) -> BoxedStrategy<Value> {
    if let Some(choices) = schema["enum"].as_array() {
        return prop::sample::select(choices.clone()).boxed();
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return Union::new(choices.iter().map(|choice| after(choice, astray))).boxed();
    }
    match &schema["type"] {
        Value::Array(kinds) => Union::new(kinds.iter().map(|kind| of_type(kind, schema, astray))).boxed(),
        kind => of_type(kind, schema, astray),
    }
}

fn of_type(kind: &Value, schema: &Value, astray: u32) -> BoxedStrategy<Value> {
    let length = |least: &str, most: &str| {
        let number = |key: &str| schema[key].as_u64().and_then(|number| usize::try_from(number).ok());
        number(least).unwrap_or(0)..=number(most).unwrap_or(3)
    };
    match kind.as_str().unwrap_or_default() {
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => (0..70_000_i64).prop_map(Value::from).boxed(),
        "number" => prop_oneof![(0..70_000_i64).prop_map(Value::from), Just(json!(1.5))].boxed(),
        "string" => text().prop_map(Value::from).boxed(),
        "array" => prop::collection::vec(after(&schema["items"], astray), length("minItems", "maxItems"))
            .prop_map(Value::from)
            .boxed(),
        _ => object(schema, length("minProperties", "maxProperties"), astray),
    }
}

fn object(schema: &Value, size: std::ops::RangeInclusive<usize>, astray: u32) -> BoxedStrategy<Value> {
    let known = schema["properties"].as_object().cloned().unwrap_or_default();
    let entries: Vec<_> = known
        .iter()
        .map(|(name, schema)| {
            let name = name.clone();
            prop::option::weighted(0.3, after(schema, astray).prop_map(move |value| (name.clone(), value)))
        })
        .collect();
    let others = match &schema["additionalProperties"] {
        Value::Bool(false) | Value::Null if astray == 0 => Just(Vec::new()).boxed(),
        Value::Object(_) => {
            prop::collection::vec((name(), after(&schema["additionalProperties"], astray)), size).boxed()
        }
        Value::Null if known.is_empty() => prop::collection::vec((name(), text().prop_map(Value::from)), 0..3).boxed(),
        _ => prop_oneof![9 => Just(Vec::new()), 1 => prop::collection::vec((name(), anything()), 1..2)].boxed(),
    };
    (entries, others)
        .prop_map(|(entries, others)| Value::Object(entries.into_iter().flatten().chain(others).collect()))
        .boxed()
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["web", "jobs", "db", "a_b-c", "1", "DB_HOST"]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    let texts = vec![
        "web", "1.1.1.1", "amd64", "a:b", "25%", "", " ", "yes", "0755", "x, y", "registry", "a\nb", "é", "#", "5",
    ];
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// What is generated over a file that loads, so that it has what every file needs.
fn file(generated: &Value, over_base: bool, flow: bool) -> String {
    let mut root = Map::new();
    if over_base {
        let base = json!({
            "service": "app", "image": "acme/app", "servers": ["1.1.1.1"],
            "registry": {"username": "u", "password": ["P"]}, "builder": {"arch": "amd64"},
        });
        root.extend(base.as_object().unwrap().clone());
    }
    root.extend(generated.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    let root = Value::Object(root);
    if flow { root.to_string() } else { serde_yaml::to_string(&root).unwrap() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_nearly_after_the_schema_loads_or_is_refused_with_a_place(
        generated in after(&schema(), 4), over_base in any::<bool>(), flow in any::<bool>(),
    ) {
        let text = file(&generated, over_base, flow);
        match load_text(&text) {
            Ok(loaded) => drop(effective(&loaded, &"v1".parse().unwrap()).to_yaml()),
            Err(errors) => {
                prop_assert!(!errors.0.is_empty(), "{}", text);
                for error in &errors.0 {
                    let lines = text.lines().count().max(1);
                    prop_assert!((1..=lines).contains(&error.line) && error.column > 0, "{:?}\n{}", error, text);
                    prop_assert_eq!(&error.file, "config/deploy.yml");
                }
            }
        }
    }

    #[test]
    fn a_file_after_the_schema_has_no_wrong_type_and_no_unknown_key(generated in after(&schema(), 0)) {
        let text = file(&generated, true, true);
        if let Err(errors) = load_text(&text) {
            for error in &errors.0 {
                let words = ["a string", "an integer", "a boolean", "an array", "a hash", "a symbol"];
                let asked = error.message.rsplit_once("should be ").map(|(_, asked)| asked);
                let of_type = asked.is_some_and(|asked| words.iter().any(|word| asked.ends_with(word)));
                let of_form = of_type || error.message.contains("unknown key");
                prop_assert!(!of_form, "{}\n{}", error, text);
            }
        }
    }
}

#[test]
fn files_after_the_schema_load_often_enough_to_tell_anything() {
    let mut runner = TestRunner::deterministic();
    let whole = schema();
    for section in ["labels", "volumes", "env", "proxy", "ssh", "sshkit", "boot", "logging", "aliases", "accessories"] {
        let strategy = after(&whole["properties"][section], 0);
        let loaded = (0..60).filter(|_| {
            let value = strategy.new_tree(&mut runner).unwrap().current();
            load_text(&file(&json!({ section: value }), true, true)).is_ok()
        });
        assert!(loaded.count() >= 3, "{section}");
    }
}
