//! `status` and `doctor`: one round trip to each host, nothing is changed, and what cannot be reached hides nothing.

use kamal_core::{
    doctor::{Checkup, Judgement},
    name::{ContainerName, Version},
    op::Op,
    state::ContainerState,
    status::{Health, Role, Status},
    targets::{Selection, Targets},
    testing::EffectKind,
    vitals::Certificate,
};

use crate::{
    harness::{App, THREE, TOGETHER, Verb, config},
    table,
};

fn status(app: &App) -> Status {
    app.perform_well(&Op::Status).status.unwrap()
}

fn checkup(app: &App) -> Checkup {
    app.perform_well(&Op::Doctor).checkup.unwrap()
}

fn roles(status: &Status) -> Vec<&Role> {
    status.hosts.iter().flat_map(|host| &host.roles).collect()
}

#[test]
fn a_fleet_as_deploy_yml_has_it() {
    let app = table::base();
    let status = status(&app);
    assert!(status.healthy && status.lock.is_none(), "{status}");
    let versions: Vec<&str> = status.versions.iter().map(Version::as_str).collect();
    assert_eq!((versions, status.schema), (vec!["v2"], "kamal/status/1"));
    let health: Vec<Health> = roles(&status).iter().map(|role| role.health).collect();
    assert_eq!(health, [Health::Serving, Health::Serving, Health::Running]);
    for role in roles(&status) {
        assert_eq!(role.drift, [""; 0], "{}", role.role);
        assert!(role.since.is_some() && role.by.as_deref() == Some("ann"));
    }
    let text = status.to_string();
    for piece in ["app: v2, healthy, 3 of 3 hosts", "h3    workers", "app-web-v2", "cache.test"] {
        assert!(text.contains(piece), "{piece}: {text}");
    }
    // One way to each host and back, and nothing but looking.
    let runs = |host: &str| {
        let effects = app.fleet.effects();
        effects.iter().filter(|effect| effect.host.as_deref() == Some(host) && effect.kind == EffectKind::Run).count()
    };
    assert_eq!((runs("h1"), runs("h2"), runs("h3")), (1, 1, 1));
    let before: Vec<_> = app.targets.hosts.iter().map(|host| app.fleet.host(host)).collect();
    checkup(&app);
    let after: Vec<_> = app.targets.hosts.iter().map(|host| app.fleet.host(host)).collect();
    assert_eq!(before, after);
}

#[test]
fn what_is_otherwise_is_told() {
    let mut app = App::deployed(TOGETHER, "v1");
    app.fleet.change("h1", |host| {
        host.locks.insert(".kamal/lock-app".into(), "Locked by: Bob".into());
        host.routes.clear();
    });
    app.fleet.change("h2", |host| {
        let web = host.containers.iter_mut().find(|container| container.name == *"app-web-v1");
        web.unwrap().state = ContainerState::Exited;
    });
    app.config = config(
        "servers: {web: [h1, h2], workers: {hosts: [h1], proxy: false, cmd: bin/jobs}}\n\
         env: {clear: {TOKEN: hunter22, SIZE: '2'}, secret: [DATABASE_URL, OTHER]}\n"
            .trim_start(),
    );
    app.fleet.secrets().put("OTHER", "x");
    app.targets = Targets::select(&app.config, &Selection::default()).unwrap();
    let status = status(&app);
    assert!(!status.healthy);
    let health: Vec<(&str, Health)> = roles(&status).iter().map(|role| (role.role.as_str(), role.health)).collect();
    assert!(health.contains(&("web", Health::NotServing)) && health.contains(&("web", Health::Stopped)), "{health:?}");
    assert!(status.lock.as_ref().is_some_and(|lock| lock.details.starts_with("Locked by: Bob\n")), "{status}");
    let drift = &roles(&status).into_iter().find(|role| role.role.as_str() == "web").unwrap().drift;
    assert_eq!(drift, &["SIZE is new", "TOKEN is new", "OTHER is new"]);
    let orphans: Vec<_> = status.hosts.iter().flat_map(|host| &host.orphans).map(ContainerName::as_str).collect();
    assert_eq!(orphans, ["app-workers-v1"]);
    let told = format!("{status}{}", status.to_json());
    assert!(!told.contains("hunter22"), "{told}");
}

#[test]
fn an_accessory_that_is_gone_or_has_another_host_is_told_of() {
    let db = "accessories: {db: {image: \"pg:16\", host: h1}}\n";
    let mut app = App::new(&format!("servers: [h1, h2]\n{db}"));
    app.fleet.publish("pg:16");
    app.operate(Verb::Setup, "v1", None).unwrap();
    for yaml in ["servers: [h1, h2]\n".to_owned(), format!("servers: [h1, h2]\n{}", db.replace("h1", "h2"))] {
        app.becomes(&yaml);
        let status = status(&app);
        let orphans: Vec<_> = status.hosts.iter().flat_map(|host| &host.orphans).map(ContainerName::as_str).collect();
        assert_eq!(orphans, ["app-db"], "{status}");
        let listed = app.perform(&Op::Details, None, None).unwrap().answers;
        assert!(listed.iter().any(|answer| answer.heading == "Accessory" && *answer.host.as_ref().unwrap() == *"h1"));
    }
}

#[test]
fn a_host_that_cannot_be_reached_hides_nothing_of_the_others() {
    let app = App::deployed(THREE, "v1");
    app.fleet.unplug("h2");
    app.fleet.change("h3", |host| {
        host.vitals.certificates = vec![Certificate { host: "a.test".into(), ends: 0 }];
        host.vitals.audit = vec!["it was deployed".into()];
    });
    let status = status(&app);
    assert!(!status.is_whole() && !status.healthy);
    let errors: Vec<bool> = status.hosts.iter().map(|host| host.error.is_some()).collect();
    assert_eq!(errors, [false, true, false]);
    let text = status.to_string();
    for piece in ["2 of 3 hosts", "h2    -", "not reached", "no route to host", "a.test -", "it was deployed"] {
        assert!(text.contains(piece), "{piece}: {text}");
    }
    let found = checkup(&app);
    let failed: Vec<_> = found
        .findings
        .iter()
        .filter(|finding| finding.result == Judgement::Failed && finding.check == "ssh")
        .map(|finding| finding.host.as_deref())
        .collect();
    assert_eq!((failed, found.ok), (vec![Some("h2")], false), "{found}");
    assert!(
        found.findings.iter().any(|finding| finding.check == "architecture" && finding.host.as_deref() == Some("h3"))
    );
    assert_eq!(found.to_json()["schema"], "kamal/doctor/1");
}
