//! What Go's kamal-proxy lacks and services may ask for: passwords, addresses, rates, redirects, compression, stickiness.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::net::TcpListener;

use super::support::{PATIENCE, Proxy, Upstream, get, request, text};

fn with(url: &str, headers: &[(&'static str, &str)]) -> http::Request<http_body_util::Full<Bytes>> {
    let mut request = get(url);
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    let users = proxy.home.path().join("users");
    // `htpasswd -nbB -C 4 ann secret`
    std::fs::write(&users, format!("ann:{}\n", bcrypt::hash("secret", 4).unwrap())).unwrap();
    let deploy = format!("deploy app --target {} --basic-auth-file", mirror.address);
    proxy.ok(&format!("{deploy} {}", users.display()));
    let asked = proxy.get("http://localhost/").await;
    assert_eq!((asked.status, asked.body.contains("401")), (401, true));
    assert!(asked.header("www-authenticate").starts_with("Basic realm="));
    // ann:wrong and ann:secret
    assert_eq!(proxy.send(with("http://localhost/", &[("authorization", "Basic YW5uOndyb25n")])).await.status, 401);
    let let_in = proxy.send(with("http://localhost/", &[("authorization", "Basic YW5uOnNlY3JldA==")])).await;
    assert_eq!(let_in.status, 200);
    assert!(!let_in.body.contains("authorization"), "the password is not for the target: {}", let_in.body);
    assert!(!proxy.state().contains("$2"), "the hash is not kept in the state file");

    let before = proxy.state();
    let error = proxy.fails(&format!("{deploy} /none"));
    assert!(error.starts_with("Error: unable to read the basic auth file /none: "), "{error}");
    assert!(proxy.fails(&format!("deploy app --target {} --basic-auth-env NONE", mirror.address)).contains("NONE"));
    assert_eq!(proxy.state(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses() {
    let proxy = Proxy::start();
    let target = Upstream::named("app").await;
    let deploy = format!("deploy app --target {}", target.address);
    let status = async |proxy: &Proxy, forwarded: &str| {
        proxy.send(with("http://localhost/", &[("x-forwarded-for", forwarded)])).await.status
    };
    proxy.ok(&format!("{deploy} --allow-address 10.0.0.0/8"));
    assert_eq!(status(&proxy, "10.1.1.1").await, 403, "nobody vouches for that");
    proxy.ok(&format!("{deploy} --allow-address 10.0.0.0/8 --trusted-proxy 127.0.0.1"));
    assert_eq!(status(&proxy, "10.1.1.1").await, 200);
    assert_eq!(status(&proxy, "10.1.1.1, 6.6.6.6").await, 403, "what the client says itself is to the left");
    // What the client said itself may be no text at all; the proxy in front adds whom it saw.
    for said in [&b"\xff"[..], b"\xc3\xa9", b"unknown", b"", b","] {
        let chain = [said, b", 6.6.6.6"].concat();
        let mut request = get("http://localhost/");
        request.headers_mut().insert("x-forwarded-for", http::HeaderValue::from_bytes(&chain).unwrap());
        assert_eq!(proxy.send(request).await.status, 403, "{}", chain.escape_ascii());
    }
    proxy.ok(&format!("{deploy} --allow-address 127.0.0.1 --trusted-proxy 127.0.0.1"));
    for said in [&b"\xff"[..], b"unknown", b"9.9.9.9;x", b"127.0.0.1, "] {
        let mut request = get("http://localhost/");
        request.headers_mut().insert("x-forwarded-for", http::HeaderValue::from_bytes(said).unwrap());
        assert_eq!(proxy.send(request).await.status, 403, "who that is nobody knows: {}", said.escape_ascii());
    }
    proxy.ok(&format!("{deploy} --deny-address 127.0.0.0/8"));
    assert_eq!(status(&proxy, "10.1.1.1").await, 403);
    let error = proxy.fails(&format!("{deploy} --deny-address home"));
    assert_eq!(error, "Error: \"home\" is not an address or a network such as 10.0.0.0/8");
}

#[tokio::test(flavor = "multi_thread")]
async fn rates() {
    let proxy = Proxy::start();
    let target = Upstream::named("app").await;
    proxy.ok(&format!("deploy app --target {} --rate-limit 2/h --trusted-proxy 127.0.0.1", target.address));
    let from = |address: &str| with("http://localhost/", &[("x-forwarded-for", address)]);
    assert_eq!(proxy.send(from("1.1.1.1")).await.status, 200);
    let refused = proxy.send(from("1.1.1.1")).await;
    assert_eq!(refused.status, 429);
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!((1790..=1800).contains(&wait), "{wait}");
    assert_eq!(proxy.send(from("2.2.2.2")).await.status, 200);
    // Whom nobody can read shares one rate with all the like.
    let unread = |byte: u8| {
        let mut request = get("http://localhost/");
        request.headers_mut().insert("x-forwarded-for", http::HeaderValue::from_bytes(&[byte]).unwrap());
        request
    };
    assert_eq!(proxy.send(unread(0xff)).await.status, 200);
    assert_eq!(proxy.send(unread(0xfe)).await.status, 429);
    proxy.ok(&format!("deploy app --target {} --rate-limit 2/h --rate-limit-burst 3", target.address));
    for status in [200, 200, 200, 429] {
        assert_eq!(proxy.get("http://localhost/").await.status, status);
    }
}

// A name or value in Latin-1 or UTF-8 is somebody else's cookie; what the proxy's own say holds all the same.
#[tokio::test(flavor = "multi_thread")]
async fn cookies_outside_ascii_hide_none_of_the_proxys() {
    let proxy = Proxy::start();
    let (active, other) = (Upstream::named("active").await, Upstream::named("other").await);
    let ask = async |lines: &[&[u8]]| {
        let mut request = get("http://localhost/");
        for line in lines {
            request.headers_mut().append("cookie", http::HeaderValue::from_bytes(line).unwrap());
        }
        proxy.send(request).await.body
    };
    proxy.ok(&format!("deploy app --target {}", active.address));
    proxy.ok(&format!("rollout deploy app --target {}", other.address));
    proxy.ok("rollout set app --percent 0 --list 1");
    for (lines, body) in [
        (&[&b"kamal-rollout=1"[..]][..], "other"),
        (&[b"name=Jos\xc3\xa9; kamal-rollout=1"], "other"),
        (&[b"kamal-rollout=1; name=Jos\xe9"], "other"),
        (&[b"kamal-rollout=1", b"\xff=\xff"], "other"),
        (&[b"kamal-rollout=2; name=Jos\xc3\xa9"], "active"),
    ] {
        assert_eq!(ask(lines).await, body, "{lines:?}");
    }
    proxy.ok("rollout stop app");
    proxy.ok(&format!("deploy app --target {} --read-target {}", active.address, other.address));
    assert_eq!(ask(&[]).await, "other", "what is only read is for the reader");
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap() + PATIENCE;
    for written in
        [format!("kamal-writer={}", soon.as_millis()), format!("n=\u{e9}; kamal-writer={}", soon.as_millis())]
    {
        for _ in 0..4 {
            assert_eq!(ask(&[written.as_bytes()]).await, "active", "{written}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects() {
    let proxy = Proxy::start();
    let target = Upstream::named("app").await;
    let flags = "--redirect /old=/new --redirect www.example.com=https://example.com";
    proxy.ok(&format!("deploy app --target {} {flags}", target.address));
    let moved = proxy.get("http://www.example.com/a?b").await;
    assert_eq!((moved.status, moved.header("location")), (301, "https://example.com/a?b"));
    let moved = proxy.send(request("POST", "http://example.com/old", "x")).await;
    assert_eq!((moved.status, moved.header("location")), (308, "/new"));
    assert_eq!(proxy.get("http://example.com/new").await.body, "app");
    assert!(
        proxy.fails(&format!("deploy app --target {} --redirect /a", target.address)).contains("is not a redirect")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn compression() {
    let proxy = Proxy::start();
    let long = "all work and no play ".repeat(500);
    let body = Bytes::from(long.clone());
    let target = Upstream::start(move |request| {
        let body = body.clone();
        async move {
            let mut response = match request.uri().path() {
                "/stream" => {
                    let first = stream::once(async { Ok(Frame::data(Bytes::from_static(b"data: 1\n\n"))) });
                    Response::new(BodyExt::boxed(StreamBody::new(first.chain(stream::pending()))))
                }
                _ => text(200, body),
            };
            response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
            response
        }
    })
    .await;
    let deploy = format!("deploy app --target {} --drain-timeout 10ms", target.address);
    let ask = |url: &str| with(url, &[("accept-encoding", "gzip")]);
    proxy.ok(&deploy);
    assert_eq!(proxy.send(ask("http://localhost/")).await.header("content-encoding"), "", "off unless asked for");

    for buffering in ["", "--buffer-responses"] {
        proxy.ok(&format!("{deploy} --compress {buffering}"));
        let mut response = proxy.open(ask("http://localhost/")).await;
        assert_eq!(response.headers()["content-encoding"], "gzip");
        assert_eq!(
            (response.headers().get("content-length"), &response.headers()["vary"]),
            (None, &"accept-encoding".parse().unwrap())
        );
        let bytes = response.body_mut().collect().await.unwrap().to_bytes();
        let mut plain = String::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut plain).unwrap();
        assert!(plain == long && bytes.len() < long.len() / 10);
        assert_eq!(proxy.get("http://localhost/").await.body, long, "{buffering}: for those who do not ask");

        // An event can be read although the response goes on.
        let mut response = proxy.open(ask("http://localhost/stream")).await;
        let mut read = flate2::write::GzDecoder::new(Vec::new());
        while read.get_ref().as_slice() != b"data: 1\n\n" {
            let frame = tokio::time::timeout(PATIENCE, response.body_mut().frame()).await.unwrap().unwrap().unwrap();
            std::io::Write::write_all(&mut read, &frame.into_data().unwrap()).unwrap();
            std::io::Write::flush(&mut read).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sticky_clients() {
    let proxy = Proxy::start();
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    proxy.ok(&format!("deploy app --target {} --target {} --sticky", a.address, b.address));
    let first = proxy.get("http://localhost/").await;
    let cookie = first.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("kamal-target="));
    for _ in 0..5 {
        let again = proxy.send(with("http://localhost/", &[("cookie", cookie.as_str())])).await;
        assert_eq!((again.body.as_str(), again.header("set-cookie")), (first.body.as_str(), ""));
    }
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(proxy.get("http://localhost/").await.body);
    }
    others.sort();
    assert_eq!(others, ["a", "b"], "those without a cookie are spread");
    // The target is gone: the client gets another and keeps to that.
    let other = if first.body == "a" { &b } else { &a };
    proxy.ok(&format!("deploy app --target {} --sticky", other.address));
    let moved = proxy.send(with("http://localhost/", &[("cookie", cookie.as_str())])).await;
    assert!(moved.body != first.body && moved.header("set-cookie").starts_with("kamal-target="));
}

#[tokio::test(flavor = "multi_thread")]
async fn ejection() {
    let proxy = Proxy::start();
    let good = Upstream::named("good").await;
    // Healthy as long as it is only asked for its health, and that is not soon again.
    let broken = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&broken);
    let bad = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = bad.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = bad.accept().await.unwrap();
            if !seen.load(Ordering::SeqCst) {
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
            }
        }
    });
    proxy.ok(&format!(
        "deploy app --target {} --target {address} --eject-after 2 --health-check-interval 1m",
        good.address
    ));
    broken.store(true, Ordering::SeqCst);
    let mut failed = 0;
    for _ in 0..20 {
        failed += usize::from(proxy.send(request("POST", "http://localhost/", "x")).await.status == 502);
    }
    assert_eq!(failed, 2);
    proxy.logged(|line| line["msg"] == "Target ejected after failed requests").await;
}

// What is off leaves no trace in the state file; what is on survives a restart.
#[tokio::test(flavor = "multi_thread")]
async fn policies_in_the_state_file() {
    let mut proxy = Proxy::start();
    let target = Upstream::named("app").await;
    proxy.ok(&format!("deploy app --target {}", target.address));
    assert!(!proxy.state().contains("policies"));
    proxy.ok(&format!("deploy app --target {} --deny-address 127.0.0.1", target.address));
    assert!(proxy.state().contains(r#""policies":{"deny":["127.0.0.1"]}"#), "{}", proxy.state());
    proxy.signal("-TERM");
    proxy.wait();
    let proxy = Proxy::start_in(Arc::clone(&proxy.home), &[]);
    assert_eq!(proxy.get("http://localhost/").await.status, 403);
}
