//! Which service gets a request (spec 3).

use super::support::{Proxy, Upstream, request};

// spec 11.A.1, 11.A.2, 11.A.4, 11.A.9, 11.D.60, 11.F.112
#[tokio::test(flavor = "multi_thread")]
async fn nothing_then_a_service_then_nothing() {
    let proxy = Proxy::start();
    let first = Upstream::named("first").await;
    let missing = proxy.get("http://any.example.com/").await;
    assert_eq!((missing.status, missing.header("content-type")), (404, "text/html; charset=utf-8"));
    assert!(missing.body.contains("Not Found"));

    proxy.ok(&format!("deploy app --target {}", first.address));
    let reply = proxy.get("http://any.example.com/").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "first"));
    assert!(proxy.ok("list").contains(&first.address));

    proxy.ok("remove app");
    assert_eq!(proxy.get("http://any.example.com/").await.status, 404);
    assert_eq!(proxy.fails("rm app"), "Error: service not found");
}

// spec 11.A.5-8, 11.A.18, 11.A.21, 11.A.29, 11.A.30
#[tokio::test(flavor = "multi_thread")]
async fn hosts() {
    let proxy = Proxy::start();
    let [exact, wild, rest] =
        [Upstream::named("exact").await, Upstream::named("wild").await, Upstream::named("rest").await];
    proxy.ok(&format!("deploy exact --target {} --host 1.example.com --host 2.example.com", exact.address));
    assert_eq!(proxy.get("http://3.example.com/").await.status, 404);
    proxy.ok(&format!("deploy wild --target {} --host *.example.com", wild.address));
    proxy.ok(&format!("deploy rest --target {}", rest.address));
    for (host, name) in [
        ("1.example.com", "exact"),
        ("2.example.com:8080", "exact"),
        ("2.EXAMPLE.com", "exact"),
        ("3.example.com", "wild"),
        ("a.3.example.com", "rest"),
        ("example.com", "rest"),
    ] {
        assert_eq!(proxy.get(&format!("http://{host}/")).await.body, name, "{host}");
    }
    proxy.ok(&format!("deploy exact --target {} --host 3.example.com,2.example.com", exact.address));
    assert_eq!(proxy.get("http://1.example.com/").await.body, "wild");
    assert_eq!(proxy.get("http://3.example.com/").await.body, "exact");
}

// spec 11.A.19, 11.A.20
#[tokio::test(flavor = "multi_thread")]
async fn a_host_belongs_to_one_service() {
    let proxy = Proxy::start();
    let [first, second] = [Upstream::named("first").await, Upstream::named("second").await];
    proxy.ok(&format!("deploy first --target {}", first.address));
    let error = proxy.fails(&format!("deploy second --target {}", second.address));
    assert_eq!(error, "Error: host settings conflict with another service");
    assert_eq!(proxy.get("http://any/").await.body, "first");
    proxy.ok(&format!("deploy second --target {} --path-prefix /second", second.address));
}

// spec 11.A.25, 11.A.27, 11.A.28, 11.D.69
#[tokio::test(flavor = "multi_thread")]
async fn paths() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    proxy.ok(&format!("deploy root --target {}", mirror.address));
    proxy.ok(&format!("deploy app --target {} --path-prefix /app --health-check-path /up", mirror.address));
    proxy.ok(&format!("deploy api --target {} --path-prefix=/api/internal", mirror.address));
    let seen = async |proxy: &Proxy, path: &str| {
        let reply = proxy.get(&format!("http://localhost{path}")).await;
        serde_json::from_str::<serde_json::Value>(&reply.body).unwrap()["uri"].as_str().unwrap().to_owned()
    };
    for (path, uri) in [
        ("/app/show", "/show"),
        ("/app", "/"),
        ("/api/internal/something?a=b", "/something?a=b"),
        ("/api/internal/a%2Fb", "/a%2Fb"),
        ("/api/external/something", "/api/external/something"),
        ("/appointment", "/appointment"),
        ("/a%2Fb//c?p1=a;b;c&p2=%x&p3=ok", "/a%2Fb//c?p1=a;b;c&p2=%x&p3=ok"),
    ] {
        assert_eq!(seen(&proxy, path).await, uri);
    }
    proxy.ok(&format!("deploy app --target {} --path-prefix /app --strip-path-prefix=false", mirror.address));
    assert_eq!(seen(&proxy, "/app").await, "/app");

    proxy.ok("remove root");
    assert_eq!(proxy.get("http://localhost/").await.status, 404);
}

// spec 11.A.12, 11.O.224
#[tokio::test(flavor = "multi_thread")]
async fn the_canonical_host() {
    let proxy = Proxy::start();
    let first = Upstream::named("first").await;
    let hosts = "--host example.com --host www.example.com --canonical-host example.com";
    proxy.ok(&format!("deploy app --target {} {hosts}", first.address));
    let moved = proxy.get("http://www.example.com:8080/a%2Fb?c=d").await;
    assert_eq!((moved.status, moved.header("location")), (301, "http://example.com/a%2Fb?c=d"));
    assert_eq!(moved.header("connection"), "close");
    assert_eq!(moved.body, "<a href=\"http://example.com/a%2Fb?c=d\">Moved Permanently</a>.\n\n");
    assert_eq!(proxy.send(request("POST", "http://www.example.com/", "x")).await.body, "");
    assert_eq!(proxy.get("http://example.com/").await.body, "first");
}

// spec 11.A.22, 11.A.24
#[tokio::test(flavor = "multi_thread")]
async fn cookie_paths() {
    let proxy = Proxy::start();
    let baker = Upstream::start(|_| async {
        let mut response = super::support::text(200, "");
        for cookie in ["a=1; Path=/original; Domain=example.com", "b=1; Path=/original; Domain=other.com", "c=1"] {
            response.headers_mut().append("set-cookie", cookie.parse().unwrap());
        }
        response
    })
    .await;
    let cookies = async |proxy: &Proxy| {
        let reply = proxy.get("http://example.com/api").await;
        reply.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    proxy.ok(&format!("deploy app --target {} --path-prefix /api --scope-cookie-paths", baker.address));
    assert_eq!(
        cookies(&proxy).await,
        ["a=1; Path=/api/original; Domain=example.com", "b=1; Path=/original; Domain=other.com", "c=1; Path=/api"]
    );
    proxy.ok(&format!("deploy app --target {} --path-prefix /api", baker.address));
    assert_eq!(cookies(&proxy).await[2], "c=1");
}
