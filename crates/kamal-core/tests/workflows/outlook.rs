//! What a reviewer is shown: plans of many situations, what differs from what runs, and what is left of what was.

use std::{fmt::Write as _, path::Path};

use kamal_core::{
    op::{Accessory, AccessoryTask, App as AppOp, Op, Prune},
    plan::{Aspect, Outlook},
    testing::{SimLock, every_operation},
};

use crate::harness::{APART, App, THREE, Verb};

const ONE: &str = "servers: [h1]\n";
const WITH_DB: &str = "servers: [h1]\naccessories: {db: {image: \"pg:16\", host: h1, port: \"127.0.0.1:5432:5432\"}}\n";

/// A situation: what was set up, how deploy.yml became, what is asked for and of which version.
struct Situation {
    name: &'static str,
    was: &'static str,
    becomes: Option<&'static str>,
    happens: fn(&App),
    op: Op,
    version: Option<&'static str>,
}

fn nothing(_: &App) {}

/// An app that was set up, accessories included.
fn set_up(yaml: &str) -> App {
    let app = App::new(yaml);
    ["pg:16", "pg:17"].into_iter().for_each(|image| drop(app.fleet.publish(image)));
    app.operate(Verb::Setup, "v1", None).unwrap();
    app
}

fn accessory(app: &App, task: AccessoryTask) -> Op {
    Op::Accessory(Accessory::new(&app.config, "db", task).unwrap())
}

fn situation(name: &'static str, was: &'static str, becomes: &'static str) -> Situation {
    let becomes = (!becomes.is_empty()).then_some(becomes);
    Situation { name, was, becomes, happens: nothing, op: Verb::Deploy.op(), version: Some("v1") }
}

fn situations() -> Vec<Situation> {
    let db = |task| accessory(&App::new(WITH_DB), task);
    vec![
        situation("converged", THREE, ""),
        Situation { version: Some("v2"), ..situation("a new version", THREE, "") },
        situation(
            "a variable has another value and one is new",
            ONE,
            "servers: [h1]\nenv: {clear: {LEVEL: high}, secret: [DATABASE_URL]}\n",
        ),
        situation("a secret is new", ONE, "servers: [h1]\nenv: {secret: [DATABASE_URL, REGISTRY_PASSWORD]}\n"),
        situation(
            "another command",
            APART,
            "servers: {web: [h1, h2], workers: {hosts: [h3], proxy: false, cmd: bin/work}}\n",
        ),
        situation("volumes", ONE, "servers: [h1]\nvolumes: [\"/data:/data\"]\n"),
        situation("a limit of memory", ONE, "servers: {web: {hosts: [h1], options: {memory: 1g}}}\n"),
        situation("requests for another host", ONE, "servers: [h1]\nproxy: {host: a.test}\n"),
        situation("below a path", ONE, "servers: [h1]\nproxy: {path_prefix: /api}\n"),
        Situation { op: Verb::Setup.op(), ..situation("an accessory that is missing", ONE, WITH_DB) },
        situation(
            "an accessory of another image",
            WITH_DB,
            "servers: [h1]\naccessories: {db: {image: \"pg:17\", host: h1, port: \"127.0.0.1:5432:5432\"}}\n",
        ),
        situation(
            "an accessory with another port",
            WITH_DB,
            "servers: [h1]\naccessories: {db: {image: \"pg:16\", host: h1, port: \"5432:5432\"}}\n",
        ),
        situation(
            "an accessory with a new variable",
            WITH_DB,
            "servers: [h1]\naccessories: {db: {image: \"pg:16\", host: h1, port: \"127.0.0.1:5432:5432\", env: {clear: {TZ: UTC}}}}\n",
        ),
        Situation {
            op: db(AccessoryTask::Boot),
            version: None,
            ..situation("an accessory that is there is booted", WITH_DB, "")
        },
        Situation {
            op: db(AccessoryTask::Reboot),
            version: None,
            ..situation(
                "an accessory is rebooted with another image",
                WITH_DB,
                "servers: [h1]\naccessories: {db: {image: \"pg:17\", host: h1, port: \"127.0.0.1:5432:5432\"}}\n",
            )
        },
        situation("a role that is gone", APART, "servers: {web: [h1, h2, h3]}\n"),
        situation("an accessory that is gone", WITH_DB, ONE),
        situation("a second role", THREE, "servers: {web: [h1, h2, h3], workers: {hosts: [h3], cmd: bin/jobs}}\n"),
        Situation {
            happens: |app| app.fleet.change("h2", |host| host.network = false),
            ..situation("a network that is missing", THREE, "")
        },
        Situation {
            happens: |app| app.fleet.change("h3", |host| host.proxy = None),
            ..situation("a proxy that is missing", THREE, "")
        },
        Situation {
            happens: |app| {
                let held = "Locked by: Bob\nVersion: v0\nMessage: busy".to_owned();
                let lock = SimLock { details: held, lease: None };
                app.fleet.change("h1", |host| drop(host.locks.insert(".kamal/lock-app".into(), lock)));
            },
            ..situation("somebody holds the lock", ONE, "")
        },
        Situation { op: Verb::Setup.op(), version: Some("v1"), ..situation("set up once more", WITH_DB, "") },
        Situation { op: Verb::Boot.op(), version: Some("v1"), ..situation("boot what runs", ONE, "") },
        Situation { op: Verb::Redeploy.op(), version: Some("v2"), ..situation("redeploy", ONE, "") },
        Situation { op: Op::App(AppOp::Stop), version: None, ..situation("stop the app", ONE, "") },
        Situation { op: Op::Prune(Prune::All), version: None, ..situation("prune", ONE, "") },
        Situation { op: Op::Details, version: None, ..situation("look", ONE, "") },
    ]
}

