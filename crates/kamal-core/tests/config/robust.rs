//! Texts nobody should write: hostile YAML, random YAML and random templates load or are refused, and never panic.

use kamal_core::config::{Source, effective::effective, load, render_template};
use proptest::prelude::*;

use crate::template_world::{BASE, Table, load_text, with};

fn refused(text: &str) -> String {
    load_text(text).unwrap_err().0[0].message.clone()
}

#[test]
fn hostile_yaml_is_refused() {
    let mut laughs = "x-a0: &a0 [lol, lol]\n".to_owned();
    for level in 1..30 {
        let last = level - 1;
        laughs.push_str(&format!("x-a{level}: &a{level} [*a{last}, *a{last}, *a{last}, *a{last}]\n"));
    }
    assert_eq!(refused(&(BASE.to_owned() + &laughs)), "more than 100000 values, aliases counted in full");
    let deep = format!("x-a: {}{}\n", "[".repeat(400), "]".repeat(400));
    assert!(load_text(&(BASE.to_owned() + &deep)).is_err());
    assert_eq!(refused(&format!("{BASE}---\n{BASE}")), "more than one YAML document in one file");
    assert!(refused("a: *nope\n").starts_with("invalid YAML: "));
    assert_eq!(refused("x-a: &a [*a]\n"), "an alias inside the value its anchor names");
    assert_eq!(refused("? [a]\n: b\n"), "a key must be a plain text");
}

#[test]
fn yaml_is_read_as_ruby_reads_it() {
    let text = with(
        "x-base: &base {A: base, B: base}\nx-more: &more {B: more, C: more}\nenv:\n  clear:\n    A: before\n    <<: [*base, *more]\n    B: after\n    Y: yes\n    N: 0755\n    T: 1:30\n    F: 1.50\n    Q: \"yes\"\n    S: !!str 12",
    );
    let loaded = load_text(&text).unwrap();
    let clear: Vec<(&str, &str)> = loaded.config.env.clear.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        clear,
        [
            ("A", "base"),
            ("B", "after"),
            ("C", "more"),
            ("Y", "true"),
            ("N", "493"),
            ("T", "5400"),
            ("F", "1.5"),
            ("Q", "yes"),
            ("S", "12"),
        ]
    );
    let warnings: Vec<&str> = loaded.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        warnings,
        [
            "`0755` is read as an octal number, 493",
            "`1:30` is read as a base 60 number, 5400",
            "`yes` is read as true",
            "`1.50` is read as the number 1.5",
        ]
    );
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_do_no_harm() {
    assert!(load_text(&BASE.replace('\n', "\r\n")).is_ok());
    assert!(load_text(&format!("\u{feff}{BASE}")).is_ok());
}

fn yaml() -> impl Strategy<Value = String> {
    let words = vec![
        "service",
        "image",
        "servers",
        "web",
        "hosts",
        "proxy",
        "ssl",
        "host",
        "env",
        "clear",
        "secret",
        "tags",
        "registry",
        "username",
        "password",
        "builder",
        "arch",
        "accessories",
        "db",
        "role",
        "files",
        "options",
        "restart",
        "logging",
        "boot",
        "limit",
        "ssh",
        "port",
        "aliases",
        "labels",
        "run",
        "a",
        "1.1.1.1",
        "1",
        "0755",
        "yes",
        "~",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ": ",
        ":",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "\n- ",
        "\n  - ",
        "\"",
        "'",
        "&a ",
        "*a",
        "<<: *a",
        "!!str ",
        "#",
        "|",
        ">",
        "é",
        "\t",
        "---\n",
        "25%",
        "-1",
        "99999999999999999999",
        "<%= ",
        " %>",
        "<% if ",
        "<% end %>",
        "ENV['X']",
    ];
    prop::collection::vec(prop::sample::select(words), 0..60).prop_map(|words| words.concat())
}

