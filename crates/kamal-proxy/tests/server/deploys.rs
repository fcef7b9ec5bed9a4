//! Deploys: health, draining, several targets, rollouts, and what survives a restart (spec 4, 6, 7, 2.5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::support::{Proxy, Upstream, get, request, text};

// spec 11.A.10, 11.A.32, 11.F.115
#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_target_changes_nothing() {
    let proxy = Proxy::start();
    let (good, other) = (Upstream::named("good").await, Upstream::named("other").await);
    let bad = Upstream::start(|_| async { text(500, "bad") }).await;
    let line = format!("deploy app --target {} --health-check-path /health --deploy-timeout 100ms", bad.address);
    let error = "Error: target failed to become healthy within configured timeout (100ms)";
    let told = proxy.fails(&line);
    let (first, details) = told.split_once('\n').unwrap();
    assert_eq!(first, format!("{error}: {}: unexpected status (500)", bad.address));
    assert!(details.starts_with(&format!("  GET http://{}/health\n  HTTP 500\n", bad.address)), "{details}");
    assert!(details.contains("  content-length: 3\n") && details.ends_with("  | bad"), "{details}");
    assert_eq!(proxy.get("http://localhost/").await.status, 404);

    proxy.ok(&format!("deploy app --target {}", good.address));
    assert!(proxy.fails(&line).starts_with(error));
    assert_eq!(proxy.get("http://localhost/").await.body, "good");
    proxy.ok(&format!("deploy app --target {}", other.address));
    assert_eq!(proxy.get("http://localhost/").await.body, "other");
    assert_eq!(proxy.fails("deploy app --target http://x"), "Error: http://x :invalid host pattern");
}

// spec 11.D.71, 11.F.113: without waiting the service is there at once, and answers once a check succeeded.
#[tokio::test(flavor = "multi_thread")]
async fn forced() {
    let proxy = Proxy::start();
    let healthy = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&healthy);
    let target = Upstream::start(move |request| {
        let status = if request.uri().path() != "/health" || seen.load(Ordering::Relaxed) { 200 } else { 502 };
        async move { text(status, "late") }
    })
    .await;
    proxy.ok(&format!(
        "deploy app --target {} --force --health-check-path /health --health-check-interval 20ms",
        target.address
    ));
    assert_eq!(proxy.get("http://localhost/").await.status, 503);
    healthy.store(true, Ordering::Relaxed);
    proxy.logged(|line| line["msg"] == "Target health updated" && line["state"] == "healthy").await;
    assert_eq!(proxy.get("http://localhost/").await.body, "late");
}

/// A target that answers `/slow` when told to.
async fn slow(name: &'static str) -> (Upstream, Arc<Notify>, Arc<AtomicUsize>) {
    let (go, waiting) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (hold, count) = (Arc::clone(&go), Arc::clone(&waiting));
    let upstream = Upstream::start(move |request| {
        let (hold, count) = (Arc::clone(&hold), Arc::clone(&count));
        async move {
            if request.uri().path() == "/slow" {
                count.fetch_add(1, Ordering::SeqCst);
                hold.notified().await;
            }
            text(200, name)
        }
    })
    .await;
    (upstream, go, waiting)
}

async fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < super::support::PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

// spec 11.D.73
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_under_way_finish_where_they_began() {
    let proxy = Arc::new(Proxy::start());
    let (old, go, waiting) = slow("old").await;
    let new = Upstream::named("new").await;
    proxy.ok(&format!("deploy app --target {}", old.address));
    let held = tokio::spawn({
        let proxy = Arc::clone(&proxy);
        async move { proxy.get("http://localhost/slow").await }
    });
    until(|| waiting.load(Ordering::SeqCst) == 1).await;
    let mut deploy = proxy.spawn(&format!("deploy app --target {}", new.address));
    let start = Instant::now();
    while proxy.get("http://localhost/").await.body != "new" {
        assert!(start.elapsed() < super::support::PATIENCE);
    }
    assert!(deploy.try_wait().unwrap().is_none(), "deploy waits for the old target");
    assert!(!held.is_finished());
    go.notify_one();
    assert_eq!(held.await.unwrap().body, "old");
    assert!(tokio::task::block_in_place(|| deploy.wait().unwrap()).success());
}

// spec 11.D.74
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_that_take_longer_than_the_drain_timeout_are_cancelled() {
    let proxy = Arc::new(Proxy::start());
    let (old, _go, waiting) = slow("old").await;
    let new = Upstream::named("new").await;
    proxy.ok(&format!("deploy app --target {}", old.address));
    let held: Vec<_> = (0..20)
        .map(|_| {
            let proxy = Arc::clone(&proxy);
            tokio::spawn(async move { proxy.get("http://localhost/slow").await.status })
        })
        .collect();
    until(|| waiting.load(Ordering::SeqCst) == 20).await;
    proxy.ok(&format!("deploy app --target {} --drain-timeout 10ms", new.address));
    for request in held {
        assert_eq!(request.await.unwrap(), 504);
    }
    proxy.logged(|line| line["msg"] == "Request cancelled due to draining" && line["path"] == "/slow").await;
}

