//! Pause, stop, resume, and the pages people see meanwhile (spec 5, 8.5).

use std::sync::Arc;
use std::time::Duration;

use super::support::{Proxy, Upstream, request};

// spec 11.A.17, 11.C.55
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn paused_requests_wait_and_then_proceed() {
    let proxy = Arc::new(Proxy::start());
    let [old, new] = [Upstream::named("old").await, Upstream::named("new").await];
    proxy.ok(&format!("deploy app --target {}", old.address));
    proxy.ok("pause app --max-pause 1ms");
    assert!(proxy.ok("list").contains("paused"));
    assert_eq!(proxy.send(request("POST", "http://localhost/", "x")).await.status, 504);
    let up = proxy.get("http://localhost/up?x=1").await;
    assert_eq!((up.status, up.body.as_str()), (200, ""));

    proxy.ok("pause app --max-pause 20s");
    let held = tokio::spawn({
        let proxy = Arc::clone(&proxy);
        async move { proxy.get("http://localhost/").await }
    });
    proxy.ok(&format!("deploy app --target {}", new.address));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!held.is_finished(), "a deploy does not end a pause");
    proxy.ok("resume app");
    assert_eq!(held.await.unwrap().body, "new");
}

// spec 11.C.55, 11.G.120, 11.O.234
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stopping_turns_away_those_who_wait() {
    let proxy = Arc::new(Proxy::start());
    let target = Upstream::named("app").await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    proxy.ok("pause app --max-pause 20s");
    let held = tokio::spawn({
        let proxy = Arc::clone(&proxy);
        async move { proxy.get("http://localhost/").await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    proxy.ok("stop app --message=<Later>");
    let turned_away = held.await.unwrap();
    assert_eq!(turned_away.status, 503);
    assert!(turned_away.body.contains("&lt;Later&gt;") && turned_away.body.contains("Service Temporarily Unavailable"));
    assert_eq!(proxy.get("http://localhost/up").await.status, 200);
    proxy.ok("resume app");
    assert_eq!(proxy.get("http://localhost/").await.body, "app");
    for command in ["pause", "stop", "resume"] {
        assert_eq!(proxy.fails(&format!("{command} nosuch")), "Error: service not found");
    }
}

// spec 11.A.26, 11.D.70
#[tokio::test(flavor = "multi_thread")]
async fn the_health_path_answers_below_a_prefix() {
    let proxy = Proxy::start();
    let target = Upstream::named("app").await;
    proxy.ok(&format!("deploy api --target {} --path-prefix /api", target.address));
    proxy.ok(&format!(
        "deploy admin --target {} --path-prefix /admin --strip-path-prefix=false --health-check-path /admin/up",
        target.address
    ));
    proxy.ok("pause api --max-pause 10ms");
    proxy.ok("pause admin --max-pause 10ms");
    for (method, path, status) in [
        ("GET", "/api/up", 200),
        ("HEAD", "/api/up?x=1", 200),
        ("POST", "/api/up", 504),
        ("GET", "/api/up/other", 504),
        ("GET", "/api/health", 504),
        ("GET", "/api/other", 504),
        ("GET", "/admin/up", 200),
        ("GET", "/admin/up/up", 504),
    ] {
        let reply = proxy.send(request(method, &format!("http://localhost{path}"), "")).await;
        assert_eq!(reply.status, status, "{method} {path}");
    }
}

// spec 11.G.122, 11.G.123
#[tokio::test(flavor = "multi_thread")]
async fn own_pages() {
    let proxy = Proxy::start();
    let pages = proxy.home.path().join("pages");
    std::fs::create_dir(&pages).unwrap();
    std::fs::write(pages.join("503.html"), "<b>{{ if .Message }}{{ .Message }}{{ else }}closed{{ end }}</b>").unwrap();
    let teapot = Upstream::start(|_| async { super::support::text(418, "short and stout") }).await;
    proxy.ok(&format!("deploy app --target {} --error-pages {}", teapot.address, pages.display()));
    let own = proxy.get("http://localhost/").await;
    assert_eq!((own.status, own.body.as_str()), (418, "short and stout"));
    proxy.ok("stop app");
    assert_eq!(proxy.get("http://localhost/").await.body, "<b>closed</b>");
    proxy.ok("stop app --message=soon");
    assert_eq!(proxy.get("http://localhost/").await.body, "<b>soon</b>");

    std::fs::write(pages.join("503.html"), "<i>changed</i>").unwrap();
    assert_eq!(proxy.get("http://localhost/").await.body, "<b>soon</b>", "files are read when told");
    proxy.ok("reload");
    assert_eq!(proxy.get("http://localhost/").await.body, "<i>changed</i>");
    std::fs::write(pages.join("503.html"), "{{ if }}").unwrap();
    assert_eq!(proxy.fails("reload"), "Error: service app keeps what it has: unable to load error pages");
    assert_eq!(proxy.get("http://localhost/").await.body, "<i>changed</i>");
    std::fs::write(pages.join("503.html"), "<i>again</i>").unwrap();
    proxy.signal("-HUP");
    while proxy.get("http://localhost/").await.body != "<i>again</i>" {
        tokio::task::yield_now().await;
    }
}
