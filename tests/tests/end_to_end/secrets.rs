//! Secrets are seen by nobody who may not see them: not in arguments of any process, not in any output, not in the audit
//! log or a lock, and in files that only their owner can read. Everything that is apt to print them does: hooks, the app,
//! a step that fails.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use kamal_tests::{
    app::App,
    rig::{rig, text},
    sentinel::Sentinel,
};

/// What is looked for. It occurs in every secret, and in every line of those that have several.
const SENTINEL: &str = "s3ntinel-77f1";

/// What stands in its place.
const COVERED: &str = "[REDACTED]";

/// Secrets as people have them, in `S` the sentinel.
const SHAPES: [(&str, &str); 14] = [
    ("REGISTRY_USER", "S-user\"of{it"),
    ("REGISTRY_PASSWORD", "--S registry `id` $HOME"),
    ("BUILD_TOKEN", "S=build;token&<x>"),
    ("DB_PASSWORD", "p@ss:S/word?#%41"),
    ("KEY", "-----BEGIN S KEY-----\nMIIEvQIBADANSBgkqhkiG9w0B\n\tx S y\nzz==S\n-----END S KEY-----\n"),
    ("QUOTES", "it's \"S\" and \\'more\\\" \\n"),
    ("DOLLAR", "$HOME ${PATH} $(id) `id` S #{x} $$"),
    ("UTF8", "pässwörd ☃ S 文中 🔑"),
    ("DASH", "-rf S"),
    ("SPACES", "a  S   b\tc"),
    ("JSON", "{\"key\": \"S\", \"list\": [1, \"<S&>\"], \"e\": \"\\u00e9 \\\"\"}"),
    ("PREFIX", "S-pre"),
    ("PREFIXED", "S-prefixed, and more"),
    ("LONG", ""),
];

/// Prints secrets in every way hooks do: traced, listed, line by line, in base64, and in pieces.
const HOOK: &str = r#"#!/bin/sh
set -x
: "$QUOTES" "$KEY" "$JSON"
set +x
set
printf '%s\n' "$KEY" "$LONG" "$UTF8" "$SPACES" >&2
printf '%s' "$LONG" | base64
printf 'Authorization: Basic '; printf 'user:%s' "$PREFIXED" | base64
half=${PREFIXED%????????}
printf '%s' "$half"; sleep 0.1; printf '%s\n' "${PREFIXED#"$half"}"
env
"#;

struct Project {
    app: App,
    sentinel: Sentinel,
    /// Where programs put temporary files.
    temporary: PathBuf,
}

impl Project {
    fn new() -> Self {
        let app = App::on_one("e2e-sentinel");
        let folder = app.project.folder().to_owned();
        let (vault, temporary) = (folder.with_file_name("vault"), folder.with_file_name("tmp"));
        fs::create_dir_all(&vault).unwrap();
        fs::set_permissions(&vault, Permissions::from_mode(0o700)).unwrap();
        fs::create_dir_all(&temporary).unwrap();
        let mut secrets = String::new();
        for (name, shape) in SHAPES {
            let value = if name == "LONG" { "S.0123456789.".repeat(300) } else { shape.to_owned() };
            fs::write(vault.join(name), value.replace('S', SENTINEL)).unwrap();
            secrets.push_str(&format!("{name}=$(cat ../vault/{name})\n"));
        }
        // A command with a secret in its text.
        secrets.push_str("DERIVED=$(printf %s-derived $PREFIX | cat)\n");
        app.project.write(".kamal/secrets", &secrets).unwrap();
        let common = ".kamal/secrets-common";
        app.project.write(".gitignore", common).unwrap();
        app.project.write(common, &format!("PLAIN={SENTINEL}-plain\n")).unwrap();
        fs::set_permissions(folder.join(common), Permissions::from_mode(0o600)).unwrap();
        app.edit("username: demo", "username: [REGISTRY_USER]");
        app.edit("arch: amd64", "arch: amd64, secrets: [BUILD_TOKEN]");
        let names = "KEY, QUOTES, DOLLAR, UTF8, DASH, SPACES, JSON, PREFIX, PREFIXED, LONG, DERIVED, PLAIN";
        app.edit(
            "{clear: {HEALTH: ok}, secret: [API_KEY]}",
            &format!("{{clear: {{HEALTH: ok, ECHO: \"{}\"}}, secret: [{names}]}}", names.replace(' ', "")),
        );
        let accessory = format!(
            "\naccessories: {{db: {{image: \"10.77.0.1:5000/postgres:16\", host: {}, env: {{clear: {{ECHO: DB_PASSWORD}}, \
             secret: [DB_PASSWORD]}}, files: [{{local: config/db.erb, remote: /etc/db, mode: \"0600\"}}]}}}}\n",
            app.host().address
        );
        app.project.write("config/db.erb", "password=<%= ENV[\"DB_PASSWORD\"] %>\n").unwrap();
        app.edit("deploy_timeout: 20\n", &format!("deploy_timeout: 20{accessory}"));
        let project = Self { app, sentinel: Sentinel::new(SENTINEL), temporary };
        project.remove_accessory();
        project
    }

