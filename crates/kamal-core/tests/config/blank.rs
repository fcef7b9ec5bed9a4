//! What is blank is there: it is a value where it can be one, and an error with its place where it cannot.

use kamal_core::config::{Loaded, model::OptionValue};

use crate::template_world::{load_text, with};

fn loaded(fragment: &str) -> Loaded {
    load_text(&with(fragment)).unwrap_or_else(|errors| panic!("{fragment}\n{errors}"))
}

#[test]
fn an_empty_value_is_one_for_labels_variables_and_build_arguments() {
    let config = loaded(
        "labels: {a: \"\"}\nenv: {clear: {A: \"\"}, tags: {t: {B: \"\"}}}\nservers: {web: {hosts: [{h: t}], env: {C: \"\"}}}\n\
         accessories: {d: {image: i, host: h, env: {D: \"\"}, labels: {b: \"\"}}}\n\
         builder: {arch: amd64, args: {E: \"\", F: }}",
    )
    .config;
    let role = &config.roles[0];
    let env = config.env_for(role, &role.hosts[0]).clear;
    assert_eq!(
        env.into_iter().collect::<Vec<_>>(),
        [("A", ""), ("C", ""), ("B", "")].map(|(k, v)| (k.into(), v.into()))
    );
    assert_eq!(config.labels["a"], "");
    assert_eq!((&*config.accessories[0].env.clear["D"], &*config.accessories[0].labels["b"]), ("", ""));
    assert_eq!((config.builder.args["E"].as_deref(), config.builder.args["F"].as_deref()), (Some(""), None));
}

#[test]
fn what_cannot_be_blank_is_an_error_with_its_place() {
    for (fragment, path) in [
        ("secrets_path: \"\"", "secrets_path"),
        ("ssh: {user: \" \"}", "ssh/user"),
        ("ssh: {proxy: \"\"}", "ssh/proxy"),
        ("ssh: {proxy_command: \"\"}", "ssh/proxy_command"),
        ("ssh: {keys: [~/.ssh/a, \"\"]}", "ssh/keys/1"),
        ("builder: {arch: amd64, context: \"\"}", "builder/context"),
        ("builder: {arch: amd64, dockerfile: \"\"}", "builder/dockerfile"),
        ("builder: {arch: amd64, driver: \"\"}", "builder/driver"),
        ("builder: {arch: amd64, provenance: \"\"}", "builder/provenance"),
        ("builder: {arch: amd64, cache: {type: registry, image: \"\"}}", "builder/cache/image"),
        ("builder: {arch: [amd64, \"\"]}", "builder/arch/1"),
        ("builder: {arch: amd64, secrets: [\"\"]}", "builder/secrets/0"),
        ("accessories: {d: {image: i, host: h, port: \"\"}}", "accessories/d/port"),
        ("accessories: {d: {image: i, host: h, network: \"\"}}", "accessories/d/network"),
        ("accessories: {d: {image: i, host: h, volumes: [\"\"]}}", "accessories/d/volumes/0"),
        ("proxy: {run: {version: \"\"}}", "proxy/run/version"),
        ("servers: {web: {hosts: [h], proxy: {run: {repository: \"\"}}}}", "servers/web/proxy/run/repository"),
        ("x-proxy: {basic_auth: \"\"}", "x-proxy/basic_auth"),
        ("env: {secret: [A, \" \"]}", "env/secret/1"),
        ("volumes: [\"\"]", "volumes/0"),
    ] {
        let errors = load_text(&with(fragment)).unwrap_err();
        let told: Vec<_> = errors.0.iter().map(|error| &*error.message).collect();
        assert_eq!(told, [format!("{path}: should not be empty")], "{fragment}");
        assert!(errors.0[0].help.is_some());
    }
}

#[test]
fn a_blank_server_or_registry_is_none() {
    for server in ["\"\"", "\"  \""] {
        let registry = format!("registry: {{server: {server}, username: u, password: [P]}}");
        let config = loaded(&registry).config;
        assert_eq!((config.repository().as_str(), &config.registry.server), ("acme/app", &None));
        let config = loaded(&format!("proxy: {{run: {{registry: {server}}}}}")).config;
        assert_eq!(config.roles[0].proxy.as_ref().unwrap().run.as_ref().unwrap().registry, None);
    }
}

#[test]
fn options_that_take_no_value_are_given_none() {
    let options = |yaml: &str| loaded(&format!("servers: {{web: {{hosts: [h], options: {{{yaml}}}}}}}"));
    let flag = |name: &str| (name.to_owned(), OptionValue::Flag);
    for (yaml, right) in [
        ("privileged: ", "privileged"),
        ("privileged: \"\"", "privileged"),
        ("init: true", "init"),
        ("read-only: \"true\"", "read-only"),
        // As a word of its own it would be taken for the image.
        ("init: false", "init=false"),
    ] {
        let loaded = options(yaml);
        assert_eq!(loaded.config.roles[0].options, [flag(right)], "{yaml}");
        assert!(loaded.warnings.is_empty(), "{yaml}");
    }
    let empty = options("entrypoint: \"\"").config;
    assert_eq!(empty.roles[0].options, [("entrypoint".to_owned(), OptionValue::One(String::new()))]);
    let nothing = options("memory: ");
    assert_eq!(nothing.config.roles[0].options, [("memory".to_owned(), OptionValue::One(String::new()))]);
    assert!(nothing.warnings[0].message.starts_with("servers/web/options/memory: has no value"));
}

#[test]
fn empty_lists_and_sections_change_nothing() {
    let plain = loaded("").config;
    for fragment in [
        "volumes: []",
        "labels: {}",
        "env: {}",
        "env: {clear: {}, secret: [], tags: {}}",
        "accessories: {}",
        "aliases: {}",
        "boot: {}",
        "ssh: {}",
        "sshkit: {}",
        "proxy: {}",
        "proxy: {hosts: [], path_prefixes: [], healthcheck: {}, buffering: {}, run: {}}",
        "logging: {}",
        "logging: {driver: \"\", options: {}}",
        "output: {}",
        "hooks_output: {}",
        "x-proxy: {}",
        "builder: {arch: amd64, args: {}, secrets: []}",
    ] {
        assert_eq!(loaded(fragment).config, plain, "{fragment}");
    }
    for section in ["env", "proxy", "boot", "ssh", "builder", "registry", "accessories", "labels", "logging"] {
        let errors = load_text(&with(&format!("{section}:"))).unwrap_err();
        assert_eq!(errors.0[0].message, format!("{section}: should be a hash"));
        assert!(errors.0[0].help.is_some(), "{section}");
    }
}
