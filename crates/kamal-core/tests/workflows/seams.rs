//! What embedding programs put in: hooks, a builder, steps between stages. Each goes wrong once, wherever it is called.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kamal_core::{
    build::BuildTask,
    error::Error,
    op::Op,
    plan::Kind,
    ports::{BuildError, BuildOrder, Builder, Built, Interceptor, Moment, Refusal},
    run::hooks::{HookFiles, HookFunctions, NAMES},
    testing::{Effect, SimDocker, SimFleet},
};

use crate::{
    harness::{App, THREE, Verb},
    table::{Sweep, sweep_with},
};

/// What all effects of this file begin with.
const OWN: &str = "own ";

/// Steps before and after every stage.
#[derive(Debug)]
struct Everywhere(SimFleet);

#[async_trait]
impl Interceptor for Everywhere {
    async fn before(&self, moment: &Moment<'_>) -> Result<(), Refusal> {
        self.0.own_effect(&format!("{OWN}step before {}", moment.stage.kind.title())).await
    }

    async fn after(&self, moment: &Moment<'_>) -> Result<(), Refusal> {
        self.0.own_effect(&format!("{OWN}step after {}", moment.stage.kind.title())).await
    }
}

/// Builds by itself, and leaves the rest to docker.
#[derive(Debug)]
struct OwnBuilder(SimFleet);

#[async_trait]
impl Builder for OwnBuilder {
    async fn build(&self, order: &BuildOrder<'_>) -> Result<Built, BuildError> {
        let (BuildTask::Push { .. }, Some(version)) = (order.task, order.version) else {
            return SimDocker.build(order).await;
        };
        self.0.own_effect(&format!("{OWN}build")).await.map_err(|error| BuildError::Unfit(error.to_string()))?;
        self.0.publish(&format!("{}:{version}", order.config.repository()));
        Ok(Built::default())
    }
}

fn hooks(fleet: &SimFleet) -> HookFunctions {
    NAMES.iter().fold(HookFunctions::after(HookFiles), |hooks, name| {
        let fleet = fleet.clone();
        hooks.on(name, move |told| {
            let fleet = fleet.clone();
            async move { fleet.own_effect(&format!("{OWN}hook {}", told.name)).await }
        })
    })
}

fn dress(app: &mut App) {
    app.world.hooks = Arc::new(hooks(&app.fleet));
    app.world.builder = Arc::new(OwnBuilder(app.fleet.clone()));
    app.world.interceptor = Some(Arc::new(Everywhere(app.fleet.clone())));
}

fn sweep(of: impl Fn(&Op) -> bool) {
    sweep_with(of, &Sweep { dress: &dress, fails: &|effect: &Effect| effect.what.starts_with(OWN) });
}

#[test]
fn deploys_with_all_of_them() {
    sweep(|op| matches!(op, Op::Setup(_) | Op::Deploy(_) | Op::Redeploy(_) | Op::Rollback(_)));
}

#[test]
fn all_other_commands_with_all_of_them() {
    sweep(|op| !matches!(op, Op::Setup(_) | Op::Deploy(_) | Op::Redeploy(_) | Op::Rollback(_)));
}

/// Fails once, at one place, and notes all of them.
#[derive(Debug, Default)]
struct Once {
    at: String,
    called: Mutex<Vec<String>>,
}

impl Once {
    fn at(place: &str) -> Arc<Self> {
        Arc::new(Self { at: place.to_owned(), ..Self::default() })
    }

    fn call(&self, side: &str, moment: &Moment<'_>) -> Result<(), Refusal> {
        let place = format!("{side} {}", moment.stage.kind.title());
        self.called.lock().unwrap().push(format!("{place}{}", if moment.locked { "" } else { ", unlocked" }));
        if place == self.at { Err("not on a Friday".into()) } else { Ok(()) }
    }
}

#[async_trait]
impl Interceptor for Once {
    async fn before(&self, moment: &Moment<'_>) -> Result<(), Refusal> {
        self.call("before", moment)
    }

    async fn after(&self, moment: &Moment<'_>) -> Result<(), Refusal> {
        self.call("after", moment)
    }
}

#[test]
fn own_steps_come_before_and_after_each_stage() {
    let mut app = App::deployed("servers: [h1]\n", "v1");
    let steps = Once::at("nowhere");
    app.world.interceptor = Some(steps.clone());
    app.deploy("v2").unwrap();
    assert_eq!(
        *steps.called.lock().unwrap(),
        [
            "before lock, unlocked",
            "after lock",
            "before build",
            "after build",
            "before deliver",
            "after deliver",
            "before boot",
            "after boot",
            "before finish",
            "after finish",
            "before unlock",
            "after unlock, unlocked",
        ]
    );
}

