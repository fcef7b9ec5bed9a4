//! The deploy lock.

use kamal_core::{
    error::Error,
    op::{Lock, Op},
    ports::Clock,
};

use crate::harness::{App, THREE, Verb, seconds};

const LOCK: &str = ".kamal/lock-app";

fn held(message: &str) -> App {
    let app = App::deployed(THREE, "v1");
    let details = format!("Locked by: Bob at 2026-01-01T00:00:00Z\nVersion: v7\nMessage: {message}\n");
    app.fleet.change("h1", |host| drop(host.locks.insert(LOCK.into(), details)));
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