    fn remove_accessory(&self) {
        rig().docker_shell(self.app.host().number, "docker rm -f e2e-sentinel-db");
        // Absent is clean.
        drop(fs::remove_dir_all(self.app.host().home.join("e2e-sentinel-db")));
        drop(fs::remove_dir_all(self.app.host().home.join(".docker")));
    }

    fn hook(&self, name: &str, script: &str) {
        let path = format!(".kamal/hooks/{name}");
        self.app.project.write(&path, script).unwrap();
        fs::set_permissions(self.app.project.folder().join(path), Permissions::from_mode(0o755)).unwrap();
        self.app.release();
    }

    /// Runs kamal and returns its exit status and both outputs, which must not show any secret.
    fn kamal(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = self.app.project.kamal();
        let command = command.args(arguments).env("TMPDIR", &self.temporary).stdin(Stdio::null());
        let output = command.output().unwrap();
        let printed = text(&output);
        let shown = self.sentinel.found_in(printed.as_bytes());
        assert!(shown.is_empty(), "kamal {} shows {shown:#?}\nof {printed}", arguments.join(" "));
        (output.status.code().unwrap(), printed)
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let (status, printed) = self.kamal(arguments);
        assert_eq!(status, 0, "kamal {}:\n{printed}", arguments.join(" "));
        printed
    }

    fn fails(&self, arguments: &[&str]) -> String {
        let (status, printed) = self.kamal(arguments);
        assert!(![0, 2, 130].contains(&status), "kamal {}: {status}\n{printed}", arguments.join(" "));
        printed
    }
}

/// Who has secrets in its environment on purpose.
fn meant(arguments: &str, variable: &str, environment: &str) -> bool {
    let builds = variable.starts_with("BUILD_TOKEN=") && ["docker", "git"].iter().any(|name| arguments.contains(name));
    // The shell of a command in the secrets file; what it starts has no such variable any more.
    let command = variable.starts_with("KAMAL_COMMAND_LINE=") && arguments.starts_with("sh -c kamal_command=");
    let hook = environment.contains("KAMAL_RECORDED_AT=");
    let container = arguments.starts_with("/server");
    builds || command || hook || container
}

#[test]
fn no_secret_is_seen_by_anybody() {
    let project = Project::new();
    for hook in ["pre-connect", "pre-build", "pre-deploy", "post-deploy"] {
        project.hook(hook, HOOK);
    }
    let done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let watch = scope.spawn(|| project.sentinel.watch(&done, meant));
        let ends = Ends(&done);
        operate(&project);
        drop(ends);
        watch.join().unwrap()
    });
    println!("{} rounds, {:.0} a second, {} command lines", seen.rounds, seen.rate(), seen.arguments.len());
    // The watch sees what it should see: the host's processes and ours, as far as they live for more than a moment.
    for wanted in ["buildx build", "kamal-proxy deploy", "docker login"] {
        assert!(
            seen.arguments.iter().any(|line| line.contains(wanted)),
            "{wanted} was not seen: {:#?}",
            seen.arguments
        );
    }
    assert!(seen.rate() > 100.0, "only {} looks a second", seen.rate());
    assert!(seen.told.is_empty(), "{:#?}", seen.told);

    search(&project);
    arrived(&project, &project.app.host().home);
    read(&project);
    project.remove_accessory();
}

