//! The deploy lock.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kamal_core::{
    cancel::Cancel,
    error::Error,
    lock::EXPIRY,
    op::{Deploy, Lock, Op},
    ports::{BuildError, BuildOrder, Builder, Built, Clock},
    request::Request,
    testing::{Effect, Fault, How, SimLock, VirtualClock},
};

use crate::harness::{App, THREE, Verb, seconds};

const LOCK: &str = ".kamal/lock-app";

/// Containers that have passed when they ran for a minute and a half.
const SLOW: &str = "servers: {web: {hosts: [h1, h2], proxy: false}}\nreadiness_delay: 90\n";

fn held(message: &str) -> App {
    let app = App::deployed(THREE, "v1");
    let details = format!("Locked by: Bob at 2026-01-01T00:00:00Z\nVersion: v7\nMessage: {message}\n");
    app.fleet.change("h1", |host| drop(host.locks.insert(LOCK.into(), details.as_str().into())));
    app
}

#[test]
fn a_held_lock_names_its_holder_and_stays_his() {
    let app = held("Automatic deploy lock");
    let error = app.deploy("v2").unwrap_err();
    assert!(matches!(&error, Error::LockHeld { host, .. } if *host == "h1"), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("Deploy lock found on h1") && text.contains("Locked by: Bob") && text.contains("v7"),
        "{text}"
    );
    assert_eq!(app.locks(), ["h1"]);
    assert_eq!(app.versions(), ["v1"]);
}

#[test]
fn by_hand_it_is_taken_shown_and_given_back() {
    let app = App::deployed(THREE, "v1");
    let told = |op: Lock| {
        let report = app.perform(&Op::Lock(op), None, None)?;
        Ok::<_, Error>(report.answers.into_iter().map(|answer| answer.outcome.unwrap().stdout).collect::<String>())
    };
    let take = || Lock::Acquire { message: "until Monday".to_owned() };
    assert_eq!(told(Lock::Status).unwrap(), "There is no deploy lock");
    assert_eq!(told(take()).unwrap(), "Acquired the deploy lock");
    assert_eq!(app.locks(), ["h1"]);
    assert!(told(Lock::Status).unwrap().contains("until Monday"));
    assert!(matches!(told(take()), Err(Error::LockHeld { .. })));
    assert_eq!(told(Lock::Release).unwrap(), "Released the deploy lock");
    assert!(app.locks().is_empty());
    assert_eq!(told(Lock::Release).unwrap(), "There is no deploy lock");
}

#[test]
fn waiting_for_the_lock_ends_when_it_is_given_back() {
    let mut app = held("Automatic deploy lock");
    app.run.lock_wait = Some((seconds(60), seconds(5)));
    let fleet = app.fleet.clone();
    let began = app.fleet.clock().elapsed();
    app.fleet.clock().after(seconds(12), move || fleet.change("h1", |host| host.locks.clear()));
    app.deploy("v2").unwrap();
    app.assert_converged("v2", "after waiting");
    let took = app.fleet.clock().elapsed() - began;
    assert!((seconds(15)..seconds(20)).contains(&took), "{took:?}");
    let said = app.fleet.events().said();
    assert!(said.iter().any(|line| line.contains("Locked by: Bob")), "{said:?}");
    assert!(said.iter().any(|line| line == "Retrying in 5s (59s remaining)..."), "{said:?}");
}

#[test]
fn waiting_for_the_lock_ends_when_the_time_is_up() {
    let mut app = held("Automatic deploy lock");
    app.run.lock_wait = Some((seconds(60), seconds(7)));
    let error = app.deploy("v2").unwrap_err();
    assert!(matches!(&error, Error::LockTimeout { .. }) && error.to_string().contains("Locked by: Bob"), "{error}");
    assert_eq!(app.locks(), ["h1"]);
}

#[test]
fn a_lock_somebody_took_by_hand_is_not_waited_for() {
    let mut app = held("database maintenance until Monday");
    app.run.lock_wait = Some((seconds(60), seconds(5)));
    let error = app.deploy("v2").unwrap_err();
    assert!(matches!(&error, Error::LockHeld { .. }), "{error}");
}

