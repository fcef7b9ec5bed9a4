//! Bodies: streamed, buffered, limited, broken (spec 8.3, 8.4, 8.7).

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::free_port::free_port;
use super::support::{PATIENCE, Proxy, Upstream, get, request, text};

/// Sends one event and then nothing more.
async fn one_event(content_type: &'static str) -> Upstream {
    Upstream::start(move |_| async move {
        let first = stream::once(async { Ok(Frame::data(Bytes::from_static(b"data: 1\n\n"))) });
        let body = StreamBody::new(stream::StreamExt::chain(first, stream::pending()));
        Response::builder().header("content-type", content_type).body(BodyExt::boxed(body)).unwrap()
    })
    .await
}

// spec 11.D.61, 11.D.62, 11.I.158
#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_while_the_response_goes_on() {
    let proxy = Proxy::start();
    for content_type in ["text/event-stream", "application/json"] {
        let target = one_event(content_type).await;
        for buffering in ["", "--buffer-requests --buffer-responses"] {
            proxy.ok(&format!("deploy app --target {} --drain-timeout 1ms {buffering}", target.address));
            let mut response = proxy.open(get("http://localhost/")).await;
            let frame = tokio::time::timeout(PATIENCE, response.body_mut().frame()).await.unwrap().unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), "data: 1\n\n");
        }
    }
}

// spec 11.A.11, 11.C.44, 11.D.76-92, 11.I.147, 11.I.148, 11.I.150, 11.I.151
#[tokio::test(flavor = "multi_thread")]
async fn limits() {
    let proxy = Proxy::start();
    let echo = Upstream::start(|request| async move {
        let body = request.collect().await.unwrap().to_bytes();
        text(200, [&body[..], b" to you"].concat())
    })
    .await;
    let sent = async |proxy: &Proxy, body: &'static str| {
        let reply = proxy.send(request("POST", "http://localhost/", body)).await;
        (reply.status, reply.body)
    };
    let ok = |body: &str| (200, format!("{body} to you"));
    let long = "a body that is longer than any limit here";

    proxy.ok(&format!("deploy app --target {}", echo.address));
    assert_eq!(sent(&proxy, long).await, ok(long));

    let requests = "--buffer-requests --buffer-memory 5 --max-request-body 20";
    proxy.ok(&format!("deploy app --target {} {requests}", echo.address));
    assert_eq!(sent(&proxy, "hello").await, ok("hello"));
    assert_eq!(sent(&proxy, "hello world").await, ok("hello world"));
    assert_eq!(sent(&proxy, long).await.0, 413);

    let responses = "--buffer-responses --buffer-memory 5 --max-response-body 20";
    proxy.ok(&format!("deploy app --target {} {responses}", echo.address));
    assert_eq!(sent(&proxy, "hello world").await, ok("hello world"));
    let (status, body) = sent(&proxy, long).await;
    assert_eq!((status, body.as_str()), (500, "<h1>500 Internal Server Error</h1>"));
}

// spec 11.D.93, 11.I.149
#[tokio::test(flavor = "multi_thread")]
async fn malformed_chunks() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    for buffering in ["", "--buffer-requests"] {
        proxy.ok(&format!("deploy app --target {} {buffering}", mirror.address));
        let mut stream = TcpStream::connect(proxy.http).await.unwrap();
        let text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\nx\r\n0\r\n\r\n";
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut reply = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut reply)).await.unwrap().unwrap();
        assert!(reply.starts_with("HTTP/1.1 400 "), "{buffering}: {reply}");
    }
}

// spec 11.O.228: a kept connection that the target closed is replaced without anybody noticing.
#[tokio::test(flavor = "multi_thread")]
async fn stale_connections() {
    let proxy = Proxy::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Answers one request per connection, promises to keep it, and closes when the next request comes.
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                let _ = stream.read(&mut buffer).await;
            });
        }
    });
    proxy.ok(&format!("deploy app --target {address}"));
    for _ in 0..10 {
        let reply = proxy.get("http://localhost/").await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
    }
}

// spec 12.4.3: a target that cannot be reached has seen nothing, so another is asked whatever the request is.
#[tokio::test(flavor = "multi_thread")]
async fn another_target_is_asked() {
    let proxy = Proxy::start();
    let mirror = Upstream::mirror().await;
    let gone = TcpListener::bind(("127.0.0.1", free_port())).await.unwrap();
    let address = gone.local_addr().unwrap();
    let once = tokio::spawn(async move {
        let (mut stream, _) = gone.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    });
    proxy.ok(&format!(
        "deploy app --target {} --target {address} --health-check-interval 1m --drain-timeout 0s",
        mirror.address
    ));
    once.await.unwrap();
    for number in 0..4 {
        let reply = proxy.send(request("POST", &format!("http://localhost/{number}"), "hello")).await;
        assert_eq!(reply.status, 200);
        let seen: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!((&seen["body"], &seen["headers"]["x-kamal-target"]), (&5.into(), &mirror.address.clone().into()));
        let line = proxy.logged(|line| line["path"] == format!("/{number}") && line["msg"] == "Request").await;
        assert_eq!(line["target"], mirror.address.as_str());
    }
    proxy.logged(|line| line["msg"] == "Trying another target" && line["target"] == address.to_string()).await;
}