/// Ends the watch, also when a test fails.
struct Ends<'d>(&'d AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Looks through the files of the host, the builder, and this machine.
fn search(project: &Project) {
    let home = &project.app.host().home;
    let here = project.app.project.folder().parent().unwrap().to_owned();
    let machines = [home, &rig().sandbox.folder().join("builder/home")].map(|home| home.parent().unwrap().to_owned());
    // On the sandbox nobody else can look into a home folder, and docker's in it; elsewhere they may well.
    for root in machines.iter().chain([home, &home.join(".docker"), &here]) {
        let found = project.sentinel.in_files(root);
        assert!(found.is_empty(), "below {}: {found:#?}", root.display());
    }
}

/// Everything that is given secrets.
fn operate(project: &Project) {
    let app = &project.app;
    let printed = project.ok(&["setup", "--verbose"]);
    assert!(printed.contains(&format!("DOLLAR='{COVERED}'")), "{printed}");
    app.release();
    let printed = project.ok(&["deploy", "--json"]);
    assert!(printed.contains(COVERED), "{printed}");
    for line in printed.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    // A container that logs all it is given and never becomes healthy.
    app.edit("HEALTH: ok", "HEALTH: fail");
    app.edit("deploy_timeout: 20", "deploy_timeout: 3");
    let printed = project.fails(&["deploy", "--verbose", "--timings"]);
    assert!(printed.contains("last log lines") && printed.contains(&format!("DOLLAR={COVERED}")), "{printed}");
    app.edit("HEALTH: fail", "HEALTH: ok");
    // A hook that fails.
    project.hook("pre-deploy", &format!("{HOOK}echo \"$PREFIXED is refused\"; exit 1\n"));
    let printed = project.fails(&["deploy"]);
    assert!(printed.contains(&format!("{COVERED} is refused")), "{printed}");
}

/// Shows what others wrote down. None of it takes a command, so what stands in the files in clear is all that is known.
fn read(project: &Project) {
    let (app, plain) = (&project.app, format!("{SENTINEL}-plain"));
    project.ok(&["lock", "acquire", "-m", &format!("because of {plain}")]);
    search(project);
    assert!(project.ok(&["lock", "status"]).contains(&format!("because of {COVERED}")));
    project.ok(&["lock", "release"]);
    app.edit("LONG, DERIVED, PLAIN]", "PLAIN]");
    app.edit("KEY,QUOTES,DOLLAR,UTF8,DASH,SPACES,JSON,PREFIX,PREFIXED,LONG,DERIVED,PLAIN", "PLAIN");
    fs::remove_dir_all(app.project.folder().join(".kamal/hooks")).unwrap();
    app.release();
    project.ok(&["deploy"]);
    assert!(project.ok(&["app", "logs"]).contains(&format!("PLAIN={COVERED}")));
    let (status, printed) = project.kamal(&["app", "exec", "--env", "HEALTH:crash", "/server"]);
    assert!(status == 3 && printed.contains(&format!("PLAIN={COVERED}")), "{printed}");
    project.ok(&["audit"]);
    project.ok(&["details"]);
    search(project);
    app.edit("arch: amd64", &format!("arch: amd64, args: {{TOKEN: {plain}}}"));
    // What stands in clear in deploy.yml is no secret.
    let shown = app.ok(&["config"]);
    assert!(shown.contains(&format!("TOKEN: {plain}")), "{shown}");
}

/// The secrets did get where they belong.
fn arrived(project: &Project, home: &Path) {
    let env = fs::read_to_string(home.join(".kamal/apps/e2e-sentinel/env/roles/web.env")).unwrap();
    assert!(env.contains(&format!("PLAIN={SENTINEL}-plain\n")), "{env}");
    let docker = fs::read_to_string(home.join(".docker/config.json")).unwrap();
    let kept = project.sentinel.found_in(docker.as_bytes());
    assert!(!kept.is_empty(), "{docker}");
    let inspect = "docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' e2e-sentinel-db";
    let env = rig().docker_shell(project.app.host().number, inspect);
    assert!(env.contains(&format!("DB_PASSWORD=p@ss:{SENTINEL}/word?#%41")), "{env}");
    let file = fs::read_to_string(home.join("e2e-sentinel-db/etc/db")).unwrap();
    assert_eq!(file, format!("password=p@ss:{SENTINEL}/word?#%41\n"));
    let images = rig().docker_shell(
        project.app.host().number,
        "docker image ls -q 10.77.0.1:5000/e2e-sentinel | sort -u | xargs docker history --no-trunc",
    );
    assert!(!images.contains(SENTINEL), "{images}");
}