#[test]
fn a_lock_that_is_held_for_us_is_neither_taken_nor_given_back() {
    let mut app = held("held by the parent process");
    app.run.lock_held = true;
    app.deploy("v2").unwrap();
    assert_eq!(app.locks(), ["h1"]);
    assert_eq!(app.versions(), ["v2"]);
}

#[test]
fn a_lock_that_is_held_for_us_leaves_nothing_out() {
    let mut app = App::new(THREE);
    app.run.lock_held = true;
    app.fleet.hook("docker-setup", 0);
    app.fleet.change("h2", |host| host.docker = false);
    app.operate(Verb::Setup, "v1", None).unwrap();
    assert!(app.fleet.ran().iter().any(|ran| ran.command.ends_with("docker-setup")));
    app.assert_converged("v1", "setup");
    let error = app.operate(Verb::Rollback, "v0", None).unwrap_err();
    assert!(matches!(error, Error::VersionUnavailable { .. }), "{error}");
    app.assert_converged("v1", "rollback");
}

/// A deploy that was killed while it waited for its containers, on the process's own machine.
fn killed(how: How) -> App {
    let app = App::deployed(THREE, "v1");
    let at = position(&app, |effect| effect.what.contains("switch app-web"));
    app.operate(Verb::Deploy, "v2", Some(Fault { at, how })).unwrap_err();
    assert_eq!(app.locks(), ["h1"]);
    app
}

fn position(app: &App, is: impl Fn(&Effect) -> bool) -> usize {
    let probe = app.fork();
    probe.deploy("v2").unwrap();
    probe.fleet.effects().iter().position(is).unwrap()
}

fn lock_of(app: &App) -> Option<SimLock> {
    app.fleet.host("h1").locks.get(LOCK).cloned()
}

fn status(app: &App) -> String {
    let report = app.perform_well(&Op::Lock(Lock::Status));
    report.answers.into_iter().map(|answer| answer.outcome.unwrap().stdout).collect()
}

#[test]
fn a_killed_command_s_lock_is_taken_over_at_once_where_it_ran() {
    let app = killed(How::Killed);
    let began = app.fleet.clock().elapsed();
    app.deploy("v2").unwrap();
    assert!(app.fleet.clock().elapsed() - began < seconds(10));
    let said = app.fleet.events().said().join("\n");
    assert!(said.contains("Took over the deploy lock of ann on laptop-0") && said.contains("`deploy v2`"), "{said}");
    assert!(said.contains("its process has ended"), "{said}");
    app.assert_converged("v2", "after taking over");
}

#[test]
fn from_elsewhere_it_is_taken_over_when_it_expires() {
    let app = killed(How::KilledLate);
    app.fleet.next_machine();
    let error = app.deploy("v2").unwrap_err();
    assert!(matches!(&error, Error::LockHeld { by_hand: false, .. }) && error.to_string().contains("alive"), "{error}");
    assert!(status(&app).contains("From: ann on laptop-0, process"), "{}", status(&app));

    // It is late: what is left is waited for.
    app.fleet.drive(app.fleet.clock().sleep(seconds(20))).unwrap();
    app.deploy("v2").unwrap();
    let said = app.fleet.events().said().join("\n");
    assert!(said.contains("late") && said.contains("nothing was heard of it for 3"), "{said}");
    app.assert_converged("v2", "after it expired");
}

#[test]
fn who_waits_for_the_dead_waits_until_the_lease_expires() {
    let mut app = killed(How::Killed);
    app.fleet.next_machine();
    app.run.lock_wait = Some((seconds(900), seconds(5)));
    let began = app.fleet.clock().elapsed();
    app.deploy("v2").unwrap();
    let took = app.fleet.clock().elapsed() - began;
    assert!((seconds(25)..EXPIRY + seconds(15)).contains(&took), "{took:?}");
    app.assert_converged("v2", "after waiting for it");
}