fn template() -> impl Strategy<Value = String> {
    let words = vec![
        "<%= ",
        "<% ",
        " %>",
        " -%>\n",
        "<%- ",
        "<%# ",
        "<%%",
        "ENV",
        "['X']",
        "[",
        "]",
        ".fetch(",
        "'X'",
        ", ",
        ")",
        "(",
        "\"",
        "#{",
        "}",
        "{ |x| ",
        "do |x| ",
        " end ",
        "if ",
        "unless ",
        "else ",
        "elsif ",
        " ? ",
        " : ",
        " || ",
        " && ",
        "!",
        "x",
        " = ",
        ".strip",
        ".split(',')",
        ".each ",
        ".map ",
        ".first",
        "1",
        " + ",
        " - ",
        " * ",
        " / ",
        " % ",
        "%x(",
        "%w[",
        "`",
        "nil",
        "true",
        "\n",
        "raise ",
        "&.",
        "..",
        "é",
        "::",
        "-",
        ".to_i",
        ".times ",
        "99999999999999999999",
        "[1..-2]",
        "[-9, 3]",
        "/(é)|x*/",
        "=~",
        ".gsub(",
        ".scan(",
        "{a: 1, ",
        "'b' => ",
        "{ |(a, *b), c| ",
        ".each_slice(2)",
        ".with_index(1) ",
        ".inject ",
        "case ",
        "when ",
        "in ",
        "begin ",
        "rescue ",
        "ensure ",
        "while ",
        "def f(x = 1, *y, k: 2) ",
        "f(",
        "-> { ",
        ".call",
        "yield ",
        "<<~A\n",
        "A\n",
        "format('%05.1f', ",
        "Time.now",
        ".strftime('%-d')",
        "YAML.load(",
        "JSON.parse(",
        "Dotenv.load",
        "@v",
        "$1",
        "a, *b = ",
        "**",
        " << ",
        "?x",
        "%i[",
    ];
    prop::collection::vec(prop::sample::select(words), 0..40).prop_map(|words| words.concat())
}

fn fragment() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1",
        "x",
        "true",
        "~",
        "-5",
        "1.5",
        "2024-01-01",
        "''",
        ":s",
        "'a:b'",
        "70000",
        "25%",
    ])
    .prop_map(str::to_owned);
    let key = prop::sample::select(vec![
        "service",
        "image",
        "labels",
        "volumes",
        "registry",
        "servers",
        "env",
        "asset_path",
        "hooks_output",
        "retain_containers",
        "primary_role",
        "ssh",
        "sshkit",
        "builder",
        "accessories",
        "proxy",
        "boot",
        "logging",
        "output",
        "aliases",
        "stop_timeout",
        "web",
        "hosts",
        "cmd",
        "options",
        "restart",
        "clear",
        "secret",
        "tags",
        "host",
        "ssl",
        "run",
        "http_port",
        "healthcheck",
        "buffering",
        "memory",
        "arch",
        "cache",
        "type",
        "pack",
        "local",
        "remote",
        "role",
        "roles",
        "tag",
        "files",
        "directories",
        "limit",
        "wait",
        "username",
        "password",
        "server",
        "port",
        "keys",
        "config",
        "otel",
        "file",
        "path",
    ]);
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|entries| {
                let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_yaml_loads_or_is_refused(text in yaml()) {
        if let Err(errors) = load_text(&text) {
            prop_assert!(!errors.0.is_empty());
            prop_assert!(errors.0.iter().all(|error| error.line > 0 && error.column > 0));
            let _ = errors.to_string();
        }
    }

    #[test]
    fn every_form_of_every_key_loads_or_is_refused(text in fragment()) {
        match load_text(&text) {
            Ok(loaded) => drop(effective(&loaded, &"v1".parse().unwrap()).to_yaml()),
            Err(errors) => prop_assert!(!errors.0.is_empty()),
        }
    }

    #[test]
    fn every_form_of_every_section_loads_or_is_refused(key in prop::sample::select(vec![
        "labels", "volumes", "env", "servers", "proxy", "builder", "registry", "accessories", "ssh", "sshkit", "boot", "logging",
        "output", "aliases", "hooks_output",
    ]), value in fragment()) {
        if let Ok(loaded) = load_text(&with(&format!("{key}: {value}"))) {
            let printed = effective(&loaded, &"v1".parse().unwrap());
            // What is printed is YAML again and says the same.
            let again: Result<serde_yaml::Value, _> = serde_yaml::from_str(&printed.to_yaml());
            prop_assert!(again.is_ok(), "{}", printed.to_yaml());
        }
    }

    #[test]
    fn random_templates_render_or_are_refused(text in template()) {
        let _ = render_template(&Source::new("t", text), &Table::default());
    }

    #[test]
    fn random_bytes_load_or_are_refused(text in ".*") {
        let _ = load(&Source::new("d", text.clone()), Some((&"x".parse().unwrap(), &Source::new("x", text))), &Table::default());
    }
}
