//! What the README and the tutorial have people type for a first deploy, pasted line by line.

use std::{env, fs, os::unix::fs::PermissionsExt, path::Path};

use kamal_tests::{app::App, rig};

/// The lines of a page's blocks of shell from a heading to the next of its rank, without what explains them.
fn lines(page: &str, heading: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let text = fs::read_to_string(path).unwrap();
    let rank = format!("\n{} ", heading.split(' ').next().unwrap());
    let (_, section) = text.split_once(&format!("{heading}\n")).unwrap();
    let section = section.split(&rank).next().unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).map(|line| line.split(" # ").next().unwrap().trim().to_owned());
    lines.filter(|line| ["kamal ", "git ", "$EDITOR "].iter().any(|start| line.starts_with(start))).collect()
}

/// Runs a line as a shell does into which it was pasted.
fn paste(app: &App, line: &str) {
    let mut shell = app.project.command(Path::new("/bin/sh"));
    let programs = app.project.folder().parent().unwrap().join("bin");
    let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap());
    let output = shell.args(["-ec", line]).env("PATH", path).env("EDITOR", programs.join("editor")).output().unwrap();
    // A plan that would change something says so by its status.
    let well = output.status.success() || line.starts_with("kamal plan ") && output.status.code() == Some(2);
    assert!(well, "{line}: {}\n{}", output.status, rig::text(&output));
}

/// An app without a configuration, `kamal` on the path, and an editor that writes what somebody would.
fn beginner(service: &str) -> App {
    let app = App::on_one(service);
    let folder = app.project.folder();
    let programs = folder.parent().unwrap().join("bin");
    fs::create_dir_all(&programs).unwrap();
    for (name, file) in [("deploy.yml", "config/deploy.yml"), ("secrets", ".kamal/secrets")] {
        fs::copy(folder.join(file), programs.join(name)).unwrap();
        fs::remove_file(folder.join(file)).unwrap();
    }
    let there = programs.display();
    let script = |name: &str, text: String| {
        let file = programs.join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("kamal", format!("exec '{}' \"$@\"", app.project.kamal().get_program().display()));
    script("editor", format!("cp {there}/deploy.yml config/deploy.yml; cp {there}/secrets .kamal/secrets"));
    app
}

#[test]
fn the_first_deploy_of_the_readme() {
    let app = beginner("readme");
    let mut versions = Vec::new();
    for line in lines("README.md", "## First deploy") {
        if ["kamal setup", "kamal deploy"].contains(&line.as_str()) {
            versions.push(app.release());
        }
        paste(&app, &line);
        match line.as_str() {
            "kamal setup" | "kamal deploy" => assert_eq!(app.serving(), [versions.last().unwrap().as_str()], "{line}"),
            "kamal rollback" => assert_eq!(app.serving(), [versions[0].as_str()]),
            _ => {}
        }
    }
    assert_eq!(versions.len(), 2, "it deploys twice");
}

#[test]
fn the_tutorial() {
    let app = beginner("tutorial");
    let mut pasted = 0;
    for line in lines("docs/book/src/first-deploy.md", "# Your first deploy") {
        // What never ends, or has somebody at a terminal.
        if ["--follow", "--interactive"].iter().any(|option| line.contains(option)) {
            continue;
        }
        if line.starts_with("git ") {
            app.project.write("assets/app-1.js", "a better front page\n").unwrap();
        }
        paste(&app, &line);
        pasted += 1;
        if line == "kamal init" {
            paste(&app, "$EDITOR config/deploy.yml");
            app.release();
        }
    }
    assert!(pasted > 6, "{pasted}");
    assert_eq!(app.serving().len(), 1);
}
