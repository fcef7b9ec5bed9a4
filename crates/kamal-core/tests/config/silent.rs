//! Nothing happens in silence: what is read otherwise than it was written, what is passed over, what is not supported.

use kamal_core::config::{Loaded, Source, load};
use kamal_core::targets::{Selection, Targets};

use crate::template_world::{Table, load_text, with};

fn loaded(fragment: &str) -> Loaded {
    load_text(&with(fragment)).unwrap_or_else(|errors| panic!("{fragment}\n{errors}"))
}

/// Warnings with their lines, as they are beyond those of the base.
fn told(fragment: &str) -> Vec<String> {
    loaded(fragment).warnings.into_iter().map(|warning| format!("{}: {}", warning.line, warning.message)).collect()
}

#[test]
fn a_scalar_that_is_not_what_it_looks_like_is_told_once_where_a_text_is_wanted() {
    for (written, read) in [
        ("1.10", "the number 1.1"),
        ("yes", "true"),
        ("No", "false"),
        ("TRUE", "true"),
        ("0x10", "the number 16"),
        ("1_000", "the number 1000"),
        ("+5", "the number 5"),
        (".5", "the number 0.5"),
        ("1.", "the number 1.0"),
        ("3.0e+3", "the number 3000.0"),
        (":name", "name"),
    ] {
        let expected = [format!("6: `{written}` is read as {read}")];
        assert_eq!(told(&format!("env: {{clear: {{A: {written}}}}}")), expected, "{written}");
        assert_eq!(told(&format!("labels: {{a: {written}}}")), expected, "{written}");
    }
    assert_eq!(told("env: {A: 012}"), ["6: `012` is read as an octal number, 10"]);
    assert_eq!(told("env: {A: 1:30}"), ["6: `1:30` is read as a base 60 number, 5400"]);
    for places in [
        "servers: {web: {hosts: [a], env: {A: 1.10}}}",
        "accessories: {d: {image: i, host: h, cmd: 1.10}}",
        "builder: {arch: amd64, args: {RUBY: 1.10}}",
        "logging: {driver: local, options: {max: 1.10}}",
        "accessories: {d: {image: i, host: h, options: {cpus: [1.10, 2]}}}",
        "minimum_version: 1.10",
        "proxy: {run: {version: 1.10}}",
        "env: {tags: {t: {A: 1.10}}}",
        "aliases: {a: 1.10}",
        "x-v: &v 1.10\nenv: {A: *v}",
    ] {
        let told = told(places);
        let about: Vec<_> = told.iter().filter(|text| text.contains("`1.10` is read as the number 1.1")).collect();
        assert_eq!(about.len(), 1, "{places}: {told:?}");
    }
}

#[test]
fn a_root_key_that_is_nearly_ours_is_told_of() {
    for (written, meant) in [
        ("x-clutser: {network: overlay}", "x-cluster"),
        ("x-balanced: true", "x-balance"),
        ("x-load-balancer: 192.0.2.1", "x-loadbalancer"),
        ("x-proxi: {compress: true}", "x-proxy"),
        ("x-gaurd: {}", "x-guard"),
    ] {
        let name = written.split(':').next().unwrap();
        assert_eq!(told(written), [format!("6: {name} has no effect")], "{written}");
        let help = loaded(written).warnings[0].help.clone();
        assert_eq!(help, Some(format!("did you mean `{meant}`?")), "{written}");
    }
    for anybodys in ["x-common: &c {A: b}\nenv: *c", "x-env: 1", "x-logging: {}", "x-web: {}", "x-y: 1", "x-hosts: [a]"]
    {
        assert_eq!(told(anybodys), Vec::<String>::new(), "{anybodys}");
    }
}

#[test]
fn what_is_written_as_it_is_read_is_not_told() {
    for sound in [
        "env: {A: \"1.10\", B: '012', C: 1.5, D: 12, E: true, F: false, G: a, H: 1e3, I: 8080:80, J: 1.1.1.1}",
        "proxy: {ssl: no, app_port: 0x50}",
        "ssh: {log_level: :debug, config: no}",
        "accessories: {d: {image: i, host: h, options: {init: yes}}}",
        "x-mine: {a: 1.10, b: yes}",
    ] {
        assert_eq!(told(sound), Vec::<String>::new(), "{sound}");
    }
}

