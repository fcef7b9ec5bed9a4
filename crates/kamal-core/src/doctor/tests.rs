//! Each check finds what it is for, and nothing else.

use super::*;
use crate::{
    cluster::{Address, Joined, Managed, Member, Membership, Network, Service},
    config::{self, Source},
    error::HostError,
    name::{ContainerName, ImageRef},
    ports::{TransportError, TransportErrorKind},
    state::{Container, ContainerState, HostState, Machine, ProxyContainer},
    targets::Selection,
    testing::NoTemplateWorld,
    vitals::{Certificate, Engine, PortProbe, Published, Reach, Room, Vitals},
};

const YAML: &str = "service: app\nimage: acme/app\nservers: [h1]\nregistry: {username: u, password: [P]}\n\
    builder: {arch: amd64}\nproxy: {host: a.test, ssl: true}\nx-cluster: {network: overlay}\n";

const NOW: i64 = 1_767_225_600;

/// A host of a swarm these manage.
fn joined(host: &str, managers: &[&str]) -> Joined {
    let managers = managers.iter().map(ToString::to_string).collect();
    Joined {
        swarm: Membership::Member(Member::new(host, "10.0.0.1", managers)),
        addresses: vec![Address::new("eth0", "10.0.0.1".parse().unwrap())],
        network: Some(Network::new("overlay", true, true)),
        encrypts: Some(true),
        managed: None,
    }
}

fn healthy() -> (HostState, Vitals) {
    let image = ImageRef::of_checked("basecamp/kamal-proxy:v0.9.2");
    let state = HostState {
        machine: Machine { arch: "amd64".into(), user: "ann".into(), home: "/home/ann".into(), ..Machine::default() },
        docker: true,
        proxy: Some(ProxyContainer { image, state: ContainerState::Running, networks: vec!["kamal".into()] }),
        network: true,
        joined: Some(joined("h1", &["h1"])),
        ..HostState::new("h1".parse().unwrap())
    };
    let engine = Engine {
        installed: true,
        version: Some("28.1.1".into()),
        log_driver: Some("json-file".into()),
        complaint: String::new(),
    };
    let published = |port| Published { container: "kamal-proxy".into(), address: "0.0.0.0".into(), port };
    let vitals = Vitals {
        now: Some(NOW + 1),
        docker: engine,
        groups: vec!["ann".into(), "docker".into()],
        disk: Some(Room { total: 100_000_000_000, free: 50_000_000_000 }),
        memory: Some(Room { total: 4_000_000_000, free: 2_000_000_000 }),
        published: vec![published(80), published(443)],
        addresses: vec!["10.0.0.1".into()],
        names: [("a.test".to_owned(), vec!["10.0.0.1".to_owned()])].into(),
        certificates: vec![Certificate { host: "a.test".into(), ends: NOW + 60 * 86_400 }],
        logged_in: true,
        ..Vitals::default()
    };
    (state, vitals)
}

fn well() -> Here {
    let ran = |said: &str| Ran { status: Some(0), said: said.to_owned() };
    Here {
        docker: ran("28.1.1"),
        buildx: ran("github.com/docker/buildx v0.24.0"),
        git: ran("git version 2.50.0"),
        agent: ran("256 SHA256:x ann (ED25519)"),
        secrets: Ok(2),
    }
}

fn examined(here: &Here, found: Result<(HostState, Vitals), HostError>) -> Checkup {
    let config = config::load(&Source::new("config/deploy.yml", YAML), None, &NoTemplateWorld).unwrap().config;
    let targets = Targets::select(&config, &Selection::default()).unwrap();
    let surveyed = [Surveyed { host: "h1".parse().unwrap(), found }];
    let at = Timestamp::from_second(NOW).unwrap();
    checkup(&Patient { config: &config, targets: &targets, here, surveyed: &surveyed, at })
}

/// Which findings are not as they should be.
fn odd(checkup: &Checkup) -> Vec<(&'static str, Judgement)> {
    let odd = checkup.findings.iter().filter(|finding| finding.result != Judgement::Ok);
    odd.map(|finding| (finding.check, finding.result)).collect()
}

#[test]
fn all_is_well() {
    let found = examined(&well(), Ok(healthy()));
    assert_eq!(odd(&found), [], "{found}");
    assert!(found.ok && found.findings.iter().all(|finding| finding.fix.is_none()));
    // Every check has something to say.
    let table = table_as_markdown();
    assert_eq!(table.lines().count() - 2, found.findings.len(), "{found}");
}

