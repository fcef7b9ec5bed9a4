//! `x-guard` and `x-boot`: what happens between a healthy new container and the end of the old one.

use kamal_core::{
    error::{Error, ErrorKind},
    op::Rollback,
    plan::{Kind, Stage},
    ports::Clock as _,
    step::Step,
    testing::{Fault, How, Recorder, SimContainer},
};

use crate::harness::{App, Verb, seconds};

const GUARDED: &str = "servers: {web: [h1, h2], workers: {hosts: [h3], proxy: false, cmd: bin/jobs}}\n\
    x-guard: {for: 20s, errors: 2%, latency: 500ms, requests: 50}\n";
const TOGETHER: &str = "servers: {web: [h1, h2, h3], workers: {hosts: [h4], proxy: false, cmd: bin/jobs}}\n\
    x-boot: {switch: together}\n";

fn said(recorder: &Recorder) -> String {
    format!("{:?}", recorder.events())
}

#[test]
fn a_version_that_answers_badly_goes_back_with_the_numbers_while_the_old_one_still_runs() {
    let app = App::deployed(GUARDED, "v1");
    app.fleet.spoil("v2");
    let began = app.fleet.clock().elapsed();
    let error = app.deploy("v2").unwrap_err();
    let took = app.fleet.clock().elapsed().saturating_sub(began);
    assert_eq!(error.kind(), ErrorKind::Unhealthy, "{error}");
    assert!(error.to_string().contains("5 of 100 requests (5.0 %) were answered with a 5xx"), "{error}");
    assert!(took < seconds(120), "{took:?}");
    assert_eq!(app.versions(), ["v1"]);
    // Nothing of it runs, workers included, and whoever is served never noticed.
    app.fleet.heal();
    app.deploy("v3").unwrap();
    app.assert_converged("v3", "after the guard");
}

#[test]
fn a_version_that_answers_well_is_kept_once_the_time_is_over() {
    let app = App::deployed(GUARDED, "v1");
    let began = app.fleet.clock().elapsed();
    app.deploy("v2").unwrap();
    assert!(app.fleet.clock().elapsed().saturating_sub(began) >= seconds(20));
    app.assert_converged("v2", "a good one");
    assert!(said(app.fleet.events()).contains("100 requests, 0 of them"), "what was seen is told");
}

#[test]
fn a_request_to_stop_while_it_is_watched_goes_back() {
    let app = App::deployed(GUARDED, "v1");
    let probe = app.fork();
    probe.deploy("v2").unwrap();
    let at = probe.fleet.effects().iter().position(|effect| effect.what.starts_with("keep app-web-v2")).unwrap();
    let fault = Fault { at, how: How::Stopped };
    assert!(matches!(app.operate(Verb::Deploy, "v2", Some(fault)), Err(Error::Hosts(_) | Error::Cancelled)));
    assert_eq!(app.versions(), ["v1"]);
}

#[test]
fn the_guard_is_in_the_plan_and_only_where_there_is_something_to_go_back_to() {
    let app = App::new(GUARDED);
    let watches = |app: &App, verb| {
        let plan = app.dry_run(verb, "v2").unwrap();
        let watched = plan.stages.iter().filter(|stage| stage.kind == Kind::Guard).flat_map(Stage::steps);
        let hosts: Vec<String> = watched.map(|(host, _)| host.to_string()).collect();
        (hosts, plan.to_string())
    };
    assert_eq!(watches(&app, Verb::Deploy).0, [""; 0], "nothing serves yet");
    app.deploy("v1").unwrap();
    let (hosts, text) = watches(&app, Verb::Deploy);
    assert_eq!(hosts, ["h1", "h2"], "a worker answers nobody");
    let wanted =
        "keep app-web-v2 once it answered well for 20 s (at most 2 % errors, 95 % within 500 ms; of 50 requests";
    assert!(text.contains(wanted), "{text}");
    app.deploy("v2").unwrap();
    assert_eq!(watches(&app, Verb::Redeploy).0, ["h1", "h2"]);
    let back = app.plan(&kamal_core::op::Op::Rollback(Rollback::default()), None).unwrap();
    assert!(!back.stages.iter().any(|stage| stage.kind == Kind::Guard), "whoever goes back is in a hurry");
}

#[test]
fn a_proxy_that_cannot_watch_is_refused_before_anything_starts() {
    let app = App::deployed(GUARDED, "v1");
    app.fleet.change("h2", |host| host.proxy_is_blind = true);
    let error = app.deploy("v2").unwrap_err();
    assert!(error.to_string().contains("h2: ") && error.to_string().contains("x-guard needs"), "{error}");
    assert_eq!(app.versions(), ["v1"]);
    assert!(app.fleet.host("h2").container("app-web-v2").is_none());
}

#[test]
fn hosts_switch_together_once_all_are_healthy() {
    let app = App::deployed(TOGETHER, "v1");
    app.deploy("v2").unwrap();
    app.assert_converged("v2", "together");
    let effects = app.fleet.effects();
    let positions = |what: &str| -> Vec<usize> {
        effects.iter().enumerate().filter(|(_, effect)| effect.what.starts_with(what)).map(|(at, _)| at).collect()
    };
    let (healthy, switched) =
        (positions("wait until app-web-v2 is healthy"), positions("switch app-web to app-web-v2"));
    assert_eq!((healthy.len(), switched.len()), (3, 3));
    assert!(healthy.iter().max() < switched.iter().min());
}

#[test]
fn no_host_switches_when_one_never_becomes_healthy() {
    let app = App::deployed(TOGETHER, "v1");
    app.fleet.sicken("v2");
    app.deploy("v2").unwrap_err();
    let effects = app.fleet.effects();
    assert!(!effects.iter().any(|effect| effect.what.starts_with("switch app-web to app-web-v2")));
    assert_eq!(app.versions(), ["v1"]);
    for host in ["h1", "h2", "h3", "h4"] {
        let left: Vec<_> = app.fleet.host(host).containers.into_iter().filter(SimContainer::runs).collect();
        assert_eq!(left.len(), 1, "{host}: what started is stopped again: {left:?}");
    }
    app.fleet.heal();
    app.deploy("v2").unwrap();
    app.assert_converged("v2", "again");
}

#[test]
fn a_first_deploy_together_needs_nothing_before_it() {
    let app = App::new(TOGETHER);
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.assert_converged("v1", "the first");
    let plan = app.dry_run(Verb::Deploy, "v2").unwrap();
    let kinds: Vec<Kind> =
        plan.stages.iter().map(|stage| stage.kind).filter(|kind| matches!(kind, Kind::Start | Kind::Boot)).collect();
    assert_eq!(kinds, [Kind::Start, Kind::Boot]);
    assert!(plan.stages.iter().flat_map(Stage::steps).any(|(_, step)| matches!(step, Step::AwaitHealthy(_))));
}
