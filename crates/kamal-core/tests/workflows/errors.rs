//! What went wrong can be told without reading it, and what would put it right is apart from it.

use kamal_core::{
    error::{Error, ErrorKind, HostError},
    name::HostName,
    op::{Accessory, AccessoryTask, Deploy, Op, Prune, Rollback},
};

use crate::harness::{App, THREE, Verb};

const ONE: &str = "servers: [h1]\n";

#[test]
fn every_kind_of_failure_has_its_kind() {
    let built = Op::Deploy(Deploy { skip_push: true, ..Deploy::default() });
    let went = |app: &App, op: &Op| app.perform(op, Some("v2"), None).unwrap_err();
    let kind = |app: &App, op: &Op| went(app, op).kind();
    let deploy = Verb::Deploy.op();

    let app = App::deployed(ONE, "v1");
    app.fleet.unplug("h1");
    assert_eq!(kind(&app, &deploy), ErrorKind::Unreachable);
    app.fleet.plug_in();
    app.fleet.sicken("v2");
    assert_eq!(kind(&app, &deploy), ErrorKind::Unhealthy);
    app.fleet.heal();
    app.fleet.hook("pre-deploy", 3);
    assert_eq!(kind(&app, &deploy), ErrorKind::HookFailed);
    app.fleet.hook("pre-deploy", 0);
    app.fleet.secrets().remove("DATABASE_URL");
    assert_eq!(kind(&app, &deploy), ErrorKind::SecretMissing);
    app.fleet.secrets().put("DATABASE_URL", "postgres://x");
    app.fleet.change("h1", |host| host.docker = false);
    assert_eq!(kind(&app, &deploy), ErrorKind::DockerMissing);

    let app = App::deployed(ONE, "v1");
    assert_eq!(kind(&app, &built), ErrorKind::ImageMissing);
    let back = Op::Rollback(Rollback { to: Some("v9".parse().unwrap()), ..Rollback::default() });
    assert_eq!(kind(&app, &back), ErrorKind::VersionUnavailable);
    assert_eq!(kind(&app, &Op::Rollback(Rollback::default())), ErrorKind::VersionUnavailable);
    assert_eq!(kind(&app, &Op::Prune(Prune::Containers { retain: Some(0) })), ErrorKind::Usage);

    let mut app = App::deployed(ONE, "v1");
    app.run.expected_digest = Some("0".repeat(64));
    assert_eq!(kind(&app, &deploy), ErrorKind::PlanChanged);

    let app = App::new(ONE);
    let stranger = Accessory::new(&app.config, "db", AccessoryTask::Boot).unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::Usage);
    assert!(matches!(stranger, Error::NoAccessory { known, .. } if known.is_empty()));
    let cancelled = Error::Cancelled.kind();
    assert_eq!((cancelled, cancelled.exit_status()), (ErrorKind::Cancelled, 130));
    assert_eq!((ErrorKind::Unhealthy.exit_status(), ErrorKind::Usage.exit_status()), (13, 1));
    let known = ErrorKind::EXIT_STATUSES.map(|(status, _)| status);
    assert!(known.is_sorted() && known.contains(&ErrorKind::LockHeld.exit_status()));
}

#[test]
fn hosts_that_fail_do_so_as_one_and_keep_what_each_says() {
    let host = |name: &str| name.parse::<HostName>().unwrap();
    let stopped = |name: &str| HostError::Cancelled { host: host(name) };
    assert!(Error::of_hosts(Vec::new()).is_none());
    let all_stopped = Error::of_hosts(vec![stopped("h1"), stopped("h2")]).unwrap();
    assert!(matches!(all_stopped, Error::Cancelled), "{all_stopped}");
    let one_failed = Error::of_hosts(vec![stopped("h1"), HostError::DockerMissing { host: host("h2") }]).unwrap();
    assert_eq!((one_failed.kind(), one_failed.hints().len()), (ErrorKind::DockerMissing, 1));
    let told = one_failed.to_string();
    assert!(told.contains("h1: stopped on request") && told.contains("h2: Docker does not answer"), "{told}");
}

#[test]
fn the_cause_is_told_apart_from_who_waited_for_it() {
    let app = App::deployed("servers: {web: [h1], workers: {hosts: [h2], cmd: bin/jobs}}\n", "v1");
    app.fleet.sicken("v2");
    let error = app.deploy("v2").unwrap_err();
    let Error::Hosts(hosts) = &error else { panic!("{error}") };
    assert!(hosts.len() == 2 && error.kind() == ErrorKind::Unhealthy, "{error}");
}

#[test]
fn hints_are_apart_from_messages_and_each_is_given_once() {
    let app = App::deployed(THREE, "v1");
    for host in ["h1", "h2", "h3"] {
        app.fleet.change(host, |host| host.docker = false);
    }
    let error = app.deploy("v2").unwrap_err();
    let hints: Vec<String> = error.hints().iter().map(ToString::to_string).collect();
    assert_eq!(hints, ["run `kamal server bootstrap` to install Docker, or start it"]);
    assert!(!error.to_string().contains("bootstrap"), "{error}");

    let host = HostName::parse("h1").unwrap();
    let held = Error::LockHeld { host, details: "Locked by: Ann\n".to_owned(), by_hand: false };
    assert_eq!(held.to_string(), "Deploy lock found on h1\nLocked by: Ann");
    assert_eq!(held.hints()[0].as_str(), "run `kamal lock release` when nobody is deploying any more");
}