#[test]
fn a_key_that_is_another_name_is_told() {
    assert_eq!(told("labels: {yes: a, 1.10: b}"), ["6: this key is read as `true`", "6: this key is read as `1.1`"]);
}

#[test]
fn control_characters_in_clear_variables_are_told() {
    assert_eq!(
        told("env: {clear: {A: \"a\\nb\"}}"),
        ["6: env/clear/A: a line break in it reaches the container as \\n"]
    );
    assert_eq!(told("env: {A: \"a\\tb\"}"), ["6: env/A: the character '\\t' in it reaches the container as \\t"]);
}

#[test]
fn what_counts_for_nothing_is_told() {
    for (fragment, message) in [
        ("run_directory: x", "run_directory is ignored: files on the hosts are always below .kamal"),
        ("ssh: {proxy: a, proxy_command: b}", "ssh/proxy_command is ignored: proxy counts"),
        ("proxy: {path_prefix: /a, path_prefixes: [/b]}", "proxy/path_prefix is ignored: path_prefixes counts"),
        ("builder: {arch: amd64, cache: {image: x}}", "builder/cache is ignored: it has no type"),
        ("proxy: {host: a.example, ssl: {certificate: A}}", "proxy/ssl: certificate is ignored"),
        (
            "accessories: {d: {image: i, host: h, files: [{local: a, remote: b, mod: \"0600\"}]}}",
            "accessories/d/files/0: mod is ignored",
        ),
        ("accessories: {d: {image: i, tag: t}}", "no host has the tag `t`"),
        ("servers: [{a: t}]\naccessories: {d: {image: i, tags: [t, u]}}", "no host has the tag `u`"),
        ("servers: [{a: [t, u]}]\naccessories: {d: {image: i, tag: t}}", "nothing is defined for the tag `u`"),
        ("servers: [a, 5]", "`5` is not a text, so it is not taken as a host"),
    ] {
        let told = loaded(fragment).warnings;
        assert_eq!(told.iter().map(|warning| &*warning.message).collect::<Vec<_>>(), [message], "{fragment}");
    }
}

#[test]
fn a_collector_has_to_have_a_url() {
    for wrong in ["localhost:4318", "http://", "http:///v1", "ftp://a", "\"http://a b\""] {
        let errors = load_text(&with(&format!("output: {{otel: {{endpoint: {wrong}}}}}"))).unwrap_err();
        assert!(errors.0[0].message.starts_with("output/otel/endpoint: should be the URL"), "{wrong}: {errors}");
    }
    let config = loaded("output: {otel: {endpoint: \"https://o/\"}}").config;
    assert_eq!(config.output.otel_endpoint.as_deref(), Some("https://o/"));
}

#[test]
fn modes_are_never_applied_as_another_number() {
    let files = |mode: &str| {
        with(&format!("accessories: {{d: {{image: i, host: h, files: [{{local: a, remote: b, mode: {mode}}}]}}}}"))
    };
    for wrong in ["0640", "0o640", "0x1A0", "640.0", "rw", "\"0689\"", "!!int 0640", "'999999'"] {
        let errors = load_text(&files(wrong)).unwrap_err();
        assert!(errors.0[0].message.starts_with("accessories/d/files/0/mode: should be "), "{wrong}: {errors}");
        assert_eq!(errors.0[0].line, 6);
    }
    for right in ["\"0640\"", "640", "'0400'", "\"u=rw,go=\"", "a+r"] {
        let config = load_text(&files(right)).unwrap().config;
        assert_eq!(config.accessories[0].files[0].mode.as_deref(), Some(right.trim_matches(['"', '\''])));
    }
    let table = Table::default();
    table.env.borrow_mut().insert("MODE".to_owned(), "0640".to_owned());
    let source = Source::new("d", files("<%= ENV['MODE'] %>"));
    assert!(load(&source, None, &table).is_err());
    // What is odd beside an error is told as well.
    let both = with(
        "accessories: {d: {image: i, host: h, files: [\"private.key:/k:ro\", {local: a, remote: b, mode: 0640}]}}",
    );
    let told: Vec<String> = load_text(&both).unwrap_err().0.into_iter().map(|found| found.message).collect();
    assert!(
        told[0].contains("mode: should be in quotes") && told.iter().any(|text| text.contains("private key")),
        "{told:?}"
    );
    let unsaid = loaded("accessories: {d: {image: i, host: h, files: [\"a:/b\"]}}").config;
    assert_eq!(unsaid.accessories[0].files[0].mode, None);
}

