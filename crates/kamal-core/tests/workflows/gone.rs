//! What the configuration had once: its containers are told of, can be named, and are not overlooked by what comes.

use kamal_core::{
    error::Error,
    name::RoleName,
    op::{App as AppOp, Op},
    targets::{Selection, SelectionError, Targets},
};

use crate::harness::{App, Verb};

const BOTH: &str = "servers: {web: [h1], jobs: {hosts: [h1, h2], cmd: bin/jobs}}\n";

fn select(app: &App, hosts: Option<&str>, role: &str, gone: bool) -> Result<Targets, SelectionError> {
    let hosts = hosts.map(|host| vec![host.to_owned()]);
    Targets::select(&app.config, &Selection { hosts, roles: Some(vec![role.to_owned()]), primary: false, gone })
}

fn running(app: &App, host: &str, role: &str) -> usize {
    app.fleet.host(host).running(&RoleName::parse(role).unwrap()).count()
}

#[test]
fn a_role_that_is_gone_is_stopped_where_it_is_left() {
    let mut app = App::deployed(BOTH, "v1");
    app.becomes("servers: {web: [h1, h2]}\n");
    let notes = app.dry_run(Verb::Deploy, "v2").unwrap().notes.join("\n");
    for host in ["h1", "h2"] {
        assert!(notes.contains(&format!("`kamal app stop -r jobs -h {host}`")), "{notes}");
    }
    // What would start something must not name it.
    assert!(matches!(select(&app, None, "jobs", false), Err(SelectionError::Roles { .. })));

    app.targets = select(&app, Some("h2"), "jobs", true).unwrap();
    app.perform_well(&Op::App(AppOp::Stop));
    assert_eq!((running(&app, "h1", "jobs"), running(&app, "h2", "jobs"), running(&app, "h1", "web")), (1, 0, 1));
    app.targets = select(&app, None, "jobs", true).unwrap();
    app.perform_well(&Op::App(AppOp::Remove));
    assert_eq!((running(&app, "h1", "jobs"), running(&app, "h1", "web")), (0, 1));
    let held = app.fleet.host("h1");
    assert!(held.images.contains_key("acme/app:v1"), "images are of all roles");
    let left = |what: &AppOp| app.perform(&Op::App(what.clone()), None, None).unwrap_err();
    for what in [AppOp::Stop, AppOp::Details, AppOp::Remove] {
        let error = left(&what);
        assert!(
            matches!(&error, Error::Selection(_)) && error.to_string() == "No --roles match for jobs (roles: web)",
            "{error}"
        );
    }
}

#[test]
fn a_role_is_stopped_on_a_host_it_has_no_more() {
    let mut app = App::deployed("servers: {web: [h1, h2], jobs: {hosts: [h2], cmd: bin/jobs}}\n", "v1");
    app.fleet.expect_outage();
    app.becomes("servers: {web: [h1], jobs: {hosts: [h2], cmd: bin/jobs}}\n");
    app.targets = select(&app, Some("h2"), "web", true).unwrap();
    app.perform_well(&Op::App(AppOp::Stop));
    assert_eq!((running(&app, "h1", "web"), running(&app, "h2", "web"), running(&app, "h2", "jobs")), (1, 0, 1));
    assert!(app.fleet.host("h2").routes.is_empty(), "nor is it led to");
    // On its own hosts it is the role it was.
    let roles = |gone| select(&app, Some("h1"), "web", gone).unwrap().roles;
    assert_eq!(roles(true), roles(false));
}

/// The message and the hints.
fn told(error: &Error) -> String {
    error.hints().iter().fold(error.to_string(), |told, hint| format!("{told}\n{hint}"))
}

#[test]
fn requests_somebody_has_already_are_told_before_anything_changes() {
    let mut app = App::deployed("servers: [h1]\n", "v1");
    app.becomes("servers: {front: {hosts: [h1], proxy: true}}\nprimary_role: front\n");
    for error in [app.deploy("v2").unwrap_err(), app.dry_run(Verb::Setup, "v2").unwrap_err()] {
        let text = told(&error);
        for piece in
            ["h1: ", "every host", "app-web", "an earlier role of this service", "`kamal app stop -r web -h h1`"]
        {
            assert!(text.contains(piece), "{text}");
        }
    }
    assert_eq!((running(&app, "h1", "web"), running(&app, "h1", "front")), (1, 0));
    assert!(app.locks().is_empty());

    // Another service's, and one of the same.
    app.fleet.change("h1", |host| {
        let id = host.routes.remove("app-web").unwrap();
        host.routes.insert("shop-web".into(), id);
    });
    let text = told(&app.deploy("v2").unwrap_err());
    assert!(text.contains("to shop-web already") && text.contains("kamal-proxy remove shop-web"), "{text}");
    app.becomes("servers: {front: {hosts: [h1], proxy: {host: a.test}}}\nprimary_role: front\n");
    app.deploy("v2").unwrap();
}
