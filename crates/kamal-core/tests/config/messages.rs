//! Invalid fragments and the exact message of each (spec 13.8, 2.2 to 2.12): the first message is the one Kamal stops
//! at.

use kamal_core::config::{ConfigErrors, Source, load};

use crate::template_world::{Table, load_text, with};

/// Fragment, message.
const TABLE: &[(&str, &str)] = &[
    ("unknown: value\nunknown2: value", "unknown keys: unknown, unknown2"),
    ("service: []", "service: should be a string"),
    ("image: []", "image: should be a string"),
    ("asset_path: []", "asset_path: should be a string"),
    ("hooks_path: []", "hooks_path: should be a string"),
    ("secrets_path: []", "secrets_path: should be a string"),
    ("primary_role: []", "primary_role: should be a string"),
    ("minimum_version: []", "minimum_version: should be a string"),
    ("run_directory: []", "run_directory: should be a string"),
    ("require_destination: foo", "require_destination: should be a boolean"),
    ("allow_empty_roles: foo", "allow_empty_roles: should be a boolean"),
    ("deploy_timeout: foo", "deploy_timeout: should be an integer"),
    ("drain_timeout: foo", "drain_timeout: should be an integer"),
    ("retain_containers: foo", "retain_containers: should be an integer"),
    ("readiness_delay: foo", "readiness_delay: should be an integer"),
    ("stop_timeout: \"30\"", "stop_timeout: should be an integer"),
    ("volumes: foo", "volumes: should be an array"),
    ("servers: foo", "servers: should be an array or a hash"),
    ("labels: []", "labels: should be a hash"),
    ("labels: {a: [b]}", "labels/a: should be a string"),
    ("registry: []", "registry: should be a hash"),
    ("accessories: []", "accessories: should be a hash"),
    ("env: []", "env: should be a hash"),
    ("env:", "env: should be a hash"),
    ("ssh: []", "ssh: should be a hash"),
    ("sshkit: []", "sshkit: should be a hash"),
    ("builder: []", "builder: should be a hash"),
    ("proxy: []", "proxy: should be a hash"),
    ("boot: []", "boot: should be a hash"),
    ("logging: []", "logging: should be a hash"),
    ("servers: [[]]", "servers/0: should be a string or a hash"),
    ("servers: [{foo: {}}]", "servers/0/foo: should be a string or an array"),
    ("servers: [{foo: [[]]}]", "servers/0/foo/0: should be a string"),
    ("servers: [{a: b, c: d}]", "servers/0: multiple hosts found"),
    ("servers: {web: foo}", "servers/web: should be an array or a hash"),
    ("servers: {web: {hosts: \"\"}}", "servers/web/hosts: should be an array"),
    ("servers: {web: {hosts: [[]]}}", "servers/web/hosts/0: should be a string or a hash"),
    ("servers: {web: {options: \"\"}}", "servers/web/options: should be a hash"),
    ("servers: {web: {logging: {options: \"\"}}}", "servers/web/logging/options: should be a hash"),
    ("servers: {web: {logging: {driver: []}}}", "servers/web/logging/driver: should be a string"),
    ("servers: {web: {labels: []}}", "servers/web/labels: should be a hash"),
    ("servers: {web: {env: []}}", "servers/web/env: should be a hash"),
    ("servers: {web: {cmd: []}}", "servers/web/cmd: should be a string"),
    ("servers: {web: {stop_timeout: x}}", "servers/web/stop_timeout: should be an integer"),
    ("servers: {web: {proxy: x}}", "servers/web/proxy: should be a hash"),
    ("servers: {web: {x-foo: 1}}", "servers/web: unknown key: x-foo"),
    ("servers: {web: {hosts: [a], env: {tags: {}}}}", "servers/web/env: tags are only allowed in the root env"),
    (
        "servers: {web: {hosts: [a], options: {restart: false}}}",
        "servers/web/options/restart: should be a string. Use \"no\" to disable restarts",
    ),
    (
        "servers: [\"h;id\"]",
        "servers/web: the host \"h;id\" holds ';'; it is made of letters, digits and - _ . : @ [ ] % / +",
    ),
    (
        "servers: [-oProxyCommand=x, b]",
        "servers/web: the host \"-oProxyCommand=x\" holds '='; it is made of letters, digits and - _ . : @ [ ] % / +",
    ),
    ("servers: [\"-x\"]", "servers/web: the host \"-x\" may not begin with '-'"),
    (
        "servers: {web: [a], \"j$(id)\": [b]}",
        "servers: the role \"j$(id)\" holds '$'; it is made of letters, digits and _ . -",
    ),
    ("image: a/b;id", "image: the image \"a/b;id\" holds ';'; it is made of letters, digits and - _ . : / @ [ ]"),
    (
        "registry: {server: \"r|id\", username: u, password: [P]}",
        "registry/server: the image \"r|id\" holds '|'; it is made of letters, digits and - _ . : / @ [ ]",
    ),
    (
        "accessories: {\"a b\": {image: i, host: h}}",
        "accessories: the accessory's name \"a b\" holds ' '; it is made of letters, digits and _ . -",
    ),
    (
        "accessories: {a: {image: \"i`id`\", host: h}}",
        "accessories/a/image: the image \"i`id`\" holds '`'; it is made of letters, digits and - _ . : / @ [ ]",
    ),
    (
        "accessories: {a: {image: i, host: \"h&\"}}",
        "accessories/a: the host \"h&\" holds '&'; it is made of letters, digits and - _ . : @ [ ] % / +",
    ),
    (
        "accessories: {a: {image: i, host: h, service: \"s>x\"}}",
        "accessories/a/service: the container's name \"s>x\" holds '>'; it is made of letters, digits and _ . -",
    ),
    (
        "servers: {web: {hosts: [a], options: {restart: sometimes}}}",
        "servers/web/options/restart: should be no, always, unless-stopped, on-failure, or on-failure:N",
    ),
    (
        "servers: {web: [a], jobs: []}",
        "No servers specified for the jobs role. You can ignore this with allow_empty_roles: true",
    ),
    ("registry: {username: foo}", "registry/password: is required"),
    (
        "registry: {username: foo, password: [S1, S2]}",
        "registry/password: should be a string or an array with one string (for secret lookup)",
    ),
    (
        "registry: {username: 5, password: x}",
        "registry/username: should be a string or an array with one string (for secret lookup)",
    ),
    ("registry: {username: foo, password: bar, server: []}", "registry/server: should be a string"),
    ("accessories: {a1: []}", "accessories/a1: should be a hash"),
    ("accessories: {a1: {unknown: baz}}", "accessories/a1: unknown key: unknown"),
    ("accessories: {a1: {options: []}}", "accessories/a1/options: should be a hash"),
    ("accessories: {a1: {host: []}}", "accessories/a1/host: should be a string"),
    (
        "accessories: {a1: {image: i, host: h, labels: {destination: x}}}",
        "accessories/a1/labels/destination: invalid label. destination, role, and service are reserved labels",
    ),
    ("accessories: {a1: {image: i, roles: [x, y]}}", "accessories/a1: unknown roles x, y"),
    (
        "accessories: {a1: {image: i, host: h, env: {tags: {}}}}",
        "accessories/a1/env: tags are only allowed in the root env",
    ),
    ("accessories: {a1: {image: i, host: h, registry: {server: x}}}", "accessories/a1/registry/username: is required"),
    ("accessories: {a1: {image: i, host: h, proxy: true}}", "accessories/a1/proxy: should be a hash"),
    (
        "accessories: {a1: {image: i, host: h, files: [{local: []}]}}",
        "accessories/a1/files/0/local: should be a string",
    ),
    ("env: {FOO: []}", "env/FOO: should be a string"),
    ("env: {clear: {FOO: []}}", "env/clear/FOO: should be a string"),
    ("env: {secret: {FOO: []}}", "env/secret: should be an array"),
    ("env: {secret: [[]]}", "env/secret/0: should be a string"),
    ("env: {tags: []}", "env/tags: should be a hash"),
    ("env: {tags: {tag1: foo}}", "env/tags/tag1: should be a hash"),
    ("env: {tags: {tag1: {clear: {FOO: []}}}}", "env/tags/tag1/clear/FOO: should be a string"),
    ("env: {tags: {a: {tags: {}}}}", "env/tags/a: tags are only allowed in the root env"),
    ("ssh: {foo: bar}", "ssh: unknown key: foo"),
    ("ssh: {user: []}", "ssh/user: should be a string"),
    ("ssh: {keys: x}", "ssh/keys: should be an array"),
    ("ssh: {config: {}}", "ssh/config: should be a boolean or a string or an array"),
    ("ssh: {config: 5}", "ssh/config: should be a boolean or a string or an array"),
    ("ssh: {keys_only: x}", "ssh/keys_only: should be a boolean"),
    ("sshkit: {foo: bar}", "sshkit: unknown key: foo"),
    ("sshkit: {dns_retries: foo}", "sshkit/dns_retries: should be an integer"),
    ("builder: {arch: amd64, remote: {foo: bar}}", "builder/remote: should be a string"),
    ("builder: {arch: amd64, args: [foo]}", "builder/args: should be a hash"),
    ("builder: {arch: amd64, cache: {options: []}}", "builder/cache/options: should be a string"),
    ("builder: {arch: amd64, local: x}", "builder/local: should be a boolean"),
    ("builder: {arch: amd64, secrets: x}", "builder/secrets: should be an array"),
    ("builder: {arch: amd64, sbom: x}", "builder/sbom: should be a boolean"),
    ("builder: {arch: {}}", "builder/arch: should be an array or a string"),
    ("builder: {arch: amd64, remote: app@builder}", "builder/remote: should be a URL, `ssh://user@host`"),
    ("builder: {arch: amd64, pack: {buildpacks: [b]}}", "builder/pack/builder: is required"),
    ("builder: {arch: [amd64, arm64], pack: {builder: b}}", "builder: buildpacks only support building for one arch"),
    ("proxy: {foo: 1}", "proxy: unknown key: foo"),
    ("proxy: {healthcheck: {foo: 1}}", "proxy/healthcheck: unknown key: foo"),
    ("proxy: {healthcheck: {interval: \"3\"}}", "proxy/healthcheck/interval: should be an integer"),
    ("proxy: {app_port: \"3000\"}", "proxy/app_port: should be an integer"),
    ("proxy: {ssl: yes-string}", "proxy/ssl: should be a boolean or a hash"),
    ("proxy: {response_timeout: 10s}", "proxy/response_timeout: should be an integer"),
    ("proxy: {path_prefix: [/a]}", "proxy/path_prefix: should be a string"),
    ("proxy: {path_prefixes: /a}", "proxy/path_prefixes: should be an array"),
    ("proxy: {buffering: {memory: 1m}}", "proxy/buffering/memory: should be an integer"),
    ("proxy: {logging: {request_headers: a}}", "proxy/logging/request_headers: should be an array"),
    ("proxy: {run: {foo: 1}}", "proxy/run: unknown key: foo"),
    ("proxy: {run: {http_port: x}}", "proxy/run/http_port: should be an integer"),
    ("proxy: {run: {options: [x]}}", "proxy/run/options: should be a hash"),
    ("proxy: {hosts: a.com}", "proxy/hosts: should be an array"),
    (
        "proxy: {host: a.com, ssl: {private_key_pem: K}}",
        "proxy: Missing certificate_pem setting (required when private_key_pem is present)",
    ),
    ("boot: {foo: x}", "boot: unknown key: foo"),
    ("boot: {limit: []}", "boot/limit: should be a string"),
    ("boot: {wait: x}", "boot/wait: should be an integer"),
    ("boot: {parallel_roles: x}", "boot/parallel_roles: should be a boolean"),
    ("logging: {foo: 1}", "logging: unknown key: foo"),
    ("output: {foo: 1}", "output: unknown key: foo"),
    ("output: {file: null}", "output/file: should be a hash"),
    ("output: {file: {}}", "file path is required"),
    ("aliases: []", "aliases: should be a hash"),
    ("aliases: {foo: []}", "aliases/foo: should be a string"),
    ("hooks_output: [x]", "hooks_output: should be a string or a symbol"),
    ("hooks_output: {x: }", "hooks_output/x: should be a string or a symbol"),
    (
        "hooks_output: {pre-deploy: loud}",
        "Invalid hooks_output 'loud' for hook 'pre-deploy', must be one of: quiet, verbose",
    ),
    ("minimum_version: foo", "Malformed version number string foo"),
    ("env: {A: 2024-01-01}", "env/A: should be a string"),
    (
        "servers: {web: [a], api: {hosts: [b], proxy: {ssl: true, host: x.com}}}\nproxy: {ssl: true, host: x.com}",
        "Different roles can't share the same host for SSL: x.com",
    ),
    (
        "proxy: {hosts: [a.com]}\nservers: {web: {hosts: [a], proxy: {host: b.com}}}",
        "proxy: Specify one of 'host' or 'hosts', not both",
    ),
    (
        "servers: {web: {hosts: [a], proxy: {run: {debug: true}}}, api: {hosts: [a], proxy: {run: {debug: false}}}}",
        "Conflicting proxy run configurations for host a",
    ),
    (
        "registry: {server: \"localhost:5000\"}\nbuilder: {arch: amd64, local: false, remote: \"tcp://b\"}",
        "Local registry with remote builder requires an SSH URL (e.g., ssh://user@host)",
    ),
    (
        "registry: {server: \"localhost:5000\"}\nbuilder: {arch: amd64, driver: cloud org/builder}",
        "builder/driver: what `cloud org/builder` builds cannot reach the registry on this machine",
    ),
    ("registry: {server: \"localhost:\"}", "registry/server: localhost needs a port number"),
    ("registry: {server: \"localhost:x\"}", "registry/server: localhost needs a port number"),
];

