//! The JSON schema of deploy.yml, for editors: printed from the same table that checks the file, so it cannot go
//! stale (spec 2.2 to 2.12).

use serde_json::{Map, Value, json};

use super::shape::keys;
use super::shape::{Apart, Key, Shape};

/// Where editors find the schema.
pub const URL: &str = "https://raw.githubusercontent.com/kamal-rs/kamal/main/schema/deploy.schema.json";

/// The schema (draft 2020-12). Whatever the loader takes, the schema takes; a destination's file is partial, so
/// nothing is required.
#[must_use]
pub fn schema() -> Value {
    let mut root = section(keys::ROOT);
    if let Value::Object(root) = &mut root {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("$id".to_owned(), json!(URL));
        root.insert("title".to_owned(), json!("Kamal deploy.yml"));
        root.insert("patternProperties".to_owned(), json!({"^x-": true}));
    }
    root
}

/// The schema as its file holds it.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", schema())
}

fn section(keys: &[Key]) -> Value {
    let property = |key: &Key| {
        let mut schema = shape(key.shape);
        if let Value::Object(schema) = &mut schema {
            schema.insert("description".to_owned(), json!(key.doc));
        }
        (key.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = keys.iter().map(property).collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn scalar() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

fn texts() -> Value {
    json!({"type": "array", "items": scalar()})
}

fn map_of(values: &Value) -> Value {
    json!({"type": "object", "additionalProperties": values})
}

fn shape(shape: Shape) -> Value {
    match shape {
        Shape::Text => scalar(),
        Shape::Int => json!({"type": "integer"}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::TextList => texts(),
        Shape::TextOrList => json!({"anyOf": [scalar(), texts()]}),
        Shape::AnyMap | Shape::Values => json!({"type": "object"}),
        Shape::TextMap => map_of(&scalar()),
        Shape::Hosts => hosts(),
        Shape::BoolOrMap => json!({"type": ["boolean", "object"]}),
        Shape::SshConfig => json!({"anyOf": [{"type": ["boolean", "string"]}, texts()]}),
        Shape::Paths(keys) => json!({"type": "array", "items": {"anyOf": [scalar(), open_section(keys)]}}),
        Shape::Section(keys) => section(keys),
        Shape::Apart(apart) => one_of_a_kind(apart),
    }
}

/// A section in which unknown keys are ignored.
fn open_section(keys: &[Key]) -> Value {
    let mut schema = section(keys);
    if let Value::Object(schema) = &mut schema {
        schema.remove("additionalProperties");
    }
    schema
}

fn hosts() -> Value {
    let tags = json!({"anyOf": [scalar(), texts()]});
    let tagged = json!({"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": tags});
    json!({"type": "array", "items": {"anyOf": [scalar(), tagged]}})
}

fn one_of_a_kind(apart: Apart) -> Value {
    match apart {
        Apart::Servers => {
            let role = json!({"anyOf": [hosts(), section(keys::ROLE)]});
            json!({"anyOf": [hosts(), map_of(&role)]})
        }
        Apart::Env => json!({"anyOf": [section(keys::ENV), map_of(&scalar())]}),
        Apart::Proxy => section(keys::PROXY),
        Apart::RoleProxy => json!({"anyOf": [{"type": "boolean"}, section(keys::PROXY)]}),
        Apart::Registry => section(keys::REGISTRY),
        Apart::Credential => {
            json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1}]})
        }
        Apart::Builder => section(keys::BUILDER),
        Apart::Accessories => map_of(&section(keys::ACCESSORY)),
        Apart::Boot => section(keys::BOOT),
        Apart::Logging => section(keys::LOGGING),
        Apart::Output => section(keys::OUTPUT),
        Apart::Ssh => section(keys::SSH),
        Apart::SshKit => section(keys::SSHKIT),
        Apart::Aliases => json!({
            "type": "object",
            "additionalProperties": scalar(),
            "propertyNames": {"pattern": "^[a-z0-9_-]+$"},
        }),
        Apart::XProxy => section(keys::X_PROXY),
        Apart::XRelease => section(keys::X_RELEASE),
        Apart::XBoot => section(keys::X_BOOT),
        Apart::XGuard => section(keys::X_GUARD),
        Apart::XCluster => section(keys::X_CLUSTER),
        Apart::XDeliver => section(keys::X_DELIVER),
        Apart::XSsh => section(keys::X_SSH),
        Apart::PoliciesByName => map_of(&section(keys::POLICIES)),
        Apart::HooksOutput => {
            let level = json!({"enum": ["quiet", "verbose"]});
            json!({"anyOf": [level, map_of(&level)]})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_described() {
        let schema = schema();
        let proxy = &schema["properties"]["proxy"];
        assert_eq!(proxy["properties"]["app_port"]["type"], "integer");
        assert_eq!(
            proxy["properties"]["healthcheck"]["properties"]["path"]["description"],
            "The path asked for, default `/up`."
        );
        assert_eq!(schema["properties"].as_object().map(Map::len), Some(keys::ROOT.len()));
        assert_eq!(schema["patternProperties"]["^x-"], true);
        fn described(value: &Value) -> bool {
            let properties = value.get("properties").and_then(Value::as_object);
            properties.into_iter().flatten().all(|(_, child)| child["description"].is_string() && described(child))
        }
        assert!(described(&schema));
    }
}
