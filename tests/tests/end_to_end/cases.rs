//! What was reported of Kamal or of this command (tests/cases/reports), tried on real hosts.

#[path = "../../shared/cases.rs"]
mod shared;

mod accessories;
mod environments;
mod hosts;
mod plain;
mod roles;
mod versions;

use std::process::Output;

use kamal_tests::{
    app::App,
    rig::{self, rig},
};

use shared::Cases;

/// Runs kamal, which must succeed, and returns its standard output and its standard error.
fn outputs(app: &App, arguments: &[&str]) -> (String, String) {
    let Output { status, stdout, stderr } = rig::kamal(&app.project, arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(status.success(), "kamal {}:\n{stdout}{stderr}", arguments.join(" "));
    (stdout, stderr)
}

/// Runs a shell script whose `docker` is the first host's.
fn on_host(app: &App, script: &str) -> String {
    rig().docker_shell(app.host().number, script)
}

/// The name of a role's running container.
fn running(app: &App, role: &str) -> String {
    let filter = format!("docker ps --filter label=service=app --filter label=role={role} --format '{{{{.Names}}}}'");
    on_host(app, &filter).trim().to_owned()
}
