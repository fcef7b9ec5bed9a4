//! Hosts that are joined: containers reach each other by name, every web host serves for all, whatever becomes of one.

mod certificates;

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use kamal_tests::{app::App, pebble, postgres, rig::rig, swarm};
use xtask::sandbox::Host;

/// Three web hosts and one of the database.
const HOSTS: [u8; 4] = [3, 4, 5, 6];

/// How long anything may take that is waited for. After a cut Docker's hosts may need most of a minute to find each other.
const PATIENCE: Duration = Duration::from_secs(90);

/// Docker's swarm, taken away again from hosts other tests use.
struct Swarm;

impl Swarm {
    fn none() -> Self {
        swarm::leave(&HOSTS);
        Self
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        for number in HOSTS {
            plugged(number, "up");
            rig().docker_shell(
                number,
                "docker ps -aq --filter label=service=e2e-cluster | xargs -r docker rm -f; \
                docker rm -f e2e-cluster-db kamal-proxy; true",
            );
            // Absent is clean.
            drop(fs::remove_dir_all(rig().host(number).home.join(pebble::FOLDER)));
        }
        swarm::leave(&HOSTS);
    }
}

/// Takes a host off the network, or back.
fn plugged(number: u8, how: &str) {
    let cable = format!("kml-host{number}");
    assert!(Command::new("ip").args(["link", "set", &cable, how]).status().unwrap().success());
}

/// How many requests may be lost with a container that is killed or a host whose cable is cut: those it was answering.
const UNDER_WAY: usize = 2;

#[test]
fn every_host_serves_for_all_and_misses_none() {
    let app = App::on("e2e-cluster", &HOSTS);
    let _swarm = Swarm::none();
    let hosts = app.hosts();
    let [one, two, three, four] = [0, 1, 2, 3].map(|at| hosts[at]);
    let list = |some: &[&Host]| some.iter().map(|host| host.address.to_string()).collect::<Vec<_>>().join(", ");
    let tagged = format!("{}: one, {}: two, {}: three", one.address, two.address, three.address);
    app.edit(&format!("hosts: [{}]", list(&hosts)), &format!("hosts: [{tagged}]"));
    // Each tells which it is by what it takes for its version.
    let tags = ["one", "two", "three"].map(|name| format!("{name}: {{clear: {{KAMAL_VERSION: {name}}}}}")).join(", ");
    app.edit("env: {clear: {HEALTH: ok}, ", &format!("env: {{tags: {{{tags}}}, clear: {{HEALTH: ok}}, "));
    rig().postgres();
    let joined = format!(
        "accessories: {{db: {{image: \"{}\", host: {}, env: {{clear: {{POSTGRES_PASSWORD: pg}}}}}}}}\n\
         x-cluster: {{network: overlay, address: 10.77.0.0/16}}\nx-balance: true\n",
        postgres::IMAGE,
        four.address
    );
    app.edit("deploy_timeout: 20\n", &format!("deploy_timeout: 20\n{joined}"));
    let folder = app.project.folder();
    fs::copy("/bin/busybox", folder.join("busybox")).unwrap();
    let dockerfile = format!(
        "FROM {}\nCOPY busybox /bin/busybox\nCOPY server /server\nSTOPSIGNAL SIGTERM\nENTRYPOINT []\nCMD [\"/server\"]\n",
        postgres::IMAGE
    );
    app.project.write("Dockerfile", &dockerfile).unwrap();
    app.release();

    let looked = app.kamal(&["server", "join", "--dry-run"]);
    if !looked.status.success() {
        looked.says(&["cannot encrypt", "x-cluster: {encrypted: false}"]);
        app.edit("address: 10.77.0.0/16}", "address: 10.77.0.0/16, encrypted: false}");
    }
    certificates::prepare(&app, &[one, two, three]);
    let said = app.ok(&["setup"]);
    assert!(!said.contains("SWMTKN"), "{said}");
    for host in [one, two, three] {
        app.await_answers(host, &["one", "two", "three"], PATIENCE);
    }
    let found = app.kamal(&["doctor"]);
    assert_eq!(
        found.says(&["a manager of a swarm with 1"]).text.matches("3 other hosts answer").count(),
        4,
        "{}",
        found.text
    );
    // A web container reads from the database, on another host, by its name.
    let asked = "psql postgresql://postgres:pg@db/postgres -Atc 'select 123456*7'";
    let began = Instant::now();
    loop {
        let read = app.kamal(&["app", "exec", "--reuse", "-h", &three.address.to_string(), asked]);
        if read.status.success() && read.text.contains("864192") {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{}", read.text);
        thread::sleep(Duration::from_millis(500));
    }
    let peers = app.ok(&["app", "exec", "--reuse", "-h", &one.address.to_string(), "busybox nslookup web 127.0.0.11"]);
    assert_eq!(peers.matches("Address: 10.").count(), 3, "{peers}");

    // Deploys and a rollback under load; one host's app dies, and its clients get their answers from the others.
    let loads = [one, two, three].map(|host| (host.address, app.load_on(host, 60)));
    app.release();
    app.ok(&["deploy"]);
    // The same once more: what runs is renamed, which Docker would make a container lose its names by.
    app.ok(&["deploy"]);
    let killed = "docker kill $(docker ps -q --filter label=service=e2e-cluster --filter label=role=web)";
    rig().docker_shell(two.number, killed);
    app.await_answers(two, &["one", "three"], PATIENCE);
    app.await_answers(one, &["one", "three"], PATIENCE);
    app.ok(&["rollback"]);
    for host in [one, two, three] {
        app.await_answers(host, &["one", "two", "three"], PATIENCE);
    }
    for (host, load) in loads {
        let tally = load.stop();
        assert!(tally.failed.len() <= UNDER_WAY, "{host}, of {}: {:?}", tally.sent, tally.failed);
        assert!(tally.sent > 100, "{host}: {}", tally.sent);
    }

    // A host that is lost is missed by nobody who asks another, and is found again.
    let loads = [one, three].map(|host| (host.address, app.load_on(host, 60)));
    plugged(two.number, "down");
    app.await_answers(one, &["one", "three"], PATIENCE);
    thread::sleep(Duration::from_secs(2));
    plugged(two.number, "up");
    for host in [one, two, three] {
        app.await_answers(host, &["one", "two", "three"], PATIENCE);
    }
    for (host, load) in loads {
        let tally = load.stop();
        assert!(tally.failed.len() <= UNDER_WAY, "{host}, of {}: {:?}", tally.sent, tally.failed);
    }

    // One that is taken out serves alone, and none of its requests is lost, nor one of the others'; then it comes back.
    let loads = [one, two, three].map(|host| (host.address, app.load_on(host, 60)));
    app.ok(&["server", "leave", "-h", &two.address.to_string()]);
    app.await_answers(two, &["two"], PATIENCE);
    app.await_answers(one, &["one", "three"], PATIENCE);
    thread::sleep(Duration::from_secs(2));
    app.ok(&["server", "join", "-h", &two.address.to_string()]);
    for host in [one, two, three] {
        app.await_answers(host, &["one", "two", "three"], PATIENCE);
    }
    for (host, load) in loads {
        let tally = load.stop();
        assert!(tally.failed.is_empty(), "{host}, of {}: {:?}", tally.sent, tally.failed);
    }

    certificates::are_shared(&app, &[one, two, three]);
}
