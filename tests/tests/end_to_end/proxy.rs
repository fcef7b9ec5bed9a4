//! Replacing the proxy itself: `proxy reboot` (spec 9.5).

use std::{
    fs,
    net::Ipv4Addr,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use kamal_tests::{
    app::App,
    rig::{self, rig},
};
use serde_json::Value;
use xtask::load::Load;

fn proxy(app: &App, format: &str) -> String {
    rig()
        .docker_shell(app.host().number, &format!("docker inspect --format '{{{{{format}}}}}' kamal-proxy"))
        .trim()
        .to_owned()
}

/// What docker says of the proxy's container, but for what differs from one container to the next.
fn described(app: &App) -> Value {
    let text = rig().docker_shell(app.host().number, "docker inspect kamal-proxy");
    let described: Value = serde_json::from_str(&text).unwrap();
    let id = described[0]["Id"].as_str().unwrap();
    let mut described: Value = serde_json::from_str(&text.replace(id, "ID").replace(&id[..12], "ID")).unwrap();
    for of_its_own in [
        "/0/State",
        "/0/Created",
        "/0/GraphDriver/Data",
        // `docker create` and `docker run` differ in what the client meant to do next.
        "/0/Config/AttachStdout",
        "/0/Config/AttachStderr",
        "/0/NetworkSettings/SandboxID",
        "/0/NetworkSettings/SandboxKey",
        "/0/NetworkSettings/Networks/kamal/EndpointID",
        "/0/NetworkSettings/Networks/kamal/IPAddress",
        "/0/NetworkSettings/Networks/kamal/MacAddress",
    ] {
        *described.pointer_mut(of_its_own).unwrap_or(&mut Value::Null) = Value::Null;
    }
    // Nothing is told as one or as the other, as it happens.
    for nothing in ["IPAMConfig", "DriverOpts"] {
        let told = described.pointer_mut(&format!("/0/NetworkSettings/Networks/kamal/{nothing}"));
        told.into_iter().filter(|told| **told == serde_json::json!({})).for_each(|told| *told = Value::Null);
    }
    // Docker lists them in any order.
    for list in ["/0/HostConfig/Binds", "/0/Mounts"] {
        described.pointer_mut(list).unwrap().as_array_mut().unwrap().sort_by_key(Value::to_string);
    }
    described
}

/// Rules and containers that are for the time of a reboot only.
fn left_behind(app: &App) -> String {
    let script =
        "iptables-save | grep kamal-proxy-reboot; docker ps --all --filter name=kamal-proxy_ --format '{{.Names}}'";
    rig::text(&rig().sandbox.ssh(app.host()).arg(script).output().unwrap())
}

fn assert_nothing_failed(loads: impl IntoIterator<Item = Load>) {
    for tally in loads.into_iter().map(Load::stop) {
        assert_eq!(tally.failed, Vec::<String>::new(), "{tally:?}");
        assert!(tally.sent > 10, "{tally:?}");
    }
}

// Published ports belong to the container, so another one serves between the old and the new one.
#[test]
fn nobody_notices_a_reboot() {
    let app = App::on_one("e2e-reboot");
    let version = app.set_up();
    let before = described(&app);
    let loads = app.loads();
    for _ in 0..3 {
        let old = proxy(&app, ".Id");
        app.ok(&["proxy", "reboot", "-y"]);
        assert_ne!(proxy(&app, ".Id"), old);
        assert_eq!(left_behind(&app), "");
    }
    assert_nothing_failed(loads);
    assert_eq!(described(&app), before);
    assert_eq!(app.serving(), [version.as_str()]);
    assert_eq!(proxy(&app, ".Config.User"), "1001:1001");
}

// Neither of them comes by the rules docker has for those outside: what asks 127.0.0.1, and containers of the network.
#[test]
fn nobody_on_the_host_notices_a_reboot_either() {
    let app = App::on_one("e2e-inside");
    let version = app.set_up();
    let container = app.container(&version);
    let pid =
        rig().docker_shell(app.host().number, &format!("docker inspect --format '{{{{.State.Pid}}}}' {container}"));
    let here = PathBuf::from(format!("/run/netns/kamal-{}", app.host().name));
    let there = PathBuf::from(format!("/proc/{}/ns/net", pid.trim()));
    let loads = [
        app.loads_within(&here, Ipv4Addr::LOCALHOST.into()),
        app.loads_within(&here, app.host().address.into()),
        app.loads_within(&there, app.host().address.into()),
    ];
    app.ok(&["proxy", "reboot", "-y"]);
    assert_nothing_failed(loads.into_iter().flatten());
    assert_eq!(left_behind(&app), "");
}

#[test]
fn a_reboot_that_is_cut_off_is_finished_by_the_host() {
    let app = App::on_one("e2e-cut-off");
    let version = app.set_up();
    let (old, before) = (proxy(&app, ".Id"), described(&app));
    let loads = app.loads();
    let reboot = app.start(&["proxy", "reboot", "-y"]);
    let began = Instant::now();
    while !left_behind(&app).contains("DNAT") {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", left_behind(&app));
    }
    reboot.signal("KILL");
    assert!(!reboot.wait().status.success());
    while !left_behind(&app).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", left_behind(&app));
    }
    assert_nothing_failed(loads);
    assert_ne!(proxy(&app, ".Id"), old);
    assert_eq!(described(&app), before);
    assert_eq!(app.serving(), [version.as_str()]);
    app.ok(&["lock", "release"]);
}

