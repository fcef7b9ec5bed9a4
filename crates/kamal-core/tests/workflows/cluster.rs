//! Hosts that are joined by Docker's swarm.

use kamal_core::{
    cluster::{Member, Network},
    error::Error,
    op::{Accessory, AccessoryTask, Deploy, Op, Proxy, Server},
    targets::{Selection, Targets},
    testing::SimSwarm,
};

use crate::{
    harness::{App, Verb},
    table::{Sweep, sweep_on},
};

const YAML: &str = "servers: {web: [h1, h2], workers: {hosts: [h3], proxy: false, cmd: bin/jobs}}\n\
    accessories: {db: {image: acme/db, host: h4}}\n\
    x-cluster: {network: overlay}\n";

/// The network over all hosts.
const NETWORK: &str = "kamal-app";

fn app(yaml: &str) -> App {
    let app = App::new(yaml);
    app.fleet.publish("acme/db");
    for (i, host) in app.targets.hosts.iter().enumerate() {
        app.fleet.change(host, |host| host.swarm = SimSwarm::at(&format!("10.0.0.{}", i + 1)));
    }
    app
}

fn selecting(app: &mut App, hosts: &[&str]) {
    let hosts = (!hosts.is_empty()).then(|| hosts.iter().map(ToString::to_string).collect());
    app.targets = Targets::select(&app.config, &Selection { hosts, ..Selection::default() }).unwrap();
}

fn nodes(app: &App) -> Vec<(bool, String)> {
    let member = |host: &str| app.fleet.host(host).swarm.member;
    ["h1", "h2", "h3", "h4"].into_iter().filter_map(member).map(|member| (member.manager, member.node)).collect()
}

/// What a container answers to on the network over all hosts; nothing where it is not on it.
fn answers(app: &App, host: &str, container: &str) -> Option<Vec<String>> {
    app.fleet.host(host).swarm.attached.get(container)?.get(NETWORK).cloned()
}

fn texts(aliases: &[&str]) -> Option<Vec<String>> {
    Some(aliases.iter().map(ToString::to_string).collect())
}

fn refusal(done: Result<impl std::fmt::Debug, Error>) -> String {
    let error = done.unwrap_err();
    let hints: Vec<String> = error.hints().iter().map(ToString::to_string).collect();
    format!("{error}\n{}", hints.join("\n"))
}

#[test]
fn setup_joins_hosts_and_containers_answer_under_their_names() {
    let app = app(YAML);
    let text = app.dry_run(Verb::Setup, "v1").unwrap().to_string();
    for step in [
        "start a swarm as its manager at 10.0.0.1",
        "join the swarm of h1 as a worker at 10.0.0.4",
        "create an encrypted network kamal-app over all hosts",
    ] {
        assert!(text.contains(step), "{step}: {text}");
    }
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.assert_converged("v1", "joined");
    let node = |at: u8| (at == 1, format!("node-10.0.0.{at}"));
    assert_eq!(nodes(&app), [node(1), node(2), node(3), node(4)]);
    assert_eq!(answers(&app, "h2", "app-web-v1"), texts(&["web", "web-h2"]));
    assert_eq!(answers(&app, "h3", "app-workers-v1"), texts(&["workers", "workers-h3"]));
    assert_eq!(answers(&app, "h4", "app-db"), texts(&["db"]));
    assert_eq!(answers(&app, "h1", "kamal-proxy"), None);
    let env = app.fleet.host("h1").container("app-web-v1").unwrap().env.clone();
    let told = |name: &str| env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!((told("KAMAL_HOSTS"), told("KAMAL_PEERS")), (Some("h1,h2"), Some("web-h1,web-h2")));
    // Nothing of it is done twice.
    assert!(app.plan(&Op::Server(Server::Join), None).unwrap().is_empty());
    app.deploy("v2").unwrap();
    app.assert_converged("v2", "the next version");
    assert_eq!(answers(&app, "h1", "app-web-v2"), texts(&["web", "web-h1"]));
}

#[test]
fn what_lets_hosts_in_is_told_to_nobody() {
    let app = app(YAML);
    let report = app.perform_well(&Op::Server(Server::Join));
    let told = format!("{:?} {:?} {}", app.fleet.events().events(), app.fleet.effects(), report.plan.to_json());
    assert!(!told.contains("SWMTKN"), "{told}");
}

#[test]
fn what_runs_already_is_put_on_the_network() {
    let mut apart = App::new(&YAML.replace("x-cluster: {network: overlay}\n", ""));
    apart.fleet.publish("acme/db");
    apart.operate(Verb::Setup, "v1", None).unwrap();
    let joined = app(YAML);
    apart.config = joined.config.clone();
    for (i, host) in apart.targets.hosts.iter().enumerate() {
        apart.fleet.change(host, |host| host.swarm = SimSwarm::at(&format!("10.0.0.{}", i + 1)));
    }
    let refused = refusal(apart.deploy("v2"));
    assert!(
        refused.contains("it is not joined with the other hosts") && refused.contains("server join -h h1"),
        "{refused}"
    );
    assert_eq!(apart.versions(), ["v1"]);
    apart.perform_well(&Op::Server(Server::Join));
    assert_eq!(answers(&apart, "h1", "app-web-v1"), texts(&["web", "web-h1"]));
    assert_eq!(answers(&apart, "h4", "app-db"), texts(&["db"]));
    apart.deploy("v2").unwrap();
}

