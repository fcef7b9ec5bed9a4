//! The smaller operations: what they leave on hosts.

use kamal_core::{
    command_line::CommandLine,
    name::Version,
    op::{Accessory, AccessoryTask, App as AppOp, Exec, Logs, Op, Proxy, Prune, Server},
    query::{Attach, LogLines},
    state::ContainerState,
    targets::{Selection, Targets},
};

use crate::harness::{App, TOGETHER, Verb};

fn done(app: &App) -> Vec<String> {
    app.fleet.effects().iter().map(|effect| effect.what.clone()).collect()
}

#[test]
fn a_version_that_is_started_again_keeps_its_error_pages() {
    let app = App::new("servers: [h1]\nerror_pages_path: public\n");
    app.fleet.project_file("public/503.html", "back soon");
    app.deploy("v1").unwrap();
    app.perform(&Op::App(AppOp::Start), Some("v1"), None).unwrap();
    let switch = "switch app-web to app-web-v1 when healthy (within 30 s), with error pages";
    assert!(done(&app).iter().any(|what| what == switch), "{:?}", done(&app));
}

// spec 9.5: it stops the proxy first, and notes that too
#[test]
fn removing_the_proxy_notes_each_step() {
    let app = App::deployed("servers: [h1]\n", "v1");
    app.fleet.change("h1", |host| host.audit.clear());
    app.fleet.expect_outage();
    let refused = app.perform_well(&Op::Proxy(Proxy::Remove { force: false }));
    assert_eq!(refused.answers.len(), 1);
    assert_eq!(app.fleet.host("h1").audit, [""; 0]);
    app.perform_well(&Op::Proxy(Proxy::Remove { force: true }));
    assert_eq!(app.fleet.host("h1").audit, ["Stopped proxy", "Removed proxy container", "Removed proxy image"]);
}

// spec 9.7
#[test]
fn removing_the_app_goes_in_kamals_order() {
    let app = App::deployed("servers: [h1]\n", "v1");
    app.fleet.change("h1", |host| host.audit.clear());
    app.perform_well(&Op::App(AppOp::Remove));
    let noted = ["Stopped app", "Removed all app containers", "Removed all app images", "Removed .kamal/apps/app"];
    assert_eq!(app.fleet.host("h1").audit, noted);
    assert!(app.versions().is_empty() && app.locks().is_empty());
    let done = done(&app);
    let at = |what: &str| done.iter().position(|done| done == what).unwrap_or_else(|| panic!("{what}: {done:?}"));
    assert!(at("stop app-web-v1") < at("remove stopped containers of web"));
    assert!(at("remove .kamal/apps/app") < at("remove .kamal/proxy/apps-config/app"));
}

#[test]
fn images_and_folders_stay_where_other_roles_do() {
    let mut app = App::deployed(TOGETHER, "v1");
    let roles = Some(vec!["workers".to_owned()]);
    app.targets = Targets::select(&app.config, &Selection { roles, ..Selection::default() }).unwrap();
    app.fleet.change("h1", |host| host.audit.clear());
    let gone = AppOp::RemoveContainer(Version::parse("v9").unwrap());
    for what in [AppOp::RemoveImages, AppOp::RemoveDirectories, AppOp::RemoveContainers, gone] {
        app.perform_well(&Op::App(what));
    }
    assert_eq!(app.fleet.host("h1").audit, ["Removed all app containers", "Removed app container with version v9"]);
}

#[test]
fn stale_containers_are_those_that_run_beside_the_current_one() {
    let app = App::deployed("servers: [h1]\n", "v1");
    app.deploy("v2").unwrap();
    app.fleet.change("h1", |host| {
        host.containers.iter_mut().for_each(|container| container.state = ContainerState::Running);
    });
    let find = |stop| {
        let report = app.perform_well(&Op::App(AppOp::StaleContainers { stop }));
        report.answers.into_iter().map(|answer| answer.outcome.unwrap().stdout).collect::<Vec<_>>()
    };
    let found = find(false);
    assert!(found.len() == 1 && found[0].contains("container for role web with version v1 (use"), "{found:?}");
    assert_eq!(find(true), ["Stopping stale container for role web with version v1"]);
    assert_eq!(find(false), [""; 0]);
    assert_eq!(app.versions(), ["v2"]);
}

