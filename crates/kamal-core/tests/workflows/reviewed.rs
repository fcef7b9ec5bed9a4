//! What was reviewed is what is done, or nothing is.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kamal_core::{
    error::Error,
    name::Version,
    op::{Accessory, AccessoryTask, Deploy, Op},
    plan::{Kind, Plan, ReadError},
    ports::{Interceptor, Moment, Refusal},
    request::Request,
    state::ContainerState,
    testing::{EffectKind, SimContainer, SimFleet, SimHost, every_operation},
};

use crate::{
    harness::{App, THREE, Verb},
    table::{asked, base, ready_for, stops},
};

fn all(base: &App) -> Vec<Op> {
    every_operation(&base.config, &Version::parse("v1").unwrap())
}

fn fork(base: &App, op: &Op) -> App {
    let app = ready_for(base, op);
    if stops(op) {
        app.fleet.expect_outage();
    }
    app
}

#[test]
fn a_plan_that_was_kept_is_applied_to_the_letter() {
    let base = base();
    base.fleet.hook("pre-deploy", 0);
    for op in all(&base) {
        let (app, name) = (fork(&base, &op), op.row().name());
        let plan = app.plan(&op, asked(&op)).unwrap();
        let kept = plan.to_json();
        assert!(!kept.contains("hunter2") && !kept.contains("postgres://x"), "{name}: {kept}");
        let read = Plan::from_json(&kept).unwrap_or_else(|error| panic!("{name}: {error}\n{kept}"));
        assert_eq!(read, plan, "{name}");
        assert_eq!((read.digest(), read.to_json()), (plan.digest(), kept), "{name}");
        assert_eq!(read.asked.op, op);
        let report = app.apply(&read).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(report.plan, plan, "{name}: {:#?}", plan.differences(&report.plan));
        assert_eq!(app.fleet.violations(), [""; 0], "{name}");
    }
}

#[test]
fn what_is_run_without_a_review_is_what_its_plan_says_too() {
    let base = base();
    for op in all(&base) {
        let app = fork(&base, &op);
        let plan = app.plan(&op, asked(&op)).unwrap();
        let report = app.perform(&op, asked(&op), None).unwrap();
        assert_eq!(report.plan, plan, "{}: {:#?}", op.row().name(), plan.differences(&report.plan));
    }
}

#[test]
fn a_plan_is_the_same_each_time_it_is_made() {
    let base = base();
    for op in all(&base) {
        let plans: Vec<String> = (0..3)
            .map(|seed| {
                let app = fork(&base, &op);
                app.fleet.reseed(seed);
                app.plan(&op, asked(&op)).unwrap().to_json()
            })
            .collect();
        assert!(plans.iter().all(|plan| *plan == plans[0]), "{}", op.row().name());
    }
}

/// Somebody else changes a host.
type Change = fn(&mut SimHost);

fn container(name: &str, version: &str, id: char, host: &SimHost) -> SimContainer {
    let like = host.containers.iter().find(|container| container.role().is_some()).unwrap();
    SimContainer {
        id: std::iter::repeat_n(id, 64).collect(),
        name: name.parse().unwrap(),
        image: format!("acme/app:{version}").parse().unwrap(),
        state: ContainerState::Running,
        ..like.clone()
    }
}

const CHANGES: [(&str, Change); 6] = [
    ("another container", |host| {
        let stray = container("app-web-v7", "v7", '7', host);
        host.containers.push(stray);
    }),
    ("another version", |host| {
        let other = container("app-web-v8", "v8", '8', host);
        host.routes.insert("app-web".into(), other.id.clone());
        host.containers.insert(0, other);
    }),
    ("an image is gone", |host| drop(host.images.remove("acme/app:v2"))),
    ("an image is there", |host| drop(host.images.insert("acme/app:v3".into(), "sha256:3".into()))),
    ("the proxy is gone", |host| host.proxy = None),
    ("the proxy is cut off", |host| host.proxy_cut_off = true),
];

/// What an operation would change of a host that anybody notices: not images that were delivered, and notes of it.
fn noticed(host: SimHost) -> SimHost {
    SimHost {
        images: Default::default(),
        logins: Default::default(),
        audit: Vec::new(),
        audited_at: Vec::new(),
        ..host
    }
}

