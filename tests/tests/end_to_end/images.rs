//! Images from somebody's registry: what was built is what runs, and logins are where they belong.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::Stdio,
};

use kamal_tests::{
    app::{App, Ended},
    rig::{rig, text},
};
use serde_json::Value;

/// A docker that pushes another image under the same names as soon as it has pushed one.
const OVERTAKEN: &str = r#"#!/bin/sh
PATH=${PATH#*:}
docker "$@" || exit
case "$1 $2" in
"buildx build")
  for one; do shift; case $one in --metadata-file) skip=1;; *) [ -n "$skip" ] || set -- "$@" "$one"; skip=;; esac; done
  docker "$@" --label moved=yes >/dev/null 2>&1;;
esac
"#;

/// Runs kamal with programs of one's own in front.
fn with_programs(app: &App, arguments: &[&str]) -> Ended {
    let programs = app.project.folder().with_file_name("programs");
    let mut command = app.project.kamal();
    let path = command.get_envs().find_map(|(name, value)| (name == "PATH").then_some(value)).flatten();
    let path = path.map_or_else(|| std::env::var_os("PATH").unwrap_or_default(), ToOwned::to_owned);
    let path = format!("{}:{}", programs.display(), path.to_string_lossy());
    let output = command.args(arguments).env("PATH", path).stdin(Stdio::null()).output().unwrap();
    Ended { status: output.status, text: text(&output), took: std::time::Duration::ZERO }
}

fn put_program(app: &App, name: &str, script: &str) {
    let programs = app.project.folder().with_file_name("programs");
    fs::create_dir_all(&programs).unwrap();
    fs::write(programs.join(name), script).unwrap();
    fs::set_permissions(programs.join(name), Permissions::from_mode(0o755)).unwrap();
}

/// What a version's container says of the image it was made from.
fn moved(app: &App, version: &str) -> String {
    let script = format!("docker inspect --format '{{{{index .Config.Labels \"moved\"}}}}' {}", app.container(version));
    rig().docker_shell(app.host().number, &script).trim().to_owned()
}

#[test]
fn what_was_built_runs_though_its_tag_moves_between_push_and_pull() {
    let app = App::on_two("e2e-pinned");
    app.set_up();
    put_program(&app, "docker", OVERTAKEN);
    app.project.write("assets/app-2.js", "v2\n").unwrap();
    let version = app.release();
    let ended = with_programs(&app, &["deploy", "--verbose"]);
    assert!(ended.status.success(), "{}", ended.text);
    ended.says(&["has moved since it was built; what was built is taken"]);
    assert_eq!(app.serving(), [version.clone(), version.clone()]);
    assert_eq!(moved(&app, &version), "");
    // The name on the host is the one it always has.
    let names = format!("docker image inspect --format '{{{{json .RepoTags}}}}' 10.77.0.1:5000/e2e-pinned:{version}");
    let names = rig().docker_shell(app.host().number, &names);
    assert!(names.contains(&format!("10.77.0.1:5000/e2e-pinned:{version}\"")) && !names.contains('@'), "{names}");
    // Whoever takes what is in the registry takes the other one, all hosts alike.
    app.ok(&["deploy", "--skip-push"]);
    assert_eq!(moved(&app, &version), "yes");
}

/// A host whose docker holds nothing any more when this is dropped, however the test ends: others come after it.
struct Forgotten<'a>(&'a App);

impl Drop for Forgotten<'_> {
    fn drop(&mut self) {
        drop(rig().sandbox.ssh(self.0.host()).arg("rm -rf .docker").output());
    }
}

#[test]
fn a_login_is_on_the_host_once_and_nowhere_where_images_are_built() {
    let app = App::on_one("e2e-logins");
    let config = app.host().home.join(".docker/config.json");
    let read = || -> Value { serde_json::from_str(&fs::read_to_string(&config).unwrap()).unwrap() };
    let set = |value: &Value| {
        rig()
            .sandbox
            .ssh(app.host())
            .arg(format!("mkdir -p .docker; echo '{value}' > .docker/config.json"))
            .output()
            .unwrap();
    };
    let _afterwards = Forgotten(&app);
    set(&serde_json::json!({"z": 1, "auths": {"other.example": {"auth": "b2xkOm9sZA=="}}, "HttpHeaders": {"A": "b"}}));
    app.release();
    let said = app.ok(&["setup"]);
    assert!(said.contains("log in to 10.77.0.1:5000"), "{said}");
    let after = read();
    assert_eq!(after["auths"]["10.77.0.1:5000"]["auth"], "ZGVtbzpkZW1v");
    assert_eq!(
        (&after["z"], &after["auths"]["other.example"]["auth"], &after["HttpHeaders"]["A"]),
        (&1.into(), &"b2xkOm9sZA==".into(), &"b".into())
    );
    assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
    let here = app.project.home().join(".docker/config.json");
    assert!(
        !fs::read_to_string(here).unwrap_or_default().contains("ZGVtbzpkZW1v"),
        "the login of a build is left behind"
    );

    app.release();
    let said = app.ok(&["deploy", "--timings"]);
    assert!(!said.contains("log in to 10.77.0.1:5000"), "{said}");
    assert!(said.contains(" 5 round trips") || said.contains(": 5 round trips"), "{said}");
    // Other credentials than those that are held.
    app.project.write(".kamal/secrets", "REGISTRY_PASSWORD=fresh\nAPI_KEY=s3cret\n").unwrap();
    app.release();
    let said = app.ok(&["deploy"]);
    assert!(said.contains("log in to 10.77.0.1:5000"), "{said}");
    assert_eq!(read()["auths"]["10.77.0.1:5000"]["auth"], "ZGVtbzpmcmVzaA==");

    // What docker could not read either is told, and what is running goes on.
    rig().sandbox.ssh(app.host()).arg("echo '{' > .docker/config.json").output().unwrap();
    let version = app.serving();
    app.release();
    app.fails(&["deploy"]).says(&["config.json is no JSON (line", "put it right, or move it away"]);
    assert_eq!(app.serving(), version);
    rig().sandbox.ssh(app.host()).arg("rm -rf .docker").output().unwrap();
    app.ok(&["registry", "login", "--skip-local"]);
    assert!(read()["auths"]["10.77.0.1:5000"].is_object());
}
