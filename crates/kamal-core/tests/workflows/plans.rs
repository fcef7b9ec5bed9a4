//! Dry runs: what is printed is what is done, and nothing is done.

use kamal_core::{
    cancel::Cancel,
    error::Error,
    plan::{Plan, Work},
    run,
    targets::{Selection, Targets},
    testing::EffectKind,
};

use crate::harness::{APART, App, THREE, Verb};

const FIRST: &str = "Plan to deploy app v1 (digest DIGEST)
  lock      h1               take the deploy lock
  build     local            build the image and push it to the registry
  deliver   h1               log in to Docker Hub
                             pull acme/app:v1
  boot      h1               create network kamal
                             start kamal-proxy
                             write .kamal/apps/app/env/roles/web.env (1 secrets, mode 0600)
                             start app-web-v1
                             switch app-web to app-web-v1 when healthy (within 30 s)
  finish    h1               tag as acme/app:latest
                             remove stopped containers but the newest 2
                             remove images no container uses
  unlock    h1               release the deploy lock
";

#[test]
fn a_dry_run_prints_the_plan_and_changes_nothing() {
    let app = App::new("servers: [h1]\n");
    let before = app.fleet.host("h1");
    let plan = app.dry_run(Verb::Deploy, "v1").unwrap();
    let expected = FIRST.replace("DIGEST", &plan.digest());
    assert_eq!(plan.to_string(), expected);
    assert_eq!(app.fleet.host("h1"), before);
    let effects: Vec<String> = app.fleet.effects().iter().map(ToString::to_string).collect();
    assert_eq!(effects, ["h1: connect", "h1: observe"]);
}

#[test]
fn what_is_planned_is_what_is_done() {
    for yaml in [THREE, APART] {
        let app = App::deployed(yaml, "v1");
        let planned = app.dry_run(Verb::Deploy, "v2").unwrap();
        app.deploy("v2").unwrap();
        let mut done = app.fleet.effects();
        done.retain(|effect| effect.kind == EffectKind::Run && effect.what != "observe");
        // Logins are seen to, and held by then.
        let to_be_done = steps(&planned).into_iter().filter(|(_, step)| !step.starts_with("log in to "));
        for (host, step) in to_be_done {
            let found =
                done.iter().position(|effect| effect.host.as_deref() == Some(host.as_str()) && effect.what == step);
            let Some(found) = found else { panic!("{host}: {step} was planned and not done") };
            done.remove(found);
        }
        assert!(done.is_empty(), "done and not planned: {done:?}");
    }
}

fn steps(plan: &Plan) -> Vec<(String, String)> {
    let steps = plan.stages.iter().flat_map(|stage| {
        let locks = match &stage.work {
            Work::Lock { host, .. } => Some((host.to_string(), "take the deploy lock".to_owned())),
            Work::Unlock { host } => Some((host.to_string(), "release the deploy lock".to_owned())),
            _ => None,
        };
        stage.steps().map(|(host, step)| (host.to_string(), step.to_string())).chain(locks).collect::<Vec<_>>()
    });
    steps.filter(|(_, step)| !step.starts_with("hold ")).collect()
}

#[test]
fn the_digest_does_not_depend_on_chance_or_on_the_hour_but_on_any_step() {
    let app = App::deployed(THREE, "v1");
    let (one, two) = (app.dry_run(Verb::Redeploy, "v1").unwrap(), app.dry_run(Verb::Redeploy, "v1").unwrap());
    assert_eq!(one, two);
    app.fleet.clock().settle();
    app.fleet
        .drive(async { kamal_core::ports::Clock::sleep(app.fleet.clock(), crate::harness::seconds(90)).await })
        .unwrap();
    assert_eq!(app.dry_run(Verb::Redeploy, "v1").unwrap().digest(), one.digest());
    for (i, stage) in one.stages.iter().enumerate() {
        let (Work::Hosts(works) | Work::Boot { hosts: works, .. }) = &stage.work else { continue };
        for (j, work) in works.iter().enumerate() {
            for k in 0..work.steps.len() {
                let mut changed = one.clone();
                let (Work::Hosts(works) | Work::Boot { hosts: works, .. }) = &mut changed.stages[i].work else {
                    continue;
                };
                works[j].steps.remove(k);
                assert_ne!(changed.digest(), one.digest(), "without {} on {}", work.steps[k], work.host);
            }
        }
    }
}