#[test]
fn the_status_tells_who_from_where_and_whether_alive() {
    let app = killed(How::Killed);
    let shown = status(&app);
    for line in
        ["Locked by: Ann at ", "Version: v2", "From: ann on laptop-0, process ", "Doing: deploy v2", "ago, alive"]
    {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    app.fleet.drive(app.fleet.clock().sleep(EXPIRY)).unwrap();
    assert!(status(&app).contains("whoever comes next takes it over"), "{}", status(&app));
    app.perform_well(&Op::Lock(Lock::Acquire { message: "x".into() }));
    app.fleet.drive(app.fleet.clock().sleep(EXPIRY)).unwrap();
    assert!(status(&app).contains("it is held until it is released"), "{}", status(&app));
}

#[test]
fn a_lock_without_readable_details_is_seen_and_can_be_released() {
    let app = App::deployed(THREE, "v1");
    app.fleet.change("h1", |host| drop(host.locks.insert(LOCK.into(), SimLock::default())));
    assert!(status(&app).contains("cannot be read"), "{}", status(&app));
    assert!(matches!(app.deploy("v2"), Err(Error::LockHeld { .. })));
    app.perform_well(&Op::Lock(Lock::Release));
    app.deploy("v2").unwrap();
}

/// Whoever holds it lets itself be heard of, however long it takes and whatever it waits for.
#[test]
fn a_long_deploy_is_not_taken_for_dead() {
    let app = App::deployed(SLOW, "v1");
    let silent = Arc::new(Mutex::new(Vec::new()));
    for second in 1..80 {
        let (fleet, silent, clock) = (app.fleet.clone(), silent.clone(), app.fleet.clock().clone());
        let at = app.fleet.clock().elapsed() + seconds(second);
        app.fleet.clock().after(seconds(second), move || {
            let lease = fleet.host("h1").locks.get(LOCK).and_then(|lock| lock.lease.clone());
            silent.lock().unwrap().push((lease.map(|lease| at - lease.heard.unwrap()), clock.elapsed()));
        });
    }
    app.deploy("v2").unwrap();
    let silent = silent.lock().unwrap();
    assert!(silent.iter().filter(|(silent, _)| silent.is_some()).count() > 60, "{silent:?}");
    assert!(silent.iter().all(|(silent, _)| silent.is_none_or(|silent| silent < seconds(12))), "{silent:?}");
}

/// Takes an hour for what others do at once.
#[derive(Debug)]
struct Slow(Arc<dyn Builder>, VirtualClock);

#[async_trait]
impl Builder for Slow {
    async fn build(&self, order: &BuildOrder<'_>) -> Result<Built, BuildError> {
        self.1.sleep(seconds(3600)).await;
        self.0.build(order).await
    }
}

#[test]
fn a_build_that_takes_an_hour_is_not_taken_for_dead() {
    let mut app = App::deployed(THREE, "v1");
    app.world.builder = Arc::new(Slow(app.world.builder.clone(), app.fleet.clock().clone()));
    let silent = Arc::new(Mutex::new(Vec::new()));
    for minute in 1..60 {
        let (fleet, silent) = (app.fleet.clone(), silent.clone());
        let at = app.fleet.clock().elapsed() + seconds(60 * minute);
        app.fleet.clock().after(seconds(60 * minute), move || {
            let lease = fleet.host("h1").locks.get(LOCK).and_then(|lock| lock.lease.clone());
            silent.lock().unwrap().push(lease.map(|lease| at - lease.heard.unwrap()));
        });
    }
    app.deploy("v2").unwrap();
    let silent = silent.lock().unwrap();
    assert!(silent.len() == 59 && silent.iter().all(|one| one.is_some_and(|one| one < seconds(12))), "{silent:?}");
    app.assert_converged("v2", "after a long build");
}

#[test]
fn nothing_is_built_while_somebody_else_is_at_work() {
    let app = held("Automatic deploy lock");
    app.fleet.hook("pre-connect", 0);
    app.fleet.hook("pre-build", 0);
    for verb in [Verb::Setup, Verb::Deploy, Verb::Redeploy] {
        let error = app.operate(verb, "v2", None).unwrap_err();
        assert!(matches!(&error, Error::LockHeld { .. }), "{verb:?}: {error}");
        let ran: Vec<String> = app.fleet.ran().into_iter().map(|ran| ran.command).collect();
        assert!(matches!(&ran[..], [hook] if hook.ends_with("pre-connect")), "{verb:?}: {ran:?}");
    }
}

/// Whoever was killed while it built holds the lock for as long as it might be alive, and no longer.
#[test]
fn a_builder_that_dies_is_taken_over() {
    for verb in [Verb::Setup, Verb::Deploy, Verb::Redeploy] {
        let app = App::deployed(THREE, "v1");
        let probe = app.fork();
        probe.operate(verb, "v2", None).unwrap();
        let builds = |effect: &Effect| effect.host.is_none() && effect.what.contains("docker buildx build");
        let at = probe.fleet.effects().iter().position(builds).unwrap_or_else(|| panic!("{:?}", probe.fleet.effects()));
        app.operate(verb, "v2", Some(Fault { at, how: How::Killed })).unwrap_err();
        assert_eq!(app.locks(), ["h1"]);
        app.fleet.next_machine();
        assert!(matches!(app.deploy("v3"), Err(Error::LockHeld { by_hand: false, .. })), "{verb:?}");
        app.fleet.drive(app.fleet.clock().sleep(EXPIRY)).unwrap();
        app.deploy("v3").unwrap();
        app.assert_converged("v3", "after taking over");
    }
}

#[test]
fn a_short_deploy_sends_no_heartbeat() {
    let app = App::deployed(THREE, "v1");
    app.deploy("v2").unwrap();
    assert!(!app.fleet.effects().iter().any(|effect| effect.what.contains("renew")), "{:?}", app.fleet.effects());
}

/// Somebody took it over, or released it by hand: nothing more is done, and what is theirs is left alone.
#[test]
fn a_lock_that_is_lost_ends_the_run_and_stays_somebody_else_s() {
    for theirs in [None, Some(SimLock::from("Locked by: Bob"))] {
        let app = App::deployed(SLOW, "v1");
        let (fleet, left) = (app.fleet.clone(), theirs.clone());
        app.fleet.clock().after(seconds(8), move || {
            fleet.change("h1", |host| {
                host.locks.clear();
                host.locks.extend(left.map(|lock| (LOCK.to_owned(), lock)));
            });
        });
        let error = app.deploy("v2").unwrap_err();
        assert!(matches!(&error, Error::LockLost { host } if *host == "h1"), "{error}");
        assert_eq!(lock_of(&app), theirs);
        app.fleet.change("h1", |host| host.locks.clear());
        app.deploy("v2").unwrap();
        app.assert_converged("v2", "after losing it");
    }
}

/// It is too late to stop anything then, so that the deploy is what it is.
#[test]
fn a_lock_that_was_lost_at_the_end_is_not_removed_from_whoever_has_it() {
    let app = App::deployed(THREE, "v1");
    let moment = app.moment_before("v2", "release the deploy lock");
    let theirs = SimLock::from("Locked by: Bob");
    let (fleet, left) = (app.fleet.clone(), theirs.clone());
    app.fleet.clock().after(moment, move || {
        fleet.change("h1", |host| drop(host.locks.insert(LOCK.into(), left)));
    });
    app.deploy("v2").unwrap();
    assert_eq!(lock_of(&app), Some(theirs));
    let said = app.fleet.events().said().join("\n");
    assert!(said.contains("not ours any more"), "{said}");
}

/// Whoever insists has the lock back within a second, if the host answers, and everything else left as it is.
#[test]
fn who_insists_on_an_end_gets_it_within_a_second() {
    for unplugged in [false, true] {
        let app = App::deployed(SLOW, "v1");
        let (canceller, cancel) = Cancel::pair();
        let fleet = app.fleet.clone();
        app.fleet.clock().after(seconds(8), move || {
            if unplugged {
                fleet.unplug("h1");
            }
            canceller.insist();
        });
        let began = app.fleet.clock().elapsed();
        let request = Request::new(Op::Deploy(Deploy::default())).version("v2".parse().unwrap());
        let stopped = app.fleet.drive(app.engine().run(request, cancel)).unwrap();
        assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
        assert!(app.fleet.clock().elapsed() - began < seconds(10));
        assert_eq!(app.locks().is_empty(), !unplugged);
    }
}
