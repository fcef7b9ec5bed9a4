//! The release command: once, in the new image, before anything is switched to it.

use kamal_core::{
    error::Error,
    op::{App as AppOp, Deploy, Op, Rollback},
    plan::Kind,
    step::Step,
    targets::{Selection, Targets},
    testing::{Effect, EffectKind, Fault, How},
};

use crate::{
    harness::{App, Verb},
    table::{Sweep, sweep_on},
};

const YAML: &str = "servers: {web: [h1, h2], workers: {hosts: [h3, h2], proxy: false, cmd: bin/jobs}}\n\
    x-release: {cmd: bin/migrate, role: workers, timeout: 90}\n";

fn ran(app: &App) -> Vec<(String, Vec<String>)> {
    let hosts = app.targets.hosts.iter().map(|host| (host.to_string(), app.fleet.host(host).ran));
    hosts.filter(|(_, ran)| !ran.is_empty()).collect()
}

fn position(effects: &[Effect], what: &str) -> usize {
    effects.iter().position(|effect| effect.what.contains(what)).unwrap_or_else(|| panic!("{what}: {effects:?}"))
}

fn last(effects: &[Effect], what: &str) -> usize {
    effects.iter().rposition(|effect| effect.what.contains(what)).unwrap_or_else(|| panic!("{what}: {effects:?}"))
}

#[test]
fn it_runs_once_after_delivery_and_before_any_container_of_the_version() {
    let app = App::new(YAML);
    for (verb, version, times) in [(Verb::Setup, "v1", 1), (Verb::Deploy, "v2", 2), (Verb::Redeploy, "v3", 3)] {
        app.operate(verb, version, None).unwrap();
        assert_eq!(ran(&app), [("h2".to_owned(), vec!["bin/migrate".to_owned(); times])], "{verb:?}");
        let effects = app.fleet.effects();
        let release = position(&effects, &format!("run `bin/migrate` once in acme/app:{version} (within 90 s)"));
        assert!(last(&effects, "pull") < release && release < position(&effects, "start app-"), "{effects:?}");
        assert!(position(&effects, "take the deploy lock") < release, "{effects:?}");
        app.assert_converged(version, "with a release command");
    }
}

#[test]
fn what_brings_no_new_version_runs_none() {
    let app = App::deployed(YAML, "v1");
    app.deploy("v2").unwrap();
    let before = ran(&app);
    app.perform_well(&Op::App(AppOp::Boot));
    app.perform_well(&Op::Rollback(Rollback::default()));
    assert_eq!(ran(&app), before);
}

#[test]
fn where_it_fails_the_old_version_goes_on_serving() {
    let app = App::deployed(YAML, "v1");
    let probe = app.fork();
    probe.deploy("v2").unwrap();
    let at = position(&probe.fleet.effects(), "bin/migrate");
    let error = app.operate(Verb::Deploy, "v2", Some(Fault { at, how: How::Fails })).unwrap_err();
    assert!(matches!(error, Error::Hosts(_)) && error.to_string().contains("bin/migrate"), "{error}");
    assert!(!app.fleet.effects().iter().any(|effect| effect.what.contains("start app-")));
    assert_eq!((app.versions(), app.locks()), (vec!["v1".to_owned()], Vec::new()));
    app.deploy("v2").unwrap();
    app.assert_converged("v2", "again");
}

#[test]
fn a_plan_shows_it_and_tells_where_it_is_left_out() {
    let mut app = App::deployed(YAML, "v1");
    let plan = app.dry_run(Verb::Deploy, "v2").unwrap();
    let text = plan.to_string();
    assert!(text.contains("release") && text.contains("run `bin/migrate` once in acme/app:v2"), "{text}");
    let stage = plan.stages.iter().find(|stage| stage.kind == Kind::Release).unwrap();
    let runs: Vec<_> = stage.steps().filter(|(_, step)| matches!(step, Step::RunOnce { .. })).collect();
    assert_eq!(runs.len(), 1);

    let selection = Selection { roles: Some(vec!["web".into()]), ..Selection::default() };
    app.targets = Targets::select(&app.config, &selection).unwrap();
    let plan = app.dry_run(Verb::Deploy, "v2").unwrap();
    assert!(!plan.stages.iter().any(|stage| stage.kind == Kind::Release));
    assert!(plan.notes.iter().any(|note| note.contains("no host of the role workers is selected")), "{:?}", plan.notes);
}

#[test]
fn each_effect_of_deploys_with_it_goes_wrong_once() {
    let app = App::deployed(&format!("{YAML}error_pages_path: public\n"), "v1");
    app.deploy("v2").unwrap();
    let of = |op: &Op| matches!(op, Op::Deploy(Deploy { skip_push: false, no_cache: false }));
    let fails = |effect: &Effect| matches!(effect.kind, EffectKind::Run | EffectKind::Connect);
    sweep_on(&app, of, &Sweep { dress: &|_| {}, fails: &fails });
}