#[test]
fn only_the_plan_that_was_reviewed_is_applied() {
    let app = App::deployed(THREE, "v1");
    let reviewed = app.dry_run(Verb::Deploy, "v2").unwrap().digest();
    app.fleet.change("h2", |host| host.network = false);
    let apply = |digest: &str| {
        let mut run = app.asking(Some("v2"));
        run.expected_digest = Some(digest.to_owned());
        let cx = app.cx(&run, Cancel::never());
        app.fleet.drive(run::run(&cx, &Verb::Deploy.op())).unwrap()
    };
    let error = apply(&reviewed).unwrap_err();
    assert!(matches!(&error, Error::PlanChanged { reviewed: expected, .. } if *expected == reviewed), "{error}");
    assert_eq!(app.versions(), ["v1"]);
    app.fleet.change("h2", |host| host.network = true);
    apply(&reviewed).unwrap();
    app.assert_converged("v2", "as reviewed");
}

// spec 2.12: of all hosts, not of those that are selected
#[test]
fn a_percentage_of_hosts_is_one_of_all_there_are() {
    let mut app = App::new("servers: [h1, h2, h3]\naccessories: {db: {image: pg, host: h4}}\nboot: {limit: 50%}\n");
    let hosts = Some(vec!["h1".to_owned(), "h2".to_owned()]);
    app.targets = Targets::select(&app.config, &Selection { hosts, ..Selection::default() }).unwrap();
    let plan = app.dry_run(Verb::Redeploy, "v1").unwrap();
    let groups = plan.stages.iter().filter(|stage| matches!(stage.work, Work::Boot { .. })).count();
    assert_eq!(groups, 1);
}

#[test]
fn an_accessorys_certificate_is_written_before_it_is_used() {
    let proxy = "{host: a, ssl: {certificate_pem: CERT, private_key_pem: KEY}}";
    let app = App::new(&format!("servers: [h1]\naccessories: {{db: {{image: pg, host: h1, proxy: {proxy}}}}}\n"));
    for key in ["CERT", "KEY"] {
        app.fleet.secrets().put(key, "pem");
    }
    let text = app.dry_run(Verb::Setup, "v1").unwrap().to_string();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is not in\n{text}"));
    assert!(at("apps-config/app/tls/accessories/db/cert.pem (mode 0644)") < at("switch app-db to app-db"));
    assert!(at("apps-config/app/tls/accessories/db/key.pem (mode 0600)") < at("switch app-db to app-db"));
}

#[test]
fn an_empty_asset_path_of_a_role_takes_the_roots_away() {
    let text = |web: &str| {
        let app = App::new(&format!("servers: {{web: {{hosts: [h1]{web}}}}}\nasset_path: /assets\n"));
        app.dry_run(Verb::Deploy, "v1").unwrap().to_string()
    };
    assert!(text("").contains("copy assets /assets"));
    assert!(!text(", asset_path: \"\"").contains("copy assets"));
}

#[test]
fn modes_of_an_accessorys_files_may_be_words() {
    let files = "[{local: a, remote: /b, mode: \"u=rw\"}, {local: a, remote: /c, mode: \"0640\"}]";
    let app = App::new(&format!("servers: [h1]\naccessories: {{db: {{image: pg, host: h1, files: {files}}}}}\n"));
    app.fleet.project_file("a", "text");
    let text = app.dry_run(Verb::Setup, "v1").unwrap().to_string();
    assert!(text.contains("write app-db/b (mode 0644)") && text.contains("change app-db/b to mode u=rw"), "{text}");
    assert!(text.contains("write app-db/c (mode 0640)") && !text.contains("change app-db/c"), "{text}");
}
