//! `x-deliver`: hosts that get layers from the first of them.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use kamal_core::{
    op::{Build, Deploy, Op},
    ports::{Content, Pieces},
    run::{Archive, ProxyImage},
    testing::{Effect, Fault, How, SimSwarm},
};

use crate::{
    harness::{App, Verb},
    table::{Sweep, sweep_on},
};

const YAML: &str = "service: app\nimage: acme/app\nbuilder: {arch: amd64}\nenv: {secret: [DATABASE_URL]}\n\
    servers: [h1, h2, h3]\naccessories: {db: {image: acme/db, host: h3}}\nx-deliver: {between_hosts: true}\n";

const PROXY: &str = "kamal-rs/kamal-proxy:v0.10.0-1";

/// What a simulated host reads the proxy's image out of.
#[derive(Debug)]
struct ProxyArchive(String);

impl Content for ProxyArchive {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self) -> Pieces<'_> {
        stream::iter([Ok(self.0.clone().into_bytes())]).boxed()
    }
}

fn app() -> App {
    app_of(YAML)
}

fn app_of(yaml: &str) -> App {
    let mut app = App::of(yaml);
    app.fleet.publish("acme/db");
    for (i, host) in app.targets.hosts.iter().enumerate() {
        app.fleet.change(host, |host| host.swarm = SimSwarm::at(&format!("10.0.0.{}", i + 1)));
    }
    let archive = Archive::new(|| Ok(Arc::new(ProxyArchive(format!("sim image {PROXY} sha256:proxy")))));
    app.proxy_images.add(ProxyImage::new(PROXY.parse().unwrap(), "amd64", archive));
    app
}

/// Hosts that were to hand layers on.
fn relays(app: &App) -> Vec<String> {
    let effects = app.fleet.effects().into_iter().filter(hands_on);
    effects.map(|effect| effect.host.unwrap().to_string()).collect()
}

fn hands_on(effect: &Effect) -> bool {
    effect.what.starts_with("hand layers on")
}

fn said(app: &App, text: &str) -> bool {
    app.fleet.events().said().iter().any(|said| said.contains(text))
}

#[test]
fn an_image_leaves_this_machine_once() {
    let app = app();
    let plan = app.dry_run(Verb::Setup, "v1").unwrap();
    assert!(plan.to_string().contains("hand layers on to the other hosts at 10.0.0.1:5555"), "{plan}");
    assert!(app.fleet.host("h1").images.is_empty());
    app.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!((app.fleet.pulls(), relays(&app)), (1, vec!["h1".to_owned()]));
    app.deploy("v2").unwrap();
    assert_eq!((app.fleet.pulls(), app.versions()), (1, vec!["v2".to_owned()]), "of what is new alone, too");
    assert!(app.fleet.host("h1").images.contains_key(PROXY));
    app.perform(&Op::Build(Build::Pull), Some("v2"), None).unwrap();
    assert_eq!((app.fleet.pulls(), app.fleet.open_ways()), (1, 0), "nothing stays open");

    let without = app_of(&YAML.replace("true", "false"));
    without.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!((without.fleet.pulls(), relays(&without)), (3, Vec::new()));
    let alone = app_of(&YAML.replace("[h1, h2, h3]", "[h3]"));
    alone.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!((alone.fleet.pulls(), relays(&alone)), (1, Vec::new()), "there is nobody to hand anything on to");
}

#[test]
fn the_first_host_that_can_hands_layers_on() {
    let app = app();
    app.fleet.change("h1", |host| host.swarm = SimSwarm::at("203.0.113.7"));
    let plan = app.dry_run(Verb::Setup, "v1").unwrap();
    assert!(plan.to_string().contains("at 10.0.0.2:5555"), "{plan}");
    for host in ["h2", "h3"] {
        app.fleet.change(host, |host| host.arch = Some("riscv64".to_owned()));
        app.fleet.change(host, |host| host.emulated = vec!["amd64".to_owned()]);
    }
    let plan = app.dry_run(Verb::Setup, "v1").unwrap();
    let why = "all from this machine: h1 has no private address, only 203.0.113.7 (eth0). `x-deliver: {address: ";
    assert!(plan.to_string().contains(why) && !plan.to_string().contains("hand layers on"), "{plan}");
    app.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!((app.fleet.pulls(), app.versions()), (3, vec!["v1".to_owned()]));
}

#[test]
fn where_it_cannot_all_get_layers_from_here() {
    // Its SSH server forbids the way there, its disk has no room for twice as much, its docker refuses the container.
    for (at, why) in [
        ("forbids", "h1 does not hand layers on (it does not reach the registry on this machine)"),
        ("tight", "h1 does not hand layers on (there is too little room for docker there)"),
        ("refuses", "h1 does not hand layers on (it was made to fail)"),
    ] {
        let app = app();
        app.fleet.weigh(50_000_000);
        app.fleet.change("h1", |host| {
            host.forbids_forwarding = at == "forbids";
            host.free = (at == "tight").then_some(90_000_000);
        });
        let mut fault = None;
        if at == "refuses" {
            let probe = app.fork();
            probe.operate(Verb::Setup, "v1", None).unwrap();
            let refused = probe.fleet.effects().iter().position(hands_on).unwrap();
            fault = Some(Fault { at: refused, how: How::Fails });
        }
        app.operate(Verb::Setup, "v1", fault).unwrap();
        assert!(said(&app, why), "{at}: {:?}", app.fleet.events().said());
        assert_eq!(app.versions(), ["v1"], "{at}");
        // Where it is handed the image, the others pull it.
        assert_eq!(app.fleet.pulls(), if at == "forbids" { 2 } else { 3 }, "{at}");
    }
}

#[test]
fn a_host_that_does_not_reach_it_gets_layers_from_here() {
    let app = app();
    app.fleet.change("h2", |host| host.apart = true);
    app.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!((app.fleet.pulls(), app.versions()), (2, vec!["v1".to_owned()]));
    let told = "h2 did not get all layers from h1 at 10.0.0.1:5555; they came from this machine";
    assert!(said(&app, told) && !said(&app, "h3 did not"), "{:?}", app.fleet.events().said());
}

#[test]
fn whatever_goes_wrong_all_or_none_have_the_new_version() {
    let base = app();
    base.operate(Verb::Setup, "v1", None).unwrap();
    base.deploy("v2").unwrap();
    let around =
        |effect: &Effect| hands_on(effect) || effect.what.starts_with("pull ") || effect.what.contains("regis");
    let sweep = Sweep { dress: &|_| {}, fails: &around };
    sweep_on(&base, |op| matches!(op, Op::Deploy(Deploy { skip_push: false, .. }) | Op::Build(Build::Pull)), &sweep);
}