#[test]
fn every_fragment_has_its_message() {
    let mut wrong = Vec::new();
    for (fragment, message) in TABLE {
        match load_text(&with(fragment)) {
            Ok(_) => wrong.push(format!("{fragment}\n  was taken, expected: {message}")),
            Err(errors) if errors.0[0].message == *message => {}
            Err(errors) => wrong.push(format!("{fragment}\n  expected: {message}\n  found: {}", errors.0[0].message)),
        }
    }
    assert!(TABLE.len() > 60);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), TABLE.len(), wrong.join("\n"));
}

#[test]
fn most_fragments_have_one_message_only() {
    // One slip is one finding: nothing else is said about a file with a single wrong type.
    let mut noisy = Vec::new();
    for (fragment, message) in TABLE {
        let Err(errors) = load_text(&with(fragment)) else { continue };
        if errors.0.len() > 1 {
            let all: Vec<String> = errors.0.into_iter().map(|error| error.message).collect();
            noisy.push((*message, all));
        }
    }
    assert!(noisy.len() <= 12, "{noisy:#?}");
}

fn places(errors: &ConfigErrors) -> Vec<(String, usize, usize)> {
    errors.0.iter().map(|error| (error.file.clone(), error.line, error.column)).collect()
}

#[test]
fn all_errors_are_told_with_their_places() {
    let text = "service: app\nimage: a/b\nservers:\n  web:\n    hosts: [h]\n    optoins: {}\n    cmd: [x]\nregistry: {username: u, password: [P]}\nbuilder:\n  arch: amd64\n  local: maybe\n";
    let errors = load_text(text).unwrap_err();
    let messages: Vec<&str> = errors.0.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "servers/web: unknown key: optoins",
            "servers/web/cmd: should be a string",
            "builder/local: should be a boolean"
        ]
    );
    let file = || "config/deploy.yml".to_owned();
    assert_eq!(places(&errors), [(file(), 6, 5), (file(), 7, 10), (file(), 11, 10)]);
    assert_eq!(errors.0[0].help.as_deref(), Some("did you mean `options`?"));
    assert!(errors.to_string().starts_with(
        "error: servers/web: unknown key: optoins\n --> config/deploy.yml:6:5\n  |\n6 |     optoins: {}\n  |     ^^^^^^^\n  = help: did you mean `options`?\n\nerror: "
    ));
}

