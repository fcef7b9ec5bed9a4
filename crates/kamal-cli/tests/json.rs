//! What commands print with `--json` that act on no host, against their schemas as they are published.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

const DEPLOY: &str = "service: app\nimage: acme/app\nservers: [h1]\nregistry: {username: me, password: [PW]}\n\
    builder: {arch: amd64}\n";

fn project(deploy: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("config")).unwrap();
    fs::create_dir_all(folder.path().join(".kamal")).unwrap();
    fs::write(folder.path().join("config/deploy.yml"), deploy).unwrap();
    fs::write(folder.path().join(".kamal/secrets"), "PW=hunter2secret\n").unwrap();
    folder
}

fn kamal(project: &TempDir, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kamal"));
    command.args(words).current_dir(project.path()).env_clear();
    command.env("HOME", project.path()).env("PATH", std::env::var_os("PATH").unwrap()).env("VERSION", "v1");
    command.output().unwrap()
}

/// Panics unless all that stands on standard output is one document that its schema allows.
fn document(project: &TempDir, words: &[&str]) -> Value {
    // Behind the names of secrets it would be one of them.
    let json: &[&str] = if words.contains(&"--json") { &[] } else { &["--json"] };
    let printed = kamal(project, &[words, json].concat());
    let value: Value = serde_json::from_slice(&printed.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let name = value["schema"].as_str().unwrap().strip_prefix("kamal/").unwrap().strip_suffix("/1").unwrap();
    let schema = kamal(project, &["docs", "--schema", name]);
    assert!(schema.status.success(), "{name}");
    let validator = jsonschema::validator_for(&serde_json::from_slice(&schema.stdout).unwrap()).unwrap();
    if let Err(error) = validator.validate(&value) {
        panic!("{words:?}: {error} at {}: {value}", error.instance_path);
    }
    value
}

#[test]
fn what_cannot_be_written_is_a_failure_where_it_is_all_there_is() {
    let project = project(DEPLOY);
    for words in [&["version"][..], &["config"], &["config", "validate", "--json"], &["docs"], &["docs", "--schema"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kamal"));
        command.args(words).current_dir(project.path()).env("VERSION", "v1");
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = command.stdout(full).output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(told.contains("cannot write to standard output: No space left"), "{words:?}: {told}");
        assert_eq!(ended.status.code(), Some(1), "{words:?}");
    }
}

#[test]
fn each_is_one_document() {
    let project = project(DEPLOY);
    fs::write(project.path().join("config/deploy.rb"), "set :application, 'shop'\nrole :web, 'h1'\n").unwrap();
    let compose = "services: {web: {image: acme/web, ports: ['80:3000'], privileged: true}}\n";
    fs::write(project.path().join("compose.yaml"), compose).unwrap();
    for (words, name) in [
        (&["version"][..], "version"),
        (&["docs"], "docs"),
        (&["docs", "proxy"], "docs"),
        (&["config"], "config"),
        (&["config", "validate"], "validation"),
        (&["secrets", "print"], "secrets"),
        (&["secrets", "fetch", "--json", "-a", "test", "--account", "me", "A"], "secrets"),
        (&["secrets", "extract", "A", "{\"A\":\"1\"}"], "secrets"),
        (&["secrets", "extract", "B", "{\"A\":\"1\"}"], "failure"),
        (&["import", "compose", "--output", "config/other.yml"], "import"),
        (&["import", "capistrano", "config/deploy.rb", "--output", "-"], "import"),
        (&["import", "kamal1", "--output", "-"], "import"),
        (&["import", "compose"], "failure"),
        (&["import", "compose", "nowhere.yml"], "failure"),
        (&["init"], "init"),
        (&["doctor", "ssh", "127.0.0.1:1"], "doctor-ssh"),
        (&["registry", "ls"], "registry"),
        (&["registry", "gc"], "registry-gc"),
        (&["plan", "config"], "failure"),
        (&["deploy", "--plan", "nowhere"], "failure"),
    ] {
        assert_eq!(document(&project, words)["schema"], format!("kamal/{name}/1"), "{words:?}");
    }
}

#[test]
fn an_import_tells_all_it_did_in_one_document() {
    let project = tempfile::tempdir().unwrap();
    let compose =
        "services:\n  web: {build: ., ports: ['80:3000'], network_mode: bridge, environment: {API_TOKEN: x}}\n";
    fs::write(project.path().join("compose.yaml"), compose).unwrap();
    let printed = document(&project, &["import", "compose", "--output", "-"]);
    assert_eq!((&printed["written"], &printed["files"][0]["path"]), (&false.into(), &"config/deploy.yml".into()));
    assert!(!project.path().join("config").exists() && !project.path().join(".kamal").exists());
    let written = document(&project, &["import", "compose"]);
    assert_eq!((&written["written"], &written["files"]), (&true.into(), &printed["files"]));
    let on_disk = fs::read_to_string(project.path().join("config/deploy.yml")).unwrap();
    assert_eq!(written["files"][0]["content"], on_disk);
    let secret = &written["secrets"][0];
    assert_eq!((&secret["name"], &secret["added"]), (&"API_TOKEN".into(), &true.into()));
    assert_eq!(printed["secrets"][0]["added"], false);
    assert!(
        fs::read_to_string(project.path().join(".kamal/secrets")).unwrap().contains(secret["line"].as_str().unwrap())
    );
    let note = &written["notes"][0];
    assert_eq!((&note["file"], &note["line"]), (&"compose.yaml".into(), &2.into()), "{written}");
    let again = document(&project, &["import", "compose", "--force"]);
    assert_eq!(again["secrets"][0]["added"], false, "the line is there already");
    assert!(!kamal(&project, &["plan", "import", "compose"]).status.success(), "there is nothing to plan");
}

#[test]
fn what_is_wrong_with_a_configuration_is_a_document_too() {
    let project = project("service: app\n");
    let failure = document(&project, &["deploy"]);
    assert_eq!((&failure["kind"], &failure["exit_status"]), (&"config".into(), &1.into()));
    assert_eq!(document(&project, &["config", "validate"])["valid"], false);
}

#[test]
fn every_schema_is_published_and_no_other() {
    let project = project(DEPLOY);
    let unknown = kamal(&project, &["docs", "--schema", "nothing"]);
    assert_eq!(unknown.status.code(), Some(1));
    let told = String::from_utf8(unknown.stderr).unwrap();
    let names = told.split("there are ").nth(1).unwrap().trim().split(", ");
    assert!(names.clone().count() > 10, "{told}");
    for name in names {
        let schema = kamal(&project, &["docs", "--schema", name]);
        let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
        assert!(jsonschema::validator_for(&schema).is_ok(), "{name}");
    }
}
