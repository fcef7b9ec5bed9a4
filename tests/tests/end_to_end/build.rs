//! Builds with the real git and the real buildx.

use std::{fs, path::Path, process::Command};

use kamal_tests::{app::App, rig::rig};

/// Runs git for a user who lets it read files of this machine as submodules.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let who = ["-c", "protocol.file.allow=always", "-c", "user.name=Ann", "-c", "user.email=a@b.c"];
    let output = Command::new("git").args(who).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A file of an image in the registry.
fn file_of(app: &App, version: &str, path: &str) -> String {
    let (image, name) = (format!("10.77.0.1:5000/{}:{version}", app.service), &app.service);
    let script = format!(
        "docker pull -q {image} >/dev/null && docker create --name {name}-look {image} >/dev/null &&
         docker cp {name}-look:{path} - | tar -xO; docker rm -f {name}-look >/dev/null"
    );
    rig().docker_shell(app.host().number, &script)
}

#[test]
fn submodules_come_from_the_work_tree() {
    let app = App::on_one("e2e-submodule");
    let project = app.project.folder();
    let forge = project.with_file_name("forge");
    for name in ["lib", "app"] {
        fs::create_dir_all(forge.join(name)).unwrap();
        git(&forge.join(name), &["init", "--quiet", "--bare", "--initial-branch", "main", "."]);
    }
    let lib = project.with_file_name("lib");
    git(project.parent().unwrap(), &["clone", "--quiet", "forge/lib", "lib"]);
    fs::write(lib.join("lib.txt"), "of the library\n").unwrap();
    git(&lib, &["add", "--all"]);
    git(&lib, &["commit", "--quiet", "--message", "lib"]);
    git(&lib, &["push", "--quiet", "origin", "HEAD:main"]);
    git(project, &["remote", "add", "origin", &forge.join("app").to_string_lossy()]);
    // Relative to where the project came from.
    git(project, &["submodule", "--quiet", "add", "../lib", "vendor/lib"]);
    let dockerfile = fs::read_to_string(project.join("Dockerfile")).unwrap();
    app.project.write("Dockerfile", &format!("{dockerfile}COPY vendor/lib/lib.txt /lib.txt\n")).unwrap();
    let version = app.release();
    fs::remove_dir_all(&forge).unwrap();
    app.ok(&["build", "push"]);
    assert_eq!(file_of(&app, &version, "/lib.txt"), "of the library\n");
}

#[test]
fn a_repository_without_a_commit() {
    let app = App::on_one("e2e-unborn");
    let project = app.project.folder();
    fs::remove_dir_all(project.join(".git")).unwrap();
    git(project, &["init", "--quiet"]);
    app.fails(&["setup"]).says(&["has no commits yet", "commit the project", "--version"]);
    assert!(!app.host().home.join(".kamal/apps/e2e-unborn").exists(), "no host was touched");
    assert!(!app.locked());
}

#[test]
fn the_work_tree_is_built_with_what_is_not_committed() {
    let app = App::on_one("e2e-dev");
    app.project.write(".dockerignore", "docs\n").unwrap();
    let version = app.release();
    app.project.write("assets/app-1.js", "changed\n").unwrap();
    app.project.write("docs/new.md", "new\n").unwrap();
    app.project.write("assets/new.js", "new\n").unwrap();
    let said = app.ok(&["build", "dev", "--output", "registry"]);
    assert!(said.contains("Files with uncommitted changes") && said.contains("  assets/app-1.js\n"), "{said}");
    assert!(said.contains("Untracked files") && said.contains("  assets/new.js\n"), "{said}");
    assert!(!said.contains("docs/new.md"), "{said}");
    assert_eq!(file_of(&app, &format!("{version}-dirty"), "/assets/app-1.js"), "changed\n");
}

#[test]
fn the_steps_of_a_build_have_their_time() {
    let app = App::on_one("e2e-steps");
    app.release();
    let told = app.ok(&["build", "push", "--json"]);
    let finished = |step: &str| {
        let line = told.lines().find(|line| line.contains("step_finished") && line.contains(step));
        line.unwrap_or_else(|| panic!("{step} is missing in:\n{told}")).to_owned()
    };
    assert!(finished("COPY assets /assets").contains("\"took\""));
    let whole: serde_json::Value = serde_json::from_str(&finished("build the image")).unwrap();
    assert!(whole["took"].as_f64().unwrap() > 0.001, "{whole}");
    assert!(app.ok(&["build", "details"]).contains("Builder: local"));
}

#[test]
fn what_a_hook_printed_is_shown_once() {
    let app = App::on_one("e2e-once");
    app.project.write(".kamal/hooks/pre-build", "#!/bin/sh\necho it-said-so\nexit 3\n").unwrap();
    let hook = app.project.folder().join(".kamal/hooks/pre-build");
    fs::set_permissions(hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    app.release();
    for arguments in [&["build", "push"][..], &["build", "push", "-q"]] {
        let ended = app.fails(arguments);
        ended.says(&["pre-build", "exit status 3"]);
        assert_eq!(ended.text.matches("it-said-so").count(), 1, "{}", ended.text);
    }
}