#[test]
fn errors_of_an_overlay_point_into_the_overlay() {
    let base = Source::new("config/deploy.yml", with("env: {clear: {A: 1}}"));
    let over = Source::new("config/deploy.staging.yml", "servers: [2.2.2.2]\nenv:\n  clear:\n    B: [1]\n");
    let errors = load(&base, Some((&"staging".parse().unwrap(), &over)), &Table::default()).unwrap_err();
    assert_eq!(errors.0[0].message, "env/clear/B: should be a string");
    assert_eq!(places(&errors), [("config/deploy.staging.yml".to_owned(), 4, 8)]);
}

#[test]
fn a_destination_lies_over_the_base() {
    let base =
        Source::new("config/deploy.yml", with("env: {clear: {A: 1, B: 2}}\nlabels: {x: y}\nrequire_destination: true"));
    let over = Source::new("config/deploy.staging.yml", "servers: [2.2.2.2]\nenv:\n  clear:\n    B: 3\n    C: 4\n");
    let staging = "staging".parse().unwrap();
    let loaded = load(&base, Some((&staging, &over)), &Table::default()).unwrap();
    let config = loaded.config;
    let clear: Vec<(&str, &str)> = config.env.clear.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(clear, [("A", "1"), ("B", "3"), ("C", "4")]);
    assert_eq!(config.hosts(), ["2.2.2.2"]);
    assert_eq!(config.destination, Some(staging.clone()));
    assert_eq!(config.labels["x"], "y");
    let nothing = Source::new("config/deploy.staging.yml", "# nothing\n");
    assert!(load(&base, Some((&staging, &nothing)), &Table::default()).is_ok());
    let removed = Source::new("config/deploy.staging.yml", "labels:\n");
    let errors = load(&base, Some((&staging, &removed)), &Table::default()).unwrap_err();
    assert_eq!(errors.0[0].message, "labels: should be a hash");
}

