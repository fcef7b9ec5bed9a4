//! What every command prints with `--json`, on simulated hosts, against its schema.

use std::collections::{BTreeMap, BTreeSet};

use clap::CommandFactory as _;
use indexmap::IndexMap;
use kamal_core::testing::SimFleet;
use serde_json::Value;

use super::SCHEMAS;
use crate::{
    args::{self, Cli, Line},
    commands::act,
    context::Context,
    output,
};

const DEPLOY: &str = "service: app\nimage: acme/app\nservers: {web: [h1, h2], jobs: {hosts: [h2], cmd: bin/jobs}}\n\
    registry: {username: me, password: [REGISTRY_PASSWORD]}\nbuilder: {arch: amd64}\n\
    accessories: {db: {image: pg, host: h1}}\n";

/// Words that commands need besides their names.
const WORDS: [(&str, &str); 21] = [
    ("accessory boot", "all"),
    ("accessory details", "all"),
    ("accessory directories", "all"),
    ("accessory exec", "db --reuse echo"),
    ("accessory logs", "db"),
    ("accessory pull_image", "all"),
    ("accessory reboot", "all"),
    ("accessory remove", "db -y"),
    ("accessory upgrade", "all -y"),
    ("app exec", "--reuse echo"),
    ("app remove_container", "v1"),
    ("app scale", "web=2"),
    ("lock acquire", "-m busy"),
    ("proxy boot_config", "get"),
    ("server exec", "echo"),
    ("proxy reboot", "-y"),
    ("proxy upgrade", "-y"),
    ("remove", "-y"),
    ("rollout deploy", "--version v3"),
    ("rollout set", "50"),
    ("upgrade", "-y"),
];

/// Those tried with the binary (`tests/json.rs`); `completion`, which prints for a shell, and `plan`, which stands before
/// all others here.
const ELSEWHERE: [&str; 15] = [
    "completion",
    "config",
    "docs",
    "doctor ssh",
    "import capistrano",
    "import compose",
    "import kamal1",
    "init",
    "plan",
    "registry gc",
    "registry ls",
    "secrets extract",
    "secrets fetch",
    "secrets print",
    "version",
];

fn leaves() -> Vec<String> {
    let root = Cli::command();
    let mut all = Vec::new();
    for command in root.get_subcommands() {
        if command.has_subcommands() {
            all.extend((!command.is_subcommand_required_set()).then(|| command.get_name().to_owned()));
            all.extend(command.get_subcommands().map(|sub| format!("{} {}", command.get_name(), sub.get_name())));
        } else {
            all.push(command.get_name().to_owned());
        }
    }
    all
}

/// What a command prints.
async fn printed(fleet: &SimFleet, line: &str) -> String {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let Ok(Line::Run(cli)) = args::read(&words, &|_, _| Ok(IndexMap::new())) else { panic!("{line}") };
    output::captured::begin();
    let context = Context::simulated(&cli.global, fleet, DEPLOY, cli.command.takes_roles_that_are_gone()).await;
    let result = act(&context, cli.command, cli.planned).await;
    context.reporter.finish();
    if let Err(failure) = result
        && !matches!(failure, crate::failure::Failure::Status(_) | crate::failure::Failure::Reported(_))
    {
        output::line(&failure.json().to_string());
    }
    output::captured::end()
}

async fn deployed() -> SimFleet {
    let fleet = SimFleet::new(["h1", "h2"]);
    fleet.secrets().put("REGISTRY_PASSWORD", "hunter2");
    fleet.publish("pg");
    printed(&fleet, "setup --version v1").await;
    printed(&fleet, "deploy --version v2").await;
    fleet
}

struct Validators(BTreeMap<String, jsonschema::Validator>);

impl Validators {
    fn new() -> Self {
        let one = |(name, text): &(&str, &str)| {
            let schema: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (format!("kamal/{name}/1"), jsonschema::validator_for(&schema).unwrap())
        };
        Self(SCHEMAS.iter().map(one).collect())
    }

    /// Panics unless a line is as the schema says that it names; returns the name.
    fn check(&self, line: &str, context: &str) -> String {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{context}: {error}: {line}"));
        let name = value["schema"].as_str().unwrap_or_else(|| panic!("{context}: no schema: {line}")).to_owned();
        let validator = self.0.get(&name).unwrap_or_else(|| panic!("{context}: {name} is not published"));
        if let Err(error) = validator.validate(&value) {
            panic!("{context}: {error} at {}: {line}", error.instance_path);
        }
        name
    }
}

