//! What targets are told about a request, and what the log says (spec 8.2, 7.5, 9.2).

use serde_json::Value;

use super::support::{Proxy, Reply, Upstream, get, request};

fn seen(reply: &Reply) -> Value {
    serde_json::from_str::<Value>(&reply.body).unwrap()["headers"].clone()
}

fn claiming(url: &str) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    let mut request = get(url);
    for (name, value) in [
        ("x-forwarded-for", "10.10.10.10"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "untrusted.example.com"),
        ("forwarded", "for=1.1.1.1"),
        ("x-kamal-target", "existing"),
        ("x-custom", "kept"),
        ("connection", "x-drop, keep-alive"),
        ("x-drop", "dropped"),
        ("keep-alive", "5"),
        ("te", "trailers"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

// spec 11.D.66, 11.D.67, 11.D.68, 11.E.111
#[tokio::test(flavor = "multi_thread")]
async fn forwarded_headers() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    proxy.ok(&format!("deploy app --target {} --forward-headers=false", mirror.address));
    let headers = seen(&proxy.send(claiming("http://example.com:8080/")).await);
    for (name, value) in [
        ("host", "example.com:8080"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "example.com:8080"),
        ("x-kamal-target", mirror.address.as_str()),
        ("x-custom", "kept"),
        ("te", "trailers"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    for gone in ["forwarded", "x-drop", "keep-alive", "connection"] {
        assert!(headers[gone].is_null(), "{gone}: {headers}");
    }
    assert_eq!(headers["x-request-id"].as_str().unwrap().len(), 36);

    proxy.ok(&format!("deploy app --target {}", mirror.address));
    let headers = seen(&proxy.send(claiming("http://example.com/")).await);
    for (name, value) in [
        ("x-forwarded-for", "10.10.10.10, 127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "untrusted.example.com"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!(headers["x-kamal-target"], format!("existing, {}", mirror.address));
}

// spec 11.C.45, 11.H.129
#[tokio::test(flavor = "multi_thread")]
async fn the_client_address_from_a_header() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    proxy.ok(&format!("deploy app --target {} --client-ip-header True-Client-IP", mirror.address));
    let mut with = get("http://localhost/with");
    with.headers_mut().insert("true-client-ip", "203.0.113.9".parse().unwrap());
    with.headers_mut().insert("x-forwarded-for", "6.6.6.6".parse().unwrap());
    let headers = seen(&proxy.send(with).await);
    assert_eq!(
        (&headers["x-forwarded-for"], &headers["true-client-ip"]),
        (&"203.0.113.9, 127.0.0.1".into(), &"203.0.113.9".into())
    );
    let line = proxy.logged(|line| line["path"] == "/with").await;
    assert_eq!(line["remote_addr"], "203.0.113.9");
}

// spec 11.H.128
#[tokio::test(flavor = "multi_thread")]
async fn the_access_log() {
    let proxy = Proxy::start();
    let target = Upstream::start(|_| async {
        let mut response = super::support::text(201, "response");
        response.headers_mut().insert("content-type", "text/css".parse().unwrap());
        response.headers_mut().insert("cache-control", "public".parse().unwrap());
        response
    })
    .await;
    let log = "--log-request-header X-Custom --log-response-header Cache-Control --log-response-header x-none";
    proxy.ok(&format!("deploy app --target {} {log}", target.address));
    let mut post = request("POST", "http://example.com/some%20where?q=1", "hello");
    for (name, value) in [
        ("content-type", "text/plain"),
        ("user-agent", "tester"),
        ("x-custom", "mine"),
        ("x-request-id", "id-1"),
        ("x-forwarded-for", "1.2.3.4"),
    ] {
        post.headers_mut().insert(name, value.parse().unwrap());
    }
    proxy.send(post).await;
    let line = proxy.logged(|line| line["msg"] == "Request").await;
    let keys: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "time",
            "level",
            "msg",
            "host",
            "port",
            "path",
            "request_id",
            "status",
            "service",
            "target",
            "duration",
            "method",
            "req_content_length",
            "req_content_type",
            "resp_content_length",
            "resp_content_type",
            "client_addr",
            "client_port",
            "remote_addr",
            "user_agent",
            "proto",
            "scheme",
            "query",
            "req_x_custom",
            "resp_cache_control",
            "resp_x_none",
        ]
    );
    for (key, value) in [
        ("host", Value::from("example.com")),
        ("port", proxy.http.port().into()),
        ("path", "/some where".into()),
        ("request_id", "id-1".into()),
        ("status", 201.into()),
        ("service", "app".into()),
        ("target", target.address.clone().into()),
        ("method", "POST".into()),
        ("req_content_length", 5.into()),
        ("req_content_type", "text/plain".into()),
        ("resp_content_length", 8.into()),
        ("resp_content_type", "text/css".into()),
        ("client_addr", "127.0.0.1".into()),
        ("remote_addr", "1.2.3.4".into()),
        ("user_agent", "tester".into()),
        ("proto", "HTTP/1.1".into()),
        ("scheme", "http".into()),
        ("query", "q=1".into()),
        ("req_x_custom", "mine".into()),
        ("resp_cache_control", "public".into()),
        ("resp_x_none", "".into()),
    ] {
        assert_eq!(line[key], value, "{key}");
    }
}
