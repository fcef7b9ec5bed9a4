//! Who waits for whom: the gate between roles, groups, big fleets.

use kamal_core::{
    cancel::Cancel,
    error::{Error, HostError},
    event::EventKind,
    op::{Op, Rollback},
    ports::Clock,
    run,
};

use crate::harness::{APART, App, THREE, TOGETHER, Verb, seconds};

/// When a step began, on a host.
fn began(app: &App, host: &str, step: &str) -> Option<usize> {
    let events = app.fleet.events().events();
    events.iter().position(|event| {
        matches!(event, EventKind::StepStarted { host: Some(at), step: what, .. } if *at == *host && what.starts_with(step))
    })
}

fn ended(app: &App, host: &str, step: &str) -> Option<usize> {
    let events = app.fleet.events().events();
    events.iter().position(|event| {
        matches!(event, EventKind::StepFinished { host: Some(at), step: what, .. } if *at == *host && what.starts_with(step))
    })
}

#[test]
fn other_roles_start_after_the_first_healthy_primary() {
    for seed in 0..20 {
        let app = App::deployed(APART, "v1");
        app.fleet.reseed(seed);
        app.deploy("v2").unwrap();
        let first = ["h1", "h2"].iter().filter_map(|host| ended(&app, host, "switch")).min();
        assert!(began(&app, "h3", "start") > first && first.is_some(), "seed {seed}");
        app.assert_converged("v2", "apart");
    }
}

#[test]
fn a_failing_primary_halts_the_others_and_nobody_hangs() {
    for yaml in [APART, TOGETHER] {
        for seed in 0..10 {
            let app = App::deployed(yaml, "v1");
            let before = app.fleet.serving();
            app.fleet.reseed(seed);
            app.fleet.sicken("v2");
            let error = app.deploy("v2").unwrap_err();
            let Error::Hosts(errors) = &error else { panic!("{error}") };
            let halted = errors.iter().filter(|error| matches!(error, HostError::Halted { .. })).count();
            assert_eq!(halted, usize::from(yaml == APART), "{error}");
            assert_eq!(began(&app, "h3", "start"), None);
            assert_eq!(app.fleet.serving(), before, "{yaml}");
            assert_eq!(app.fleet.violations(), [""; 0]);
            assert!(app.locks().is_empty());
            let said = app.fleet.events().said().join("\n");
            let closed = said.matches("First container is unhealthy on h").count();
            assert_eq!(closed, usize::from(yaml == APART || closed == 1), "{said}");
            app.fleet.heal();
            app.deploy("v2").unwrap();
            app.assert_converged("v2", yaml);
        }
    }
}

#[test]
fn one_sick_host_takes_all_back() {
    for seed in 0..10 {
        let app = App::deployed(THREE, "v1");
        app.fleet.reseed(seed);
        let before = app.fleet.serving();
        // The proxy does not answer on this host alone, while the others switch.
        app.fleet.change("h2", |host| host.proxy = Some(kamal_core::state::ContainerState::Paused));
        let error = app.operate(Verb::Redeploy, "v2", None).unwrap_err();
        assert!(matches!(&error, Error::Hosts(errors) if errors.len() == 1), "{error}");
        assert_eq!(app.fleet.serving(), before, "seed {seed}");
        let said = app.fleet.events().said().join("\n");
        assert!(said.contains("web on h1 went back to app-web-v1"), "{said}");
        assert_eq!(app.fleet.violations(), [""; 0]);
    }
}

#[test]
fn groups_boot_one_after_another_and_wait() {
    let app = App::deployed("servers: [h1, h2, h3, h4, h5]\nboot: {limit: 2, wait: 10}\n", "v1");
    let from = app.fleet.clock().elapsed();
    app.deploy("v2").unwrap();
    app.assert_converged("v2", "groups");
    for (early, late) in [("h1", "h3"), ("h2", "h3"), ("h1", "h4"), ("h3", "h5"), ("h4", "h5")] {
        let (stopped, started) = (ended(&app, early, "stop app-web-v1"), began(&app, late, "start app-web-v2"));
        assert!(stopped.is_some() && stopped < started, "{early} before {late}");
    }
    assert!(app.fleet.clock().elapsed() - from >= seconds(20));
}

