//! Deploys through the registry on this machine.

use kamal_core::{
    error::Error,
    op::{Build, Deploy, Op, Registry, RegistryTask},
    ports::RegistryError,
    testing::{Effect, EffectKind, Fault, How},
};

use crate::harness::{App, Verb};

/// No registry at all.
const NONE: &str = "service: app\nbuilder: {arch: amd64}\nenv: {secret: [DATABASE_URL]}\nservers: [h1, h2, h3]\n";
/// The same, named.
const NAMED: &str = "service: app\nimage: acme/app\nregistry: {server: \"localhost:5000\", username: u, password: [NOBODY_HAS_IT]}\n\
    builder: {arch: amd64}\nservers: [h1, h2]\n";

fn reached(app: &App) -> Vec<String> {
    let reaches = |effect: &Effect| effect.kind == EffectKind::Reach;
    app.fleet
        .effects()
        .iter()
        .filter(|effect| reaches(effect))
        .map(|effect| effect.host.clone().unwrap().to_string())
        .collect()
}

#[test]
fn without_a_registry_hosts_pull_from_here() {
    let app = App::of(NONE);
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.deploy("v2").unwrap();
    assert_eq!(app.versions(), ["v2"]);
    assert_eq!(reached(&app), ["h1", "h2", "h3"]);
    let host = app.fleet.host("h2");
    assert!(host.images.contains_key("localhost:5555/app:v2") && host.images.contains_key("localhost:5555/app:latest"));
    assert!(host.logins.is_empty(), "nobody logs in");
    assert_eq!(app.fleet.open_ways(), 0, "nothing stays open");
    let said = app.fleet.events().said();
    assert_eq!(said.iter().filter(|text| text.contains("port forwarding to h1, h2, h3")).count(), 1, "{said:?}");
}

#[test]
fn a_local_registry_that_is_named_needs_no_login_and_no_secret() {
    let app = App::of(NAMED);
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.operate(Verb::Redeploy, "v2", None).unwrap();
    let host = app.fleet.host("h1");
    assert!(host.images.contains_key("localhost:5000/acme/app:v2") && host.logins.is_empty());
    assert!(!app.fleet.ran().iter().any(|ran| ran.command.contains("login")), "{:?}", app.fleet.ran());
}

#[test]
fn what_does_not_pull_serves_nothing() {
    let app = App::of(NONE);
    app.operate(Verb::Setup, "v1", None).unwrap();
    for op in [Op::Details, Op::Build(Build::Details), Op::Build(Build::Create)] {
        app.perform_well(&op);
        let served = |effect: &Effect| effect.what.contains("registry");
        assert!(!app.fleet.effects().iter().any(served), "{}", op.row().name());
    }
}

#[test]
fn a_host_that_forbids_it_is_handed_the_image() {
    let app = App::of(NONE);
    app.fleet.change("h2", |host| host.forbids_forwarding = true);
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.deploy("v2").unwrap();
    assert_eq!(app.versions(), ["v2"]);
    let host = app.fleet.host("h2");
    assert!(host.images.contains_key("localhost:5555/app:v2"));
    assert!(host.archives.is_empty() && !host.files.keys().any(|path| path.ends_with(".tar")), "the archive is gone");
    // In two parts, the first of which is loaded before the second is sent.
    let of_archives = app.fleet.effects().into_iter().filter(|effect| effect.what.contains("image.tar"));
    let of_archives = of_archives.map(|effect| (effect.host.unwrap().to_string(), effect.what.starts_with("load")));
    let expected = [false, true, false, true].map(|loads| ("h2".to_owned(), loads));
    assert_eq!(of_archives.collect::<Vec<_>>(), expected);
}

#[test]
fn an_archive_that_does_not_arrive_is_sent_again_and_nothing_of_it_stays() {
    let begun = || {
        let app = App::of(NONE);
        app.fleet.change("h2", |host| host.forbids_forwarding = true);
        app.operate(Verb::Setup, "v1", None).unwrap();
        app
    };
    let app = begun();
    app.deploy("v2").unwrap();
    let archives = of_archives(&app);
    assert_eq!(archives.len(), 4);
    for at in archives {
        for how in [How::Fails, How::LostBefore, How::LostAfter] {
            let app = begun();
            app.operate(Verb::Deploy, "v2", Some(Fault { at, how })).unwrap_err();
            assert_eq!(app.versions(), ["v1"], "{at} {how:?}");
            app.deploy("v2").unwrap();
            assert_eq!(app.versions(), ["v2"], "{at} {how:?}");
            let host = app.fleet.host("h2");
            assert!(!host.files.keys().any(|path| path.ends_with(".tar")), "{at} {how:?}");
        }
    }
}

/// Where among the effects those are that have to do with archives.
fn of_archives(app: &App) -> Vec<usize> {
    let effects = app.fleet.effects().into_iter().enumerate();
    effects.filter(|(_, effect)| effect.what.contains("image.tar")).map(|(at, _)| at).collect()
}

