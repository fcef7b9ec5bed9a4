//! Names of the widest kind, and a performer who means ill, in every text hosts are sent: the shell takes each for what it
//! is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use kamal_core::{
    cancel::Cancel,
    config::{Config, Source, load},
    fleet::Fleet,
    keyring::Keyring,
    name::{Destination, HostName, Version},
    plan::Stage,
    ports::Render,
    render,
    run::{self, Cx, RunSettings},
    secret::Secret,
    step::{LoginPlace, Step},
    targets::{Selection, Targets},
    testing::{NoTemplateWorld, SimFleet, every_operation},
};

const FILE: &str = "service: s_-9\nimage: acme/app\nprimary_role: w.-_b\n\
    servers: {w.-_b: {hosts: ['me@[fe80::1%eth0]:22', bücher.example]}, -jobs: {hosts: [bücher.example], cmd: bin/jobs}}\n\
    registry: {username: me, password: [P]}\nbuilder: {arch: amd64}\nenv: {secret: [P]}\n\
    proxy: {host: app.example}\naccessories: {d.-_b: {image: 'db:1', host: bücher.example, env: {secret: [P]}}}\n";

/// Who is at work, who may be called anything.
const PERFORMER: &str = "x'; echo >pwned; echo '$(echo >pwned)`echo >pwned`\" \\";

/// The programs a host's scripts find, besides a docker that does as it is told and says that all is well.
const PROGRAMS: [&str; 20] = [
    "awk", "base64", "cat", "chmod", "cp", "cut", "date", "find", "grep", "head", "id", "ls", "mkdir", "mktemp", "mv",
    "rm", "rmdir", "sed", "sort", "tail",
];

const DOCKER: &str = "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\" >>\"$LOG\"; done\necho 0 healthy\n";

fn config() -> Config {
    let over = Source::new("config/deploy.d.-_x.yml", "{}\n");
    let destination = Destination::parse("d.-_x").unwrap();
    let base = Source::new("config/deploy.yml", FILE);
    load(&base, Some((&destination, &over)), &NoTemplateWorld).unwrap_or_else(|errors| panic!("{errors}")).config
}

/// Every step of every operation, on hosts that run a version.
fn steps(config: &Config, version: &Version) -> Vec<Step> {
    let fleet = SimFleet::new(config.hosts().iter().map(HostName::as_str));
    fleet.secrets().put("P", "password");
    fleet.publish("db:1");
    let world = fleet.world();
    let targets = Targets::select(config, &Selection::default()).unwrap();
    let mut settings = RunSettings::default();
    settings.asked_version = Some(version.clone());
    let cx = || Cx::new(Fleet::new(config, &world, PERFORMER, Cancel::never()), &targets, &settings);
    let mut steps = Vec::new();
    for op in every_operation(config, version) {
        let planned = fleet.drive(run::plan(&cx(), &op)).unwrap();
        let stages = planned.map(|plan| plan.stages).unwrap_or_default();
        steps.extend(stages.iter().flat_map(Stage::steps).map(|(_, step)| step.clone()));
        if op.row().name() == "setup" {
            fleet.drive(run::run(&cx(), &op)).unwrap().unwrap();
        }
    }
    steps
}

fn programs(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for name in PROGRAMS {
        let place =
            ["/usr/bin", "/bin"].map(|place| Path::new(place).join(name)).into_iter().find(|path| path.exists());
        symlink(place.unwrap(), folder.join(name)).unwrap();
    }
    for (name, text) in [("docker", DOCKER), ("sleep", "#!/bin/sh\n"), ("chown", "#!/bin/sh\n")] {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// A login as it is once the host's docker has been asked what it holds.
fn placed(step: Step) -> Step {
    match step {
        Step::Login { registry, .. } => Step::Login { registry, place: Some(LoginPlace::File(Secret::new("{}"))) },
        step => step,
    }
}

#[test]
fn names_and_people_are_words_in_every_text() {
    let (config, version) = (config(), Version::parse("_v.-1").unwrap());
    let mut world = SimFleet::new(["h"]).world();
    world.docker = Arc::new(kamal_docker::DockerCli);
    world.proxy = Arc::new(kamal_proxy::KamalProxyCli);
    let secrets: Keyring = [("P", Secret::new("password"))].into_iter().collect();
    let cx = Render::new(&config, &secrets, &world, PERFORMER);
    let folder = tempfile::tempdir().unwrap();
    programs(&folder.path().join("bin"));
    let (home, log) = (folder.path().join("home"), folder.path().join("log"));
    fs::create_dir(&home).unwrap();
    let mut texts = BTreeSet::new();
    for step in steps(&config, &version) {
        let text = render::step(&world, &placed(step.clone()), &cx).unwrap().expose().to_string();
        // Looking at it is enough: it would install docker here.
        let runs = !matches!(step, Step::InstallDocker);
        texts.insert((text, runs));
    }
    assert!(texts.len() > 60, "{}", texts.len());
    for (text, runs) in &texts {
        let mut shell = Command::new("/bin/sh");
        shell.args(if *runs { &["-s"][..] } else { &["-n"] }).current_dir(&home).env_clear();
        shell.env("PATH", folder.path().join("bin")).env("HOME", &home).env("PWD", &home).env("LOG", &log);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        // A script that ends itself does not read all of it.
        drop(shell.stdin.take().unwrap().write_all(text.as_bytes()));
        let said = String::from_utf8_lossy(&shell.wait_with_output().unwrap().stderr).to_lowercase();
        assert!(!said.contains("syntax error") && !said.contains("unterminated"), "{said}\n{text}");
        assert!(!home.join("pwned").exists(), "{text}");
    }
    let words: BTreeSet<String> = fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect();
    for whole in ["s_-9-w.-_b-d.-_x-_v.-1", "acme/app:_v.-1", "service=s_-9", "destination=d.-_x", "role=w.-_b"] {
        assert!(words.contains(whole), "{whole}: {words:?}");
    }
}
