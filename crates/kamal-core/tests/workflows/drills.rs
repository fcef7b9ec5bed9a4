//! A sample of the drills that `cargo xtask faults` does all of.

use kamal_core::{
    error::Error,
    testing::{Drill, Effect, Fault, How},
};

use crate::harness::{App, THREE, Verb};

/// The seed of the sample; `cargo xtask faults` tries others.
const SEED: u64 = 7;

#[test]
fn a_sample_of_all_faults_is_put_right_by_the_same_command_again() {
    let mut tried = 0;
    for (name, one_in) in
        [("one", 13), ("two-apart", 29), ("two-guarded", 31), ("five-together", 211), ("five-apart", 173)]
    {
        let drill = Drill::of_fleet(name, SEED).unwrap();
        for exercise in drill.exercises() {
            let swept = drill.sweep(&exercise, |fault, _| fault % one_in == 0);
            tried += swept.len();
            let wrong: Vec<String> =
                swept.iter().filter(|trial| !trial.problems.is_empty()).map(ToString::to_string).collect();
            assert!(wrong.is_empty(), "seed {SEED}:\n{}", wrong.join("\n"));
        }
    }
    assert!(tried > 150, "{tried}");
}

#[test]
fn a_fault_is_tried_again_by_its_name() {
    let drill = Drill::of_fleet("two", SEED).unwrap();
    let trial = |name: &str| drill.replay(name);
    let killed = trial("two/deploy/9/Killed").unwrap();
    let again = trial("two/deploy/9/Killed").unwrap();
    assert_eq!((killed.command, killed.how, &killed.effect), ("deploy", How::Killed, &again.effect));
    assert_eq!(killed.outcome, again.outcome);
    assert!(trial("two/deploy/9999/Killed").is_none() && trial("two/nothing/9/Killed").is_none());
    assert!(trial("one/deploy/9/Killed").is_none(), "that is another fleet's");
}

/// Runs a deploy of v2 in which an effect of some name on h2 goes wrong.
fn deployed_with(app: &App, what: &str, how: How) -> Result<(), Error> {
    let probe = app.fork();
    probe.deploy("v2").unwrap();
    let of_h2 = |effect: &Effect| {
        effect.host.as_ref().is_some_and(|host| host.as_str() == "h2") && effect.what.starts_with(what)
    };
    let at = probe.fleet.effects().iter().position(of_h2).unwrap();
    app.operate(Verb::Deploy, "v2", Some(Fault { at, how })).map(drop)
}

/// Whether docker told of the switch or not, whatever it took itself to restart.
#[test]
fn a_docker_that_restarts_during_the_switch_leaves_no_host_behind() {
    for how in [How::DockerRestarts, How::DockerRestartsLate] {
        let app = App::deployed(THREE, "v1");
        deployed_with(&app, "switch app-web", how).unwrap_err();
        assert_eq!(app.versions(), ["v1"], "{how:?}");
        assert_eq!(app.fleet.violations(), [""; 0], "{how:?}");
        app.fleet.plug_in();
        app.deploy("v2").unwrap();
        app.assert_converged("v2", "again");
    }
}

#[test]
fn an_old_container_that_does_not_stop_fails_the_deploy() {
    let app = App::deployed(THREE, "v1");
    let error = deployed_with(&app, "stop app-web-v1", How::Fails).unwrap_err();
    assert!(error.to_string().contains("stop app-web-v1"), "{error}");
    app.deploy("v2").unwrap();
    app.assert_converged("v2", "again");
}
