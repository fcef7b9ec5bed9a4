//! `rollout`: a version beside the one that is live.

use kamal_core::{
    error::{Error, ErrorKind, HostError},
    op::{App as AppOp, Deploy, Op, Rollout},
    plan::{Kind, Stage},
    state::ContainerState,
    testing::{Fault, How, SimHost},
};

use crate::harness::{APART, App, Verb};

const CAREFUL: &str = "servers: {web: [h1, h2], workers: {hosts: [h3], proxy: false, cmd: bin/jobs}}\n\
    x-release: {cmd: bin/migrate}\nx-guard: {for: 20s, errors: 2%, requests: 50}\n";

const PROMOTE: Op = Op::Rollout(Rollout::Promote);
const ABORT: Op = Op::Rollout(Rollout::Abort);

fn begin(percent: u8) -> Op {
    Op::Rollout(Rollout::Deploy { how: Deploy::default(), percent })
}

fn set(percent: u8) -> Op {
    Op::Rollout(Rollout::Set { percent })
}

/// An app with v1, and v2 beside it for a part of the requests.
fn split(yaml: &str, percent: u8) -> App {
    let app = App::deployed(yaml, "v1");
    app.perform(&begin(percent), Some("v2"), None).unwrap();
    app
}

fn runs(host: &SimHost, name: &str) -> bool {
    host.container(name).is_some_and(|found| found.state == ContainerState::Running)
}

/// How many of a hundred requests a host's proxy leads to what is beside the service, and the version that is.
fn beside(app: &App, host: &str) -> Option<(u8, String)> {
    let host = app.fleet.host(host);
    let (id, split) = host.beside.get("app-web")?;
    let found = host.containers.iter().find(|found| found.id == *id)?;
    Some(((*split)?, found.version().to_string()))
}

fn refusal(error: &Error) -> String {
    let Error::Hosts(errors) = error else { panic!("{error}") };
    assert!(errors.iter().all(|error| matches!(error, HostError::Unfit { .. })), "{errors:?}");
    format!("{error} {}", error.hints().iter().map(ToString::to_string).collect::<String>())
}

#[test]
fn a_version_gets_its_part_of_the_requests_and_is_promoted() {
    let app = split(APART, 10);
    assert_eq!(app.versions(), ["v1"], "what is live is what it was");
    for host in ["h1", "h2"] {
        assert_eq!(beside(&app, host), Some((10, "v2".to_owned())));
        let host = app.fleet.host(host);
        assert!(runs(&host, "app-web-v1") && runs(&host, "app-web-v2"));
    }
    assert!(app.fleet.host("h3").container("app-workers-v2").is_none(), "workers come with the promotion");
    app.perform_well(&set(50));
    assert_eq!(beside(&app, "h2"), Some((50, "v2".to_owned())));
    app.perform_well(&set(0));
    assert_eq!(beside(&app, "h2"), Some((0, "v2".to_owned())));
    let tried = app.fleet.host("h1").container("app-web-v2").unwrap().id.clone();
    app.perform_well(&PROMOTE);
    app.assert_converged("v2", "promoted");
    assert_eq!(beside(&app, "h1"), None);
    assert_eq!(app.fleet.host("h1").container("app-web-v2").unwrap().id, tried, "it is the container that was tried");
    assert!(app.fleet.host("h1").rollouts.is_empty());
    // It is a version like any other then.
    app.deploy("v3").unwrap();
    app.operate(Verb::Rollback, "v2", None).unwrap();
    app.assert_converged("v2", "gone back to");
}

