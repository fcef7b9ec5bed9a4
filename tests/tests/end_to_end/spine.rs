//! What every command has in common: the hook `pre-connect`, dry runs, plans that are applied as reviewed, and what two of
//! them do at once.

use std::{fs, os::unix::fs::PermissionsExt};

use kamal_tests::{app::App, rig::rig};

const DB: &str = "accessories: {db: {image: \"10.77.0.1:5000/redis:7\", role: web}}\n";

/// Commands that contact hosts, in an order in which each finds what it needs.
const CONTACT: [&str; 49] = [
    "app logs",
    "app details",
    "app version",
    "app containers",
    "app images",
    "app stale_containers",
    "app stale_containers --stop",
    "app maintenance",
    "app live",
    "app exec --reuse /server",
    "app stop",
    "app start",
    "app boot",
    "proxy logs",
    "proxy details",
    "proxy list",
    "proxy boot",
    "proxy boot_config get",
    "proxy boot_config reset",
    "proxy restart",
    "proxy stop",
    "proxy start",
    "proxy reboot -y",
    "lock status",
    "lock acquire -m x",
    "lock release",
    "details",
    "audit",
    "prune all",
    "prune containers",
    "prune images",
    "registry login",
    "registry setup",
    "build push",
    "build pull",
    "build deliver",
    "server bootstrap",
    "server exec true",
    "accessory details db",
    "accessory logs db",
    "accessory exec db --reuse /server",
    "accessory reboot db",
    "accessory stop db",
    "accessory start db",
    "accessory upload db",
    "accessory boot all",
    "redeploy",
    "rollback",
    "app remove",
];

fn count(app: &App) -> usize {
    let file = app.project.folder().with_file_name("connects");
    let lines = fs::read_to_string(&file).unwrap_or_default().lines().count();
    // Absent when the hook did not run.
    drop(fs::remove_file(file));
    lines
}

#[test]
fn pre_connect_runs_once_in_every_command_that_contacts_a_host() {
    let app = App::on_one("e2e-connect");
    app.edit("deploy_timeout: 20\n", &format!("deploy_timeout: 20\n{DB}"));
    rig().docker_shell(app.host().number, "docker rm -f e2e-connect-db");
    app.set_up();
    app.release();
    app.ok(&["deploy"]);
    let hook = app.project.folder().join(".kamal/hooks/pre-connect");
    app.project.write(".kamal/hooks/pre-connect", "#!/bin/sh\necho once >> ../connects\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    for line in CONTACT {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = app.kamal(&words);
        assert_eq!(count(&app), 1, "kamal {line}:\n{}", ended.text);
        // `/server` in a container whose port is taken cannot serve.
        assert_eq!(ended.status.success(), !line.contains("/server"), "kamal {line}:\n{}", ended.text);
        let looked = app.kamal(&[&words[..], &["-H", "--help"]].concat());
        assert!(looked.status.success() && count(&app) == 0, "kamal {line} --help:\n{}", looked.text);
    }
    app.project.write(".kamal/hooks/pre-connect", "#!/bin/sh\necho no way >&2; exit 3\n").unwrap();
    for line in ["app version", "lock status", "proxy list", "deploy"] {
        let ended = app.fails(&line.split(' ').collect::<Vec<_>>());
        ended.says(&["Hook `pre-connect` failed", "exit status 3"]);
    }
    app.ok(&["app", "version", "-H"]);
    app.ok(&["accessory", "remove", "db", "-y", "-H"]);
}

#[test]
fn what_was_reviewed_is_applied_or_refused() {
    let app = App::on_one("e2e-plan");
    app.set_up();
    let digest = |text: &str| text.split("digest ").nth(1).and_then(|rest| rest.split(')').next()).unwrap().to_owned();
    for arguments in [&["app", "stop"][..], &["app", "start"], &["prune", "all"], &["redeploy"], &["app", "boot"]] {
        let before = app.effects();
        let reviewed = digest(&app.ok(&[arguments, &["--dry-run"]].concat()));
        assert_eq!(app.effects(), before, "{arguments:?}");
        let other = app.fails(&[arguments, &["--plan", "0000000000000000"]].concat());
        other.says(&["the plan is not the one reviewed", &reviewed]);
        assert_eq!(app.effects(), before, "{arguments:?}");
        app.ok(&[arguments, &["--plan", &reviewed]].concat());
    }
    let empty = app.ok(&["proxy", "boot", "--dry-run"]);
    assert!(empty.contains("nothing to do"), "{empty}");
    // It reads as JSON as well.
    let json = app.ok(&["app", "stop", "--dry-run", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!((plan["schema"].as_str(), plan["changes"].as_bool()), (Some("kamal/plan/1"), Some(true)));
    assert_eq!((plan["plan"]["format"].as_u64(), plan["plan"]["operation"].as_str()), (Some(2), Some("app stop")));
}

#[test]
fn of_two_at_once_one_goes_first() {
    let app = App::on_one("e2e-two");
    app.set_up();
    let (one, other) = (app.start(&["redeploy", "-P"]), app.start(&["app", "stop"]));
    let ended = [one.wait(), other.wait()];
    let won = ended.iter().filter(|ended| ended.status.success()).count();
    assert!(won >= 1, "{} and {}", ended[0].text, ended[1].text);
    for loser in ended.iter().filter(|ended| !ended.status.success()) {
        loser.says(&["Deploy lock found"]);
    }
    assert!(!app.locked());
    // Who waits gets its turn.
    let (one, other) = (
        app.start(&["redeploy", "-P", "--lock-wait"]),
        app.start(&["app", "boot", "--lock-wait", "--lock-wait-interval", "1"]),
    );
    for ended in [one.wait(), other.wait()] {
        assert!(ended.status.success(), "{}", ended.text);
    }
    assert!(!app.locked());
}

#[test]
fn a_rollback_says_where_it_goes_and_goes_further_the_next_time() {
    let app = App::on_one("e2e-history");
    let mut versions = vec![app.set_up()];
    for number in [2, 3] {
        app.project.write(&format!("assets/app-{number}.js"), "new\n").unwrap();
        versions.push(app.release());
        app.ok(&["deploy"]);
    }
    let [v1, v2, v3] = &versions[..] else { panic!("three versions") };
    // A version that fails is none to go back to.
    app.edit("HEALTH: ok", "HEALTH: fail");
    app.edit("deploy_timeout: 20", "deploy_timeout: 3");
    app.project.write("assets/app-4.js", "new\n").unwrap();
    let failed = app.release();
    app.fails(&["deploy"]).says(&["Failed to boot web"]);
    app.edit("HEALTH: fail", "HEALTH: ok");
    assert_eq!(app.serving(), [v3.as_str()]);
    let said = app.ok(&["rollback"]);
    for text in [&format!("Going back from {v3} to {v2}"), "live since 20", "deployed by a@b.c"] {
        assert!(said.contains(text), "{text} is not in\n{said}");
    }
    assert_eq!(app.serving(), [v2.as_str()]);
    app.ok(&["rollback", "--as-deployed"]);
    assert_eq!(app.serving(), [v1.as_str()]);
    app.fails(&["rollback"]).says(&["there is no earlier version"]);
    app.fails(&["rollback", &failed[..12].to_owned().replace(&failed[..1], "z")])
        .says(&["not available as a container"]);
    // Forward again, by the beginning of a version.
    app.ok(&["rollback", &v3[..10]]);
    assert_eq!(app.serving(), [v3.as_str()]);
}
