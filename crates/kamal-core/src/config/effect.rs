//! Every key has an effect or is refused: the table of keys is walked, and each is put into a file and taken out again.
//! What differs in the model must be read by somebody.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::docs::example;
use super::shape::{Key, Shape, keys};
use super::{Loaded, Source, load};
use crate::testing::NoTemplateWorld;

/// Where a table of keys stands, and the name its examples go by.
const TABLES: &[(&[&str], &str, &[Key])] = &[
    (&[], "", keys::ROOT),
    (&["registry"], "registry", keys::REGISTRY),
    (&["env"], "env", keys::ENV),
    (&["proxy"], "proxy", keys::PROXY),
    (&["servers", "jobs"], "role", keys::ROLE),
    (&["builder"], "builder", keys::BUILDER),
    (&["accessories", "db"], "accessories", keys::ACCESSORY),
    (&["boot"], "boot", keys::BOOT),
    (&["logging"], "logging", keys::LOGGING),
    (&["output"], "output", keys::OUTPUT),
    (&["ssh"], "ssh", keys::SSH),
    (&["sshkit"], "sshkit", keys::SSHKIT),
    (&["x-proxy"], "x-proxy", keys::X_PROXY),
    (&["x-release"], "x-release", keys::X_RELEASE),
    (&["x-boot"], "x-boot", keys::X_BOOT),
    (&["x-guard"], "x-guard", keys::X_GUARD),
    (&["x-cluster"], "x-cluster", keys::X_CLUSTER),
    (&["x-deliver"], "x-deliver", keys::X_DELIVER),
    (&["x-ssh"], "x-ssh", keys::X_SSH),
];

/// Values for keys whose example says what holds anyway, or needs another beside it.
const OTHER: &[(&str, &str)] = &[
    ("hooks_path", "hooks"),
    ("secrets_path", "secrets"),
    ("require_destination", "true"),
    ("primary_role", "jobs"),
    ("allow_empty_roles", "true"),
    ("retain_containers", "6"),
    ("readiness_delay", "8"),
    ("deploy_timeout", "31"),
    ("drain_timeout", "31"),
    ("stop_timeout", "31"),
    ("sshkit", "{dns_retries: 4}"),
    ("role/hosts", "[192.0.2.8]"),
    ("proxy/run/http_port", "81"),
    ("proxy/run/https_port", "444"),
    ("proxy/run/publish", "false"),
    ("proxy/run/debug", "true"),
    ("proxy/run/log_max_size", "11m"),
    ("proxy/run/repository", "acme/kamal-proxy"),
    ("proxy/run/version", "v0.9.3"),
    ("builder/local", "false"),
    ("builder/dockerfile", "Dockerfile.prod"),
    ("builder/driver", "docker"),
    ("accessories/network", "host"),
    ("accessories/tag", "spare"),
    ("accessories/tags", "[spare]"),
    ("sshkit/dns_retries", "4"),
    ("x-release/role", "jobs"),
    ("x-loadbalancer", "192.0.2.1"),
    ("x-cluster/encrypted", "false"),
    ("x-cluster/managers", "3"),
    ("x-proxy/target_h2c", "true"),
    ("x-proxy/roles", "{web: {sticky: true}}"),
    ("x-proxy/accessories", "{db: {sticky: true}}"),
];

/// Keys that stand beside the one that is tried, so that it is sound.
fn beside(path: &str) -> Value {
    match path {
        "proxy/ssl" | "proxy/canonical_host" => json!({"proxy": {"host": "shop.example.com"}}),
        "proxy/tls_on_demand_url" => json!({"proxy": {"ssl": true}}),
        "builder/local" => json!({"builder": {"remote": "ssh://b"}}),
        "builder/cache/options" | "builder/cache/image" => json!({"builder": {"cache": {"type": "registry"}}}),
        "builder/pack/buildpacks" => json!({"builder": {"pack": {"builder": "b"}}}),
        "x-proxy/compress_min_size" | "x-proxy/compress_types" => json!({"x-proxy": {"compress": true}}),
        "x-proxy/rate_limit_burst" => json!({"x-proxy": {"rate_limit": "1/s"}}),
        "x-proxy/acme_eab_kid" => json!({"x-proxy": {"acme_eab_key": "K"}}),
        "x-proxy/acme_eab_key" => json!({"x-proxy": {"acme_eab_kid": "k"}}),
        "x-deliver" | "x-deliver/between_hosts" => json!({"registry": {"server": "localhost:5555"}}),
        _ if path.starts_with("x-deliver/") => {
            json!({"registry": {"server": "localhost:5555"}, "x-deliver": {"between_hosts": true}})
        }
        "x-balance" => json!({"x-cluster": {"network": "overlay"}}),
        _ if path.starts_with("x-cluster/") => json!({"x-cluster": {"network": "overlay"}}),
        "x-release/role" | "x-release/timeout" => json!({"x-release": {"cmd": "true"}}),
        _ if path.starts_with("x-proxy") => json!({"accessories": {"db": {"proxy": {"host": "d.example.com"}}}}),
        _ => json!({}),
    }
}

