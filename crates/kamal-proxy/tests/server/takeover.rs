//! One proxy takes the place of another while requests keep coming (spec 12.4.8).

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, Semaphore};

use super::load::{CLIENTS, Load};
use super::support::{PATIENCE, Proxy, Upstream, text};
use super::upgrades;

const TAKEOVERS: usize = 5;

// Connections that are kept, connections made anew, and writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_through_five_takeovers_under_load() {
    let mut proxy = Proxy::start();
    let target = Upstream::named("app").await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    let load = Load::start(proxy.http, &["app"]);
    for _ in 0..TAKEOVERS {
        load.round().await;
        let successor = Proxy::start_in(Arc::clone(&proxy.home), &["--takeover", "--takeover-timeout=20s"]);
        assert_eq!((successor.http, successor.https), (proxy.http, proxy.https));
        let mut old = std::mem::replace(&mut proxy, successor);
        assert_eq!(old.wait(), Some(0), "it ends by itself");
        old.logged(|line| line["msg"] == "Server stopped").await;
        load.round().await;
        assert!(proxy.ok("list").contains(&target.address));
    }
    assert!(load.answered() >= 2 * CLIENTS * TAKEOVERS);
    assert_eq!(load.stop().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_has_begun_is_finished_where_it_began() {
    let mut old = Proxy::start();
    let socket = Upstream::start(upgrades::echo).await;
    let (arrived, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let (here, opened) = (Arc::clone(&arrived), Arc::clone(&gate));
    let slow = Upstream::start(move |_| {
        let (here, opened) = (Arc::clone(&here), Arc::clone(&opened));
        async move {
            here.notify_one();
            // Closed by then, which is what it waits for.
            drop(opened.acquire().await);
            text(200, "slow")
        }
    })
    .await;
    old.ok(&format!("deploy socket --host a --target {}", socket.address));
    old.ok(&format!("deploy slow --host slow --target {}", slow.address));
    let mut open = upgrades::open(&old).await;
    let new = {
        let answer = old.get("http://slow/");
        tokio::pin!(answer);
        tokio::select! {
            _ = &mut answer => panic!("too early"),
            () = arrived.notified() => {}
        }
        let new = Proxy::start_in(Arc::clone(&old.home), &["--takeover"]);
        old.logged(|line| line["msg"] == "Another server has taken over").await;
        gate.close();
        let answer = answer.await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "slow"));
        assert_eq!(answer.header("connection"), "close", "the next request is for the other process");
        new
    };
    for word in ["still", "there"] {
        open.write_all(word.as_bytes()).await.unwrap();
        let mut echoed = [0; 5];
        tokio::time::timeout(PATIENCE, open.read_exact(&mut echoed)).await.unwrap().unwrap();
        assert_eq!(&echoed, word.as_bytes());
    }
    drop(open);
    assert_eq!(old.wait(), Some(0));
    assert_eq!(new.get("http://slow/").await.body, "slow");
}