#[test]
fn a_failing_group_leaves_the_groups_before_it_and_those_after_it_alone() {
    let app = App::deployed("servers: [h1, h2, h3, h4]\nboot: {limit: 1}\n", "v1");
    app.fleet.change("h3", |host| host.proxy = Some(kamal_core::state::ContainerState::Paused));
    app.operate(Verb::Redeploy, "v2", None).unwrap_err();
    let versions: Vec<String> = app.fleet.serving().iter().map(|serving| serving.version.to_string()).collect();
    assert_eq!(versions, ["v2", "v2", "v1", "v1"]);
    assert!(app.locks().is_empty());
    assert_eq!(app.fleet.violations(), [""; 0]);
}

#[test]
fn fifty_hosts_deploy_alike_every_time_and_as_fast_as_one() {
    let hosts: Vec<String> = (1..=50).map(|n| format!("h{n}")).collect();
    let yaml = format!("servers: [{}]\n", hosts.join(", "));
    let run = |yaml: &str| {
        let app = App::deployed(yaml, "v1");
        let from = app.fleet.clock().elapsed();
        app.deploy("v2").unwrap();
        app.assert_converged("v2", "fleet");
        let most = hosts.iter().map(|host| app.fleet.events().round_trips(host).len()).max();
        (app.fleet.effects(), most, app.fleet.clock().elapsed() - from)
    };
    let (effects, most, took) = run(&yaml);
    assert_eq!(effects, run(&yaml).0);
    assert!(most <= Some(6), "{most:?}");
    let alone = run("servers: [h1]\n").2;
    assert!(took < 3 * alone, "{took:?} against {alone:?}");
}

#[test]
fn the_version_before_is_found_for_a_rollback() {
    let app = App::deployed(APART, "v1");
    let back = Op::Rollback(Rollback::default());
    let error = app.perform(&back, None, None).unwrap_err();
    assert!(error.to_string().contains("no earlier version"), "{error}");
    app.deploy("v2").unwrap();
    app.deploy("v3").unwrap();
    app.perform_well(&back);
    app.assert_converged("v2", "rollback");
}

#[test]
fn a_version_no_host_has_cannot_be_rolled_back_to() {
    let app = App::deployed(THREE, "v1");
    let before = app.fleet.host("h1").containers;
    let error = app.operate(Verb::Rollback, "v0", None).unwrap_err();
    assert!(matches!(&error, Error::VersionUnavailable { hosts, .. } if hosts.contains("h1")), "{error}");
    assert_eq!(app.fleet.host("h1").containers, before);
    assert!(app.locks().is_empty());
}

#[test]
fn missing_secrets_are_found_before_anything_happens() {
    let app = App::new(THREE);
    app.fleet.secrets().remove("DATABASE_URL");
    app.fleet.secrets().remove("REGISTRY_PASSWORD");
    app.fleet.hook("pre-connect", 0);
    let Error::Secrets(missing) = app.deploy("v1").unwrap_err() else { panic!("not about secrets") };
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert_eq!(missing[1].key, "DATABASE_URL");
    assert!(missing[1].needed_by.iter().any(|who| who.contains("role web")), "{missing:?}");
    assert_eq!(app.fleet.effects(), []);
}

#[test]
fn what_the_proxy_reads_from_files_is_looked_up_first_too() {
    let app = App::new("servers: [h1]\nx-proxy: {basic_auth: USERS}\n");
    let Error::Secrets(missing) = app.deploy("v1").unwrap_err() else { panic!("not about secrets") };
    assert_eq!((&*missing[0].key, &*missing[0].needed_by), ("USERS", &["x-proxy/basic_auth".to_owned()][..]));
    assert_eq!(app.fleet.effects(), []);
}

#[test]
fn a_deploy_can_be_spawned() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let app = App::new("servers: [h1]\n");
    let run = app.asking(Some("v1"));
    let cx = app.cx(&run, Cancel::never());
    app.fleet.drive(assert_send(run::run(&cx, &Verb::Deploy.op()))).unwrap().unwrap();
    app.fleet.drive(assert_send(run::plan(&cx, &Verb::Setup.op()))).unwrap().unwrap();
}
