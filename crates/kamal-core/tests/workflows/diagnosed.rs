//! Containers that do not come up are looked into, on every host where one does not.

use kamal_core::{
    diagnosis::{Answer, Cause, Evidence, Listener, Response},
    error::{Error, ErrorKind, HostError},
    op::{App as AppOp, Op},
    state::ContainerState,
};

use crate::harness::{APART, App, THREE};

fn hosts(error: &Error) -> &[HostError] {
    let Error::Hosts(errors) = error else { panic!("{error}") };
    errors
}

fn listens(port: u16, log: &str) -> Evidence {
    Evidence {
        state: Some(ContainerState::Running),
        listeners: Some(vec![Listener { port, loopback: false }]),
        answer: Answer::Refused,
        log: vec![log.to_owned()],
        ..Evidence::default()
    }
}

#[test]
fn every_host_that_failed_says_why_under_its_name() {
    let app = App::deployed(THREE, "v1");
    app.fleet.sicken_with("v2", listens(3000, "listening on 3000"));
    let error = app.deploy("v2").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unhealthy);
    let told = error.to_string();
    for (host, found) in ["h1", "h2", "h3"].iter().zip(hosts(&error)) {
        let diagnosis = found.diagnosis().unwrap();
        assert_eq!((found.host().as_str(), diagnosis.cause), (*host, Cause::OtherPort));
        assert_eq!(diagnosis.log, ["listening on 3000"]);
        assert!(told.contains(&format!("\n{host}: could not switch")), "{told}");
    }
    assert_eq!(told.matches("nothing listens on port 80; it listens on 3000").count(), 3, "{told}");
    assert_eq!(told.matches("listening on 3000").count(), 3, "{told}");
    // The one change that helps is the same on all.
    let hints: Vec<String> = error.hints().iter().map(ToString::to_string).collect();
    assert_eq!(hints, ["set `proxy/app_port: 3000`, or have the app listen on 80"]);
}

#[test]
fn what_was_expected_is_what_deploy_yml_says() {
    let yaml = "servers: [h1]\ndeploy_timeout: 7\nproxy: {app_port: 3000, healthcheck: {path: health, timeout: 2}}\n";
    let app = App::deployed(yaml, "v1");
    let responded = |status| Answer::Response(Response { status, ..Response::default() });
    for (answer, cause, piece) in [
        (responded(404), Cause::NotFound, "/health with 404"),
        (responded(200), Cause::TooSlow, "within 7 s"),
        (Answer::Silent, Cause::SlowAnswer, "within 2 s"),
    ] {
        let evidence = Evidence { ran: Some(8), answer, ..listens(3000, "") };
        app.fleet.sicken_with("v2", evidence);
        let error = app.deploy("v2").unwrap_err();
        let diagnosis = hosts(&error)[0].diagnosis().unwrap();
        assert_eq!(diagnosis.cause, cause);
        assert!(diagnosis.said.contains(piece), "{}", diagnosis.said);
    }
}

/// A container nothing leads to is not asked, and one that is started by another command than a deploy is looked into too.
#[test]
fn other_roles_and_other_commands() {
    let app = App::deployed(APART, "v1");
    let ended = Evidence { state: Some(ContainerState::Exited), exit_code: 3, ..Evidence::default() };
    app.fleet.sicken_with("v1", ended);
    app.fleet.expect_outage();
    app.perform_well(&Op::App(AppOp::Stop));
    let error = app.perform(&Op::App(AppOp::Start), Some("v1"), None).unwrap_err();
    let causes: Vec<_> = hosts(&error).iter().map(|found| found.diagnosis().map(|found| found.cause)).collect();
    assert!(!causes.is_empty() && causes.iter().all(|cause| *cause == Some(Cause::Exited)), "{error}");
}
