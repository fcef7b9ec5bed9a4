//! Roles that run as services of Docker's swarm.

use kamal_core::{
    error::Error,
    op::{App as AppOp, Build, Deploy, Op, Rollback, Scale},
    testing::{SimService, SimSwarm},
};

use crate::{
    harness::{App, Verb},
    table::{Sweep, sweep_on},
};

const SERVERS: &str = "servers: {web: [h1, h2, h3], workers: {hosts: [h3], proxy: false, cmd: bin/jobs}}\n";
const SERVICES: &str = "x-cluster: {network: overlay, run: services}\n";

fn app(cluster: &str) -> App {
    let app = App::new(&format!("{SERVERS}{cluster}"));
    for (i, host) in app.targets.hosts.iter().enumerate() {
        app.fleet.change(host, |host| host.swarm = SimSwarm::at(&format!("10.0.0.{}", i + 1)));
    }
    app
}

/// Services that were set up at `v1`.
fn running() -> App {
    let app = app(SERVICES);
    app.operate(Verb::Setup, "v1", None).unwrap();
    app
}

fn service(app: &App, name: &str) -> Option<SimService> {
    app.fleet.host("h1").swarm.services.get(name).cloned()
}

/// The version of each service, and how many containers it has.
fn services(app: &App) -> Vec<(String, String, u32)> {
    let services = app.fleet.host("h1").swarm.services;
    services.into_iter().map(|(name, one)| (name, one.spec.version.to_string(), one.replicas)).collect()
}

fn at(version: &str) -> [(String, String, u32); 2] {
    [("app_web", 3), ("app_workers", 1)].map(|(name, count)| (name.to_owned(), version.to_owned(), count))
}

fn leads_everywhere(app: &App) -> bool {
    ["h1", "h2", "h3"].iter().all(|host| app.fleet.host(host).is_led_to_tasks("app-web"))
}

fn sound(app: &App) {
    assert_eq!(app.locks(), [""; 0]);
    assert_eq!(app.fleet.violations(), [""; 0]);
}

fn refusal(done: Result<impl std::fmt::Debug, Error>) -> String {
    done.unwrap_err().to_string()
}

#[test]
fn a_role_is_one_service_and_all_proxies_lead_to_all_of_it() {
    let app = app(SERVICES);
    let text = app.dry_run(Verb::Setup, "v1").unwrap().to_string();
    for step in [
        "label h3 in the swarm (+kamal.host=h3, +kamal.app.web=true, +kamal.app.workers=true)",
        "have the service app_web be 3 of acme/app:v1",
        "switch app-web to all of app_web",
    ] {
        assert!(text.contains(step), "{step}: {text}");
    }
    app.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!(services(&app), at("v1"));
    assert!(leads_everywhere(&app) && app.fleet.host("h2").containers.is_empty());
    let spec = service(&app, "app_workers").unwrap().spec;
    assert_eq!((spec.cmd, spec.on.as_str()), (Some(vec!["bin/jobs".to_owned()]), "kamal.app.workers"));
    let nodes = app.fleet.host("h1").swarm.nodes;
    assert!(!nodes["10.0.0.1"].labels.contains_key("kamal.app.workers"), "{nodes:?}");
    // Labels are there, and are not told again.
    app.deploy("v2").unwrap();
    assert_eq!(services(&app), at("v2"));
    assert!(!app.fleet.effects().iter().any(|effect| effect.what.contains("label ")));
    // What was built is what runs, wherever its tag moves.
    let digest = service(&app, "app_web").unwrap().spec.digest;
    app.perform(&Op::Build(Build::Pull), Some("v2"), None).unwrap();
    assert_eq!(digest.as_deref(), app.fleet.host("h2").images.get("acme/app:v2").map(String::as_str));
    sound(&app);
}

#[test]
fn a_version_that_does_not_come_up_leaves_all_services_as_they_were() {
    let app = running();
    app.fleet.sicken("v2");
    let refused = refusal(app.deploy("v2"));
    assert!(refused.contains("a container of app_web did not come up: task: unhealthy container"), "{refused}");
    assert_eq!(services(&app), at("v1"));
    assert!(leads_everywhere(&app));
    app.fleet.heal();
    // One that comes up goes back when something fails after it.
    app.fleet.change("h2", |host| host.proxy = None);
    let refused = app.operate(Verb::Redeploy, "v3", None).unwrap_err().to_string();
    assert!(refused.contains("kamal-proxy"), "{refused}");
    assert_eq!(services(&app), at("v1"));
    app.deploy("v3").unwrap();
    assert_eq!(services(&app), at("v3"));
    sound(&app);
}

#[test]
fn a_rollback_goes_to_what_was_live_before() {
    let app = running();
    app.deploy("v2").unwrap();
    let report = app.perform_well(&Op::Rollback(Rollback::default()));
    assert!(report.plan.notes.iter().any(|note| note.contains("Going back from v2 to v1")), "{:?}", report.plan.notes);
    assert_eq!(services(&app), at("v1"));
    let gone = Rollback { to: Some("v9".parse().unwrap()), as_deployed: false };
    assert!(matches!(app.perform(&Op::Rollback(gone), None, None), Err(Error::VersionUnavailable { .. })));
    let again = Rollback { to: Some("v2".parse().unwrap()), as_deployed: true };
    assert!(refusal(app.perform(&Op::Rollback(again), None, None)).contains("services keep no containers"));
    sound(&app);
}

