//! Every effect of every operation goes wrong once, in every way it can, and then the operation is run again.

use kamal_core::{
    error::Error,
    name::HostName,
    testing::{Effect, Fault, How},
};

use crate::harness::{APART, App, THREE, TOGETHER, Verb};

/// What is run, on what.
struct Case {
    yaml: &'static str,
    verb: Verb,
    /// The version before, if any.
    before: Option<&'static str>,
    version: &'static str,
    hooks: bool,
}

fn app(case: &Case, seed: u64) -> App {
    let app = case.before.map_or_else(|| App::new(case.yaml), |version| App::deployed(case.yaml, version));
    if case.verb == Verb::Rollback {
        app.deploy("v9").unwrap();
    }
    if case.hooks {
        for hook in ["pre-connect", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"] {
            app.fleet.hook(hook, 0);
        }
    }
    app.fleet.reseed(seed);
    app
}

/// Runs the case once for each effect and each way in which it can go wrong.
fn fail_everywhere(case: &Case) {
    let smooth = app(case, 0);
    smooth.operate(case.verb, case.version, None).unwrap();
    smooth.assert_converged(case.version, "without a fault");
    let mut wrong = Vec::new();
    for (at, effect) in smooth.fleet.effects().iter().enumerate() {
        for &how in effect.hows() {
            for problem in fail_once(case, Fault { at, how }, effect) {
                wrong.push(format!("{how:?} at {at}, {effect}: {problem}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{:?} {}: {} problems\n{}", case.verb, case.yaml, wrong.len(), wrong.join("\n"));
}

fn fail_once(case: &Case, fault: Fault, effect: &Effect) -> Vec<String> {
    let app = app(case, 0);
    let old: Vec<_> = app.fleet.serving();
    let result = app.operate(case.verb, case.version, Some(fault));
    let mut problems = app.fleet.violations();
    let faulty = effect.host.as_ref().filter(|_| fault.how == How::Unplugged);
    problems.extend(lock_left(&app, fault, effect));
    if result.is_err() && !fault.how.kills() {
        problems.extend(half_switched(&app, &old, faulty));
    }
    let releases = effect.what.contains("release the deploy lock");
    if let (Ok(_), How::Stopped | How::StoppedLate, false) = (&result, fault.how, releases) {
        problems.push("it was asked to stop and said it was done".to_owned());
    }
    // Once more, without a fault and with nothing in between.
    app.fleet.plug_in();
    match app.operate(case.verb, case.version, None) {
        Ok(_) => app.assert_converged(case.version, &format!("again after {fault:?} at {effect}: {result:?}")),
        Err(error) => problems.push(format!("again: {error}")),
    }
    problems
}

/// The lock stays only where nobody could release it.
fn lock_left(app: &App, fault: Fault, effect: &Effect) -> Option<String> {
    let excused = effect.what.contains("release the deploy lock") || fault.how == How::Unplugged || fault.how.kills();
    (!excused && !app.locks().is_empty()).then(|| "the lock was left behind".to_owned())
}

/// After a failure all hosts that can be reached answer from what they had, or all from the new version.
fn half_switched(app: &App, old: &[kamal_core::testing::Serving], faulty: Option<&HostName>) -> Option<String> {
    let now = app.fleet.serving();
    let moved: Vec<bool> = old
        .iter()
        .filter(|before| Some(&before.host) != faulty)
        .map(|before| {
            now.iter()
                .all(|now| (&now.host, &now.role) != (&before.host, &before.role) || now.container != before.container)
        })
        .collect();
    let half = moved.iter().any(|&moved| moved) && moved.iter().any(|&moved| !moved);
    half.then(|| format!("some hosts switched and some did not: {now:?}"))
}

#[test]
fn first_deploy_of_one_host() {
    fail_everywhere(&Case { yaml: "servers: [h1]\n", verb: Verb::Deploy, before: None, version: "v1", hooks: false });
}

#[test]
fn deploy_of_one_host() {
    fail_everywhere(&Case {
        yaml: "servers: [h1]\n",
        verb: Verb::Deploy,
        before: Some("v1"),
        version: "v2",
        hooks: false,
    });
}

#[test]
fn deploy_of_three_hosts_with_hooks() {
    fail_everywhere(&Case { yaml: THREE, verb: Verb::Deploy, before: Some("v1"), version: "v2", hooks: true });
}

#[test]
fn deploy_of_roles_on_hosts_of_their_own() {
    fail_everywhere(&Case { yaml: APART, verb: Verb::Deploy, before: Some("v1"), version: "v2", hooks: false });
}

#[test]
fn deploy_of_roles_on_the_same_hosts() {
    fail_everywhere(&Case { yaml: TOGETHER, verb: Verb::Deploy, before: Some("v1"), version: "v2", hooks: false });
}

#[test]
fn the_same_version_again() {
    fail_everywhere(&Case { yaml: THREE, verb: Verb::Redeploy, before: Some("v1"), version: "v1", hooks: false });
}

#[test]
fn setup() {
    fail_everywhere(&Case { yaml: APART, verb: Verb::Setup, before: None, version: "v1", hooks: false });
}

#[test]
fn rollback() {
    fail_everywhere(&Case { yaml: APART, verb: Verb::Rollback, before: Some("v1"), version: "v1", hooks: false });
}

#[test]
fn an_unreachable_host_changes_nothing_anywhere() {
    let app = App::deployed(THREE, "v1");
    let before: Vec<_> = ["h1", "h2"].map(|host| app.fleet.host(host)).into();
    app.fleet.unplug("h3");
    let error = app.deploy("v2").unwrap_err();
    assert!(matches!(&error, Error::Hosts(_)) && error.to_string().contains("h3: cannot connect"), "{error}");
    assert_eq!(before, ["h1", "h2"].map(|host| app.fleet.host(host)));
}
