//! Proxies that serve one service together.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::load::Load;
use super::support::{PATIENCE, Proxy, Upstream, get, request};

const NAMES: [&str; 3] = ["one", "two", "three"];

/// Proxies with a target each, which know each other.
struct Peers {
    proxies: Vec<Proxy>,
}

impl Peers {
    async fn start(options: &str) -> Self {
        let proxies: Vec<Proxy> = NAMES.iter().map(|_| Proxy::start()).collect();
        let peers = Self { proxies };
        for (at, name) in NAMES.into_iter().enumerate() {
            peers.deploy(at, &Upstream::named(name).await, options);
        }
        for at in 0..NAMES.len() {
            peers.await_answers(at, &NAMES).await;
        }
        peers
    }

    fn deploy(&self, at: usize, target: &Upstream, options: &str) {
        let others = self.proxies.iter().enumerate().filter(|(other, _)| *other != at);
        let others: String = others.map(|(_, proxy)| format!(" --peer {}", proxy.http)).collect();
        self.proxies[at].ok(&format!("deploy app --target {} {options}{others}", target.address));
    }

    /// Waits until a proxy's answers come from these, and from nobody else.
    async fn await_answers(&self, at: usize, names: &[&str]) {
        let wanted: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        let began = Instant::now();
        loop {
            let mut found = BTreeSet::new();
            for _ in 0..12 {
                found.insert(self.proxies[at].get("http://localhost/").await.body);
            }
            if found == wanted {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "proxy {at} answers from {found:?}, not {wanted:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_answers_from_the_targets_of_all_whatever_is_deployed_or_removed() {
    let peers = Peers::start("--buffer-requests").await;
    let bodies = &["one", "two", "three", "four", "five"];
    let loads: Vec<Load> = peers.proxies.iter().map(|proxy| Load::start(proxy.http, bodies)).collect();
    for round in 0..6 {
        let at = round % NAMES.len();
        let name = if round < 3 { "four" } else { "five" };
        peers.deploy(at, &Upstream::named(name).await, "--buffer-requests");
        loads[at].round().await;
    }
    for at in 0..NAMES.len() {
        peers.await_answers(at, &["five"]).await;
    }
    // The next one has a target no more, and the others take its requests.
    let gone = Upstream::named("one").await;
    peers.deploy(0, &gone, "--buffer-requests");
    peers.await_answers(2, &["one", "five"]).await;
    peers.proxies[0].ok("stop app");
    peers.await_answers(2, &["five"]).await;
    let stopped = peers.proxies[0].get("http://localhost/").await;
    assert_eq!(stopped.status, 503, "in maintenance it turns its own clients away");
    for (at, load) in loads.into_iter().enumerate() {
        let failures = load.stop().await;
        assert!(at == 0 || failures.is_empty(), "proxy {at}: {failures:?}");
    }
}

// Bodies are streamed here, so that they could not be sent twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_body_goes_to_whoever_takes_it_and_nobody_else() {
    let peers = Peers::start("").await;
    let post = async |at: usize| {
        let reply = peers.proxies[at].send(request("POST", "http://localhost/", "x".repeat(100_000))).await;
        assert!(reply.header("kamal-proxy-peer").is_empty(), "{reply:?}");
        reply
    };
    for round in 0..4 {
        let gone = 1 + round % 2;
        peers.proxies[gone].ok("stop app");
        // The first of these come before it is known.
        for _ in 0..12 {
            let reply = post(0).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            assert_ne!(reply.body, NAMES[gone]);
        }
        peers.proxies[gone].ok("resume app");
        peers.await_answers(0, &NAMES).await;
    }
    // Nobody is left, which is told as the proxy tells it of its own targets.
    for at in [1, 2] {
        peers.proxies[at].ok("stop app");
    }
    peers.await_answers(0, &["one"]).await;
    peers.proxies[0].ok("stop app");
    assert_eq!(post(0).await.status, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_proxy_that_ends_is_missed_by_nobody_who_asks_another() {
    let mut peers = Peers::start("").await;
    let reads = |proxy: &Proxy| Load::start(proxy.http, &NAMES);
    let loads = [reads(&peers.proxies[0]), reads(&peers.proxies[1])];
    loads[0].round().await;
    drop(peers.proxies.remove(2));
    peers.await_answers(0, &["one", "two"]).await;
    for load in loads {
        load.round().await;
        let failures: Vec<String> =
            load.stop().await.into_iter().filter(|failure| !failure.starts_with("502")).collect();
        // What was written to it when it ended may have come to it, and is not written again.
        assert_eq!(failures, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_service_asks_for_is_done_once_and_the_client_stays_who_he_is() {
    let proxies = [Proxy::start(), Proxy::start()];
    let mirror = Upstream::mirror().await;
    let other = Upstream::named("other").await;
    let policies = "--allow-address 127.0.0.1 --rate-limit 1000/h --path-prefix /api --forward-headers=false";
    proxies[0].ok(&format!("deploy app --target {} {policies} --peer {}", mirror.address, proxies[1].http));
    proxies[1].ok(&format!("deploy app --target {} {policies} --peer {}", other.address, proxies[0].http));
    let began = Instant::now();
    let seen = loop {
        let reply = proxies[1].get("http://app.test/api/x?y=1").await;
        if reply.body.starts_with('{') {
            break serde_json::from_str::<serde_json::Value>(&reply.body).unwrap();
        }
        assert!(began.elapsed() < PATIENCE, "{reply:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((&seen["uri"], &seen["headers"]["host"]), (&"/x?y=1".into(), &"app.test".into()), "{seen}");
    assert_eq!(seen["headers"]["x-forwarded-for"], "127.0.0.1", "{seen}");
    assert_eq!(seen["headers"]["x-kamal-target"], mirror.address, "{seen}");
    assert!(seen["headers"]["kamal-proxy-peer"].is_null(), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_no_peer_is_not_taken_for_one() {
    let proxy = Proxy::start();
    let target = Upstream::named("secret").await;
    // Nobody is there, and this client is somewhere else.
    proxy.ok(&format!(
        "deploy app --target {} --host app.test --peer 127.0.0.9:1 --deny-address 127.0.0.1",
        target.address
    ));
    proxy.logged(|line| line["msg"] == "Target health updated").await;
    for header in ["kamal-proxy-peer", "kamal-proxy-peer-check"] {
        let mut asking = get("http://app.test/");
        asking.headers_mut().insert(header, "app".parse().unwrap());
        assert_eq!(proxy.send(asking).await.status, 403, "{header}");
    }
    let plain = proxy.send(request("POST", "http://other.test/", "")).await;
    assert_eq!(plain.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deploy_does_not_wait_for_peers_and_a_restart_remembers_them() {
    let proxy = Proxy::start();
    let own = Upstream::named("one").await;
    let began = Instant::now();
    proxy.ok(&format!("deploy app --target {} --peer nowhere.invalid --peer 127.0.0.1:1", own.address));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(proxy.get("http://localhost/").await.body, "one");
    assert!(proxy.state().contains("\"peers\":[\"nowhere.invalid\",\"127.0.0.1:1\"]"), "{}", proxy.state());
    let home = std::sync::Arc::clone(&proxy.home);
    drop(proxy);
    let again = Proxy::start_in(home, &[]);
    assert_eq!(again.get("http://localhost/").await.body, "one");
    assert!(
        again.fails(&format!("deploy app --target {} --peer [::1]:80", own.address)).contains("invalid host pattern")
    );
}

// As a container that was killed while connections to it were being made: nobody says that there is none at its address.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_target_at_whose_address_nobody_is_costs_nobody_an_answer() {
    let peers = Peers::start("").await;
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener.into()).unwrap();
    let address = listener.local_addr().unwrap();
    let target = Upstream { address: address.to_string() };
    // It is healthy when it is asked first, and says nothing more.
    let healthy = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // What is not read would be told by a reset, which can overtake the answer.
        let mut asked = [0; 1024];
        assert!(stream.read(&mut asked).await.unwrap() > 0);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        listener
    });
    peers.deploy(1, &target, "--health-check-interval 30s");
    let _listener = healthy.await.unwrap();
    // Connections wait until nobody else can: what comes then is not even refused.
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        waiting.push(stream);
    }
    let began = Instant::now();
    let asked = (0..6).flat_map(|_| peers.proxies.iter().map(|proxy| proxy.get("http://localhost/")));
    for reply in join_all(asked).await {
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(["one", "three"].contains(&reply.body.as_str()), "{reply:?}");
    }
    let took = began.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(6)).contains(&took), "{took:?}");
}