#[test]
fn little_is_handed_to_hosts_that_have_an_earlier_version() {
    let begun = || {
        let app = App::of(NONE);
        app.fleet.weigh(50_000_000);
        app.operate(Verb::Setup, "v1", None).unwrap();
        app
    };
    let app = begun();
    assert_eq!(reached(&app), ["h1", "h2", "h3"], "a first version is pulled");
    app.deploy("v2").unwrap();
    assert_eq!((app.versions(), reached(&app)), (vec!["v2".to_owned()], Vec::new()));
    let said = app.fleet.events().said();
    assert!(said.contains(&"Sending what is new in the image to h1, h2, h3...".to_owned()), "{said:?}");
    let archives = of_archives(&app);
    assert_eq!(archives.len(), 6);
    for at in archives {
        for how in [How::Fails, How::LostBefore, How::LostAfter] {
            let app = begun();
            app.operate(Verb::Deploy, "v2", Some(Fault { at, how })).unwrap_err();
            assert_eq!(app.versions(), ["v1"], "{at} {how:?}");
            app.deploy("v2").unwrap();
            assert_eq!(app.versions(), ["v2"], "{at} {how:?}");
        }
    }
}

#[test]
fn an_image_that_is_not_here_is_missed_before_a_host_forgets_it() {
    let app = App::of(NONE);
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.fleet.unpublish("localhost:5555/app:v1");
    for op in [Op::Deploy(Deploy { skip_push: true, ..Deploy::default() }), Op::Build(Build::Pull)] {
        let error = app.perform(&op, Some("v1"), None).unwrap_err();
        assert!(matches!(error, Error::Registry(RegistryError::Missing { .. })), "{error}");
        assert!(app.fleet.host("h1").images.contains_key("localhost:5555/app:v1"));
        assert_eq!(app.versions(), ["v1"]);
    }
}

#[test]
fn a_port_that_is_taken_here_is_told_before_anything_is_built() {
    let app = App::of(NONE);
    let at = app.fleet.effects().len();
    assert_eq!(at, 0);
    app.operate(Verb::Setup, "v1", None).unwrap();
    let at = app.fleet.effects().iter().position(|effect| effect.what == "serve the registry").unwrap();
    let error = App::of(NONE).operate(Verb::Setup, "v1", Some(Fault { at, how: How::Fails })).unwrap_err();
    assert!(error.to_string().contains("port 5555 of this machine is taken"), "{error}");
}

#[test]
fn commands_about_it_say_that_there_is_nothing_to_do() {
    let app = App::of(NAMED);
    for (task, says) in [
        (RegistryTask::Setup, "nothing to set up"),
        (RegistryTask::Remove, "nothing to remove"),
        (RegistryTask::Login, "Cannot use login command with a local registry. Use `kamal registry setup` instead."),
        (RegistryTask::Logout, "Cannot use logout command with a local registry. Use `kamal registry remove` instead."),
    ] {
        let ended = app.perform(&Op::Registry(Registry { task, skip_local: false, skip_remote: false }), None, None);
        let said = match ended {
            Ok(report) => report.answers[0].outcome.as_ref().unwrap().stdout.clone(),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(says), "{said}");
        assert_eq!(app.fleet.effects(), [], "nothing is done");
    }
}

#[test]
fn what_hosts_cannot_run_is_told_before_anything_is_changed() {
    for (arch, emulated, fits) in
        [("amd64", &[][..], true), ("arm64", &[], false), ("arm64", &["amd64"], true), ("riscv64", &["arm64"], false)]
    {
        for text in [NONE, &NONE.replace("builder:", "image: a/b\nregistry: {username: u, password: p}\nbuilder:")] {
            let app = App::of(text);
            app.fleet.change("h2", |host| {
                host.arch = Some(arch.to_owned());
                host.emulated = emulated.iter().map(|arch| (*arch).to_owned()).collect();
            });
            let ended = app.operate(Verb::Setup, "v1", None);
            assert_eq!(ended.is_ok(), fits, "{arch} {emulated:?}");
            let Err(error) = ended else { continue };
            assert_eq!(error.to_string(), format!("h2: it is {arch}, but the image is built for amd64 only"));
            assert!(
                app.fleet.host("h1").images.is_empty() && app.fleet.host("h1").audit.is_empty(),
                "nothing is changed"
            );
            assert!(app.plan(&Verb::Setup.op(), Some("v1")).is_err(), "a dry run tells of it");
        }
    }
}

#[test]
fn a_full_disk_is_told_before_anything_is_changed() {
    let app = App::of(NONE);
    app.fleet.weigh(500_000_000);
    app.fleet.change("h3", |host| host.free = Some(100_000_000));
    // The simulated host says that it has most of it.
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.fleet.change("h3", |host| host.free = Some(40_000_000));
    let error = app.deploy("v2").unwrap_err();
    assert!(
        error.to_string().starts_with("h3: docker has 40 MB free there, and the image needs about 50 MB"),
        "{error}"
    );
    assert_eq!(app.versions(), ["v1"]);
    assert!(!app.fleet.host("h1").images.contains_key("localhost:5555/app:v2"), "not on the others either");
    app.fleet.change("h3", |host| host.free = None);
    app.deploy("v2").unwrap();
}
