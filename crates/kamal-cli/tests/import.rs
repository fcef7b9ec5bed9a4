//! `kamal import`: files of other tools, of the usual shapes (`tests/import`), come to a deploy.yml that is valid.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

fn shapes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import")
}

/// A copy of a shape; what it should come to is not part of it.
struct Project(TempDir);

impl Project {
    fn path(&self) -> PathBuf {
        self.0.path().join("shop")
    }
}

fn project(shape: &str) -> Project {
    let folder = tempfile::tempdir().unwrap();
    copy(&shapes().join(shape), &folder.path().join("shop"));
    Project(folder)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            if entry.file_name() != "right" {
                copy(&entry.path(), &target);
            }
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn kamal(folder: &Path, line: &str) -> Output {
    let words = line.split(' ');
    Command::new(env!("CARGO_BIN_EXE_kamal"))
        .args(words)
        .current_dir(folder)
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn succeeds(folder: &Path, line: &str) -> String {
    let output = kamal(folder, line);
    assert!(output.status.success(), "kamal {line}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stderr)
}

/// Imports a shape into a file of its own, and compares it with what lies in the shape's folder `right`, file by file. What
/// was written is valid without a warning.
fn comes_out_right(shape: &str, origin: &str, destinations: &[&str], noted: &[&str]) {
    let project = project(shape);
    let folder = &project.path();
    let notes = succeeds(folder, &format!("import {origin} --output out/config/deploy.yml"));
    let right = shapes().join(shape).join("right");
    let mut written: Vec<PathBuf> = vec![PathBuf::from("out/config/deploy.yml"), PathBuf::from(".kamal/secrets")];
    written.extend(destinations.iter().map(|name| PathBuf::from(format!("out/config/deploy.{name}.yml"))));
    for path in written {
        let is = fs::read_to_string(folder.join(&path)).unwrap();
        let file = right.join(path.file_name().unwrap());
        assert_eq!(is, fs::read_to_string(&file).unwrap_or_default(), "{shape}: {}", path.display());
    }
    let lines = [""].into_iter().chain(destinations.iter().copied());
    for destination in lines {
        let of = if destination.is_empty() { String::new() } else { format!(" -d {destination}") };
        let said = succeeds(folder, &format!("config validate -c out/config/deploy.yml{of}"));
        assert_eq!(said, "", "{shape} {destination}");
    }
    for note in noted {
        assert!(notes.contains(note), "{shape}: {note:?} is not in\n{notes}");
    }
}

#[test]
fn compose_rails() {
    let noted = [
        "docker-compose.yml:28: services/web/volumes: .:/rails",
        "services/web/depends_on",
        "services/web/replicas",
        "services/mailcatcher: it is in a profile",
        "services/db/ports: port 5432",
    ];
    comes_out_right("compose-rails", "compose", &[], &noted);
}

#[test]
fn compose_django() {
    let noted =
        ["services/nginx: kamal-proxy takes its place", "services/web/environment/DJANGO_SECRET_KEY", "/data/postgres"];
    comes_out_right("compose-django", "compose", &[], &noted);
}

#[test]
fn compose_node() {
    let noted = ["services/traefik", "ratelimit", "services/admin: a deploy.yml builds one image", "networks"];
    comes_out_right("compose-node", "compose", &[], &noted);
}

#[test]
fn capistrano_classic() {
    let noted = ["rbenv_ruby", "config/database.yml", "task make_dirs", "before deploy:starting"];
    comes_out_right("capistrano-classic", "capistrano", &[], &noted);
}

#[test]
fn capistrano_stages() {
    let noted = ["after deploy:published", "config/deploy/production.rb:1: user: deployer"];
    comes_out_right("capistrano-stages", "capistrano", &["production", "staging"], &noted);
}

#[test]
fn kamal1_small() {
    comes_out_right("kamal1-small", "kamal1", &[], &["healthcheck/max_attempts", "builder"]);
}

#[test]
fn kamal1_large() {
    let noted = ["traefik/args", "audit_broadcast_cmd", "healthcheck/cord", "minimum_version", "builder/local/host"];
    comes_out_right("kamal1-large", "kamal1", &["staging"], &noted);
}

#[test]
fn secrets_are_looked_up_where_they_are() {
    let project = project("compose-rails");
    succeeds(&project.path(), "import compose");
    let output = kamal(&project.path(), "secrets print");
    let said = text(&output.stdout);
    for line in [
        "POSTGRES_PASSWORD=hunter2",
        "STRIPE_API_KEY=sk_live_1",
        "DATABASE_URL=postgres://shop:hunter2@db:5432/shop_production",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}{}", text(&output.stderr));
    }
    let secrets = fs::read_to_string(project.path().join(".kamal/secrets")).unwrap();
    assert!(!secrets.contains("hunter2") && !secrets.contains("sk_live"), "{secrets}");
}

#[test]
fn what_is_there_stays() {
    let project = project("kamal1-small");
    let folder = &project.path();
    let before = fs::read_to_string(folder.join("config/deploy.yml")).unwrap();
    let output = kamal(folder, "import kamal1");
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("--force"), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(folder.join("config/deploy.yml")).unwrap(), before);
    assert!(!folder.join(".kamal").exists());

    let printed = kamal(folder, "import kamal1 --output -");
    assert!(printed.status.success() && text(&printed.stdout).contains("service: hey"));
    assert!(text(&printed.stderr).contains("RAILS_MASTER_KEY=") && !folder.join(".kamal").exists());

    fs::create_dir(folder.join(".kamal")).unwrap();
    fs::write(folder.join(".kamal/secrets"), "RAILS_MASTER_KEY=$(cat key)").unwrap();
    succeeds(folder, "import kamal1 --force");
    let secrets = fs::read_to_string(folder.join(".kamal/secrets")).unwrap();
    assert!(
        secrets.starts_with("RAILS_MASTER_KEY=$(cat key)\n") && secrets.matches("RAILS_MASTER_KEY").count() == 1,
        "{secrets}"
    );
    succeeds(folder, "config validate");
}

#[test]
fn what_cannot_be_read_is_said_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |line: &str| {
        let output = kamal(folder.path(), line);
        assert!(!output.status.success() && output.stdout.is_empty());
        text(&output.stderr)
    };
    assert!(refused("import compose").contains("docker-compose.yml"));
    assert!(refused("import capistrano nowhere.rb").contains("nowhere.rb"));
    fs::write(folder.path().join("compose.yml"), "services:\n  web: [\n").unwrap();
    assert!(refused("import compose").contains("compose.yml:3"), "{}", refused("import compose"));
    fs::write(folder.path().join("compose.yml"), "- a\n").unwrap();
    assert!(refused("import compose").contains("compose.yml:1:1"));
}