#[test]
fn what_is_given_up_leaves_nothing_and_takes_no_request_along() {
    let app = split(APART, 30);
    app.perform_well(&ABORT);
    app.assert_converged("v1", "given up");
    for host in ["h1", "h2"] {
        assert_eq!(beside(&app, host), None);
        let host = app.fleet.host(host);
        assert!(host.container("app-web-v2").is_none() && host.rollouts.is_empty());
    }
    // The same again has nothing to do, and says so.
    for op in [ABORT, PROMOTE] {
        let report = app.perform_well(&op);
        assert!(report.plan.is_empty(), "{:?}", report.plan);
        assert!(app.fleet.events().said().join("\n").contains("No rollout is under way"));
    }
    let error = app.perform(&set(10), None, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    app.deploy("v3").unwrap();
    app.assert_converged("v3", "after one that was given up");
}

#[test]
fn nothing_else_replaces_containers_while_it_is_under_way() {
    let app = split(APART, 10);
    for (op, asked) in [
        (Verb::Deploy.op(), Some("v3")),
        (Verb::Setup.op(), Some("v3")),
        (Verb::Rollback.op(), Some("v1")),
        (Op::App(AppOp::Boot), Some("v1")),
        (begin(10), Some("v3")),
    ] {
        let before = app.fleet.host("h1");
        let said = refusal(&app.perform(&op, asked, None).unwrap_err());
        assert!(said.contains("a rollout of v2 at 10 % is under way"), "{}: {said}", op.row().name());
        assert!(said.contains("kamal rollout promote") && said.contains("kamal rollout abort"), "{said}");
        assert_eq!(app.fleet.host("h1").containers, before.containers);
        assert!(app.locks().is_empty());
    }
    // It is not stale either, and goes with the app.
    app.perform_well(&Op::App(AppOp::StaleContainers { stop: true }));
    assert!(runs(&app.fleet.host("h1"), "app-web-v2"));
    app.fleet.expect_outage();
    app.perform_well(&Op::App(AppOp::Remove));
    assert!(app.fleet.host("h1").containers.is_empty() && app.fleet.host("h1").rollouts.is_empty());
}

#[test]
fn it_takes_a_version_that_is_live_and_another_one() {
    let app = App::new(APART);
    let said = refusal(&app.perform(&begin(0), Some("v1"), None).unwrap_err());
    assert!(said.contains("no version of web is live yet") && said.contains("kamal deploy"), "{said}");
    app.deploy("v1").unwrap();
    let said = refusal(&app.perform(&begin(0), Some("v1"), None).unwrap_err());
    assert!(said.contains("v1 is what is live as web"), "{said}");
    let error = app.perform(&begin(101), Some("v2"), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    let app = App::deployed("servers: {jobs: {hosts: [h1], proxy: false}}\nprimary_role: jobs\n", "v1");
    assert_eq!(app.perform(&begin(0), Some("v2"), None).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn a_version_that_does_not_come_up_gets_no_request() {
    let app = App::deployed(APART, "v1");
    app.fleet.sicken("v2");
    let error = app.perform(&begin(10), Some("v2"), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unhealthy, "{error}");
    app.assert_converged("v1", "one that is sick");
    assert!(app.fleet.host("h1").rollouts.is_empty() && app.fleet.host("h1").beside.is_empty());
    app.deploy("v3").unwrap();
    app.assert_converged("v3", "after one that is sick");
}

#[test]
fn one_that_dies_meanwhile_is_promoted_anew_or_given_up() {
    for op in [PROMOTE, ABORT] {
        let app = split(APART, 0);
        app.fleet.change("h1", |host| {
            let tried = host.containers.iter_mut().find(|found| found.name == "app-web-v2");
            tried.unwrap().state = ContainerState::Exited;
        });
        app.perform_well(&op);
        app.assert_converged(if op == PROMOTE { "v2" } else { "v1" }, "one that died");
    }
}

#[test]
fn a_promotion_that_was_cut_off_can_be_taken_back_as_well() {
    for what in [
        "lead all of app-web",
        "switch app-web to app-web-v2",
        "start app-workers-v2",
        "h1: stop app-web-v1",
        "h1: tag",
    ] {
        let app = split(APART, 10);
        let probe = app.fork();
        probe.perform_well(&PROMOTE);
        let effects = probe.fleet.effects();
        let at =
            effects.iter().position(|effect| effect.to_string().contains(what)).unwrap_or_else(|| panic!("{what}"));
        drop(app.perform(&PROMOTE, None, Some(Fault { at, how: How::KilledLate })));
        // What was stopped on some hosts is started again, and may answer for the others before.
        app.fleet.expect_outage();
        app.perform_well(&ABORT);
        app.assert_converged("v1", what);
        assert!(app.fleet.host("h1").container("app-web-v2").is_none(), "{what}");
    }
}

#[test]
fn a_release_command_runs_before_anybody_is_led_there_and_the_guard_watches_who_is_promoted() {
    let app = App::deployed(CAREFUL, "v1");
    let kinds = |op: &Op, version: Option<&str>| {
        let stages = app.plan(op, version).unwrap().stages;
        stages.iter().map(|stage: &Stage| stage.kind).collect::<Vec<_>>()
    };
    let beginning = kinds(&begin(10), Some("v2"));
    let position = |kind| beginning.iter().position(|found| *found == kind);
    assert!(position(Kind::Release) < position(Kind::Start) && position(Kind::Start) < position(Kind::Split));
    assert!(position(Kind::Release).is_some() && position(Kind::Guard).is_none(), "{beginning:?}");
    app.perform(&begin(10), Some("v2"), None).unwrap();
    let promotion = kinds(&PROMOTE, None);
    assert!(promotion.contains(&Kind::Guard) && !promotion.contains(&Kind::Release), "{promotion:?}");
    // One that answers badly once all are led to it goes back, and is not under way any more for anybody.
    app.fleet.spoil("v2");
    app.perform(&PROMOTE, None, None).unwrap_err();
    assert_eq!(app.versions(), ["v1"]);
    assert_eq!(beside(&app, "h1"), None);
    app.perform_well(&ABORT);
    app.assert_converged("v1", "given up after its promotion failed");
}

#[test]
fn hooks_run_as_by_a_deploy() {
    let app = App::deployed(APART, "v1");
    for hook in ["pre-connect", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"] {
        app.fleet.hook(hook, 0);
    }
    let ran = |op: &Op, version: Option<&str>| {
        app.perform(op, version, None).unwrap();
        let ran = app.fleet.ran();
        let hooks = ran.iter().filter_map(|ran| ran.command.rsplit_once("hooks/")).map(|(_, hook)| hook.to_owned());
        hooks.collect::<Vec<_>>()
    };
    let began = ran(&begin(10), Some("v2"));
    assert_eq!(began, ["pre-connect", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot"]);
    let promoted = ran(&PROMOTE, None);
    assert_eq!(promoted, ["pre-connect", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"]);
}
