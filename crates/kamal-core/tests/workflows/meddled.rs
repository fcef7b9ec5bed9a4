//! Hosts somebody or something has meddled with: what a deploy does about it.

use kamal_core::{state::ContainerState, testing::SimHost};

use crate::harness::{App, THREE};

/// What becomes of a host.
type Meddling = fn(&mut SimHost);

#[test]
fn a_frozen_container_is_woken_to_be_stopped() {
    let app = App::deployed(THREE, "v1");
    app.deploy("v2").unwrap();
    app.fleet.change("h2", |host| {
        let old = host.containers.iter_mut().find(|container| container.name == "app-web-v1");
        old.unwrap().state = ContainerState::Paused;
    });
    app.deploy("v3").unwrap();
    app.assert_converged("v3", "with a frozen container");
    let paused = |host: &str| app.fleet.host(host).containers.iter().any(|one| one.state == ContainerState::Paused);
    assert!(!paused("h2"), "{:?}", app.fleet.host("h2").containers);
}

#[test]
fn a_proxy_that_lost_its_network_is_joined_to_it_again() {
    let app = App::deployed(THREE, "v1");
    app.fleet.change("h2", |host| host.proxy_cut_off = true);
    app.deploy("v2").unwrap();
    assert!(!app.fleet.host("h2").proxy_cut_off);
    app.assert_converged("v2", "with a proxy that was cut off");
}

#[test]
fn a_proxy_that_dies_right_after_the_switch_fails_the_deploy() {
    let dies: [(&str, Meddling); 2] =
        [("dead", |host| host.proxy = Some(ContainerState::Exited)), ("cut off", |host| host.proxy_cut_off = true)];
    for (what, dies) in dies {
        let app = App::deployed("servers: [h1]\n", "v1");
        let moment = app.moment_before("v2", "check that kamal-proxy serves");
        let fleet = app.fleet.clone();
        app.fleet.expect_outage();
        app.fleet.clock().after(moment, move || fleet.change("h1", dies));
        let error = app.deploy("v2").unwrap_err().to_string();
        assert!(error.contains("check that kamal-proxy serves"), "{what}: {error}");
        assert!(app.locks().is_empty(), "{what}");
        app.deploy("v2").unwrap();
        app.assert_converged("v2", what);
    }
}