fn outlook(situation: &Situation) -> Outlook {
    let mut app = set_up(situation.was);
    if let Some(yaml) = situation.becomes {
        app.becomes(yaml);
    }
    (situation.happens)(&app);
    app.outlook(&situation.op, situation.version).unwrap_or_else(|error| panic!("{}: {error}", situation.name))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the snapshots are a file")]
fn what_is_shown_of_many_situations() {
    let mut found = String::new();
    for situation in situations() {
        let outlook = outlook(&situation);
        let status = if outlook.is_empty() { 0 } else { 2 };
        write!(found, "== {} (exit status {status})\n{outlook}\n", situation.name).unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/outlooks.txt");
    if std::env::var_os("KAMAL_SNAPSHOTS").is_some() {
        std::fs::write(&file, &found).unwrap();
    }
    let wanted = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == wanted, "not as in {}; KAMAL_SNAPSHOTS=1 writes it anew:\n{found}", file.display());
}

#[test]
fn a_converged_fleet_leaves_nothing_to_do_and_each_difference_something() {
    for situation in situations() {
        let outlook = outlook(&situation);
        let aspects: Vec<Aspect> =
            outlook.differences.iter().flat_map(|difference| &difference.changes).map(|change| change.aspect).collect();
        let (empty, expected): (bool, &[Aspect]) = match situation.name {
            "converged" | "set up once more" | "boot what runs" | "somebody holds the lock" => (true, &[]),
            "an accessory that is gone" => (true, &[]),
            "an accessory that is there is booted" | "look" => (true, &[]),
            // A deploy leaves accessories alone.
            "an accessory of another image" => (true, &[Aspect::Image]),
            "an accessory with another port" => (true, &[Aspect::Ports]),
            "an accessory with a new variable" => (true, &[Aspect::Env]),
            "a new version" => (false, &[Aspect::Image, Aspect::Image, Aspect::Image]),
            "a variable has another value and one is new" | "a secret is new" => (false, &[Aspect::Env]),
            "another command" => (false, &[Aspect::Command]),
            "volumes" => (false, &[Aspect::Volumes]),
            "a limit of memory" => (false, &[Aspect::Option]),
            "requests for another host" => (false, &[Aspect::Hosts]),
            "below a path" => (false, &[Aspect::Paths]),
            "an accessory that is missing" | "a second role" | "a role that is gone" => (false, &[Aspect::Missing]),
            "redeploy" | "an accessory is rebooted with another image" => (false, &[Aspect::Image]),
            _ => (false, &[]),
        };
        assert_eq!((outlook.is_empty(), aspects.as_slice()), (empty, expected), "{}\n{outlook}", situation.name);
    }
}

#[test]
fn what_is_left_of_what_was_is_told_with_what_stops_it() {
    for (name, host, stops) in [
        ("a role that is gone", "h3", "kamal app stop -r workers -h h3"),
        ("an accessory that is gone", "h1", "kamal server exec -h h1 docker stop app-db"),
    ] {
        let gone = situations().into_iter().find(|situation| situation.name == name).unwrap();
        let outlook = outlook(&gone);
        let told: Vec<_> =
            outlook.strays.iter().map(|stray| (stray.host.as_str(), stray.stopped_by.as_str())).collect();
        assert_eq!(told, [(host, stops)]);
        assert_eq!(outlook.to_string().matches(stops).count(), 1, "it is told once");
    }
}

#[test]
fn every_operation_has_one_that_changes_nothing() {
    let app = set_up(WITH_DB);
    app.operate(Verb::Deploy, "v2", None).unwrap();
    for op in every_operation(&app.config, &"v1".parse().unwrap()) {
        let before = app.fleet.host("h1");
        let outlook = app.outlook(&op, None);
        assert_eq!(app.fleet.host("h1"), before, "{}", op.row().name());
        if let Ok(outlook) = outlook {
            let read: Outlook = serde_json::from_str(&serde_json::to_string(&outlook).unwrap()).unwrap();
            // Text of files is not kept.
            assert_eq!(read.plan.digest(), outlook.plan.digest(), "{}", op.row().name());
        }
    }
}