// Those that die early, do not understand, cannot listen where they should, or are killed in the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_successor_that_fails_changes_nothing() {
    let proxy = Proxy::start();
    let target = Upstream::named("app").await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    let path = proxy.home.path().join(".config/kamal-proxy/kamal-proxy.handover");
    let failures = |count: usize| {
        let proxy = &proxy;
        async move {
            let seen = |proxy: &Proxy| proxy.count(|line| line["msg"] == "Not replaced by another server");
            while seen(proxy) < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(proxy.get("http://localhost/").await.body, "app");
            assert!(proxy.ok("list").contains("app"));
        }
    };
    drop(UnixStream::connect(&path).unwrap());
    failures(1).await;
    UnixStream::connect(&path).unwrap().write_all(b"{\"version\":0,\"drain_timeout\":0}\n").unwrap();
    failures(2).await;
    // Gets everything and then says nothing more.
    let mut mute = UnixStream::connect(&path).unwrap();
    mute.write_all(b"{\"version\":1,\"drain_timeout\":0}\n").unwrap();
    std::io::Read::read_exact(&mut mute, &mut [0; 8]).unwrap();
    drop(mute);
    failures(3).await;

    let taken = std::net::TcpListener::bind("[::]:0").unwrap();
    let port = format!("--metrics-port={}", taken.local_addr().unwrap().port());
    let output = Command::new(env!("CARGO_BIN_EXE_kamal-proxy"))
        .env_clear()
        .env("HOME", proxy.home.path())
        .env("KAMAL_PROXY_SOCKET", proxy.home.path().join("control.sock"))
        .args(["run", "--http-port=0", "--https-port=0", "--takeover", &port])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("address already in use"), "{output:?}");
    failures(4).await;

    // One that already had the path of the control socket.
    let control = proxy.home.path().join("control.sock");
    let mut mute = UnixStream::connect(&path).unwrap();
    mute.write_all(b"{\"version\":1,\"drain_timeout\":0}\n").unwrap();
    std::io::Read::read_exact(&mut mute, &mut [0; 8]).unwrap();
    std::fs::remove_file(&control).unwrap();
    drop((std::os::unix::net::UnixListener::bind(&control).unwrap(), mute));
    failures(5).await;
}

// Nobody to take over from: a container that is started again.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_predecessor_it_starts_as_ever() {
    let mut proxy = Proxy::start_in(Arc::new(tempfile::tempdir().unwrap()), &["--takeover"]);
    let target = Upstream::named("app").await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    proxy.signal("-KILL");
    proxy.wait();
    let path = proxy.home.path().join(".config/kamal-proxy/kamal-proxy.handover");
    assert!(path.exists(), "one that was killed leaves it behind");
    let proxy = Proxy::start_in(Arc::clone(&proxy.home), &["--takeover"]);
    assert_eq!(proxy.get("http://localhost/").await.body, "app");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn health_pauses_and_commands_go_along() {
    let old = Proxy::start();
    let well = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&well);
    let flaky = Upstream::start(move |request| {
        let fine = request.uri().path() != "/health" || seen.load(Ordering::SeqCst);
        async move { text(if fine { 200 } else { 500 }, "flaky") }
    })
    .await;
    let steady = Upstream::named("steady").await;
    let checks = "--health-check-path /health --health-check-interval 10ms";
    old.ok(&format!("deploy app --target {} --target {} {checks}", steady.address, flaky.address));
    old.ok(&format!("deploy paused --host paused --target {}", steady.address));
    old.ok("pause paused --max-pause 1ms");
    well.store(false, Ordering::SeqCst);
    old.logged(|line| line["msg"] == "Target health updated" && line["state"] == "unhealthy").await;

    // A deploy that waits for its target while the proxy is replaced ends up at the new one.
    let late = Arc::new(AtomicBool::new(false));
    let ready = Arc::clone(&late);
    let next = Upstream::start(move |request| {
        let fine = request.uri().path() != "/health" || ready.load(Ordering::SeqCst);
        async move { text(if fine { 200 } else { 503 }, "next") }
    })
    .await;
    let mut deploy = old.spawn(&format!("deploy late --host late --target {} {checks}", next.address));
    old.logged(|line| line["msg"] == "Deploying" && line["service"] == "late").await;
    let new = Proxy::start_in(Arc::clone(&old.home), &["--takeover", "--takeover-timeout=5s"]);
    for _ in 0..10 {
        assert_eq!(new.get("http://localhost/").await.body, "steady", "what was unhealthy is so from the start");
    }
    assert_eq!(new.get("http://paused/").await.status, 504);
    late.store(true, Ordering::SeqCst);
    assert!(tokio::task::block_in_place(|| deploy.wait().unwrap()).success());
    assert_eq!(new.get("http://late/").await.body, "next");
    well.store(true, Ordering::SeqCst);
    new.logged(|line| line["msg"] == "Target health updated" && line["target"] == flaky.address.as_str()).await;
}
