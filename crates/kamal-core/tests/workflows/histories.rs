//! Which version a rollback goes back to, by what happened before.

use kamal_core::{
    op::{Op, Rollback},
    state::ContainerState,
    testing::{Fault, How},
};

use crate::harness::{APART, App, Verb};

/// Something that happens to an app.
#[derive(Clone, Copy, Debug)]
enum Did {
    Deploy(&'static str),
    Redeploy(&'static str),
    /// A version that never becomes healthy.
    FailedDeploy(&'static str),
    /// The command is cut off once every host has switched, before anything else.
    CutOffAfterSwitch(&'static str),
    /// The command is cut off before any host has switched.
    CutOffBeforeSwitch(&'static str),
    /// `app boot`: the image tagged as the latest, under that name.
    AppBoot,
    Rollback,
    RollbackTo(&'static str),
    /// A rollback that is cut off once every host has switched.
    CutOffRollback,
    /// The stopped container of a version is removed everywhere.
    Remove(&'static str),
    /// Another destination deploys the same service to the same hosts.
    OtherDestination(&'static str),
}

fn back() -> Op {
    Op::Rollback(Rollback::default())
}

fn position(app: &App, op: &Op, asked: Option<&str>, what: &str) -> usize {
    let probe = app.fork();
    probe.perform(op, asked, None).unwrap();
    let effects = probe.fleet.effects();
    effects.iter().position(|effect| effect.what.contains(what)).unwrap_or_else(|| panic!("{what}: {effects:?}"))
}

/// Runs an operation that loses every host at the first effect of some name, so that nothing is put right.
fn cut_off(app: &App, op: &Op, asked: Option<&str>, what: &str) {
    let at = position(app, op, asked, what);
    // The lost host keeps the command from finishing; what it cannot reach it cannot put right.
    app.perform(op, asked, Some(Fault { at, how: How::Unplugged })).unwrap_err();
    app.fleet.plug_in();
}

impl Did {
    fn happen(self, app: &App) {
        match self {
            Self::Deploy(version) => drop(app.deploy(version).unwrap()),
            Self::Redeploy(version) => drop(app.operate(Verb::Redeploy, version, None).unwrap()),
            Self::FailedDeploy(version) => {
                app.fleet.sicken(version);
                app.deploy(version).unwrap_err();
                app.fleet.heal();
            }
            Self::CutOffAfterSwitch(version) => {
                cut_off(app, &Verb::Deploy.op(), Some(version), "check that kamal-proxy");
            }
            Self::CutOffBeforeSwitch(version) => cut_off(app, &Verb::Deploy.op(), Some(version), "start app-web"),
            Self::AppBoot => drop(app.perform(&Verb::Boot.op(), None, None).unwrap()),
            Self::Rollback => drop(app.perform_well(&back())),
            Self::RollbackTo(version) => {
                let to = Some(version.parse().unwrap());
                app.perform_well(&Op::Rollback(Rollback { to, as_deployed: false }));
            }
            Self::CutOffRollback => cut_off(app, &back(), None, "check that kamal-proxy"),
            Self::Remove(version) => {
                for host in &app.targets.hosts {
                    app.fleet.change(host, |host| {
                        let its = |name: &str| name.ends_with(&format!("-{version}"));
                        host.containers.retain(|found| found.state == ContainerState::Running || !its(&found.name));
                    });
                }
            }
            Self::OtherDestination(version) => {
                for host in &app.targets.hosts {
                    app.fleet.change(host, |host| {
                        let mut other = host.containers[0].clone();
                        other.name = format!("app-web-staging-{version}").parse().unwrap();
                        other.id = format!("{}{}", "e".repeat(50), &other.id[..14]);
                        other.labels.insert("destination".into(), "staging".into());
                        other.state = ContainerState::Exited;
                        host.containers.insert(0, other);
                    });
                }
            }
        }
    }
}

/// The version a rollback then goes back to; `None` where there is none.
fn goes_back_to(yaml: &str, happened: &[Did]) -> Option<String> {
    let app = App::new(&format!("{yaml}retain_containers: 9\n"));
    happened.iter().for_each(|did| did.happen(&app));
    match app.perform(&back(), None, None) {
        Ok(_) => {
            let versions = app.versions();
            assert_eq!(versions.len(), 1, "{happened:?}: {versions:?}");
            versions.first().cloned()
        }
        Err(error) => {
            assert!(error.to_string().contains("no earlier version"), "{happened:?}: {error}");
            None
        }
    }
}

#[test]
fn twenty_histories() {
    use Did::*;
    let one = "servers: [h1]\n";
    let histories: [(&[Did], Option<&str>); 20] = [
        (&[Deploy("v1")], None),
        (&[Deploy("v1"), Deploy("v2")], Some("v1")),
        (&[Deploy("v1"), Deploy("v2"), Deploy("v3")], Some("v2")),
        // Never a version that failed.
        (&[Deploy("v1"), Deploy("v2"), FailedDeploy("v3")], Some("v1")),
        (&[Deploy("v1"), FailedDeploy("v2"), Deploy("v3")], Some("v1")),
        // Nor one that was interrupted: what is live and was never finished is left for what was live before.
        (&[Deploy("v1"), Deploy("v2"), CutOffBeforeSwitch("v3")], Some("v1")),
        (&[Deploy("v1"), Deploy("v2"), CutOffAfterSwitch("v3")], Some("v2")),
        (&[Deploy("v1"), CutOffAfterSwitch("v2"), Deploy("v3")], Some("v1")),
        // `latest` is a name for the version whose image it is, and no version to go back to.
        (&[Deploy("v1"), Deploy("v2"), AppBoot], Some("v1")),
        (&[Deploy("v1"), Deploy("v2"), AppBoot, Deploy("v3")], Some("v2")),
        // The same version again is no other version.
        (&[Deploy("v1"), Deploy("v2"), Redeploy("v2")], Some("v1")),
        (&[Deploy("v1"), Deploy("v2"), Deploy("v2")], Some("v1")),
        // A second rollback goes one further back, and never to what was left.
        (&[Deploy("v1"), Deploy("v2"), Deploy("v3"), Rollback], Some("v1")),
        (&[Deploy("v1"), Deploy("v2"), Deploy("v3"), Rollback, Rollback], None),
        (&[Deploy("v1"), Deploy("v2"), Deploy("v3"), RollbackTo("v1")], None),
        (&[Deploy("v1"), Deploy("v2"), Deploy("v3"), Rollback, Deploy("v4")], Some("v2")),
        (&[Deploy("v1"), Deploy("v2"), RollbackTo("v1"), RollbackTo("v2")], Some("v1")),
        // One that was cut off is ended by the same command.
        (&[Deploy("v1"), Deploy("v2"), Deploy("v3"), CutOffRollback], Some("v2")),
        // What is gone is passed over.
        (&[Deploy("v1"), Deploy("v2"), Deploy("v3"), Remove("v2")], Some("v1")),
        (&[Deploy("v1"), Deploy("v2"), OtherDestination("v0")], Some("v1")),
    ];
    for (happened, expected) in histories {
        assert_eq!(goes_back_to(one, happened).as_deref(), expected, "{happened:?}");
    }
}

#[test]
fn versions_of_one_image_are_versions_all_the_same() {
    let app = App::new("servers: [h1]\n");
    for version in ["v1", "v2", "v3"] {
        app.deploy(version).unwrap();
        app.fleet.change("h1", |host| {
            let id = host.images["acme/app:v1"].clone();
            host.images.values_mut().for_each(|image| image.clone_from(&id));
            host.containers.iter_mut().for_each(|container| container.image_id.clone_from(&id));
        });
    }
    for wanted in ["v2", "v1"] {
        app.perform_well(&back());
        assert_eq!(app.versions(), [wanted]);
    }
    assert!(app.perform(&back(), None, None).is_err());
}

#[test]
fn on_several_hosts_it_is_one_version() {
    use Did::*;
    let histories: [(&[Did], Option<&str>); 4] = [
        (&[Deploy("v1"), Deploy("v2"), Deploy("v3")], Some("v2")),
        (&[Deploy("v1"), Deploy("v2"), CutOffAfterSwitch("v3")], Some("v2")),
        (&[Deploy("v1"), Deploy("v2"), Deploy("v3"), CutOffRollback], Some("v2")),
        (&[Deploy("v1"), Deploy("v2"), FailedDeploy("v3")], Some("v1")),
    ];
    for (happened, expected) in histories {
        assert_eq!(goes_back_to(APART, happened).as_deref(), expected, "{happened:?}");
    }
}

#[test]
fn it_says_what_it_goes_back_to_and_what_else_changes() {
    let mut app = App::new("servers: [h1]\n");
    app.config.env.clear.insert("LEVEL".into(), "info".into());
    app.deploy("v1").unwrap();
    app.deploy("v2").unwrap();
    app.config.env.clear.insert("LEVEL".into(), "debug".into());
    app.config.env.clear.insert("NEW".into(), "1".into());
    let notes = app.perform_well(&back()).plan.notes.join("\n");
    assert!(
        notes.contains("Going back from v2 to v1, live since 2026-01-01T") && notes.contains("deployed by ann"),
        "{notes}"
    );
    assert!(notes.contains("LEVEL has another value, NEW is new"), "{notes}");
}

#[test]
fn as_deployed_starts_the_containers_that_are_there() {
    let mut app = App::deployed(APART, "v1");
    app.deploy("v2").unwrap();
    app.config.env.clear.insert("NEW".into(), "1".into());
    let to = |as_deployed| Op::Rollback(Rollback { to: None, as_deployed });
    let before = app.fleet.host("h1").container("app-web-v1").cloned().unwrap();
    app.perform_well(&to(true));
    app.assert_converged("v1", "as deployed");
    let after = app.fleet.host("h1").container("app-web-v1").cloned().unwrap();
    assert_eq!((before.id, before.env), (after.id, after.env));
}
