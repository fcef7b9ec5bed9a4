//! The smaller operations: what they leave on hosts.

use kamal_core::{
    name::Version,
    ops::{self, Removal, Stale, small},
    state::ContainerState,
    targets::{Selection, Targets},
};

use crate::harness::{App, TOGETHER};

#[test]
fn a_version_that_is_started_again_keeps_its_error_pages() {
    let app = App::new("servers: [h1]\nerror_pages_path: public\n");
    app.fleet.project_file("public/503.html", "back soon");
    app.deploy("v1").unwrap();
    let version = Version::parse("v1").unwrap();
    let cx = app.cx(&version, app.fleet.begin(&[], None));
    app.fleet.drive(small::app_start(&cx)).unwrap().unwrap();
    let switch = "switch app-web to app-web-v1 when healthy (within 30 s), with error pages";
    let done: Vec<String> = app.fleet.effects().iter().map(|effect| effect.what.clone()).collect();
    assert!(done.iter().any(|what| what == switch), "{done:?}");
}

// spec 9.5: it stops the proxy first, and notes that too
#[test]
fn removing_the_proxy_notes_each_step() {
    let app = App::deployed("servers: [h1]\n", "v1");
    app.fleet.change("h1", |host| host.audit.clear());
    let version = Version::parse("v1").unwrap();
    let cx = app.cx(&version, app.fleet.begin(&[], None));
    app.fleet.drive(small::proxy_remove(&cx, true)).unwrap().unwrap();
    assert_eq!(app.fleet.host("h1").audit, ["Stopped proxy", "Removed proxy container", "Removed proxy image"]);
}

fn remove(app: &App, what: &Removal) {
    let version = Version::parse("v1").unwrap();
    let cx = app.cx(&version, app.fleet.begin(&[], None));
    app.fleet.drive(ops::app_remove(&cx, what)).unwrap().unwrap();
}

// spec 9.7
#[test]
fn removing_the_app_goes_in_kamals_order() {
    let app = App::deployed("servers: [h1]\n", "v1");
    app.fleet.change("h1", |host| host.audit.clear());
    remove(&app, &Removal::Everything);
    let noted = ["Stopped app", "Removed all app containers", "Removed all app images", "Removed .kamal/apps/app"];
    assert_eq!(app.fleet.host("h1").audit, noted);
    assert!(app.versions().is_empty() && app.locks().is_empty());
    let done: Vec<String> = app.fleet.effects().iter().map(|effect| effect.what.clone()).collect();
    let at = |what: &str| done.iter().position(|done| done == what).unwrap_or_else(|| panic!("{what}: {done:?}"));
    assert!(at("stop app-web-v1") < at("remove stopped containers of web"));
    assert!(at("remove .kamal/apps/app") < at("remove .kamal/proxy/apps-config/app"));
}

#[test]
fn images_and_folders_stay_where_other_roles_do() {
    let mut app = App::deployed(TOGETHER, "v1");
    let roles = Some(vec!["workers".to_owned()]);
    app.targets = Targets::select(&app.config, &Selection { roles, ..Selection::default() }).unwrap();
    app.fleet.change("h1", |host| host.audit.clear());
    for what in
        [Removal::Images, Removal::Directories, Removal::Containers, Removal::Container(Version::parse("v9").unwrap())]
    {
        remove(&app, &what);
    }
    assert_eq!(app.fleet.host("h1").audit, ["Removed all app containers", "Removed app container with version v9"]);
}

#[test]
fn stale_containers_are_those_that_run_beside_the_current_one() {
    let app = App::deployed("servers: [h1]\n", "v1");
    app.deploy("v2").unwrap();
    app.fleet.change("h1", |host| {
        host.containers.iter_mut().for_each(|container| container.state = ContainerState::Running);
    });
    let version = Version::parse("v2").unwrap();
    let find = |stop| {
        let cx = app.cx(&version, app.fleet.begin(&[], None));
        app.fleet.drive(ops::stale_containers(&cx, stop)).unwrap().unwrap()
    };
    let stale = vec![Stale {
        host: "h1".parse().unwrap(),
        role: "web".parse().unwrap(),
        version: Version::parse("v1").unwrap(),
    }];
    assert_eq!(find(false), stale);
    assert_eq!(find(true), stale);
    assert_eq!(find(false), []);
    assert_eq!(app.versions(), ["v2"]);
}

// spec 9.5
#[test]
fn the_proxy_is_stopped_before_it_is_started_again() {
    let app = App::deployed("servers: [h1]\n", "v1");
    let version = Version::parse("v1").unwrap();
    for (what, noted, done) in [
        (small::ProxyRun::Start, &["Started proxy"][..], &["start kamal-proxy"][..]),
        (small::ProxyRun::Stop, &["Stopped proxy"], &["stop kamal-proxy"]),
        (small::ProxyRun::Restart, &["Stopped proxy", "Started proxy"], &["stop kamal-proxy", "start kamal-proxy"]),
    ] {
        app.fleet.change("h1", |host| host.audit.clear());
        let cx = app.cx(&version, app.fleet.begin(&[], None));
        app.fleet.drive(small::proxy_run(&cx, what)).unwrap().unwrap();
        assert_eq!(app.fleet.host("h1").audit, noted);
        let ran: Vec<String> = app.fleet.effects().iter().map(|effect| effect.what.clone()).collect();
        let ran: Vec<&str> = ran.iter().map(String::as_str).filter(|what| what.ends_with("kamal-proxy")).collect();
        assert_eq!(ran, done);
    }
}

#[test]
fn starting_a_version_that_is_not_there_leads_to_what_runs() {
    let app = App::deployed("servers: [h1]\n", "v1");
    let version = Version::parse("v2").unwrap();
    let cx = app.cx(&version, app.fleet.begin(&[], None));
    app.fleet.drive(small::app_start(&cx)).unwrap().unwrap();
    assert_eq!(app.versions(), ["v1"]);
    assert_eq!(app.fleet.host("h1").audit.last().map(String::as_str), Some("Started app version v2"));
}