#[test]
fn a_host_that_comes_later_joins_through_the_manager() {
    let mut app = app(YAML);
    selecting(&mut app, &["h1", "h2"]);
    app.perform_well(&Op::Server(Server::Join));
    assert_eq!(nodes(&app).len(), 2);
    selecting(&mut app, &["h4"]);
    let text = app.plan(&Op::Server(Server::Join), None).unwrap().to_string();
    assert!(text.contains("join the swarm of h1 as a worker at 10.0.0.4") && !text.contains("start a swarm"), "{text}");
    app.perform_well(&Op::Server(Server::Join));
    assert_eq!(nodes(&app).len(), 3);
}

#[test]
fn as_many_hosts_as_asked_for_are_managers() {
    let app = app(&YAML.replace("overlay}", "overlay, managers: 3}"));
    app.perform_well(&Op::Server(Server::Join));
    assert_eq!(nodes(&app).iter().map(|(manager, _)| *manager).collect::<Vec<_>>(), [true, true, true, false]);
}

#[test]
fn hosts_leave_and_go_on_by_themselves() {
    let mut app = app(YAML);
    app.operate(Verb::Setup, "v1", None).unwrap();
    selecting(&mut app, &["h2"]);
    app.perform_well(&Op::Server(Server::Leave));
    assert_eq!(nodes(&app).len(), 3);
    assert_eq!(answers(&app, "h2", "app-web-v1"), None);
    assert!(app.fleet.host("h2").routed("app-web").unwrap().runs());
    assert!(app.fleet.effects().iter().any(|effect| effect.to_string().contains("remove the node node-10.0.0.2")));
    // The only manager stays to the last.
    selecting(&mut app, &["h1"]);
    let refused = refusal(app.perform(&Op::Server(Server::Leave), None, None));
    assert!(refused.contains("no other host manages the swarm h3, h4 belong to"), "{refused}");
    selecting(&mut app, &[]);
    let text = app.plan(&Op::Server(Server::Leave), None).unwrap().to_string();
    assert!(text.contains("leave the swarm, which ends with it"), "{text}");
    app.perform_well(&Op::Server(Server::Leave));
    assert_eq!(nodes(&app), []);
    assert_eq!(app.versions(), ["v1"]);
    assert!(app.plan(&Op::Server(Server::Leave), None).unwrap().is_empty());
}

#[test]
fn somebody_elses_swarm_is_used_as_it_is() {
    let app = app(YAML);
    for (host, address) in [("h1", "10.9.0.1"), ("h2", "10.9.0.2")] {
        let managers = vec!["node-10.9.0.2".to_owned()];
        let member = Member::new(format!("node-{address}"), address, managers);
        app.fleet.change(host, |host| host.swarm.member = Some(member));
    }
    app.fleet.change("h2", |host| {
        host.swarm.networks.insert(NETWORK.to_owned(), Network::new("overlay", true, true));
    });
    let text = app.plan(&Op::Server(Server::Join), None).unwrap().to_string();
    assert!(text.contains("join the swarm of h2 as a worker at 10.0.0.3"), "{text}");
    assert!(!text.contains("start a swarm") && !text.contains("create an"), "{text}");
    app.operate(Verb::Setup, "v1", None).unwrap();
    // None of the managers is at hand.
    app.fleet.change("h2", |host| host.swarm.member = None);
    let refused = refusal(app.plan(&Op::Server(Server::Join), None));
    assert!(
        refused.contains("whose managers are not in deploy.yml") && refused.contains("join it by hand"),
        "{refused}"
    );
}

#[test]
fn what_cannot_be_joined_is_told_before_anything_is_changed() {
    let refused = |change: &dyn Fn(&App)| {
        let app = app(YAML);
        change(&app);
        let refused = refusal(app.perform(&Op::Server(Server::Join), None, None));
        assert_eq!(app.fleet.effects().iter().filter(|effect| effect.to_string().contains("swarm")).count(), 0);
        refused
    };
    let weak = refused(&|app| app.fleet.change("h3", |host| host.swarm.encrypts = Some(false)));
    assert!(weak.contains("h3") && weak.contains("cannot encrypt") && weak.contains("encrypted: false"), "{weak}");
    let hidden = refused(&|app| {
        app.fleet.change("h2", |host| {
            host.swarm.networks.insert(NETWORK.to_owned(), Network::new("bridge", false, false));
        });
    });
    assert!(
        hidden.contains("hides the one over all hosts") && hidden.contains("docker network rm kamal-app"),
        "{hidden}"
    );
    let public =
        refused(&|app| app.fleet.change("h4", |host| host.swarm.addresses = SimSwarm::at("203.0.113.4").addresses));
    assert!(public.contains("h4") && public.contains("no private address") && public.contains("interface"), "{public}");
    let split = refused(&|app| {
        for host in ["h1", "h2"] {
            let member = Member::new(format!("node-{host}"), "10.9.0.1", vec![format!("node-{host}")]);
            app.fleet.change(host, |host| host.swarm.member = Some(member));
        }
    });
    assert!(split.contains("h2") && split.contains("another swarm than h1"), "{split}");
    let plain = app(&YAML.replace("overlay}", "overlay, encrypted: false}"));
    plain.fleet.change("h3", |host| host.swarm.encrypts = Some(false));
    plain.perform_well(&Op::Server(Server::Join));
}

