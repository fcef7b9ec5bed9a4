//! `kamal config` shows data without secrets: what was YAML or JSON still is, and what stands in the file in clear is none.

use std::fs;

use serde_json::Value;

use crate::bench::Bench;

const SOUND: &str = "service: app\nimage: acme/app\nservers: [192.0.2.1]\nregistry: {username: u, password: [P]}\n\
                     builder: {arch: amd64}\n";

fn project(more: &str, secrets: &str) -> Bench {
    let bench = Bench::new().with_secrets(secrets);
    fs::write(bench.project().join("config/deploy.yml"), format!("{SOUND}{more}")).unwrap();
    bench
}

fn yaml(bench: &Bench) -> String {
    bench.kamal(&["config", "--version", "v1"]).ok().to_owned()
}

#[test]
fn what_stands_in_the_file_in_clear_is_shown() {
    let more = "accessories:\n  postgres:\n    image: postgres:16\n    host: 192.0.2.1\n    port: \"127.0.0.1:5432:5432\"\n    \
                env: {clear: {A: production, B: 5432, C: true, D: acme-prod-7}, secret: [U, V, W, X, Y]}\nssh: {user: deploy}\n";
    let secrets = "P=abcd1234\nU='postgres'\nV=5432\nW=true\nX=deploy\nY=acme-prod-7\n";
    let bench = project(more, secrets);
    let shown = bench.kamal(&["config", "--version", "v1"]);
    assert_eq!(shown.ok(), bench.kamal(&["config", "--version", "v1", "--reveal"]).ok());
    for name in ["U", "V", "W", "X"] {
        let told = shown.stderr.lines().filter(|line| line.contains(&format!(": {name} is a common word"))).count();
        assert_eq!(told, 1, "{name}: {}", shown.stderr);
    }
    assert!(!shown.stderr.contains("postgres"), "{}", shown.stderr);
}

#[test]
fn a_value_with_a_secret_in_it_is_covered_as_a_whole() {
    let more = "env: {secret: [A, N]}\naccessories:\n  db:\n    image: pg\n    host: 192.0.2.1\n    \
                env: {clear: {URL: \"pg://u:<%= ENV['A'] %>@db/x\", PIN: <%= ENV['N'] %>, FLAG: <%= ENV['T'] %>}}\n    \
                labels: {\"<%= ENV['A'] %>\": a, \"x<%= ENV['A'] %>\": b}\n";
    let bench = project(more, "P=abcd1234\nA=$A\nN=$N\nT=$T\n");
    let bench = bench.with_env("A", "hunter2: {#").with_env("N", "7654321").with_env("T", "true");
    let shown = yaml(&bench);
    assert!(shown.contains("URL: \"[REDACTED]\"\n") && shown.contains("PIN: \"[REDACTED]\"\n"), "{shown}");
    assert!(
        shown.contains("FLAG: true\n") && shown.contains("\"[REDACTED]\": a\n      \"[REDACTED] 2\": b\n"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2") && !shown.contains("7654321"), "{shown}");
    let json = bench.kamal(&["config", "--version", "v1", "--format", "json"]);
    let json: Value = serde_json::from_str(json.ok()).unwrap();
    let document: Value = serde_json::from_str(bench.kamal(&["config", "--version", "v1", "--json"]).ok()).unwrap();
    assert_eq!(document["config"], json);
    let clear = &json["accessories"]["db"]["env"]["clear"];
    assert_eq!(
        (&clear["URL"], &clear["PIN"], &clear["FLAG"]),
        (&"[REDACTED]".into(), &"[REDACTED]".into(), &true.into())
    );
}

#[test]
fn any_secret_leaves_a_document_that_reads_as_one() {
    for value in
        ["--volume", "root", "amd64", ":port", "version", "roles", "hosts", "!ruby", "max-size", "logging", "fatal"]
    {
        let bench = project("env: {secret: [A]}\n", &format!("P=abcd1234\nA='{value}'\n"));
        let json = bench.kamal(&["config", "--version", "v1", "--json"]);
        serde_json::from_str::<Value>(json.ok()).unwrap_or_else(|error| panic!("{value}: {error}"));
        let shown = yaml(&bench);
        assert!(shown.starts_with("---\n:") && !shown.contains(" [REDACTED]"), "{value}: {shown}");
    }
}

#[test]
fn destinations_may_end_in_yaml_and_mistyped_ones_are_corrected() {
    let bench = project("", "");
    fs::write(bench.project().join("config/deploy.staging.yaml"), "image: acme/staging\n").unwrap();
    assert!(bench.kamal(&["config", "--version", "v1", "-d", "staging"]).ok().contains(":repository: acme/staging\n"));
    fs::write(bench.project().join("config/deploy.staging.yml"), "image: acme/kamals\n").unwrap();
    assert!(bench.kamal(&["config", "--version", "v1", "-d", "staging"]).ok().contains(":repository: acme/kamals\n"));
    let wrong = bench.kamal(&["config", "--version", "v1", "-d", "stagin"]);
    assert!(wrong.refused().ends_with("config/deploy.stagin.yml\nhelp: did you mean `staging`?"), "{}", wrong.stderr);
    for name in ["x;id", "../x", "a b", ""] {
        let refused = bench.kamal(&["config", "--version", "v1", "-d", name]);
        assert!(refused.refused().contains("the destination"), "{name}: {}", refused.stderr);
    }
}

#[test]
fn versions_that_are_none_are_refused_where_they_are_given() {
    let bench = project("", "");
    assert!(
        bench.kamal(&["config", "--version", "v7$(id)"]).refused().starts_with("the version \"v7$(id)\" holds '$'")
    );
    let bench = bench.with_env("VERSION", "a;b");
    assert!(bench.kamal(&["config"]).refused().starts_with("VERSION: the version \"a;b\" holds ';'"));
}

#[test]
fn what_a_secrets_file_says_in_vain_is_told_once_on_use() {
    let bench = project("", "P=pa#word\nMY-KEY=x\nW=C:\\new\n");
    let ran = bench.kamal(&["secrets", "print"]);
    assert_eq!(ran.ok(), "P=pa\nW=C:new\n");
    let said = &ran.stderr;
    for told in [
        ".kamal/secrets:1: P ends before the `#`",
        ".kamal/secrets:2: this line is ignored",
        ".kamal/secrets:3: W loses",
    ] {
        assert_eq!(said.matches(told).count(), 1, "{told}: {said}");
    }
}
