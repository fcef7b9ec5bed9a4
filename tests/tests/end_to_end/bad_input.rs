//! What users get wrong: each is named by the message, and nothing changes on any host.

use std::{fs, process::Command};

use kamal_tests::{app::App, rig::rig};

/// Runs `kamal deploy`, which must fail with a message of these words and without a trace on the hosts.
fn refused(app: &App, wanted: &[&str]) {
    let before = app.effects();
    app.fails(&["deploy"]).says(wanted);
    assert_eq!(app.effects(), before, "something changed: {wanted:?}");
    assert!(!app.locked(), "the lock was left behind: {wanted:?}");
}

/// Runs something with a file of the project replaced, or missing, and puts it back.
fn with(app: &App, path: &str, content: Option<&str>, check: impl FnOnce()) {
    let file = app.project.folder().join(path);
    let original = fs::read_to_string(&file).unwrap();
    match content {
        Some(content) => fs::write(&file, content).unwrap(),
        None => fs::remove_file(&file).unwrap(),
    }
    check();
    fs::write(&file, original).unwrap();
}

fn deploy_yml(app: &App) -> String {
    fs::read_to_string(app.project.folder().join("config/deploy.yml")).unwrap()
}

#[test]
fn configurations() {
    let app = App::on_one("e2e-config");
    let version = app.set_up();
    let good = deploy_yml(&app);
    let yml = "config/deploy.yml";

    with(&app, yml, None, || refused(&app, &["Configuration file not found", yml, "kamal init"]));
    with(&app, yml, Some("service: [a\nimage: b\n"), || refused(&app, &[yml]));
    let lines = good.lines().count();
    with(&app, yml, Some(&format!("{good}deploi_timeout: 3\n")), || {
        refused(&app, &["deploi_timeout", &format!("{yml}:{}", lines + 1)]);
    });
    let two_wrong = good.replace("deploy_timeout: 20", "deploy_timeout: soon").replace("app_port: 80", "app_prt: 80");
    with(&app, yml, Some(&two_wrong), || refused(&app, &["deploy_timeout", "app_prt"]));
    with(&app, ".kamal/secrets", Some("REGISTRY_PASSWORD=demo\n"), || refused(&app, &["API_KEY", ".kamal/secrets"]));
    assert_eq!(app.serving(), [version]);
}

#[test]
fn no_git_repository() {
    let app = App::on_one("e2e-nogit");
    let git = app.project.folder().join(".git");
    fs::rename(&git, app.project.folder().join("not.git")).unwrap();
    // Whatever repository the tests themselves lie in is not the project's.
    let before = app.effects();
    let ceiling = app.project.folder().parent().unwrap();
    let output = app.project.kamal().arg("deploy").env("GIT_CEILING_DIRECTORIES", ceiling).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no git repository found"), "{said}");
    assert_eq!(app.effects(), before);
}

#[test]
fn connections() {
    let app = App::on_one("e2e-connect");
    let version = app.set_up();
    let address = app.host().address.to_string();
    let good = deploy_yml(&app);
    let yml = "config/deploy.yml";

    // Nobody has that address.
    let nobody = good.replace(&format!("[{address}]"), &format!("[{address}, 10.77.200.2]"));
    with(&app, yml, Some(&nobody), || refused(&app, &["10.77.200.2"]));

    // A port nobody listens on.
    let closed = good.replace("ssh: {keys", "ssh: {port: 9, keys");
    with(&app, yml, Some(&closed), || refused(&app, &[&address, ":9", "refused"]));

    // A key the host does not know.
    let wrong = app.project.folder().join("wrong_key");
    drop(fs::remove_file(&wrong));
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&wrong).status();
    assert!(made.unwrap().success());
    let (before, after) = good.split_once("keys: [").unwrap();
    let after = after.split_once(']').unwrap().1;
    let stranger = format!("{before}keys: [{}]{after}", wrong.display());
    with(&app, yml, Some(&stranger), || refused(&app, &[&address, "wrong_key"]));

    // A host that is not who it was.
    let known = app.project.folder().with_file_name("home").join(".ssh/known_hosts");
    let public = fs::read_to_string(wrong.with_extension("pub")).unwrap();
    let words: Vec<&str> = public.split_whitespace().collect();
    let original = fs::read_to_string(&known).unwrap();
    fs::write(&known, format!("{address} {} {}\n", words[0], words[1])).unwrap();
    refused(&app, &[&address, "known_hosts"]);
    fs::write(&known, original).unwrap();

    assert_eq!(app.serving(), [version]);
}

#[test]
fn a_build_that_fails() {
    let app = App::on_one("e2e-build");
    let version = app.set_up();
    app.project.write("Dockerfile", "FROM scratch\nCOPY no-such-file /x\n").unwrap();
    app.release();
    refused(&app, &["build failed", "no-such-file"]);
    app.project.write("Dockerfile", "FROM scratch\nFRUM x\n").unwrap();
    app.release();
    refused(&app, &["build failed", "FRUM"]);
    assert_eq!(app.serving(), [version]);
}

#[test]
fn an_image_of_another_service() {
    let app = App::on_one("e2e-label");
    let version = app.set_up();
    let registry = rig().sandbox.registry();
    let foreign = format!("{registry}/e2e-label:foreign");
    rig().docker_shell(
        app.host().number,
        &format!(
            "docker pull {registry}/postgres:16 && docker tag {registry}/postgres:16 {foreign} && docker push {foreign}"
        ),
    );
    app.fails(&["deploy", "--skip-push", "--version", "foreign"]).says(&[&foreign, "missing the 'service' label"]);
    assert!(!app.locked(), "the lock was left behind");
    assert_eq!(app.serving(), [version]);
}
