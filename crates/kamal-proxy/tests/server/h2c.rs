//! Targets that are spoken to in HTTP/2 without TLS, as gRPC servers are.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::support::{PATIENCE, Proxy, TestBody, get, text};
use super::{load::Load, tls};

/// What is sent into a channel, as a stream.
fn stream<T: Send + 'static>(mut from: mpsc::Receiver<T>) -> impl futures_util::Stream<Item = T> + Send + Sync {
    futures_util::stream::poll_fn(move |cx| from.poll_recv(cx))
}

/// A target that speaks nothing but HTTP/2, and how many connections it has had. `/echo` sends each message back as it
/// comes, with trailers at the end; a request for `/close` is the last on its connection.
async fn target() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (connected, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let (close, mut closed) = mpsc::unbounded_channel();
                let service = service_fn(move |request: Request<Incoming>| {
                    if request.uri().path() == "/close" {
                        close.send(()).unwrap();
                    }
                    async { Ok::<_, Infallible>(answer(request).await) }
                });
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(connected), service);
                tokio::pin!(connection);
                tokio::select! {
                    _ = connection.as_mut() => {}
                    _ = closed.recv() => {
                        connection.as_mut().graceful_shutdown();
                        let _ = connection.await;
                    }
                }
            });
        }
    });
    (address, connections)
}

async fn answer(request: Request<Incoming>) -> Response<TestBody> {
    if request.uri().path() != "/echo" {
        let header = |name| request.headers().get(name).map_or("", |value| value.to_str().unwrap());
        let seen = format!("{} te={} for={}", request.uri(), header("te"), header("x-forwarded-for"));
        return text(200, seen);
    }
    let (send, frames) = mpsc::channel(1);
    let mut body = request.into_body();
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            let frame =
                frame.into_data().map_or_else(|frame| Frame::trailers(frame.into_trailers().unwrap()), Frame::data);
            if frame.is_data() && send.send(Ok(frame)).await.is_err() {
                return;
            }
        }
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
        let _ = send.send(Ok(Frame::trailers(trailers))).await;
    });
    Response::builder()
        .header("content-type", "application/grpc")
        .body(StreamBody::new(stream(frames)).boxed())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_their_hosts() {
    let proxy = Proxy::start();
    let (address, connections) = target().await;
    let error = proxy.fails(&format!("deploy app --target {address} --deploy-timeout 300ms"));
    assert!(error.contains("failed to become healthy"), "it speaks no HTTP/1.1: {error}");
    proxy.ok(&format!("deploy app --target {address} --target-h2c"));
    assert!(proxy.state().contains(r#""h2c":true"#));
    let reply = proxy.get("http://app.test:81/a/b?c=%20d").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "http://app.test:81/a/b?c=%20d te= for=127.0.0.1"));

    // Connections are shared, and one that the target closes is replaced without anybody noticing.
    let before = connections.load(Ordering::Relaxed);
    for round in 0..100 {
        let path = if round % 10 == 9 { "close" } else { "a" };
        assert_eq!(proxy.get(&format!("http://app.test/{path}")).await.status, 200, "{round}");
    }
    let made = connections.load(Ordering::Relaxed) - before;
    assert!((1..=40).contains(&made), "{made} connections for 100 requests");

    // Switching to another one under load, and back to HTTP/1.1.
    let load = Load::start(proxy.http, &["http://localhost/ te= for=127.0.0.1"]);
    let (other, _) = target().await;
    for address in [&other, &address, &other] {
        load.round().await;
        proxy.ok(&format!("deploy app --target {address} --target-h2c"));
    }
    assert_eq!(load.stop().await, Vec::<String>::new());
    let plain = super::support::Upstream::named("plain").await;
    proxy.ok(&format!("deploy app --target {}", plain.address));
    assert_eq!(proxy.get("http://app.test/").await.body, "plain");
    assert!(!proxy.state().contains("h2c"));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_go_both_ways() {
    let proxy = Proxy::start();
    let (address, _) = target().await;
    let pair = tls::pair(&proxy, "example.com");
    // As Kamal deploys by default, with everything buffered that can be.
    let flags = "--target-h2c --buffer-requests --buffer-responses --host example.com";
    proxy.ok(&format!("deploy app --target {address} {flags} {}", pair.flags));
    let secure = tls::connect(&proxy, &pair.der, "example.com", b"h2").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(secure)).await.unwrap();
    tokio::spawn(connection);

    let (say, messages) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
    let request = Request::post("https://example.com/echo")
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(StreamBody::new(stream(messages)).boxed())
        .unwrap();
    let answered = timeout(PATIENCE, sender.send_request(request)).await.expect("a head before the first message");
    let response = answered.unwrap();
    assert_eq!(response.status(), 200);
    let mut answers = response.into_body();
    for round in 0..20 {
        let message = Bytes::from(format!("message {round}"));
        say.send(Ok(Frame::data(message.clone()))).await.unwrap();
        let frame = timeout(PATIENCE, answers.frame()).await.expect("each message by itself").unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), message);
    }
    drop(say);
    let end = timeout(PATIENCE, answers.frame()).await.unwrap().unwrap().unwrap();
    assert_eq!(end.into_trailers().unwrap()["grpc-status"], "0");

    // A target allows only so many calls on one connection; more are no reason to wait.
    let mut open = Vec::new();
    for _ in 0..240 {
        let (say, messages) = mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
        let request = Request::post("https://example.com/echo").body(StreamBody::new(stream(messages)).boxed());
        let response = timeout(PATIENCE, sender.send_request(request.unwrap())).await.expect("a head at once").unwrap();
        open.push((say, response));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(proxy.send(get("http://example.com/")).await.status, 301);
}
