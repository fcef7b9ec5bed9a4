//! Operations that go well.

use kamal_core::event::Phase;

use crate::harness::{APART, App, THREE, TOGETHER, Verb};

#[test]
fn one_host_from_nothing_and_again() {
    let app = App::new("servers: [h1]\n");
    app.deploy("v1").unwrap();
    app.assert_converged("v1", "first");
    app.deploy("v2").unwrap();
    app.assert_converged("v2", "second");
    let old = app.fleet.host("h1");
    assert!(old.container("app-web-v1").is_some_and(|container| !container.runs()));
    assert_eq!(
        app.fleet.events().phases(),
        [
            Phase::Locked,
            Phase::Built,
            Phase::Delivered,
            Phase::Booting,
            Phase::Switched,
            Phase::Drained,
            Phase::Pruned,
            Phase::Done
        ]
    );
}

#[test]
fn a_warm_deploy_costs_few_round_trips() {
    let app = App::deployed("servers: [h1]\n", "v1");
    app.deploy("v2").unwrap();
    let trips = app.fleet.events().round_trips("h1");
    assert!(trips.len() <= 6, "{trips:?}");
}

#[test]
fn every_shape_of_fleet() {
    for yaml in [THREE, APART, TOGETHER] {
        let app = App::new(yaml);
        for version in ["v1", "v2", "v3", "v4"] {
            app.deploy(version).unwrap();
            app.assert_converged(version, yaml);
        }
        let host = app.fleet.host("h1");
        let stopped = host.containers.iter().filter(|container| !container.runs()).count();
        assert_eq!(stopped, 2, "retain_containers: {:?}", host.containers);
        assert!(!host.images.contains_key("acme/app:v1"), "{:?}", host.images);
    }
}

#[test]
fn setup_installs_docker_and_redeploy_leaves_the_proxy_alone() {
    let app = App::new(APART);
    app.fleet.change("h2", |host| host.docker = false);
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.assert_converged("v1", "setup");
    assert!(app.fleet.host("h2").docker);
    app.operate(Verb::Redeploy, "v2", None).unwrap();
    app.assert_converged("v2", "redeploy");
}
