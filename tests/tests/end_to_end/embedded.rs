//! The engine in somebody else's program: the shortest that deploys, a page that shows a deploy, and runs that are dropped.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use kamal::{Project, ProxySource, machine::Environment};
use kamal_core::{error::ErrorKind, event::EventKind, name::Version};
use kamal_tests::{
    app::App,
    rig::{self, rig},
};
use xtask::programs::{self, Profile};

/// The project of an app, as a program that embeds the engine opens it.
async fn opened(app: &App) -> Project {
    let proxy = rig().programs.kamal.with_file_name("kamal-proxy-linux-amd64");
    opened_with(app, ProxySource::Binary(proxy)).await
}

async fn opened_with(app: &App, proxy: ProxySource) -> Project {
    let command = app.project.kamal();
    let mut variables: BTreeMap<String, String> = std::env::vars().collect();
    for (name, value) in command.get_envs() {
        let name = name.to_string_lossy().into_owned();
        match value {
            Some(value) => drop(variables.insert(name, value.to_string_lossy().into_owned())),
            None => drop(variables.remove(&name)),
        }
    }
    let builder =
        Project::builder().folder(app.project.folder()).environment(Environment::of(variables)).proxy_image(proxy);
    builder.build().await.unwrap()
}

/// Lines that are neither blank nor comments.
fn lines(source: &str) -> usize {
    source.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//")).count()
}

#[test]
fn thirty_lines_deploy() {
    let example = programs::example("deploy", Profile::Dev).unwrap();
    let source = fs::read_to_string(xtask::workspace().join("crates/kamal/examples/deploy.rs")).unwrap();
    assert!(lines(&source) <= 30, "{} lines", lines(&source));
    let app = App::on_one("e2e-embedded");
    app.set_up();
    let version = app.release();
    let output = app.project.command(&example).stdin(Stdio::null()).output().unwrap();
    let text = rig::text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains(&format!("{version} serves after ")), "{text}");
    assert_eq!(app.serving(), [version]);
    assert!(!app.locked());
}

#[test]
fn a_page_shows_a_deploy_to_whoever_opens_it() {
    let example = programs::example("service", Profile::Dev).unwrap();
    let app = App::on_one("e2e-page");
    app.set_up();
    let version = app.release();
    let mut service = app.project.command(&example);
    service.args([".", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut service = service.spawn().unwrap();
    let mut url = String::new();
    BufReader::new(service.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let curl = |arguments: &[&str], path: &str| {
        let mut curl = std::process::Command::new("curl");
        curl.args(["--silent", "--max-time", "60"]).args(arguments).arg(format!("{}{path}", url.trim()));
        String::from_utf8(curl.output().unwrap().stdout).unwrap()
    };
    assert!(curl(&[], "/").contains("EventSource"));
    assert_eq!(curl(&["-X", "POST"], "/deploy"), version);
    let twice = curl(&["-X", "POST"], "/deploy");
    // Whoever comes while it goes on, and whoever comes when it is over, sees the same.
    let (during, after) = (curl(&[], "/events"), curl(&[], "/events"));
    service.kill().unwrap();
    service.wait().unwrap();
    assert_eq!(twice, "a deploy is at work");
    for seen in [&during, &after] {
        let kinds: Vec<&str> =
            seen.lines().filter_map(|line| line.split(r#""event":""#).nth(1)?.split('"').next()).collect();
        assert_eq!((kinds.first(), kinds.last()), (Some(&"started"), Some(&"finished")), "{seen}");
        assert!(seen.contains("event: end"), "{seen}");
    }
    assert_eq!(app.serving(), [version]);
}

#[test]
fn a_proxy_image_that_cannot_be_had_is_what_the_error_is_about() {
    let app = App::on_one("e2e-no-proxy");
    rig().clean(app.host().number);
    let version = Version::parse(app.release()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // No host of the sandbox reaches Docker Hub.
    let failed = runtime.block_on(async {
        let project = opened_with(&app, ProxySource::DockerHub).await;
        project.deploy(&version).run().await.unwrap_err()
    });
    let said = failed.to_string();
    assert_eq!(failed.kind(), ErrorKind::ImageMissing, "{said}");
    assert!(said.contains("basecamp/kamal-proxy:"), "{said}");
    assert!(!said.contains("unhealthy") && !app.locked(), "{said}");
    rig().clean(app.host().number);
}

/// Waits until hosts hold no container that was renamed, the lock is free, and both serve the same.
fn at_rest(app: &App, moment: &str) -> String {
    let serving = app.serving();
    assert_eq!(serving[0], serving[1], "{moment}: half switched");
    assert!(!app.locked(), "{moment}: the lock was left behind");
    for host in app.hosts() {
        let names =
            format!("docker ps -a --filter label=service={} --format '{{{{.Names}}}} {{{{.State}}}}'", app.service);
        let names = rig().docker_shell(host.number, &names);
        assert!(!names.contains("_replaced_"), "{moment}: {names}");
        let running = names.lines().filter(|line| line.ends_with(" running")).count();
        assert_eq!(running, 1, "{moment}: {names}");
    }
    serving[0].clone()
}

#[test]
fn a_run_that_is_dropped_leaves_nothing_behind() {
    let app = App::on_two("e2e-dropped");
    app.set_up();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let project = runtime.block_on(opened(&app));
    let deploy = |version: &str| project.deploy(&Version::parse(version).unwrap());
    // How long one takes, with everything warm.
    let began = Instant::now();
    let version = app.release();
    runtime.block_on(async { deploy(&version).run().await }).unwrap();
    let took = began.elapsed();
    let load = app.load();
    let mut stopped = 0;
    for moment in 0..10_u32 {
        let before = at_rest(&app, "before");
        let version = app.release();
        let outcome = runtime.block_on(async {
            let run = deploy(&version).run();
            let mut events = run.events();
            tokio::time::sleep(took * moment / 10).await;
            drop(run);
            let mut outcome = None;
            while let Some(event) = tokio::time::timeout(Duration::from_secs(60), events.next()).await.unwrap() {
                if let EventKind::Finished { outcome: how, .. } = event.kind {
                    outcome = Some(how);
                }
            }
            outcome
        });
        let after = at_rest(&app, &format!("{moment}/10: {outcome:?}"));
        assert!(after == before || after == version, "{moment}/10: {after} is neither {before} nor {version}");
        stopped += usize::from(after == before);
    }
    assert!(stopped > 2, "only {stopped} of ten were stopped before they switched");
    let tally = load.stop();
    assert_eq!(tally.failed, Vec::<String>::new(), "{tally:?}");
    // And it can be run again.
    let version = app.release();
    runtime.block_on(async { deploy(&version).run().await }).unwrap();
    assert_eq!(at_rest(&app, "again"), version);
}
