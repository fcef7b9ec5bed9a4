//! The smaller operations: what they leave on hosts.

use kamal_core::{name::Version, ops::small};

use crate::harness::App;

#[test]
fn a_version_that_is_started_again_keeps_its_error_pages() {
    let app = App::new("servers: [h1]\nerror_pages_path: public\n");
    app.fleet.project_file("public/503.html", "back soon");
    app.deploy("v1").unwrap();
    let version = Version::new("v1");
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
    let version = Version::new("v1");
    let cx = app.cx(&version, app.fleet.begin(&[], None));
    app.fleet.drive(small::proxy_remove(&cx, true)).unwrap().unwrap();
    assert_eq!(app.fleet.host("h1").audit, ["Stopped proxy", "Removed proxy container", "Removed proxy image"]);
}
