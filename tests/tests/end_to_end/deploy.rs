//! Deploys that go well: no request is lost, few round trips are made, and a dry run changes nothing.

use kamal_tests::{app::App, rig::rig};

#[test]
fn no_request_fails_while_versions_change() {
    let app = App::on_one("e2e-load");
    let first = app.set_up();
    let load = app.load();
    let second = app.release();
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [second.as_str()]);
    app.ok(&["rollback"]);
    assert_eq!(app.serving(), [first.as_str()]);
    app.ok(&["redeploy"]);
    let tally = load.stop();
    assert_eq!(app.serving(), [second.as_str()], "redeploy is of the commit");
    assert_eq!(tally.failed, Vec::<String>::new(), "{tally:?}");
    let seen: Vec<&String> = tally.versions.iter().map(|(version, _)| version).collect();
    assert_eq!(seen, [&first, &second]);
    assert!(tally.sent > 100, "{tally:?}");
    assert_eq!(app.states(&second), ["running"]);
    assert_eq!(app.states(&first), ["exited"]);
}

#[test]
fn a_warm_deploy_costs_ten_round_trips_at_most() {
    let app = App::on_one("e2e-trips");
    app.set_up();
    app.release();
    let printed = app.ok(&["deploy", "--timings"]);
    let line = printed.lines().find(|line| line.contains(" round trips")).unwrap_or_else(|| panic!("{printed}"));
    assert!(line.contains(&app.host().address.to_string()), "{line}");
    let (before, _) = line.split_once(" round trips").unwrap();
    let count: u32 = before.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((1..=10).contains(&count), "{printed}");
}

#[test]
fn a_dry_run_changes_nothing() {
    let app = App::on_one("e2e-dry");
    let address = app.host().address.to_string();
    let first = app.release();
    let before = app.effects();
    app.kamal(&["setup", "--dry-run"]).says(&["Plan to setup e2e-dry", &first, &address]);
    assert_eq!(app.effects(), before);

    app.set_up();
    let second = app.release();
    let before = app.effects();
    app.kamal(&["deploy", "--dry-run"]).says(&["Plan to deploy e2e-dry", &second, &address, "build the image"]);
    assert_eq!(app.effects(), before);
    let pulled = rig().docker_shell(app.host().number, &format!("docker pull 10.77.0.1:5000/e2e-dry:{second}"));
    assert!(pulled.contains("not found") || pulled.contains("manifest unknown"), "it was pushed: {pulled}");

    app.ok(&["deploy"]);
    let before = app.effects();
    let again = app.ok(&["deploy", "--dry-run"]);
    assert!(again.contains("Nothing to do: ") && again.contains("would only restart it"), "{again}");
    assert_eq!(app.effects(), before);
    assert_eq!(app.serving(), [second]);
}