#[test]
fn old_hooks_are_found() {
    let mut world = Table::default();
    world.files.insert(".kamal/hooks/pre-traefik-reboot".to_owned(), String::new());
    let errors = load(&Source::new("config/deploy.yml", with("")), None, &world).unwrap_err();
    let message = "Found pre-traefik-reboot, these should be renamed to (pre|post)-proxy-reboot";
    assert_eq!(errors.0[0].message, message);
}

#[test]
fn hosts_and_roles_are_suggested() {
    let errors = load_text(&with("primary_role: wbe")).unwrap_err();
    assert_eq!(errors.0[0].help.as_deref(), Some("did you mean `web`?"));
    let errors = load_text(&with("accessories: {db: {image: i, role: wep}}")).unwrap_err();
    assert_eq!(errors.0[0].help.as_deref(), Some("did you mean `web`?"));
}

#[test]
fn tags_nothing_answers_to_are_told() {
    let text = with(
        "servers: {web: {hosts: [{a: [fats, db]}, {b: nope}]}}\nenv: {tags: {fast: {A: b}}}\naccessories: {x: {image: i, tag: db}}",
    );
    let warnings = load_text(&text).unwrap().warnings;
    let told: Vec<(&str, Option<&str>)> = warnings.iter().map(|w| (w.message.as_str(), w.help.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("nothing is defined for the tag `fats`", Some("did you mean `fast`?")),
            ("nothing is defined for the tag `nope`", Some("define it below env: tags: nope, or remove it")),
        ]
    );
}