#[test]
fn an_own_step_that_fails_leads_hosts_back_until_the_old_containers_go() {
    for version in ["v1", "v2"] {
        for (place, expected) in [
            ("before build", "v1"),
            ("before boot", "v1"),
            ("after boot", "v1"),
            ("before finish", "v1"),
            ("after finish", version),
        ] {
            let mut app = App::deployed(THREE, "v1");
            let before = app.fleet.serving();
            app.world.interceptor = Some(Once::at(place));
            let error = app.operate(Verb::Deploy, version, None).unwrap_err();
            assert!(matches!(&error, Error::OwnStep { place: at, .. } if at == place), "{error}");
            assert!(error.to_string().contains("not on a Friday"), "{error}");
            assert_eq!(app.versions(), [expected], "{place}");
            assert_eq!(app.fleet.serving() == before, place != "after finish", "{place}");
            assert_eq!(app.locks(), [""; 0], "{place}");
            assert_eq!(app.fleet.violations(), [""; 0], "{place}");
            for host in ["h1", "h2", "h3"] {
                let names: Vec<String> =
                    app.fleet.host(host).running("web").map(|container| container.name.to_string()).collect();
                assert_eq!(names, [format!("app-web-{expected}")], "{place} on {host}");
            }
            app.world.interceptor = None;
            app.operate(Verb::Deploy, version, None).unwrap();
            app.assert_converged(version, place);
        }
    }
}

#[test]
fn groups_that_were_retired_stay_as_they_are() {
    /// Fails after the second group has booted.
    #[derive(Debug, Default)]
    struct Second(Mutex<usize>);

    #[async_trait]
    impl Interceptor for Second {
        async fn after(&self, moment: &Moment<'_>) -> Result<(), Refusal> {
            let mut booted = self.0.lock().unwrap();
            *booted += usize::from(moment.stage.kind == Kind::Boot);
            if *booted == 2 { Err("enough".into()) } else { Ok(()) }
        }
    }

    let mut app = App::deployed("servers: [h1, h2, h3]\nboot: {limit: 1}\n", "v1");
    app.world.interceptor = Some(Arc::new(Second::default()));
    app.deploy("v2").unwrap_err();
    let serving: Vec<String> = app.fleet.serving().into_iter().map(|serving| serving.version.to_string()).collect();
    assert_eq!(serving, ["v2", "v1", "v1"]);
    assert_eq!(app.fleet.violations(), [""; 0]);
}

#[test]
fn functions_run_after_files_and_are_told_the_same() {
    let mut app = App::deployed(THREE, "v1");
    app.fleet.hook("pre-deploy", 0);
    let told = Arc::new(Mutex::new(Vec::new()));
    let (note, fleet) = (Arc::clone(&told), app.fleet.clone());
    app.world.hooks = Arc::new(HookFunctions::after(HookFiles).on("pre-deploy", move |hook| {
        note.lock().unwrap().push((fleet.ran().len(), hook));
        async { Ok(()) }
    }));
    app.deploy("v2").unwrap();
    let (ran, hook) = told.lock().unwrap().pop().unwrap();
    let file = app.fleet.ran().into_iter().find(|ran| ran.command.ends_with("pre-deploy")).unwrap();
    assert_eq!((ran, file.command.as_str()), (2, "./.kamal/hooks/pre-deploy"), "the build, and the file");
    assert_eq!(hook.name, "pre-deploy");
    for (name, value) in &file.env {
        assert_eq!(hook.env(name), Some(value.as_str()), "{name}");
    }
    assert!(hook.env("DATABASE_URL").is_some() && !format!("{hook:?}").contains("postgres://x"));

    // One that fails ends the deploy, with what it says, and the function is not asked after a file that failed.
    app.world.hooks =
        Arc::new(HookFunctions::new().on("pre-deploy", |_| async { Err("no deploys on Fridays".into()) }));
    let error = app.deploy("v3").unwrap_err();
    assert!(matches!(&error, Error::Hook { name, output, .. } if name == "pre-deploy" && output.contains("Fridays")));
    assert_eq!((app.versions(), app.locks()), (vec!["v2".to_owned()], Vec::new()));
    app.fleet.hook("pre-deploy", 3);
    app.world.hooks = Arc::new(HookFunctions::after(HookFiles).on("pre-deploy", |_| async { panic!("too late") }));
    assert!(matches!(app.deploy("v3").unwrap_err(), Error::Hook { status: 3, .. }));
}

#[test]
fn an_own_step_may_ask_a_host() {
    #[derive(Debug, Default)]
    struct Asks(Mutex<Vec<String>>);

    #[async_trait]
    impl Interceptor for Asks {
        async fn before(&self, moment: &Moment<'_>) -> Result<(), Refusal> {
            for (host, _) in moment.stage.steps().take(1) {
                let printed = moment.observe(host).await?;
                self.0.lock().unwrap().push(format!("{host}: {}", printed.containers.len()));
            }
            Ok(())
        }
    }

    let mut app = App::deployed("servers: [h1]\n", "v1");
    let asks = Arc::new(Asks::default());
    app.world.interceptor = Some(asks.clone());
    app.deploy("v2").unwrap();
    assert_eq!(*asks.0.lock().unwrap(), ["h1: 1", "h1: 1", "h1: 2"]);
}