#[test]
fn modes_and_owners_are_what_chmod_and_chown_take() {
    let file = |keys: &str| {
        load_text(&with(&format!(
            "accessories: {{d: {{image: i, host: h, files: [{{local: a, remote: /b, {keys}}}]}}}}"
        )))
    };
    for right in [
        "mode: \"u+r-x,g=u\"",
        "mode: \"7777\"",
        "owner: \"1000:50\"",
        "owner: www-data",
        "owner: 999:999",
        "owner: 33",
    ] {
        assert!(file(right).is_ok(), "{right}");
    }
    for (wrong, message) in [
        ("mode: \"77777\"", "accessories/d/files/0/mode: should be a mode, not 77777"),
        ("mode: \"\"", "accessories/d/files/0/mode: should be a mode, not "),
        (
            "owner: 1000:50",
            "accessories/d/files/0/owner: should be in quotes: without them 1000:50 is the number 3603000",
        ),
        ("owner: \"\"", "accessories/d/files/0/owner: should be an owner, not \"\""),
        ("owner: \"-R x\"", "accessories/d/files/0/owner: should be an owner, not \"-R x\""),
    ] {
        let errors = file(wrong).unwrap_err();
        assert!(errors.0.iter().any(|error| error.message == message), "{wrong}: {errors}");
    }
}

#[test]
fn one_place_takes_one_mount_and_one_host_one_container_of_a_name() {
    let accessory = |keys: &str| load_text(&with(&format!("accessories: {{d: {{image: i, host: h, {keys}}}}}")));
    let errors = accessory("volumes: [\"v:/data\"], directories: [\"data:/data/:z\"]").unwrap_err();
    let message = "accessories/d/directories/0: /data is mounted already, by accessories/d/volumes/0";
    assert_eq!(errors.0[0].message, message);
    assert!(accessory("files: [\"a:/x/a\", \"a:/x/b\", {local: a, remote: /x}]").is_ok());
    let twice = "accessories: {a: {image: i, hosts: [h, g], service: db}, b: {image: i, host: h, service: db}}";
    let errors = load_text(&with(twice)).unwrap_err();
    assert_eq!(errors.0[0].message, "accessories/b: its container is called db, as that of a");
    assert!(load_text(&with(&twice.replace("host: h", "host: k"))).is_ok());
}

#[test]
fn keys_everybody_could_read_are_told() {
    let files = |file: &str| told(&format!("accessories: {{d: {{image: i, host: h, files: [{file}]}}}}"));
    for open in [
        "\"private.key:/k:ro\"",
        "\"config/tls-key.pem:/k:ro\"",
        "\"id_ed25519:/k:ro,z\"",
        "{local: a.p12, remote: /k, options: ro, mode: \"0644\"}",
    ] {
        let told = files(open);
        assert!(told.len() == 1 && told[0].contains("looks like a private key"), "{open}: {told:?}");
    }
    for sound in [
        "\"x.conf:/k:ro\"",
        "\"cert.pem:/k:ro\"",
        "\"id_ed25519.pub:/k:ro\"",
        "{local: private.key, remote: /k, options: ro, mode: \"0400\"}",
        "{local: private.key, remote: /k, options: ro, mode: \"u=r,go=\"}",
    ] {
        assert_eq!(files(sound), Vec::<String>::new(), "{sound}");
    }
}

#[test]
fn an_address_in_every_spelling_is_one_host() {
    let config = loaded("servers: {web: [\"::1\", \"[::1]\"], jobs: [\"[0:0::1]:22\", b]}\naccessories: {d: {image: i, hosts: [\"[::1]\", \"::1\"]}}").config;
    assert_eq!(config.hosts(), ["[0:0::1]:22", "b"]);
    assert_eq!(config.accessories[0].hosts, ["[0:0::1]:22"]);
    assert_eq!(config.role("web").unwrap().hosts.len(), 1);
    for pattern in ["[::1]", "::1", "[0::1]:22", "*:22"] {
        let selection = Selection { hosts: Some(vec![pattern.to_owned()]), ..Selection::default() };
        assert_eq!(Targets::select(&config, &selection).unwrap().hosts, ["[0:0::1]:22"], "{pattern}");
    }
}