fn base() -> Value {
    json!({
        "service": "app",
        "image": "acme/app",
        "servers": {"web": {"hosts": [{"192.0.2.1": "spare"}]}, "jobs": {"hosts": ["192.0.2.2"]}},
        "registry": {"username": "u", "password": ["P"]},
        "builder": {"arch": "amd64"},
        "accessories": {"db": {"image": "mysql", "host": "192.0.2.3"}},
    })
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn at(place: &[&str], value: Value) -> Value {
    place.iter().rev().fold(value, |value, step| json!({ *step: value }))
}

fn loaded(file: &Value) -> Result<Loaded, String> {
    let source = Source::new("config/deploy.yml", file.to_string());
    load(&source, None, &NoTemplateWorld).map_err(|errors| errors.to_string())
}

/// What a file means: the model, or why it is refused; what counts for nothing must be told of by name.
fn meaning(file: &Value, key: &str) -> String {
    match loaded(file) {
        Err(refused) => refused,
        Ok(loaded) => {
            let told = loaded.warnings.iter().filter(|warning| warning.message.starts_with(key));
            let told: Vec<&str> = told.map(|warning| warning.message.as_str()).collect();
            format!("{:?} {told:?}", loaded.config)
        }
    }
}

fn each(place: &[&str], name: &str, table: &[Key], check: &mut dyn FnMut(&[&str], &str, &str)) {
    for key in table {
        let path = if name.is_empty() { key.name.to_owned() } else { format!("{name}/{}", key.name) };
        if let Shape::Section(keys) = key.shape {
            each(&[place, &[key.name]].concat(), &path, keys, check);
        } else {
            check(place, key.name, &path);
        }
    }
}

#[test]
fn every_key_has_an_effect_or_is_refused() {
    let (mut idle, mut tried) = (Vec::new(), 0);
    for (place, name, table) in TABLES {
        each(place, name, table, &mut |place, key, path| {
            let other = OTHER.iter().find(|(known, _)| *known == path).map(|(_, text)| *text);
            let text = other.or_else(|| example(path)).or_else(|| example(path.strip_prefix("role/")?));
            let value: Value = serde_yaml::from_str(text.unwrap_or_else(|| panic!("{path} has no example"))).unwrap();
            let mut without = base();
            merge(&mut without, beside(path));
            let mut with = without.clone();
            if place == ["accessories", "db"] && ["hosts", "role", "roles", "tag", "tags"].contains(&key) {
                with["accessories"]["db"].as_object_mut().unwrap().remove("host");
            }
            let owner = place.iter().fold(&mut without, |value, step| &mut value[*step]);
            owner.as_object_mut().map(|owner: &mut Map<String, Value>| owner.remove(key));
            merge(&mut with, at(place, json!({ key: value })));
            tried += 1;
            if meaning(&with, key) == meaning(&without, key) {
                idle.push(path.to_owned());
            }
        });
    }
    assert!(tried > 150, "{tried}");
    assert!(idle.is_empty(), "accepted and ignored: {idle:?}");
}

/// Fields that are read when the file is loaded.
const AT_LOAD: [&str; 6] =
    ["allow_empty_roles", "minimum_version", "require_destination", "remote", "pack", "buildpacks"];

#[test]
#[expect(clippy::disallowed_methods, reason = "it reads the sources")]
fn every_field_of_the_model_is_read_by_somebody() {
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let own = crates.join("kamal-core/src/config");
    let mut folders = vec![own.join("queries.rs"), own.join("load.rs")];
    folders.extend(std::fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path().join("src")));
    let (mut words, mut at) = (BTreeSet::new(), 0);
    while let Some(path) = folders.get(at).cloned() {
        at += 1;
        if path == own || path.ends_with("server") || path.ends_with("testing") {
            continue;
        }
        if path.is_dir() {
            folders.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            words.extend(text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned));
        }
    }
    let model = [include_str!("model.rs"), include_str!("model/policies.rs")].concat();
    let fields = model.lines().filter_map(|line| line.strip_prefix("    pub ")?.split_once(':').map(|(name, _)| name));
    let unread: Vec<&str> = fields.filter(|field| !words.contains(*field) && !AT_LOAD.contains(field)).collect();
    assert!(unread.is_empty(), "nobody reads {unread:?}");
}
