//! Roles as services of Docker's swarm: a host that dies and a version that is bad are missed by nobody.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use kamal_tests::{
    app::App,
    rig::{self, rig},
    swarm,
};
use xtask::sandbox::{self, Host};

/// The hosts of the service, the first of which manages the swarm.
const HOSTS: [u8; 3] = [3, 4, 5];

/// How long anything may take that is waited for: what still runs on a host whose docker died is known by its name until
/// Docker's gossip has told all of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many requests may be lost with a host that dies: those it was answering.
const UNDER_WAY: usize = 2;

const DOCKERFILE: &str = "FROM scratch\nCOPY busybox /bin/busybox\nCOPY server /server\nSTOPSIGNAL SIGTERM\n\
    HEALTHCHECK --interval=1s --timeout=2s --retries=3 CMD [\"/bin/busybox\", \"wget\", \"-q\", \"-O\", \"/dev/null\", \"http://127.0.0.1/up\"]\n\
    CMD [\"/server\"]\n";

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
        // The one that was killed comes back.
        drop(sandbox::up(rig::HOSTS));
        rig().docker_shell(HOSTS[0], "docker stack rm e2e-services; true");
        for number in HOSTS {
            rig().docker_shell(number, "docker rm -f kamal-proxy; true");
        }
        swarm::leave(&HOSTS);
        for number in HOSTS {
            let script = "docker ps -aq --filter label=service=e2e-services | xargs -r docker rm -f; true";
            rig().docker_shell(number, script);
        }
    }
}

/// Kills a host's docker, as when the host dies, but for what runs on it.
fn kill_docker(host: &Host) {
    let folder = host.docker_socket.ancestors().nth(2).unwrap();
    let pid = fs::read_to_string(folder.join("dockerd.pid")).unwrap();
    let pid = pid.split_whitespace().next().unwrap();
    assert!(Command::new("kill").args(["-9", pid]).status().unwrap().success());
}

fn await_answers(app: &App, host: &Host, wanted: &str) {
    await_that(&format!("{} answers {wanted}", host.address), || (0..6).all(|_| app.answer_of(host) == wanted));
}

fn await_that(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} not in time");
        thread::sleep(Duration::from_millis(300));
    }
}

/// The names of the hosts on which containers of the service run, as the manager knows them.
fn placed(manager: &Host) -> Vec<String> {
    let script =
        "docker service ps e2e-services_web --filter desired-state=running --format '{{.Node}} {{.CurrentState}}'";
    let printed = rig().docker_shell(manager.number, script);
    let running = printed.lines().filter_map(|line| line.split_once(" Running").map(|(node, _)| node.to_owned()));
    running.collect()
}

#[test]
fn a_host_that_dies_and_a_version_that_is_bad_are_missed_by_nobody() {
    let app = App::on("e2e-services", &HOSTS);
    let _swarm = Swarm::none();
    let hosts = app.hosts();
    let [one, two, three] = [0, 1, 2].map(|at| hosts[at]);
    let services =
        "readiness_delay: 1\nx-cluster: {network: overlay, run: services, address: 10.77.0.0/16, encrypted: false}\n";
    app.edit("deploy_timeout: 20\n", &format!("deploy_timeout: 20\n{services}"));
    fs::copy("/bin/busybox", app.project.folder().join("busybox")).unwrap();
    app.project.write("Dockerfile", DOCKERFILE).unwrap();
    let first = app.release();
    app.ok(&["setup"]);
    for host in [one, two, three] {
        await_answers(&app, host, &first);
    }
    assert_eq!(placed(one).len(), 3);

    // Another version comes, and none of its requests is lost; a bad one does not, and says why.
    let loads = [one, two].map(|host| (host.address, app.load_on(host, 60)));
    let second = app.release();
    app.ok(&["deploy"]);
    for host in [one, two, three] {
        await_answers(&app, host, &second);
    }
    app.edit("HEALTH: ok", "HEALTH: crash");
    let bad = app.fails(&["deploy"]);
    bad.says(&["did not come up", "crashing at start, because HEALTH=crash", "went back to what it was"]);
    app.edit("HEALTH: crash", "HEALTH: ok");
    assert!(app.ok(&["status"]).contains("web: 3 of 3 tasks run"));
    await_answers(&app, one, &second);
    for (host, load) in loads {
        let tally = load.stop();
        assert!(tally.failed.is_empty(), "{host}, of {}: {:?}", tally.sent, tally.failed);
        assert!(tally.sent > 100, "{host}: {}", tally.sent);
    }

    // A host's docker dies: requests go on, and so does everything else.
    let loads = [one, two].map(|host| (host.address, app.load_on(host, 60)));
    kill_docker(three);
    let killed = Instant::now();
    let third = app.release();
    let said = app.ok(&["deploy"]);
    assert!(said.contains(&format!("{} is left out", three.address)), "{said}");
    for host in [one, two] {
        await_answers(&app, host, &third);
    }
    let lost = rig().docker_shell(one.number, "docker node ls --format '{{.Hostname}} {{.Status}}'");
    await_that("all containers run elsewhere", || {
        let there = placed(one);
        there.len() == 3 && there.iter().all(|host| *host != three.name)
    });
    assert!(killed.elapsed() < Duration::from_secs(90), "{lost}");
    app.ok(&["rollback"]);
    for host in [one, two] {
        await_answers(&app, host, &second);
    }
    let status = app.kamal(&["status"]).text;
    assert!(status.contains("web: 3 of 3 tasks run") && status.contains("is down"), "{status}");
    app.ok(&["app", "scale", "web=4"]);
    assert_eq!(placed(one).len(), 4);
    for (host, load) in loads {
        let tally = load.stop();
        assert!(tally.failed.len() <= UNDER_WAY, "{host}, of {}: {:?}", tally.sent, tally.failed);
    }
}
