//! `x-guard` and `x-boot`: between a healthy new version and the end of the old one.

use std::time::Duration;

use kamal_tests::{app::App, rig::rig};

/// A version that answers one request in twenty with an error goes back within the time it is watched; a good one is kept.
#[test]
fn a_version_that_answers_badly_goes_back_and_a_good_one_is_kept() {
    let app = App::on_two("e2e-guard");
    let first = app.set_up();
    app.edit("deploy_timeout: 20", "deploy_timeout: 20\nx-guard: {for: 40s, errors: 2%}\nx-boot: {switch: together}");
    app.edit("HEALTH: ok", "HEALTH: shaky");
    app.release();
    let load = app.load();
    let ended = app.fails(&["deploy"]);
    let tally = load.stop();
    ended.says(&["requests (", "%) were answered with a 5xx, and 2 % may be", "went back to"]);
    assert!(ended.took < Duration::from_secs(40), "{:?}\n{}", ended.took, ended.text);
    assert!(tally.failed.iter().all(|reason| reason.contains("500")), "{:?}", tally.failed);
    assert_eq!(app.serving(), [first.clone(), first.clone()]);
    assert!(!app.locked(), "the lock was left behind");

    app.edit("HEALTH: shaky", "HEALTH: ok");
    app.edit("for: 40s", "for: 5s");
    let second = app.release();
    let load = app.load();
    let said = app.ok(&["deploy"]);
    let tally = load.stop();
    assert!(said.contains("requests in 5s, 0 of them answered with a 5xx"), "{said}");
    assert_eq!(tally.failed, Vec::<String>::new(), "{tally:?}");
    assert_eq!(app.serving(), [second.clone(), second]);
    for host in app.hosts() {
        let known = rig().docker_shell(host.number, "docker exec kamal-proxy kamal-proxy list");
        assert!(!known.contains("-next"), "what was asked for health is taken out again: {known}");
    }
}