// spec 9.5
#[test]
fn the_proxy_is_stopped_before_it_is_started_again() {
    let app = App::deployed("servers: [h1]\n", "v1");
    app.fleet.expect_outage();
    let (start, stop) = ("start the container kamal-proxy", "stop kamal-proxy");
    for (what, noted, expected) in [
        (Proxy::Start, &["Started proxy"][..], &[start][..]),
        (Proxy::Stop, &["Stopped proxy"], &[stop]),
        (Proxy::Restart, &["Stopped proxy", "Started proxy"], &[stop, start]),
    ] {
        app.fleet.change("h1", |host| host.audit.clear());
        app.perform_well(&Op::Proxy(what));
        assert_eq!(app.fleet.host("h1").audit, noted);
        let ran: Vec<String> = done(&app).into_iter().filter(|what| what.ends_with("kamal-proxy")).collect();
        assert_eq!(ran, expected);
    }
}

#[test]
fn starting_a_version_that_is_not_there_leads_to_what_runs() {
    let app = App::deployed("servers: [h1]\n", "v1");
    app.perform(&Op::App(AppOp::Start), Some("v2"), None).unwrap();
    assert_eq!(app.versions(), ["v1"]);
    assert_eq!(app.fleet.host("h1").audit.last().map(String::as_str), Some("Started app version v2"));
}

#[test]
fn a_version_may_be_named_by_its_beginning() {
    let app = App::deployed("servers: [h1]\n", "abc1234567");
    app.deploy("abd1234567").unwrap();
    let run = |version: &str| {
        let exec =
            Exec { command: CommandLine::Shell("true".into()), reuse: false, env: Vec::new(), attach: Attach::Output };
        app.perform(&Op::App(AppOp::Exec(exec)), Some(version), None)
    };
    assert_eq!(run("abc").unwrap().plan.version.unwrap(), "abc1234567");
    let error = run("ab").unwrap_err().to_string();
    assert!(error.contains("abc1234567") && error.contains("abd1234567"), "{error}");
}

#[test]
fn what_is_converged_needs_no_plan() {
    let app = App::deployed("servers: [h1]\naccessories: {db: {image: acme/db, host: h1}}\n", "v1");
    let empty = |op: &Op| app.plan(op, None).unwrap();
    let plan = empty(&Op::Proxy(Proxy::Boot));
    assert!(plan.is_empty() && plan.stages.is_empty(), "{plan}");
    assert!(plan.to_string().contains("nothing to do"), "{plan}");
    let plan = empty(&Op::Prune(Prune::All));
    assert!(!plan.is_empty(), "whether something is old only the host knows: {plan}");
}

#[test]
fn destinations_do_not_prune_each_other() {
    let app = App::deployed("servers: [h1]\nretain_containers: 1\n", "v1");
    app.fleet.change("h1", |host| {
        let mut other = host.containers[0].clone();
        other.name = "app-web-staging-v0".parse().unwrap();
        other.id = "f".repeat(64);
        other.state = ContainerState::Exited;
        other.labels.insert("destination".into(), "staging".into());
        host.containers.push(other);
        host.images.insert("acme/app:latest-staging".into(), "sha256:9".into());
    });
    for version in ["v2", "v3", "v4"] {
        app.deploy(version).unwrap();
    }
    let host = app.fleet.host("h1");
    assert!(host.container("app-web-staging-v0").is_some() && host.images.contains_key("acme/app:latest-staging"));
    assert!(host.container("app-web-v3").is_some() && host.container("app-web-v2").is_none());
}

