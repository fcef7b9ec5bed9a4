//! Hosts that get layers from the first of them, and how much leaves the machine that deploys.

use std::{
    net::Ipv4Addr,
    time::{Duration, SystemTime},
};

use kamal_tests::{app::App, rig::rig};
use xtask::{cable::Cable, noise::noise};

const LAYER: usize = 6_000_000;

/// An app on hosts that are reached over cables, which count.
struct Counted {
    app: App,
    cables: Vec<Cable>,
    seed: u64,
}

impl Counted {
    fn new(service: &str, hosts: &[u8]) -> Self {
        let app = App::without_registry(service, hosts);
        let mut cables = Vec::new();
        for host in app.hosts() {
            let cable = Cable::lay(Ipv4Addr::new(10, 77, 0, 1), (host.address, 22).into(), Duration::ZERO).unwrap();
            let address = format!("10.77.0.1:{}", cable.port);
            app.project.knows(host, &address).unwrap();
            app.edit(&host.address.to_string(), &format!("\"{address}\""));
            cables.push(cable);
        }
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        Self { app, cables, seed }
    }

    /// A version with a layer nobody has.
    fn grow(&mut self) -> String {
        self.seed += 1;
        std::fs::write(self.app.project.folder().join("assets/noise"), noise(self.seed, LAYER)).unwrap();
        self.app.release()
    }

    /// What a deploy prints, and how many layers' worth of bytes it sends to all hosts.
    fn deploy(&mut self) -> (String, f64) {
        let version = self.grow();
        let sent = || self.cables.iter().map(Cable::up).sum::<u64>();
        let before = sent();
        let said = self.app.ok(&["deploy"]);
        let layers = (sent() - before) as f64 / LAYER as f64;
        assert!(self.app.serving().iter().all(|serving| *serving == version), "{said}");
        (said, layers)
    }

    fn on_each(&self, script: &str) -> Vec<String> {
        let of = |host: &&xtask::sandbox::Host| rig().docker_shell(host.number, script).trim().to_owned();
        self.app.hosts().iter().map(of).collect()
    }
}

#[test]
fn a_layer_leaves_this_machine_once() {
    let hosts = [3, 4, 5];
    let mut counted = Counted::new("e2e-relayed", &hosts);
    counted.app.set_up();
    let (_, layers) = counted.deploy();
    assert!(layers > 2.9, "each host gets it from here: {layers}");

    counted.app.edit("deploy_timeout: 20\n", "deploy_timeout: 20\nx-deliver: {between_hosts: true}\n");
    let [first, second, _] = counted.app.hosts()[..] else { panic!("three hosts") };
    let told = counted.app.kamal(&["deploy", "--dry-run"]).text;
    let at = format!("hand layers on to the other hosts at {}:5555", first.address);
    assert!(told.contains(&at), "{told}");
    let (said, layers) = counted.deploy();
    assert!(layers < 1.15, "{layers} layers left this machine\n{said}");
    assert!(!said.contains("came from this machine"), "{said}");

    // The second host does not reach the first.
    let unreachable = |how: &str| {
        let script = format!("ip route {how} unreachable {}", first.address);
        assert!(rig().sandbox.ssh(second).arg(script).status().unwrap().success());
    };
    unreachable("add");
    let (said, layers) = counted.deploy();
    unreachable("del");
    assert!(layers > 1.9 && layers < 2.2, "{layers} layers left this machine\n{said}");
    assert!(said.contains(&format!("did not get all layers from 10.77.0.1:{} at", counted.cables[0].port)), "{said}");
    assert!(said.matches("they came from this machine").count() == 1, "{said}");

    let left = counted.on_each(
        "docker ps --all --format '{{.Names}}' | grep layers; docker volume ls --quiet --filter dangling=true | wc -l",
    );
    assert!(left.iter().all(|left| !left.contains("layers")), "{left:?}");
    let listening = rig().sandbox.ssh(first).arg("cat /proc/net/tcp").output().unwrap();
    assert!(!String::from_utf8_lossy(&listening.stdout).contains(":15B3 00000000:0000 0A"), "nothing listens any more");
}
