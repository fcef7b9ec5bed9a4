//! The proxy inside another program: this one.

use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kamal_proxy::server::{
    Acme, Address, Builder, CommandError, DeployOptions, Handle, HealthCheck, Level, MaintenanceOptions, PauseOptions,
    Proxy, RolloutOptions, ServiceState, StartError, Tls,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::{sleep, timeout};

use super::free_port::free_port;
use super::load::{CLIENTS, Load};
use super::support::{PATIENCE, Upstream, text};

const SWITCHES: usize = 20;
const ANY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

fn to(upstream: &Upstream) -> DeployOptions {
    DeployOptions::to(address(upstream))
}

fn address(upstream: &Upstream) -> Address {
    upstream.address.parse().unwrap()
}

fn http(proxy: &Handle) -> SocketAddr {
    proxy.addresses().http.unwrap()
}

/// Status and body of what a proxy answers for a host.
async fn get(proxy: &Handle, host: &str) -> (u16, String) {
    ask(proxy, &format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
}

async fn ask(proxy: &Handle, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(http(proxy)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer in time").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// The threads of this process that are a proxy's.
fn threads() -> Vec<String> {
    let all = fs::read_dir("/proc/self/task").unwrap().map_while(Result::ok);
    let names = all.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    let names = names.map(|name| name.trim().to_owned());
    let mut names: Vec<_> =
        names.filter(|name| name == "proxy" || name == "log" || name.starts_with("worker ")).collect();
    names.sort();
    names
}

/// The threads of a proxy that has just started: each gives itself its name, some of them after `start` has returned.
async fn settled_threads() -> Vec<String> {
    let mut seen = threads();
    loop {
        sleep(Duration::from_millis(100)).await;
        let now = threads();
        if now == seen {
            return now;
        }
        seen = now;
    }
}

/// A log that can be read.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn any(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> bool {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).any(|line| wanted(&line))
    }
}

/// Two proxies, each asked all the time while its targets are switched; then one ends while the other is asked on.
async fn side_by_side(own: bool) {
    let folder = tempfile::tempdir().unwrap();
    let start = |name: &str| {
        // Nobody else takes these once they are free.
        let builder = Proxy::builder().listen((Ipv4Addr::LOCALHOST, free_port())).state(folder.path().join(name));
        if own { builder.start() } else { builder.runtime(runtime::Handle::current()).start() }
    };
    let (first, second) = (start("first").await.unwrap(), start("second").await.unwrap());
    let (one, two) = (Upstream::named("one").await, Upstream::named("two").await);
    let (three, four) = (Upstream::named("three").await, Upstream::named("four").await);
    first.deploy("app", to(&one)).await.unwrap();
    second.deploy("app", to(&three)).await.unwrap();

    let loads = (Load::start(http(&first), &["one", "two"]), Load::start(http(&second), &["three", "four"]));
    for number in 0..SWITCHES {
        let (here, there) = if number % 2 == 0 { (&two, &four) } else { (&one, &three) };
        let switched = tokio::join!(first.deploy("app", to(here)), second.deploy("app", to(there)));
        assert!(matches!(switched, (Ok(()), Ok(()))), "{switched:?}");
        tokio::join!(loads.0.round(), loads.1.round());
    }
    assert!(loads.0.answered().min(loads.1.answered()) >= CLIENTS * SWITCHES);
    assert_eq!(loads.0.stop().await, Vec::<String>::new());

    let address = http(&first);
    first.stop().await;
    StdListener::bind(address).expect("the port of one that was stopped is free");
    assert!(matches!(first.deploy("app", to(&one)).await, Err(CommandError::Stopped)));
    loads.1.round().await;
    assert_eq!(loads.1.stop().await, Vec::<String>::new());
    assert_eq!(second.list()[0].targets, [three.address.as_str()]);

    let address = http(&second);
    let mut idle = TcpStream::connect(address).await.unwrap();
    drop(second);
    if own {
        StdListener::bind(address).expect("the port of one that was dropped is free");
        drop(first);
        eventually("its threads have ended", || threads().is_empty()).await;
    } else {
        eventually("the port of one that was dropped is free", || StdListener::bind(address).is_ok()).await;
    }
    let end = timeout(PATIENCE, idle.read(&mut [0; 1])).await.expect("its connections are cut");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_proxies_side_by_side_on_threads_of_their_own() {
    side_by_side(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_proxies_side_by_side_on_the_runtime_of_the_program() {
    side_by_side(false).await;
}

// One that cannot start leaves nothing behind, and does not disturb whoever is there.
#[tokio::test(flavor = "multi_thread")]
async fn why_a_proxy_does_not_start() {
    let there = Proxy::builder().listen(ANY).start().await.unwrap();
    let (taken, before) = (http(&there), settled_threads().await);
    let starts = |builder: Builder| async { builder.start().await.map(drop).unwrap_err() };
    for builder in [
        Proxy::builder().listen(taken),
        Proxy::builder().listen(ANY).https(taken),
        Proxy::builder().listen(ANY).metrics(taken).runtime(runtime::Handle::current()),
    ] {
        let error = starts(builder).await;
        assert!(
            matches!(&error, StartError::AddressInUse { protocol: "tcp", address, .. } if *address == taken.into()),
            "{error:?}"
        );
        assert_eq!(error.to_string(), format!("listen tcp {taken}: bind: address already in use"));
    }
    // Nobody's, as it is for documentation (RFC 5737).
    let error = starts(Proxy::builder().listen((Ipv4Addr::new(192, 0, 2, 1), 0))).await;
    assert!(matches!(error, StartError::Listen { protocol: "tcp", .. }), "{error:?}");
    assert!(matches!(starts(Proxy::builder()).await, StartError::NothingToListenAt));
    let alone = Proxy::builder().listen(ANY).take_over(Duration::from_secs(1));
    assert!(matches!(starts(alone).await, StartError::TakeoverWithoutPath));
    let error = starts(Proxy::builder().listen(ANY).control("/dev/null/socket")).await;
    assert!(matches!(error, StartError::Socket { .. }), "{error:?}");
    eventually("nothing is left of those that did not start", || threads() == before).await;
    assert_eq!(get(&there, "a").await.0, 404);
}

// One whose predecessor does not answer, and whose program has no patience.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_nobody_waits_for_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover");
    let _mute = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let start = Proxy::builder().listen(ANY).handover(path).take_over(PATIENCE).start();
    assert!(timeout(Duration::from_millis(100), start).await.is_err());
    eventually("its threads have ended", || threads().is_empty()).await;
}

#[cfg(feature = "http3")]
#[tokio::test(flavor = "multi_thread")]
async fn http3_is_beside_https() {
    let error = Proxy::builder().listen(ANY).http3(true).start().await.map(drop).unwrap_err();
    assert!(matches!(error, StartError::Http3WithoutHttps));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let taken = std::net::UdpSocket::bind(address).unwrap();
    let error = Proxy::builder().https(address).http3(true).start().await.map(drop).unwrap_err();
    assert!(matches!(error, StartError::AddressInUse { protocol: "udp", .. }), "{error:?}");
    drop(taken);
    let proxy = Proxy::builder().https(address).http3(true).start().await.unwrap();
    assert!(std::net::UdpSocket::bind(address).is_err());
    proxy.stop().await;
    assert!(std::net::UdpSocket::bind(address).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_why_they_fail() {
    let proxy = Proxy::builder().listen(ANY).start().await.unwrap();
    let (app, other) = (Upstream::named("app").await, Upstream::named("other").await);
    proxy.deploy("app", to(&app).host("a.test")).await.unwrap();
    assert_eq!(get(&proxy, "a.test").await, (200, "app".into()));
    let listed = proxy.list();
    assert_eq!((listed.len(), listed[0].name.as_str(), listed[0].hosts.as_slice()), (1, "app", &["a.test".into()][..]));
    assert_eq!(
        (listed[0].state, listed[0].tls, listed[0].path_prefixes[0].as_str()),
        (ServiceState::Running, false, "/")
    );

    let sick = Upstream::start(|_| async { text(500, "sick") }).await;
    let check = HealthCheck::default().path("/health").interval(Duration::from_millis(10));
    let error = proxy.deploy("app", to(&sick).health_check(check).deploy_timeout(Duration::from_millis(200))).await;
    let Err(CommandError::Unhealthy(unhealthy)) = error else { panic!("{error:?}") };
    assert_eq!(unhealthy.limit(), Duration::from_millis(200));
    let failure = unhealthy.failure().expect("it has answered");
    assert_eq!((failure.target(), failure.response().unwrap().status()), (sick.address.as_str(), 500));
    assert!(matches!(proxy.deploy("other", to(&other).host("a.test")).await, Err(CommandError::Conflict)));
    assert!(matches!(proxy.deploy("", to(&other)).await, Err(CommandError::Options(_))));
    let tls = to(&other).host("b.test").tls(Tls::acme(Acme::default()));
    assert!(matches!(proxy.deploy("other", tls).await, Err(CommandError::Options(_))), "nowhere to keep certificates");
    let pages = to(&other).host("b.test").error_pages("/does/not/exist");
    assert!(matches!(proxy.deploy("other", pages).await, Err(CommandError::Assets(_))));
    assert!(matches!(proxy.remove("nosuch").await, Err(CommandError::ServiceNotFound)));
    assert!(matches!(proxy.split("app", 10, ["x"]).await, Err(CommandError::NoRollout)));
    assert_eq!(get(&proxy, "a.test").await, (200, "app".into()), "all is as before");

    proxy.pause("app", PauseOptions::default().max_pause(Duration::from_millis(1))).await.unwrap();
    assert_eq!((proxy.list()[0].state, get(&proxy, "a.test").await.0), (ServiceState::Paused, 504));
    proxy.maintenance("app", MaintenanceOptions::default().message("Back at noon.")).await.unwrap();
    let (status, page) = get(&proxy, "a.test").await;
    assert!(status == 503 && page.contains("Back at noon."), "{status} {page}");
    assert_eq!(proxy.list()[0].state, ServiceState::Stopped);
    proxy.resume("app").await.unwrap();

    proxy.rollout("app", RolloutOptions::to(address(&other))).await.unwrap();
    proxy.split("app", 0, ["chosen"]).await.unwrap();
    assert_eq!(proxy.list()[0].rollout, [other.address.as_str()]);
    let chosen = "GET / HTTP/1.1\r\nHost: a.test\r\nCookie: kamal-rollout=chosen\r\nConnection: close\r\n\r\n";
    assert_eq!((ask(&proxy, chosen).await.1, get(&proxy, "a.test").await.1), ("other".into(), "app".into()));
    proxy.end_split("app").await.unwrap();
    assert_eq!(ask(&proxy, chosen).await.1, "app");
    proxy.reload().await.unwrap();
    proxy.remove("app").await.unwrap();
    assert_eq!((proxy.list().len(), get(&proxy, "a.test").await.0), (0, 404));
}

// What whoever starts the proxy says, in place of what a process has: variables, log, state.
#[tokio::test(flavor = "multi_thread")]
async fn each_has_surroundings_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let app = Upstream::named("app").await;
    let (first, second) = (Lines::default(), Lines::default());
    let users = |name: &str| (name == "USERS").then(|| format!("ann:{}", bcrypt::hash("secret", 4).unwrap()));
    let start = |log: &Lines| Proxy::builder().listen(ANY).log(log.clone(), Level::Info);
    let with = start(&first).variables(users).state(folder.path().join("state")).start().await.unwrap();
    let without = start(&second).start().await.unwrap();
    with.deploy("app", to(&app).basic_auth_variable("USERS")).await.unwrap();
    assert_eq!(get(&with, "a").await.0, 401);
    let error = without.deploy("app", to(&app).basic_auth_variable("USERS")).await.unwrap_err().to_string();
    assert!(error.contains("no environment variable USERS"), "{error}");
    // Nor are there those of the process.
    assert!(without.deploy("app", to(&app).basic_auth_variable("PATH")).await.is_err());
    without.deploy("app", to(&app)).await.unwrap();
    assert_eq!(get(&without, "quiet").await.0, 200);
    with.stop().await;
    without.stop().await;
    let asked = |host: &'static str| move |line: &serde_json::Value| line["msg"] == "Request" && line["host"] == host;
    assert!(
        first.any(asked("a")) && !first.any(asked("quiet")),
        "each writes to its own log, all of it before it ends"
    );
    assert!(second.any(asked("quiet")) && !second.any(asked("a")));

    let again = Proxy::builder().listen(ANY).variables(users).state(folder.path().join("state")).start().await.unwrap();
    assert_eq!(again.list()[0].targets, [app.address.as_str()]);
    assert_eq!(get(&again, "a").await.0, 401);
}

// Checks go on whatever becomes of the runtime a command was given on.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_does_not_need_whoever_gave_it_commands() {
    let log = Lines::default();
    let well = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&well);
    let flaky = Upstream::start(move |_| {
        let fine = seen.load(Ordering::SeqCst);
        async move { text(if fine { 200 } else { 500 }, "flaky") }
    })
    .await;
    let steady = Upstream::named("steady").await;
    let proxy = Proxy::builder().listen(ANY).log(log.clone(), Level::Info).start().await.unwrap();
    let check = HealthCheck::default().path("/health").interval(Duration::from_millis(10));
    let options = to(&flaky).target(address(&steady)).health_check(check);
    let proxy = std::thread::spawn(move || {
        let passing = runtime::Builder::new_current_thread().build().unwrap();
        passing.block_on(proxy.deploy("app", options)).unwrap();
        proxy
    });
    let proxy = tokio::task::spawn_blocking(|| proxy.join().unwrap()).await.unwrap();
    well.store(false, Ordering::SeqCst);
    eventually("the target is seen to be unwell", || {
        log.any(|line| line["msg"] == "Target health updated" && line["state"] == "unhealthy")
    })
    .await;
    for _ in 0..10 {
        assert_eq!(get(&proxy, "a").await.1, "steady");
    }
}

// On a runtime that goes on without it, nothing of the proxy does.
#[tokio::test(flavor = "multi_thread")]
async fn checks_end_with_the_proxy() {
    let checks = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&checks);
    let counted = Upstream::start(move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
        async { text(200, "counted") }
    })
    .await;
    let another = Upstream::named("another").await;
    let check = HealthCheck::default().path("/health").interval(Duration::from_millis(10));
    for stops in [true, false] {
        let proxy = Proxy::builder().listen(ANY).runtime(runtime::Handle::current()).start().await.unwrap();
        let options = to(&counted).target(address(&another)).health_check(check.clone());
        proxy.deploy("app", options).await.unwrap();
        let before = checks.load(Ordering::SeqCst);
        eventually("checks go on", || checks.load(Ordering::SeqCst) > before).await;
        if stops {
            proxy.stop().await;
        }
        drop(proxy);
        sleep(Duration::from_millis(200)).await;
        let after = checks.load(Ordering::SeqCst);
        sleep(Duration::from_millis(200)).await;
        assert_eq!(checks.load(Ordering::SeqCst), after, "stopped: {stops}");
    }
}

// Stopping lets what has begun end, for as long as it is given.
#[tokio::test(flavor = "multi_thread")]
async fn stopping_drains_and_dropping_cuts() {
    let slow = Upstream::start(|_| async {
        sleep(Duration::from_millis(500)).await;
        text(200, "slow")
    })
    .await;
    for (limit, ends) in [(None, true), (Some(Duration::from_millis(50)), false)] {
        let mut builder = Proxy::builder().listen(ANY);
        if let Some(limit) = limit {
            builder = builder.stop_timeout(limit);
        }
        let proxy = builder.start().await.unwrap();
        proxy.deploy("app", to(&slow)).await.unwrap();
        let mut stream = TcpStream::connect(http(&proxy)).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        sleep(Duration::from_millis(100)).await;
        proxy.stop().await;
        let mut answer = String::new();
        let _ = timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap();
        assert_eq!(answer.ends_with("slow"), ends, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_takes_over_from_the_other_within_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let builder = Proxy::builder().listen(ANY).state(folder.path().join("state"));
        builder.handover(folder.path().join("handover")).control(folder.path().join("control"))
    };
    let first = start().start().await.unwrap();
    let app = Upstream::named("app").await;
    first.deploy("app", to(&app)).await.unwrap();
    let load = Load::start(http(&first), &["app"]);
    load.round().await;
    let second = start().take_over(Duration::from_secs(20)).start().await.unwrap();
    assert_eq!(second.addresses(), first.addresses());
    timeout(PATIENCE, first.ended()).await.expect("it ends by itself");
    drop(first);
    load.round().await;
    assert_eq!(load.stop().await, Vec::<String>::new());
    // Whoever asks by the socket asks the one that serves.
    let mut list = Command::new(env!("CARGO_BIN_EXE_kamal-proxy"));
    let output = list.env("KAMAL_PROXY_SOCKET", folder.path().join("control")).arg("list").output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains(&app.address));
    second.stop().await;
    assert!(!folder.path().join("control").exists() && !folder.path().join("handover").exists());
}
