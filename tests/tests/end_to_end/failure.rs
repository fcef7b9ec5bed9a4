//! Deploys that fail: the old version keeps serving, on all hosts, and the message says why the new one did not.

use std::time::Duration;

use kamal_tests::{app::App, rig::rig};

#[test]
fn a_container_killed_while_its_health_is_checked() {
    let app = App::on_one("e2e-killed");
    let first = app.set_up();
    app.edit("deploy_timeout: 20", "deploy_timeout: 50");
    app.edit("HEALTH: ok", "HEALTH: fail");
    let second = app.release();
    let load = app.load();
    let deploy = app.start(&["deploy"]);
    app.await_running(&second);
    rig().docker_shell(app.host().number, &format!("docker kill {}", app.container(&second)));
    let ended = deploy.wait();
    let tally = load.stop();
    assert_eq!(ended.status.code(), Some(13), "{}", ended.text);
    // What the app logged last, and how it ended.
    ended.says(&[
        &app.host().address.to_string(),
        "stopped while its health was checked",
        "refusing health checks",
        "exit code 137 (killed",
    ]);
    assert!(ended.took < Duration::from_secs(25), "it waited for what cannot come: {:?}\n{}", ended.took, ended.text);
    assert_eq!(tally.failed, Vec::<String>::new(), "{tally:?}");
    assert_eq!(tally.versions.len(), 1, "{:?}", tally.versions);
    assert_eq!(app.serving(), [first]);
    assert!(!app.locked(), "the lock was left behind");
}

#[test]
fn an_unhealthy_container() {
    let app = App::on_one("e2e-unhealthy");
    let first = app.set_up();
    app.edit("deploy_timeout: 20", "deploy_timeout: 5");
    app.edit("HEALTH: ok", "HEALTH: fail");
    let second = app.release();
    let load = app.load();
    let ended = app.fails(&["deploy"]);
    let tally = load.stop();
    ended.says(&[&app.host().address.to_string(), "last log lines", "health check refused"]);
    assert!(ended.took > Duration::from_secs(5), "{:?}", ended.took);
    assert_eq!(tally.failed, Vec::<String>::new(), "{tally:?}");
    assert_eq!(app.serving(), [first.as_str()]);
    assert_eq!(app.states(&second), ["exited"], "what failed is stopped");
    assert!(!app.locked(), "the lock was left behind");

    app.edit("HEALTH: fail", "HEALTH: ok");
    let third = app.release();
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [third]);
    assert_eq!(app.states(&first), ["exited"]);
}

#[test]
fn a_container_that_crashes_at_start() {
    let app = App::on_one("e2e-crash");
    let first = app.set_up();
    app.edit("deploy_timeout: 20", "deploy_timeout: 6");
    app.edit("HEALTH: ok", "HEALTH: crash");
    app.release();
    let ended = app.fails(&["deploy"]);
    ended.says(&["crashing at start, because HEALTH=crash", "restarted "]);
    assert_eq!(app.serving(), [first]);
    assert!(!app.locked(), "the lock was left behind");
}

#[test]
fn one_host_of_two_fails_and_both_keep_the_old_version() {
    let app = App::on_two("e2e-both");
    let first = app.set_up();
    let sick = app.hosts()[1].address;
    app.edit(&format!("{sick}]"), &format!("{{{sick}: [sick]}}]"));
    app.edit("secret: [API_KEY]", "secret: [API_KEY], tags: {sick: {HEALTH: fail}}");
    app.edit("deploy_timeout: 20", "deploy_timeout: 5");
    let second = app.release();
    let load = app.load();
    let ended = app.fails(&["deploy"]);
    let tally = load.stop();
    ended.says(&[&sick.to_string(), "health check refused", "went back to"]);
    assert_eq!(tally.failed, Vec::<String>::new(), "{tally:?}");
    assert_eq!(app.serving(), [first.clone(), first.clone()]);
    assert_eq!(app.states(&first), ["running", "running"]);
    assert_eq!(app.states(&second), ["exited", "exited"]);
    assert!(!app.locked(), "the lock was left behind");

    app.edit("HEALTH: fail", "HEALTH: ok");
    let third = app.release();
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [third.clone(), third]);
}
