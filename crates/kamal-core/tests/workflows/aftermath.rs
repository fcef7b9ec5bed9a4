//! What deploys leave on hosts that fail, or that are killed.

use kamal_core::{
    op::{Op, Rollback},
    state::ContainerState,
};

use crate::harness::{APART, App};

fn containers(app: &App, host: &str) -> Vec<String> {
    app.fleet.host(host).containers.iter().map(|container| container.name.to_string()).collect()
}

#[test]
fn of_versions_that_fail_in_a_row_the_last_one_stays_and_all_that_were_live() {
    let app = App::deployed(&format!("{APART}retain_containers: 3\n"), "v1");
    app.deploy("v2").unwrap();
    for version in ["v3", "v4", "v5", "v6"] {
        app.fleet.sicken(version);
        app.deploy(version).unwrap_err();
        assert_eq!(app.versions(), ["v2"]);
    }
    for host in ["h1", "h2"] {
        let (mut found, images) = (containers(&app, host), app.fleet.host(host).images);
        found.sort();
        assert_eq!(found, ["app-web-v1", "app-web-v2", "app-web-v6"], "{host}");
        assert!(!images.contains_key("acme/app:v4") && images.contains_key("acme/app:v1"), "{images:?}");
    }
    app.deploy("v7").unwrap();
    app.perform_well(&Op::Rollback(Rollback::default()));
    assert_eq!(app.versions(), ["v2"]);
    app.perform_well(&Op::Rollback(Rollback::default()));
    assert_eq!(app.versions(), ["v1"]);
}

/// It was live, whatever came to be live after it.
#[test]
fn a_version_that_was_rolled_back_from_stays() {
    let app = App::deployed("servers: [h1]\n", "v1");
    app.deploy("v2").unwrap();
    app.perform_well(&Op::Rollback(Rollback { to: None, as_deployed: true }));
    app.fleet.sicken("v3");
    app.deploy("v3").unwrap_err();
    assert!(containers(&app, "h1").contains(&"app-web-v2".to_owned()), "{:?}", containers(&app, "h1"));
}

/// One that was killed while the proxy checked a container leaves the service it was checked as.
#[test]
fn what_a_container_was_checked_as_is_taken_out_by_the_next_command() {
    for together in ["", "x-boot: {switch: together}\n"] {
        let app = App::deployed(&format!("servers: [h1]\n{together}"), "v1");
        // It is no role that has to be served.
        app.fleet.expect_outage();
        app.fleet.change("h1", |host| {
            let live = host.containers.iter().find(|container| container.state == ContainerState::Running);
            let id = live.unwrap().id.clone();
            host.routes.insert("app-web-next".to_owned(), id);
        });
        app.deploy("v2").unwrap();
        app.assert_converged("v2", together);
        assert!(!app.fleet.host("h1").routes.contains_key("app-web-next"), "{together:?}");
    }
}
