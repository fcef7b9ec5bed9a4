//! What `kamal config` printed in Kamal 2.12.0 (Ruby 3.1, Psych 4.0.3) for values of unusual types.

use kamal_core::{config::effective::effective, name::Version};

use crate::template_world::{load_text, with};

fn printed(fragment: &str) -> String {
    effective(&load_text(&with(fragment)).unwrap(), &Version::parse("v1").unwrap()).to_yaml()
}

/// The lines below a top-level key.
fn below(printed: &str, key: &str) -> String {
    let rest = printed.split_once(&format!("\n:{key}:\n")).unwrap().1;
    let lines: Vec<&str> = rest.lines().take_while(|line| !line.starts_with(':')).collect();
    lines.join("\n")
}

#[test]
fn logging_options_are_rendered_by_type() {
    let all = "logging: {driver: local, options: {a: 1, b: true, c: false, d: , e: \"\", f: [x, 1], g: {h: i}}}";
    let options =
        ["--log-driver", "\"local\"", "--log-opt", "a=\"1\"", "--log-opt", "b=\"true\"", "--log-opt", "c=false"];
    let rest =
        ["--log-opt", "d", "--log-opt", "e", "--log-opt", r#"f="[\"x\", 1]""#, "--log-opt", r#"g="{\"h\"=>\"i\"}""#];
    let lines = options.iter().chain(&rest).map(|word| match *word {
        "\"local\"" => "- '\"local\"'".to_owned(),
        word if word.starts_with('-') => format!("- \"{word}\""),
        word => format!("- {word}"),
    });
    assert_eq!(below(&printed(all), "logging"), lines.collect::<Vec<_>>().join("\n"));
    assert_eq!(below(&printed("logging: {driver: \"\"}"), "logging"), "- \"--log-opt\"\n- max-size=\"10m\"");
}

#[test]
fn ssh_options_are_printed_as_they_stand() {
    let ssh = |fragment: &str| below(&printed(fragment), "ssh_options");
    let jump = "  :proxy: !ruby/object:Net::SSH::Proxy::Jump\n    jump_proxies: root@host";
    assert!(ssh("ssh: {proxy: host}").contains(jump));
    let command = "  :proxy: !ruby/object:Net::SSH::Proxy::Command\n    command_line_template: ssh -W %h:%p x\n    \
                   command_line:\n    timeout: 60";
    assert!(ssh("ssh: {proxy_command: \"ssh -W %h:%p x\"}").contains(command));
    assert!(ssh("ssh: {log_level: INFO}").ends_with("  :log_level: INFO"));
    assert!(ssh("ssh: {user: 5}").starts_with("  :user: 5\n"));
    assert!(ssh("ssh: {}").ends_with("  :log_level: :fatal"));
}

#[test]
fn values_and_keys_keep_their_types() {
    let text = "builder: {arch: amd64, args: {1: a, \"1\": b, yes: c, D: !!float 1, E: !!int \"3\", F: 190:20:30.15}}";
    let args = below(&printed(text), "builder");
    assert!(args.ends_with("    true: c\n    D: 1.0\n    E: 3\n    F: 685230.15"), "{args}");
    assert_eq!(below(&printed("volumes: [1, a]"), "volume_args"), "- \"--volume\"\n- 1\n- \"--volume\"\n- a");
    let merged = printed("x-a: &a {1: b}\nbuilder: {arch: amd64, args: {<<: *a}}");
    assert_eq!(below(&merged, "builder"), "  arch: amd64\n  args:\n    1: b");
}

#[test]
fn texts_of_any_alphabet_are_printed() {
    let text = "builder: {arch: amd64, args: {A: \"🙂\", B: é, \"\\u00a0\": x}}";
    assert_eq!(
        below(&printed(text), "builder"),
        "  arch: amd64\n  args:\n    A: \"\\U0001F642\"\n    B: é\n    \"\u{a0}\": x"
    );
}

#[test]
fn what_kamal_takes_is_taken() {
    for fragment in [
        "hooks_output: true",
        "hooks_output: 5",
        "minimum_version: \"\"",
        "service: :abc",
        "registry: {server: \"localhost:5000\", username: 5}",
        "aliases: {help: app logs, tree: app logs}",
        "accessories: {db: {image: pg, host: h, registry: {}, proxy: {}}}",
    ] {
        assert!(load_text(&with(fragment)).is_ok(), "{fragment}");
    }
    assert!(printed("service: :abc").contains(":service_with_version: abc-v1\n"));
}

// spec 4.2
#[test]
fn an_option_given_several_times_may_be_a_flag_among_them() {
    let fragment = "servers: {web: {hosts: [a], options: {x: [b, true, 5], y: true, z: [c, d], w: }}}";
    let config = load_text(&with(fragment)).unwrap().config;
    let options = kamal_core::shell::escape::options(&config.roles[0].options);
    assert_eq!(options, ["--x \"b\"", "--x", "--x \"5\"", "--y", "--z \"c\"", "--z \"d\"", "--w \"\""]);
}