// The second has a deploy lock of its own: somebody freed the first one's, or it is about another service.
#[test]
fn reboots_that_overlap_take_turns() {
    let app = App::on_one("e2e-overlap");
    let version = app.set_up();
    let before = described(&app);
    let loads = app.loads();
    let first = app.start(&["proxy", "reboot", "-y"]);
    let began = Instant::now();
    while !left_behind(&app).contains("DNAT") {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", left_behind(&app));
    }
    first.signal("KILL");
    assert!(!first.wait().status.success());
    app.ok(&["lock", "release"]);
    assert_ne!(left_behind(&app), "", "the first one is over too early to be overlapped");
    app.ok(&["proxy", "reboot", "-y"]);
    assert_eq!(left_behind(&app), "");
    assert_nothing_failed(loads);
    assert_eq!(described(&app), before);
    assert_eq!(app.serving(), [version.as_str()]);
}

// Without the right to lead clients elsewhere there is a moment without a proxy, and nothing else is lost.
#[test]
fn without_a_packet_filter_a_reboot_is_short() {
    let app = App::on_one("e2e-unfiltered");
    let version = app.set_up();
    let (old, before) = (proxy(&app, ".Id"), described(&app));
    let no_filter = Hidden::program(&app, "iptables");
    let load = app.load();
    let since = rig().docker_shell(app.host().number, "date +%s.%N");
    app.ok(&["proxy", "reboot", "-y"]);
    let tally = load.stop();
    drop(no_filter);
    let answered_wrongly: Vec<_> = tally.failed.iter().filter(|failure| failure.contains("HTTP")).collect();
    assert!(answered_wrongly.is_empty(), "{answered_wrongly:?}");
    assert!(!tally.failed.is_empty(), "it went another way");
    // As long as docker takes to stop one and to start another: 0.4 s, and ten on a machine that is busy.
    let away = Duration::from_millis(tally.failed.len() as u64 * 5);
    let docker = swap_by_docker(&app, since.trim());
    assert!(away < docker + Duration::from_secs(2), "{away:?} without a proxy, where docker took {docker:?}");
    assert_ne!(proxy(&app, ".Id"), old);
    assert_eq!(described(&app), before);
    assert_eq!(app.serving(), [version.as_str()]);
    assert_eq!(left_behind(&app), "");
}

/// How long docker took since then to stop the old proxy, and to start the one that has its name since.
fn swap_by_docker(app: &App, since: &str) -> Duration {
    let format = "{{.TimeNano}} {{.Action}} {{.Actor.Attributes.name}}";
    let asked =
        format!("docker events --since {since} --until $(date +%s.%N) --filter type=container --format '{format}'");
    let told = rig().docker_shell(app.host().number, &asked);
    let at = |wanted: &str| -> Duration {
        let line =
            told.lines().find_map(|line| line.strip_suffix(wanted)).unwrap_or_else(|| panic!("{wanted} in {told}"));
        Duration::from_nanos(line.trim().parse().unwrap())
    };
    let stopped = at(" stop kamal-proxy") - at(" kill kamal-proxy");
    stopped + (at(" start kamal-proxy") - at(" rename kamal-proxy"))
}

/// A program that fails, on the host of an app, for those who come over SSH.
struct Hidden {
    sshd: String,
    path: String,
}