#[tokio::test]
async fn everything_that_is_printed_is_as_its_schema_says() {
    let (validators, base) = (Validators::new(), deployed().await);
    let (mut seen, mut events) = (BTreeSet::new(), BTreeSet::new());
    for command in leaves().iter().filter(|command| !ELSEWHERE.contains(&command.as_str())) {
        let words = WORDS.iter().find(|(name, _)| name == command).map_or("", |(_, words)| words);
        let line = format!("{command} --json {words}");
        let line = match command.as_str() {
            // What stands behind the first word of another program's line is that program's.
            "setup" | "deploy" | "redeploy" | "app boot" | "build push" | "build deliver" | "build pull"
            | "build dev" => {
                format!("{line} --version v2")
            }
            "accessory upload"
            | "accessory start"
            | "accessory stop"
            | "accessory restart"
            | "accessory remove_container"
            | "accessory remove_image"
            | "accessory remove_service_directory" => format!("{line}db"),
            _ => line,
        };
        let line = line.trim_end();
        for planned in [true, false] {
            let (fleet, line) = (base.fork(), if planned { format!("plan {line}") } else { line.to_owned() });
            let printed = printed(&fleet, &line).await;
            let names: Vec<String> = printed.lines().map(|told| validators.check(told, &line)).collect();
            for told in printed.lines() {
                let value: Value = serde_json::from_str(told).unwrap();
                events.extend(value["event"].as_str().map(str::to_owned));
            }
            let document = match command.as_str() {
                _ if planned => "kamal/plan/1",
                "doctor" => "kamal/doctor/1",
                "status" => "kamal/status/1",
                _ => "kamal/answers/1",
            };
            let expected = [document, "kamal/failure/1"];
            let one_document = names.len() == 1 && expected.contains(&names[0].as_str());
            let stream = !planned && names.len() > 1 && names.iter().all(|name| name == "kamal/event/1");
            assert!(one_document || stream, "{line}: {names:?}\n{printed}");
            if stream {
                assert!(printed.lines().last().unwrap().contains("\"event\":\"finished\""), "{line}: {printed}");
            }
            seen.extend(names);
        }
    }
    assert!(
        seen.contains("kamal/plan/1") && seen.contains("kamal/answers/1") && seen.contains("kamal/event/1"),
        "{seen:?}"
    );
    // Kinds of events that hosts do not come to here: they have lines for them all the same.
    let schema: Value = serde_json::from_str(include_str!("../../schemas/event.json")).unwrap();
    let known: BTreeSet<String> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["properties"]["event"]["const"].as_str().unwrap().to_owned())
        .collect();
    let never: Vec<&String> = known.difference(&events).collect();
    assert!(never.len() <= 3, "{never:?}");
}

#[tokio::test]
async fn so_is_what_is_printed_while_a_rollout_is_under_way() {
    let (validators, base) = (Validators::new(), deployed().await);
    printed(&base, "rollout deploy --version v3 --percent 10").await;
    for (line, wanted) in [
        ("status", "\"rollouts\":[{\"version\":\"v3\""),
        ("plan rollout set 60", "\"kind\":\"split\""),
        ("rollout set 50", "\"outcome\":\"ok\""),
        ("rollout abort", "\"outcome\":\"ok\""),
        ("rollout promote", "\"outcome\":\"ok\""),
    ] {
        let told = printed(&base.fork(), &format!("{line} --json")).await;
        told.lines().for_each(|told| drop(validators.check(told, line)));
        assert!(told.contains(wanted), "{line}: {told}");
    }
}

#[tokio::test]
async fn a_failure_is_told_once() {
    let validators = Validators::new();
    let fleet = deployed().await;
    fleet.sicken("v3");
    let told = printed(&fleet, "deploy --version v3 --json").await;
    let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["kind"]), (&"finished".into(), &"unhealthy".into()));
    told.lines().for_each(|line| drop(validators.check(line, "deploy")));
    let told = printed(&fleet, "app details --json -h nowhere").await;
    assert_eq!(told.lines().map(|line| validators.check(line, "details")).collect::<Vec<_>>(), ["kamal/failure/1"]);
}

#[tokio::test]
async fn a_plan_comes_back_from_a_file_and_from_its_digest() {
    let fleet = deployed().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let plan = printed(&fleet, "plan deploy --version v3 --json").await;
    std::fs::write(&file, &plan).unwrap();
    let file = file.to_str().unwrap();
    // Of something else, of another version.
    for other in [
        format!("app stop --plan {file}"),
        format!("deploy --version v4 --plan {file}"),
        format!("deploy -h h1 --plan {file}"),
    ] {
        let told = printed(&fleet, &format!("{other} --json")).await;
        assert!(told.contains("\"kind\":\"usage\""), "{other}: {told}");
    }
    let fork = fleet.fork();
    fork.change("h2", |host| host.network = false);
    let refused = printed(&fork, &format!("deploy --plan {file} --json")).await;
    assert!(refused.contains("\"kind\":\"plan_changed\""), "{refused}");
    let applied = printed(&fleet.fork(), &format!("deploy --plan {file} --json")).await;
    assert!(applied.lines().last().unwrap().contains("\"outcome\":\"ok\""), "{applied}");
    let digest = serde_json::from_str::<Value>(&plan).unwrap()["digest"].as_str().unwrap().to_owned();
    let applied = printed(&fleet, &format!("deploy --version v3 --plan {digest} --json")).await;
    assert!(applied.lines().last().unwrap().contains("\"outcome\":\"ok\""), "{applied}");
    let stale = printed(&fleet, &format!("deploy --version v3 --plan {digest} --json")).await;
    assert!(stale.contains("\"kind\":\"plan_changed\""), "{stale}");
    let nothing = printed(&fleet, "deploy --plan nowhere.json --json").await;
    assert!(nothing.contains("there is no such file"), "{nothing}");
}