#[test]
fn a_destination_prunes_nothing_of_the_rest() {
    let mut app = App::new("servers: [h1]\nretain_containers: 1\n");
    for version in ["v1", "v2"] {
        app.deploy(version).unwrap();
    }
    app.config.destination = Some("staging".parse().unwrap());
    app.config.roles[0].proxy.as_mut().unwrap().hosts = vec!["staging.test".into()];
    app.targets = Targets::select(&app.config, &Selection::default()).unwrap();
    for version in ["s1", "s2", "s3"] {
        app.deploy(version).unwrap();
    }
    let host = app.fleet.host("h1");
    assert!(host.container("app-web-v1").is_some() && host.images.contains_key("acme/app:latest"));
    assert!(host.container("app-web-staging-s2").is_some() && host.container("app-web-staging-s1").is_none());
}

#[test]
fn on_the_primary_host_a_command_runs_once() {
    let mut app = App::deployed(TOGETHER, "v1");
    let command = CommandLine::Shell("bin/rails db:migrate".into());
    for reuse in [false, true] {
        let exec = Exec { command: command.clone(), reuse, env: Vec::new(), attach: Attach::Output };
        let op = Op::App(AppOp::Exec(exec));
        assert_eq!(app.perform_well(&op).answers.len(), 4, "two roles on two hosts");
        app.targets = Targets::select(&app.config, &Selection { primary: true, ..Selection::default() }).unwrap();
        assert_eq!(app.perform_well(&op).answers.len(), 1);
        app.targets = Targets::select(&app.config, &Selection::default()).unwrap();
    }
}

#[test]
fn secrets_go_with_the_containers_they_were_for() {
    let app = App::new("servers: [h1]\naccessories: {db: {image: acme/db, host: h1, env: {secret: [DATABASE_URL]}}}\n");
    app.fleet.publish("acme/db");
    app.operate(Verb::Setup, "v1", None).unwrap();
    let env_files = || {
        let host = app.fleet.host("h1");
        host.files.keys().filter(|path| path.ends_with(".env")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(env_files(), [".kamal/apps/app/env/accessories/db.env", ".kamal/apps/app/env/roles/web.env"]);
    app.perform_well(&Op::Accessory(Accessory::new(&app.config, "db", AccessoryTask::Remove).unwrap()));
    assert_eq!(env_files(), [".kamal/apps/app/env/roles/web.env"]);
    app.perform_well(&Op::App(AppOp::RemoveContainers));
    app.perform_well(&Op::App(AppOp::Remove));
    assert_eq!(env_files(), [""; 0]);
}

#[test]
fn which_of_several_hosts_a_command_took_is_told() {
    let app = App::new("servers: [h1, h2]\naccessories: {db: {image: acme/db, hosts: [h1, h2]}}\n");
    app.fleet.publish("acme/db");
    app.operate(Verb::Setup, "v1", None).unwrap();
    let lines = LogLines { follow: true, ..LogLines::default() };
    let command = CommandLine::of(&["hostname".to_owned()]).unwrap();
    let attach = Attach::Input;
    let exec = Exec { command: command.clone(), reuse: true, env: Vec::new(), attach };
    let of_db = |task| Op::Accessory(Accessory::new(&app.config, "db", task).unwrap());
    let asked = [
        Op::App(AppOp::Logs(Logs { lines: lines.clone(), container: None })),
        Op::App(AppOp::Exec(exec)),
        Op::Proxy(Proxy::Logs(lines.clone())),
        of_db(AccessoryTask::Logs(lines)),
        of_db(AccessoryTask::Exec { command: command.clone(), reuse: true, attach }),
        Op::Server(Server::Exec { command: Some(command), interactive: true }),
    ];
    for op in asked {
        let report = app.perform_well(&op);
        assert!(report.plan.notes.iter().any(|note| note.contains("h1 of h1, h2")), "{:?}", report.plan);
    }
}