/// Applies a plan to a fleet that is not what it was when it was made. True when that was refused.
fn refused(app: &App, plan: &Plan, what: &str, result: Result<kamal_core::run::Report, Error>) -> bool {
    match result {
        Ok(report) => {
            assert_eq!(report.plan, *plan, "{what}");
            false
        }
        Err(Error::PlanChanged { reviewed, found, differences }) => {
            assert_ne!(reviewed, found, "{what}");
            assert!(!differences.is_empty(), "{what}");
            assert_eq!(app.locks(), [""; 0], "{what}");
            true
        }
        // What makes the operation impossible is told as such.
        Err(Error::Hosts(_) | Error::Usage(_) | Error::VersionUnavailable { .. }) => {
            assert_eq!(app.locks(), [""; 0], "{what}");
            true
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

#[test]
fn a_change_between_review_and_apply_is_refused_before_anything_happens() {
    let (base, mut count) = (base(), 0);
    for op in all(&base) {
        for (change, make) in CHANGES {
            let (app, what) = (fork(&base, &op), format!("{}, {change}", op.row().name()));
            let plan = app.plan(&op, asked(&op)).unwrap();
            app.fleet.change("h1", make);
            app.fleet.expect_outage();
            let relevant = app.plan(&op, asked(&op)).map_or(true, |now| now.digest() != plan.digest());
            let before: Vec<SimHost> = app.targets.hosts.iter().map(|host| app.fleet.host(host)).collect();
            let result = app.apply(&plan);
            if !relevant {
                // What it does not depend on does not keep it from its work, though a step may.
                assert!(!matches!(result, Err(Error::PlanChanged { .. })), "{what}");
                continue;
            }
            assert!(refused(&app, &plan, &what, result), "{what}");
            let after: Vec<SimHost> = app.targets.hosts.iter().map(|host| app.fleet.host(host)).collect();
            assert_eq!(after, before, "{what}");
            let done = app.fleet.effects();
            let looks = |kind, what: &str| kind == EffectKind::Connect || what == "observe";
            assert!(done.iter().all(|effect| looks(effect.kind, &effect.what)), "{what}: {done:?}");
            count += 1;
        }
    }
    assert!(count > 30, "only {count} changes mattered");
}

/// Changes a host right before the lock is taken.
#[derive(Debug)]
struct Meddler {
    fleet: SimFleet,
    change: Mutex<Option<Change>>,
}

#[async_trait]
impl Interceptor for Meddler {
    async fn before(&self, moment: &Moment<'_>) -> Result<(), Refusal> {
        if moment.stage.kind == Kind::Lock
            && let Some(change) = self.change.lock().unwrap().take()
        {
            self.fleet.change("h1", change);
        }
        Ok(())
    }
}

#[test]
fn a_change_between_the_look_and_the_lock_is_refused_with_nothing_switched() {
    let (base, mut count) = (base(), 0);
    for op in all(&base) {
        for (change, make) in CHANGES {
            let (mut app, what) = (fork(&base, &op), format!("{}, {change}", op.row().name()));
            let plan = app.plan(&op, asked(&op)).unwrap();
            if plan.position_of_lock().is_none() {
                continue;
            }
            app.fleet.expect_outage();
            let meddler = Meddler { fleet: app.fleet.clone(), change: Mutex::new(Some(make)) };
            app.world.interceptor = Some(Arc::new(meddler));
            let mut before: Vec<SimHost> = app.targets.hosts.iter().map(|host| app.fleet.host(host)).collect();
            make(&mut before[0]);
            let result = app.apply(&plan);
            if matches!(result, Err(Error::Hosts(_))) && !app.fleet.effects().is_empty() {
                // It did not matter to the plan, and a step failed for it.
                continue;
            }
            if refused(&app, &plan, &what, result) {
                let after = app.targets.hosts.iter().map(|host| noticed(app.fleet.host(host)));
                assert_eq!(after.collect::<Vec<_>>(), before.into_iter().map(noticed).collect::<Vec<_>>(), "{what}");
                count += 1;
            }
        }
    }
    assert!(count > 20, "only {count} changes mattered");
}

#[test]
fn a_refusal_names_the_steps() {
    let app = App::deployed(THREE, "v1");
    let plan = app.dry_run(Verb::Deploy, "v2").unwrap();
    app.fleet.change("h2", |host| host.network = false);
    let Err(Error::PlanChanged { differences, .. }) = app.apply(&plan) else { panic!("it was applied") };
    assert_eq!(differences, ["+ h2: create network kamal"]);

    // What is only in the details is named by its field.
    app.fleet.change("h2", |host| {
        host.network = true;
        host.images.insert("acme/app:v2".into(), "sha256:2".into());
    });
    let Err(Error::PlanChanged { differences, .. }) = app.apply(&plan) else { panic!("it was applied") };
    assert_eq!(differences, ["~ h2: pull acme/app:v2 (held)"]);

    // So is a file that has another content, and another configuration.
    let accessory = "accessories: {db: {image: acme/db, host: h1, files: [\"my.cnf:/etc/my.cnf\"]}}\n";
    let mut app = App::deployed(&format!("servers: [h1]\n{accessory}"), "v1");
    app.fleet.project_file("my.cnf", "[mysqld]");
    let upload = Op::Accessory(Accessory::new(&app.config, "db", AccessoryTask::Upload).unwrap());
    let plan = app.plan(&upload, None).unwrap();
    app.fleet.project_file("my.cnf", "[mysqld]\nport = 1");
    let Err(Error::PlanChanged { differences, .. }) = app.apply(&plan) else { panic!("it was applied") };
    assert_eq!(differences, ["~ h1: write app-db/etc/my.cnf (mode 0644) (content)"]);
    app.config.accessories.clear();
    let error = app.apply(&plan).unwrap_err();
    assert!(error.to_string().contains("No accessory by the name of 'db'"), "{error}");
}

#[test]
fn another_form_or_no_plan_is_not_read() {
    let app = App::new(THREE);
    let plan = app.dry_run(Verb::Deploy, "v1").unwrap();
    let text = plan.to_json();
    let other = text.replacen("\"format\": 2", "\"format\": 3", 1);
    assert!(matches!(Plan::from_json(&other), Err(ReadError::Format { found: 3 })));
    let error = Plan::from_json("{\"format\": 1, \"anything\": []}").unwrap_err().to_string();
    assert!(error.contains("format 1") && error.contains("format 2") && error.contains("make it again"), "{error}");
    assert!(serde_json::from_str::<Plan>(&other).unwrap_err().to_string().contains("format 3"));
    for broken in ["", "[]", "{}", &text[..text.len() / 2], "{\"format\": 2}"] {
        assert!(matches!(Plan::from_json(broken), Err(ReadError::NotAPlan(_))), "{broken}");
    }
    // A name that was tampered with is none.
    let tampered = text.replace("\"app-web-v1\"", "\"app-web-v1;reboot\"");
    assert!(tampered != text && Plan::from_json(&tampered).is_err());
}

#[test]
fn a_plan_says_all_that_was_asked() {
    let mut app = App::deployed(THREE, "v1");
    app.run.skip_hooks = true;
    app.fleet.hook("pre-deploy", 0);
    let selection = kamal_core::targets::Selection { hosts: Some(vec!["h2".into()]), ..Default::default() };
    app.targets = kamal_core::targets::Targets::select(&app.config, &selection).unwrap();
    let plan = app.dry_run(Verb::Deploy, "v2").unwrap();
    let expected =
        Request::new(Op::Deploy(Deploy::default())).on(selection).version("v2".parse().unwrap()).skip_hooks();
    assert_eq!(plan.asked, expected);
    // Whoever applies it need not ask again.
    let other = App { run: Default::default(), ..app.fork() };
    let everything = kamal_core::targets::Targets::select(&other.config, &Default::default()).unwrap();
    let other = App { targets: everything, ..other };
    assert_eq!(other.apply(&plan).unwrap().plan, plan);
    assert_eq!(other.versions(), ["v1", "v2"]);
    assert_eq!(other.fleet.ran().len(), 1, "the build, and no hook");
}

#[test]
fn a_lock_under_which_nothing_is_left_to_do_is_given_back() {
    let base = App::deployed("servers: [h1]\naccessories: {db: {image: acme/db, host: h1}}\n", "v1");
    base.fleet.publish("acme/db");
    let boot = Op::Accessory(Accessory::new(&base.config, "db", AccessoryTask::Boot).unwrap());
    let mut app = base.fork();
    let meddler = Meddler {
        fleet: app.fleet.clone(),
        change: Mutex::new(Some(|host| {
            let mut db = container("app-db", "v1", '9', host);
            db.labels = [("service".to_owned(), "app-db".to_owned())].into();
            host.containers.push(db);
        })),
    };
    app.world.interceptor = Some(Arc::new(meddler));
    let report = app.perform(&boot, None, None).unwrap();
    assert!(report.plan.is_empty(), "{}", report.plan);
    assert_eq!(app.locks(), [""; 0]);
}