impl Hidden {
    fn program(app: &App, name: &str) -> Self {
        let found = rig().sandbox.ssh(app.host()).arg(format!("readlink -f $(command -v {name})")).output().unwrap();
        let path = rig::text(&found).trim().to_owned();
        let pid_file = app.host().home.with_file_name("sshd.pid");
        let sshd = fs::read_to_string(pid_file).unwrap().split_whitespace().next().unwrap().to_owned();
        enter(&sshd, &["mount", "--bind", "/bin/false", &path]);
        Self { sshd, path }
    }
}

/// Runs a command in what a process sees of the machine.
fn enter(process: &str, command: &[&str]) {
    let entered = Command::new("nsenter").args(["--mount", "--target", process]).args(command).output().unwrap();
    assert!(entered.status.success(), "{}", rig::text(&entered));
}

impl Drop for Hidden {
    fn drop(&mut self) {
        enter(&self.sshd, &["umount", &self.path]);
    }
}

#[test]
fn a_new_proxy_that_does_not_work_takes_nothing_away() {
    let app = App::on_one("e2e-broken-proxy");
    let version = app.set_up();
    let old = proxy(&app, ".Id");
    let broken = "10.77.0.1:5000/broken/kamal-proxy:v9.9.9";
    let make = format!("docker commit --change 'ENTRYPOINT [\"kamal-proxy\", \"nonsense\"]' kamal-proxy {broken}");
    rig().docker_shell(app.host().number, &make);
    let loads = app.loads();
    app.edit(
        "app_port: 80,",
        "app_port: 80, run: {version: v9.9.9, registry: \"10.77.0.1:5000\", repository: broken/kamal-proxy},",
    );
    app.fails(&["proxy", "reboot", "-y"]).says(&["the old one goes on serving", "nonsense"]);
    assert_eq!((proxy(&app, ".Id"), left_behind(&app).as_str()), (old.clone(), ""));
    // Nor does one that cannot even be made.
    app.edit("repository: broken/kamal-proxy", "repository: none/none");
    app.fails(&["proxy", "reboot", "-y"]).says(&["none/none"]);
    assert_eq!((proxy(&app, ".Id"), left_behind(&app).as_str()), (old.clone(), ""));
    // Nor does one whose ports are taken, which shows when the old one has gone: it comes back, and the bridge held.
    app.edit("version: v9.9.9, registry: \"10.77.0.1:5000\", repository: none/none", "http_port: 22");
    app.fails(&["proxy", "reboot", "-y"]).says(&["address already in use", "the old one serves again"]);
    assert_eq!((proxy(&app, ".Id"), left_behind(&app).as_str()), (old, ""));
    assert_nothing_failed(loads);
    assert_eq!(app.serving(), [version.as_str()]);
    assert!(!app.locked());
    rig().docker_shell(app.host().number, &format!("docker rmi {broken}"));
}

// Where the network is a third container's, the new proxy takes over from the old one and nobody notices.
#[test]
fn a_reboot_in_a_shared_network_loses_no_request() {
    let app = App::on_one("e2e-handover");
    let version = app.set_up();
    let image = proxy(&app, ".Config.Image");
    let own_network = format!(
        "docker rm --force kamal-proxy kamal-proxy-net; \
         docker run --detach --name kamal-proxy-net --network kamal --publish 80:80 --env HOME=/tmp {image} \
         kamal-proxy run --http-port 8001 --https-port 8002; \
         docker run --detach --name kamal-proxy --network container:kamal-proxy-net --restart unless-stopped \
         --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy {image} kamal-proxy run"
    );
    rig().docker_shell(app.host().number, &own_network);
    while app.serving() != [version.as_str()] {}
    let before = proxy(&app, ".Id");
    let load = app.load();
    for _ in 0..2 {
        app.ok(&["proxy", "reboot", "-y"]);
    }
    let tally = load.stop();
    assert_eq!(tally.failed, Vec::<String>::new(), "{tally:?}");
    assert!(tally.sent > 100, "{tally:?}");
    assert_ne!(proxy(&app, ".Id"), before);
    assert!(proxy(&app, ".HostConfig.NetworkMode").starts_with("container:"));
    assert_eq!(app.serving(), [version.as_str()]);
    rig().docker_shell(app.host().number, "docker rm --force kamal-proxy kamal-proxy-net");
    app.ok(&["proxy", "boot"]);
    // It is started, which is not yet to say that it listens.
    while app.serving() != [version.as_str()] {}
}