#[test]
fn what_is_wrong_with_a_host_is_found_and_nothing_else() {
    use Judgement::{Failed, Warning};
    type Change = fn(&mut HostState, &mut Vitals);
    type Odd = &'static [(&'static str, Judgement)];
    let cases: Vec<(Change, Odd, &str)> = vec![
        (|_, vitals| vitals.docker.version = Some("19.03.1".into()), &[("docker_of_host", Failed)], "older than 20.10"),
        (|_, vitals| vitals.docker.log_driver = Some("none".into()), &[("log_driver", Failed)], "nothing is kept"),
        (|_, vitals| vitals.docker.log_driver = Some("gelf".into()), &[("log_driver", Warning)], "elsewhere"),
        (
            |_, vitals| vitals.disk = Some(Room { total: 10_000_000_000, free: 1_000_000 }),
            &[("disk", Failed)],
            "1.0 MB of 10.0 GB",
        ),
        (
            |_, vitals| vitals.disk = Some(Room { total: 10_000_000_000, free: 1_000_000_000 }),
            &[("disk", Warning)],
            "1.0 GB",
        ),
        (
            |_, vitals| vitals.memory = Some(Room { total: 1_000_000_000, free: 10_000_000 }),
            &[("memory", Failed)],
            "10.0 MB",
        ),
        (|_, vitals| vitals.now = Some(NOW - 30), &[("clock", Warning)], "30 s behind"),
        (|_, vitals| vitals.now = Some(NOW + 300), &[("clock", Failed)], "300 s ahead"),
        (
            |_, vitals| vitals.published[1].container = "nginx".into(),
            &[("ports", Failed), ("published", Warning)],
            "443 is taken by nginx",
        ),
        (
            |state, vitals| {
                (state.proxy, vitals.published) = (None, Vec::new());
                vitals.listeners = vec![crate::diagnosis::Listener { port: 80, loopback: false }];
            },
            &[("ports", Failed)],
            "80 is taken by a program on the host",
        ),
        (|_, vitals| vitals.names.clear(), &[("dns", Warning)], "a.test has no address"),
        (|_, vitals| vitals.addresses = vec!["10.9.9.9".into()], &[("dns", Warning)], "a.test leads to 10.0.0.1"),
        (|_, vitals| vitals.certificates[0].ends = NOW - 1, &[("certificates", Failed)], "has ended"),
        (|_, vitals| vitals.certificates[0].ends = NOW + 3 * 86_400, &[("certificates", Warning)], "good for 3 days"),
        (
            |_, vitals| {
                vitals.firewall = Some("ufw".into());
                vitals.published.push(Published { container: "app-db".into(), address: "[::]".into(), port: 5432 });
            },
            &[("published", Warning)],
            "app-db publishes 5432; ufw does not",
        ),
        (|state, _| state.machine.arch = "arm64".into(), &[("architecture", Failed)], "the host is arm64"),
        (|_, vitals| vitals.logged_in = false, &[("registry", Warning)], "not logged in to Docker Hub"),
        (|state, _| state.proxy.as_mut().unwrap().state = ContainerState::Exited, &[("proxy", Warning)], "is exited"),
        (
            |state, _| state.joined.as_mut().unwrap().swarm = Membership::None,
            &[("cluster", Failed)],
            "not joined with the other hosts",
        ),
        (
            |state, _| state.joined.as_mut().unwrap().network = Some(Network::new("bridge", false, false)),
            &[("cluster", Failed)],
            "hides the one over all hosts",
        ),
        (|state, _| state.joined = Some(joined("h1", &["h1", "h2"])), &[("cluster", Warning)], "than 1 would"),
        (
            |state, _| {
                let service = Service::new("app_web".parse().unwrap(), 3);
                let managed = Managed { services: vec![service], ..Managed::default() };
                state.joined = Some(Joined { managed: Some(managed), ..joined("h1", &["h1"]) });
            },
            &[("cluster", Warning)],
            "0 of 3 containers of the service app_web run",
        ),
        (
            |state, vitals| {
                let public = Address::new("eth0", "203.0.113.1".parse().unwrap());
                state.joined.as_mut().unwrap().addresses.push(public);
                vitals.listeners = vec![crate::diagnosis::Listener { port: 7946, loopback: false }];
            },
            &[("cluster_open", Warning)],
            "7946/tcp, 4789/udp listen on 203.0.113.1",
        ),
        (
            |state, vitals| {
                state.docker = false;
                vitals.docker = Engine { installed: true, complaint: "permission denied".into(), ..Engine::default() };
                vitals.groups = vec!["ann".into()];
            },
            &[("docker_of_host", Failed), ("rights", Failed)],
            "ann is not in the group docker",
        ),
    ];
    for (change, expected, said) in cases {
        let (mut state, mut vitals) = healthy();
        change(&mut state, &mut vitals);
        let found = examined(&well(), Ok((state, vitals)));
        assert_eq!(odd(&found), expected, "{found}");
        assert!(found.to_string().contains(said), "{said}: {found}");
        let failed = expected.iter().any(|(_, result)| *result == Failed);
        assert_eq!(found.ok, !failed);
        assert!(found.findings.iter().all(|finding| finding.fix.is_some() == (finding.result != Judgement::Ok)));
    }
}