#[test]
fn without_the_key_nobody_is_joined() {
    let app = App::new("servers: [h1, h2]\n");
    let error = app.perform(&Op::Server(Server::Join), None, None).unwrap_err();
    assert!(matches!(&error, Error::Usage(text) if text.contains("x-cluster: {network: overlay}")), "{error}");
}

#[test]
fn a_network_of_the_hosts_own_that_hides_it_stops_a_deploy() {
    let app = app(YAML);
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.fleet.change("h2", |host| {
        host.swarm.networks.insert(NETWORK.to_owned(), Network::new("bridge", false, false));
    });
    let refused = refusal(app.deploy("v2"));
    assert!(refused.contains("h2") && refused.contains("hides the one over all hosts"), "{refused}");
    assert_eq!(app.versions(), ["v1"]);
}

#[test]
fn proxies_are_on_the_network_where_they_balance() {
    let app = app(&format!("{YAML}x-balance: true\n"));
    app.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!(answers(&app, "h2", "kamal-proxy"), texts(&["kamal-proxy-h2"]));
    assert_eq!(answers(&app, "h3", "kamal-proxy"), None);
    app.fleet.change("h2", |host| drop(host.swarm.attached.remove("kamal-proxy")));
    app.perform_well(&Op::Proxy(Proxy::Reboot { rolling: false }));
    assert_eq!(answers(&app, "h2", "kamal-proxy"), texts(&["kamal-proxy-h2"]));
    let boot = Accessory::new(&app.config, "all", AccessoryTask::Reboot).unwrap();
    app.fleet.expect_outage();
    app.perform_well(&Op::Accessory(boot));
    assert_eq!(answers(&app, "h4", "app-db"), texts(&["db"]));
}

/// The proxies a host's proxy shares requests with.
fn peers(app: &App, host: &str) -> Vec<String> {
    app.fleet.host(host).peers.get("app-web").cloned().unwrap_or_default()
}

#[test]
fn proxies_take_leave_of_a_host_before_it_goes_and_know_it_when_it_is_back() {
    let yaml = YAML.replace("[h1, h2]", "[h1, h2, h5]").replace("jobs}}", "jobs}}\nx-proxy: {basic_auth: USERS}");
    let mut app = app(&format!("{yaml}x-balance: true\n"));
    app.fleet.secrets().put("USERS", "ann:$2y$10$x");
    app.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!(peers(&app, "h1"), ["kamal-proxy-h2", "kamal-proxy-h5"]);
    selecting(&mut app, &["h2"]);
    app.perform_well(&Op::Server(Server::Leave));
    let done: Vec<String> = app.fleet.effects().iter().map(ToString::to_string).collect();
    let at = |what: &str| done.iter().position(|effect| effect.contains(what)).unwrap_or_else(|| panic!("{done:#?}"));
    assert!(at("switch app-web to app-web-v1") < at("take app-web-v1 off the network"), "{done:#?}");
    assert_eq!([peers(&app, "h1"), peers(&app, "h5")], [["kamal-proxy-h5"], ["kamal-proxy-h1"]]);
    assert!(peers(&app, "h2").is_empty() && app.fleet.host("h2").routed("app-web").unwrap().runs());
    app.perform_well(&Op::Server(Server::Join));
    assert_eq!(peers(&app, "h2"), ["kamal-proxy-h1", "kamal-proxy-h5"]);
    assert_eq!(peers(&app, "h5"), ["kamal-proxy-h1", "kamal-proxy-h2"]);
    assert!(app.plan(&Op::Server(Server::Join), None).unwrap().is_empty());
}

#[test]
fn joining_and_leaving_end_well_wherever_they_were_cut_off() {
    let joined = app(YAML);
    joined.operate(Verb::Setup, "v1", None).unwrap();
    joined.deploy("v2").unwrap();
    let sweep = Sweep { dress: &|_| {}, fails: &|_| true };
    sweep_on(&joined, |op| matches!(op, Op::Server(Server::Leave)), &sweep);
    let apart = app(YAML);
    sweep_on(&apart, |op| matches!(op, Op::Server(Server::Join) | Op::Setup(Deploy { .. })), &sweep);
}
