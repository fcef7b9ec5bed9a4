//! Commands that end halfway, and what the next one makes of it.

use kamal_core::{
    error::Error,
    event::{EventKind, Outcome},
    lock::EXPIRY,
    op::{App as AppOp, Op, Proxy},
    ports::Clock as _,
    state::ContainerState,
    testing::{Effect, Fault, How},
};

use crate::harness::{APART, App, Verb};

/// Runs an operation in which something goes wrong at the first effect of some name.
fn disturbed(app: &App, op: &Op, version: Option<&str>, what: &str, how: How) -> Result<(), Error> {
    let probe = app.fork();
    probe.perform(op, version, None).unwrap();
    let is = |effect: &Effect| effect.to_string().contains(what);
    let at = probe.fleet.effects().iter().position(is).unwrap_or_else(|| panic!("{what}"));
    app.perform(op, version, Some(Fault { at, how })).map(drop)
}

/// The lock says that somebody is at work, and that is so until the host's script has come to its end.
#[test]
fn who_stops_a_reboot_of_the_proxy_holds_the_lock_until_the_host_is_done() {
    for how in [How::Stopped, How::StoppedLate] {
        let app = App::deployed("servers: [h1]\n", "v1");
        let reboot = Op::Proxy(Proxy::Reboot { rolling: false });
        let stopped = disturbed(&app, &reboot, None, "replace kamal-proxy", how);
        assert!(matches!(stopped, Err(Error::Cancelled)), "{how:?}: {stopped:?}");
        let over = app.fleet.events().events().into_iter().filter_map(|event| match event {
            EventKind::StepFinished { step, outcome: Outcome::Ok, .. } => Some(step),
            _ => None,
        });
        let over: Vec<String> = over.collect();
        let position = |what: &str| over.iter().position(|step| step.contains(what));
        assert!(position("replace kamal-proxy").is_some(), "{how:?}: {over:?}");
        assert!(position("replace kamal-proxy") < position("release the deploy lock"), "{how:?}: {over:?}");
        assert!(app.locks().is_empty());
        app.perform_well(&reboot);
    }
}

/// Nothing goes back then, so what is old has to go: an old worker beside a new one does work twice.
#[test]
fn who_stops_a_deploy_while_old_containers_stop_has_none_left_running() {
    for how in [How::Stopped, How::StoppedLate] {
        for what in ["h1: stop app-web-v1", "h3: stop app-workers-v1"] {
            let app = App::deployed(APART, "v1");
            let stopped = disturbed(&app, &Verb::Deploy.op(), Some("v2"), what, how);
            assert!(matches!(stopped, Err(Error::Cancelled)), "{how:?} {what}: {stopped:?}");
            app.assert_converged("v2", what);
            let said = app.fleet.events().said().join("\n");
            assert!(!said.contains("went back"), "{how:?} {what}: {said}");
        }
    }
}

/// What is current is what the proxy leads to, on every host, whatever is tagged as the latest on one of them.
#[test]
fn a_deploy_that_fails_after_one_whose_end_was_cut_off_leads_all_hosts_back_to_one_version() {
    for cut_off in ["h1: tag", "h2: tag", "h3: stop app-workers-v1"] {
        let app = App::deployed(APART, "v1");
        disturbed(&app, &Verb::Deploy.op(), Some("v2"), cut_off, How::Unplugged).unwrap_err();
        app.fleet.plug_in();
        app.fleet.drive(app.fleet.clock().sleep(EXPIRY)).unwrap();
        app.fleet.sicken("v3");
        app.deploy("v3").unwrap_err();
        assert_eq!(app.versions(), ["v2"], "{cut_off}");
        let told = app.perform_well(&Op::App(AppOp::Version)).answers;
        let told: Vec<String> = told.into_iter().map(|answer| answer.outcome.unwrap().stdout).collect();
        assert_eq!(told, ["v2", "v2", "v2"], "{cut_off}");
        app.fleet.heal();
        app.deploy("v4").unwrap();
        app.assert_converged("v4", cut_off);
    }
}

/// Who is killed while docker starts a container leaves one that runs a moment after the next command has looked.
#[test]
fn a_container_that_docker_was_about_to_start_when_the_command_was_killed_is_stopped() {
    for leftover in ["app-web-v2", "app-web-v1.5"] {
        let app = App::deployed("servers: [h1]\n", "v1");
        app.fleet.change("h1", |host| {
            let mut made = host.containers[0].clone();
            (made.id, made.name) = ("c0ffee".repeat(11), leftover.parse().unwrap());
            made.state = ContainerState::Created;
            host.containers.push(made);
        });
        let (fleet, moment) = (app.fleet.clone(), app.moment_before("v2", "start app-web-v2"));
        app.fleet.clock().after(moment, move || {
            fleet.change("h1", |host| {
                let made = host.containers.iter_mut().find(|container| container.id.starts_with("c0ffee"));
                made.unwrap().state = ContainerState::Running;
            });
        });
        app.deploy("v2").unwrap();
        app.assert_converged("v2", leftover);
    }
}