#[test]
fn hosts_that_are_lost_are_left_out() {
    let app = running();
    app.fleet.unplug("h3");
    let report = app.deploy("v2").unwrap();
    assert_eq!(services(&app), at("v2"));
    assert!(!report.plan.to_string().contains("h3"), "{}", report.plan);
    let told = format!("{:?}", app.fleet.events().events());
    assert!(told.contains("h3 is left out"), "{told}");
    app.perform_well(&Op::Rollback(Rollback::default()));
    assert_eq!(services(&app), at("v1"));
    // One whose docker is away is as good as lost.
    app.fleet.plug_in();
    app.fleet.change("h2", |host| host.docker = false);
    app.deploy("v3").unwrap();
    app.fleet.change("h2", |host| host.docker = true);
    app.deploy("v4").unwrap();
    assert_eq!(services(&app), at("v4"));
    sound(&app);
    // The lock is on the primary host, which manages the swarm as well.
    app.fleet.unplug("h1");
    refusal(app.deploy("v5"));
    app.fleet.plug_in();
    assert_eq!(services(&app), at("v4"));
    // Containers are their hosts'.
    let apart = App::deployed(SERVERS, "v1");
    apart.fleet.unplug("h3");
    refusal(apart.deploy("v2"));
}

#[test]
fn what_a_role_is_scaled_to_stays_until_deploy_yml_says_otherwise() {
    let scale = |role: &str, replicas| Op::App(AppOp::Scale(vec![Scale { role: role.parse().unwrap(), replicas }]));
    let mut app = running();
    app.perform_well(&scale("web", 5));
    let count = |app: &App| service(app, "app_web").unwrap().replicas;
    assert_eq!(count(&app), 5);
    assert!(app.fleet.host("h1").audit.contains(&"Scaled to 5".to_owned()));
    app.deploy("v2").unwrap();
    assert_eq!(count(&app), 5);
    app.becomes(&format!("{SERVERS}x-cluster: {{network: overlay, run: services, replicas: {{web: 4}}}}\n"));
    app.deploy("v3").unwrap();
    assert_eq!(count(&app), 4);
    assert!(refusal(app.perform(&scale("web", 0), None, None)).contains("kamal app stop -r web"));
    assert!(refusal(app.perform(&scale("wbe", 2), None, None)).contains("wbe"));
    assert!(refusal(app.perform(&scale("web", 1001), None, None)).contains("1000 containers at most"));
    let twice = [2, 3].map(|replicas| Scale { role: "web".parse().unwrap(), replicas });
    assert!(refusal(app.perform(&Op::App(AppOp::Scale(twice.to_vec())), None, None)).contains("web is named twice"));
    assert_eq!(count(&app), 4);
    sound(&app);
    let apart = App::deployed(SERVERS, "v1");
    assert!(refusal(apart.perform(&scale("web", 2), None, None)).contains("run: services"));
}

#[test]
fn containers_become_services_and_are_served_until_then() {
    let mut app = app("x-cluster: {network: overlay}\n");
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.becomes(&format!("{SERVERS}{SERVICES}"));
    app.fleet.change("h3", |host| host.proxy = None);
    let refused = app.operate(Verb::Redeploy, "v2", None).unwrap_err().to_string();
    assert!(refused.contains("kamal-proxy"), "{refused}");
    assert_eq!(services(&app), []);
    assert!(app.fleet.host("h1").routed("app-web").unwrap().runs());
    app.fleet.expect_outage();
    app.deploy("v2").unwrap();
    assert_eq!(services(&app), at("v2"));
    let left = |host: &str| app.fleet.host(host).containers.iter().filter(|container| container.runs()).count();
    assert_eq!([left("h1"), left("h2"), left("h3")], [0, 0, 0]);
    assert!(leads_everywhere(&app));
    sound(&app);
}

#[test]
fn services_stop_start_and_go() {
    let app = running();
    app.fleet.expect_outage();
    app.perform_well(&Op::App(AppOp::Stop));
    assert_eq!(service(&app, "app_web").unwrap().replicas, 0);
    assert!(!app.fleet.host("h2").routes.contains_key("app-web"));
    app.perform_well(&Op::App(AppOp::Start));
    assert_eq!(services(&app), at("v1"));
    assert!(leads_everywhere(&app));
    app.perform_well(&Op::App(AppOp::Stop));
    app.deploy("v2").unwrap();
    assert_eq!(services(&app), at("v2"));
    app.perform_well(&Op::App(AppOp::Remove));
    assert_eq!(services(&app), []);
    sound(&app);
}

#[test]
fn without_a_manager_nothing_is_changed() {
    let app = app(SERVICES);
    assert!(refusal(app.deploy("v1")).contains("not joined"));
    let app = running();
    app.fleet.change("h1", |host| host.swarm.member.as_mut().unwrap().manager = false);
    assert!(refusal(app.deploy("v2")).contains("no host that manages the swarm"));
    sound(&app);
}

#[test]
fn the_status_tells_what_the_swarm_is_about() {
    let app = running();
    let status = app.perform_well(&Op::Status).status.unwrap();
    assert!(status.to_string().contains("web: 3 of 3 tasks run\n"), "{status}");
    app.fleet.change("h1", |host| host.swarm.nodes.get_mut("10.0.0.3").unwrap().state = "down".to_owned());
    let status = app.perform_well(&Op::Status).status.unwrap();
    assert!(status.to_string().contains("web: 3 of 3 tasks run; h3 is down\n"), "{status}");
}

#[test]
fn services_end_well_wherever_they_were_cut_off() {
    let app = running();
    app.deploy("v2").unwrap();
    let picks = |op: &Op| {
        matches!(op, Op::Deploy(Deploy { skip_push: false, .. }) | Op::App(AppOp::Scale(_)))
            || *op == Op::Rollback(Rollback::default())
    };
    sweep_on(&app, picks, &Sweep { dress: &|_| {}, fails: &|_| true });
}