#[test]
fn a_host_that_does_not_reach_another_is_found() {
    let yaml = YAML.replace("[h1]", "[h1, h2, h3]").replace(", ssl: true", "");
    let config = config::load(&Source::new("config/deploy.yml", yaml), None, &NoTemplateWorld).unwrap().config;
    let targets = Targets::select(&config, &Selection::default()).unwrap();
    let at = |number: u8| {
        let (mut state, vitals) = healthy();
        let host: HostName = format!("h{number}").parse().unwrap();
        let address = format!("10.0.0.{number}");
        state.host = host.clone();
        let name = ContainerName::of_checked("app-web-v1");
        let container = Container::new("c".parse().unwrap(), name, "acme/app:v1", ContainerState::Running);
        state.containers = vec![Container { networks: vec!["kamal-app".into()], ..container }];
        state.joined = Some(Joined {
            addresses: vec![Address::new("eth0", address.parse().unwrap())],
            ..joined(host.as_str(), &["h1"])
        });
        Surveyed { host, found: Ok((state, vitals)) }
    };
    let mut surveyed = [at(1), at(2), at(3)];
    let tried = to_try(config.cluster.as_ref().unwrap(), &surveyed);
    let told: Vec<String> = tried.iter().map(|(host, to)| format!("{host} {to:?}")).collect();
    assert_eq!(told, ["h1 [10.0.0.2, 10.0.0.3]", "h2 [10.0.0.3, 10.0.0.1]", "h3 [10.0.0.1, 10.0.0.2]"]);
    let probe = |to: &str, port, udp, reach| PortProbe { to: to.parse().unwrap(), port, udp, reach };
    let vitals = &mut surveyed[1].found.as_mut().unwrap().1;
    vitals.probes = vec![
        probe("10.0.0.1", 2377, false, Reach::Silent),
        probe("10.0.0.1", 7946, false, Reach::Open),
        probe("10.0.0.1", 4789, true, Reach::Refused),
        // No manager.
        probe("10.0.0.3", 2377, false, Reach::Refused),
        probe("10.0.0.3", 7946, true, Reach::Open),
    ];
    let at = Timestamp::from_second(NOW).unwrap();
    let found = checkup(&Patient { config: &config, targets: &targets, here: &well(), surveyed: &surveyed, at });
    let closed = found.findings.iter().filter(|one| one.check == "cluster_ports" && one.result != Judgement::Ok);
    let said: Vec<&str> = closed.map(|one| one.said.as_str()).collect();
    assert_eq!(said, ["h1 (10.0.0.1) does not answer 2377/tcp, h1 (10.0.0.1) refuses 4789/udp"]);
}

#[test]
fn what_is_wrong_with_this_machine_is_found() {
    use Judgement::{Failed, Warning};
    type Change = fn(&mut Here);
    let none = || Ran { status: None, said: "is not there".to_owned() };
    let cases: [(Change, (&str, Judgement)); 5] = [
        (|here| here.docker.status = Some(1), ("docker", Failed)),
        (|here| here.buildx.status = None, ("buildx", Failed)),
        (|here| here.git.status = None, ("git", Failed)),
        (|here| here.secrets = Err("P is missing".into()), ("secrets", Failed)),
        (|here| here.agent.status = Some(1), ("ssh_agent", Warning)),
    ];
    let lost =
        || HostError::Transport(TransportError::new(&"h1".parse().unwrap(), TransportErrorKind::Refused("h1".into())));
    for (change, expected) in cases {
        let mut here = well();
        change(&mut here);
        let found = examined(&here, Err(lost()));
        assert_eq!(odd(&found), [expected, ("ssh", Failed)], "{found}");
    }
    // Who gets in without an agent needs none.
    let found = examined(&Here { agent: none(), ..well() }, Ok(healthy()));
    assert_eq!(odd(&found), []);
}

#[test]
fn what_cannot_be_used_is_a_finding_too() {
    let found = Checkup::unusable(Timestamp::from_second(NOW).unwrap(), "line 3\nis wrong");
    assert_eq!(odd(&found), [("config", Judgement::Failed)]);
    assert_eq!((found.to_json()["findings"][0]["said"].as_str(), found.ok), (Some("line 3; is wrong"), false));
}

#[test]
fn the_documentation_has_the_table() {
    let page = include_str!("../../../../docs/doctor.md");
    assert!(page.contains(&table_as_markdown()), "docs/doctor.md should have:\n{}", table_as_markdown());
}