// spec 11.A.3, 11.E.102, 11.E.103, 11.E.107, 11.E.108, 11.E.109
#[tokio::test(flavor = "multi_thread")]
async fn several_targets() {
    let proxy = Proxy::start();
    let [a, b, reader] = [Upstream::named("a").await, Upstream::named("b").await, Upstream::named("r").await];
    proxy.ok(&format!("deploy app --target {} --target {}", a.address, b.address));
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(proxy.get("http://localhost/").await.body);
    }
    seen.sort();
    assert_eq!(seen, ["a", "a", "b", "b"]);
    assert_eq!(proxy.send(request("PUT", "http://localhost/", "")).await.header("set-cookie"), "");

    proxy.ok(&format!(
        "deploy app --target {} --read-target {} --writer-affinity-timeout 1m",
        a.address, reader.address
    ));
    assert!(proxy.ok("list").contains(&format!("{},{}", a.address, reader.address)));
    let read = proxy.get("http://localhost/").await;
    assert_eq!((read.body.as_str(), read.header("set-cookie")), ("r", ""));
    let write = proxy.send(request("PUT", "http://localhost/", "")).await;
    assert_eq!(write.body, "a");
    let cookie = write.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("kamal-writer="));
    let mut again = get("http://localhost/");
    again.headers_mut().insert("cookie", cookie.parse().unwrap());
    assert_eq!(proxy.send(again).await.body, "a");

    proxy.ok(&format!(
        "deploy app --target {} --read-target {} --writer-affinity-timeout 0s",
        a.address, reader.address
    ));
    assert_eq!(proxy.send(request("PUT", "http://localhost/", "")).await.header("set-cookie"), "");
}

// spec 11.A.33
#[tokio::test(flavor = "multi_thread")]
async fn rollouts() {
    let proxy = Proxy::start();
    let [active, canary] = [Upstream::named("active").await, Upstream::named("canary").await];
    proxy.ok(&format!("deploy app --target {}", active.address));
    let served = async |proxy: &Proxy| {
        let mut request = get("http://localhost/");
        request.headers_mut().insert("cookie", "kamal-rollout=1".parse().unwrap());
        proxy.send(request).await.body
    };
    assert_eq!(proxy.fails("rollout set app --percent 10"), "Error: rollout target not set");
    assert_eq!(proxy.fails("rollout deploy other --target x1"), "Error: service not found");
    proxy.ok(&format!("rollout deploy app --target {}", canary.address));
    assert_eq!(served(&proxy).await, "active");
    proxy.ok("rollout set app --list 1");
    assert_eq!(served(&proxy).await, "canary");
    proxy.ok("rollout set app --list 2");
    assert_eq!(served(&proxy).await, "active");
    proxy.ok("rollout set app --percent 100");
    assert_eq!(served(&proxy).await, "canary");
    assert!(proxy.state().contains(r#""rollout_controller":{"percentage":100,"percentage_split_point":4294967295,"#));
    proxy.ok("rollout stop app");
    assert_eq!(served(&proxy).await, "active");
}

// spec 11.A.14, 11.A.16, 11.A.34, 11.O.235
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_takes_up_what_was_deployed() {
    let mut proxy = Proxy::start();
    let [root, api] = [Upstream::named("root").await, Upstream::named("api").await];
    let state = proxy.home.path().join(".config/kamal-proxy/kamal-proxy.state");
    assert!(!state.exists());
    proxy.ok(&format!("deploy root --target {}", root.address));
    proxy.ok(&format!("deploy api --target {} --path-prefix /api", api.address));
    proxy.ok("pause api --max-pause 1ms");
    let before = proxy.state();
    let bad_pages = format!("deploy root --target {} --error-pages /does/not/exist", root.address);
    assert_eq!(proxy.fails(&bad_pages), "Error: unable to load error pages");
    assert_eq!(proxy.state(), before);

    let home = Arc::clone(&proxy.home);
    proxy.signal("-TERM");
    assert_eq!(proxy.wait(), Some(0));
    // One that cannot be restored, and one that is not even a service.
    let broken = r#"{"name":"bad","options":{"error_page_path":"/nowhere"},"active_targets":["web:80"]}"#;
    std::fs::write(&state, before.trim_end().replacen('[', &format!("[7,{broken},"), 1)).unwrap();

    let proxy = Proxy::start_in(home, &[]);
    assert_eq!(proxy.get("http://localhost/").await.body, "root");
    assert_eq!(proxy.get("http://localhost/api").await.status, 504);
    proxy.logged(|line| line["msg"] == "Failed to restore service" && line["service"] == "bad").await;
    proxy.ok("resume api");
    assert_eq!(proxy.get("http://localhost/api").await.body, "api");
    assert!(proxy.state().contains("/nowhere"), "what could not be restored is kept");
    proxy.ok("remove bad");
    assert!(!proxy.state().contains("/nowhere"));
}

// spec 11.F.114
#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_takes_too_long_has_failed() {
    let proxy = Proxy::start();
    let slow = Upstream::start(|_| async {
        tokio::time::sleep(Duration::from_secs(600)).await;
        text(200, "")
    })
    .await;
    let checks = "--health-check-path /health --health-check-timeout 20ms --deploy-timeout 100ms";
    let error = proxy.fails(&format!("deploy app --target {} {checks}", slow.address));
    assert!(error.contains(": request timed out\n  GET http://"), "{error}");
}

// spec 11.F.116, 11.F.117, 11.F.118
#[tokio::test(flavor = "multi_thread")]
async fn health_checks_with_a_host_of_their_own() {
    let proxy = Proxy::start();
    let own = Arc::new(std::sync::OnceLock::<String>::new());
    let address = Arc::clone(&own);
    let picky = Upstream::start(move |request| {
        let host = request.headers()["host"].to_str().unwrap();
        let wanted = if request.uri().path() == "/plain" { address.get().unwrap().as_str() } else { "app.internal" };
        let status = if host == wanted { 200 } else { 403 };
        async move { text(status, "") }
    })
    .await;
    own.set(picky.address.clone()).unwrap();
    let line = format!("deploy app --target {} --health-check-path /health --deploy-timeout 100ms", picky.address);
    assert!(proxy.fails(&line).contains("unexpected status (403)"));
    proxy.ok(&format!("{line} --health-check-host app.internal"));
    proxy.ok(&format!("deploy app --target {} --health-check-path /plain", picky.address));
}