// It may be told its name again at any moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_a_name_is_waited_for() {
    let before = Proxy::start();
    before.ok("deploy app --target nowhere.invalid --force");
    let home = std::sync::Arc::clone(&before.home);
    drop(before);
    // What was served before is taken for healthy.
    let proxy = Proxy::start_in(home, &[]);
    let asked = std::time::Instant::now();
    assert_eq!(proxy.send(request("POST", "http://localhost/", "hello")).await.status, 502);
    let waited = asked.elapsed();
    assert!(waited >= Duration::from_secs(5), "{waited:?}");
    proxy.logged(|line| line["msg"] == "Error while proxying").await;
}

// spec 8.4
#[tokio::test(flavor = "multi_thread")]
async fn targets_that_do_not_answer() {
    let proxy = Proxy::start();
    let silent = Upstream::start(|_| async {
        tokio::time::sleep(Duration::from_secs(600)).await;
        text(200, "")
    })
    .await;
    proxy.ok(&format!("deploy app --target {} --target-timeout 50ms", silent.address));
    assert_eq!(proxy.get("http://localhost/").await.status, 504);

    let gone = TcpListener::bind(("127.0.0.1", free_port())).await.unwrap();
    let address = gone.local_addr().unwrap();
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = gone.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    });
    proxy.ok(&format!("deploy app --target {address} --drain-timeout 0s"));
    upstream.await.unwrap();
    let reply = proxy.get("http://localhost/").await;
    assert_eq!(reply.status, 502);
    assert!(reply.body.contains("Bad Gateway"));
    proxy.logged(|line| line["msg"] == "Error while proxying" && line["level"] == "ERROR").await;
}

// spec 11.I.152
#[tokio::test(flavor = "multi_thread")]
async fn a_buffered_redirect_stays_one() {
    let proxy = Proxy::start();
    let target = Upstream::start(|_| async {
        let mut response = text(302, "over there");
        response.headers_mut().insert("location", "/there".parse().unwrap());
        response
    })
    .await;
    proxy.ok(&format!("deploy app --target {} --buffer-responses --buffer-memory 2", target.address));
    let reply = proxy.get("http://localhost/").await;
    assert_eq!((reply.status, reply.header("location"), reply.body.as_str()), (302, "/there", "over there"));
}

// spec 11.O.226
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_close_their_half() {
    let proxy = Proxy::start();
    let silent = Upstream::start(|_| async {
        tokio::time::sleep(Duration::from_secs(600)).await;
        text(200, "")
    })
    .await;
    proxy.ok(&format!("deploy app --target {} --drain-timeout 1ms", silent.address));
    let mut stream = TcpStream::connect(proxy.http).await.unwrap();
    stream.write_all(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // One that closes with its request may still get an answer.
    tokio::time::sleep(Duration::from_millis(100)).await;
    stream.shutdown().await.unwrap();
    assert_eq!(proxy.logged(|line| line["path"] == "/half").await["status"], 499);
    assert_eq!(tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
}

// spec 11.O.229: besides those who wait for a head, who get 504.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_drain_cuts() {
    let proxy = Proxy::start();
    let other = Upstream::named("other").await;
    for (buffering, head_arrives) in [("", true), ("--buffer-responses", false)] {
        // Declares ten bytes, sends half of them, and then nothing.
        let target = Upstream::start(|_| async {
            let first = stream::once(async { Ok(Frame::data(Bytes::from_static(b"first"))) });
            let body = StreamBody::new(stream::StreamExt::chain(first, stream::pending()));
            Response::builder().header("content-length", "10").body(BodyExt::boxed(body)).unwrap()
        })
        .await;
        proxy.ok(&format!("deploy app --target {} {buffering}", target.address));
        let mut stream = TcpStream::connect(proxy.http).await.unwrap();
        stream.write_all(b"GET /cut HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut reply = Vec::new();
        while head_arrives && !reply.ends_with(b"first") {
            assert!(tokio::time::timeout(PATIENCE, stream.read_buf(&mut reply)).await.unwrap().unwrap() > 0);
        }
        if !head_arrives {
            // Until the target has the request there is nothing to cut.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        proxy.ok(&format!("deploy app --target {} --drain-timeout 10ms", other.address));
        // Closed short of what was declared; a reset says the same.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut reply)).await.unwrap();
        assert!(reply.ends_with(if head_arrives { b"first" } else { b"" }), "{buffering}");
        assert!(head_arrives || reply.is_empty(), "{:?}", String::from_utf8_lossy(&reply));
    }
}

// spec 11.D.65
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave() {
    let proxy = Proxy::start();
    let silent = Upstream::start(|_| async {
        tokio::time::sleep(Duration::from_secs(600)).await;
        text(200, "")
    })
    .await;
    proxy.ok(&format!("deploy app --target {} --drain-timeout 5s", silent.address));
    let mut stream = TcpStream::connect(proxy.http).await.unwrap();
    stream.write_all(b"GET /left HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stream);
    let line = proxy.logged(|line| line["path"] == "/left").await;
    assert_eq!(line["status"], 499);
}
