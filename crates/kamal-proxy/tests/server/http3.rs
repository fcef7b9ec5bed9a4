//! HTTP/3 beside HTTPS, behind its flag (spec 8.1, 10.1).

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::{StreamExt, future, stream};
use h3::client::{RequestStream, SendRequest};
use h3_quinn::{BidiStream, OpenStreams};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use super::support::{PATIENCE, Proxy, Upstream, request, text};
use super::tls::{connect as connect_tls, pair};

type Stream = RequestStream<BidiStream<Bytes>, Bytes>;

fn start() -> Proxy {
    Proxy::start_in(Arc::new(tempdir().unwrap()), &["--http3"])
}

/// A client connection; it ends when this is dropped.
struct Client {
    requests: SendRequest<OpenStreams, Bytes>,
    connection: quinn::Connection,
}

async fn connect(
    proxy: &Proxy,
    trusted: &CertificateDer<'static>,
    name: &str,
) -> Result<Client, quinn::ConnectionError> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h3".to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()));
    let endpoint = quinn::Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let connection = endpoint.connect_with(config, proxy.https, name).unwrap().await?;
    let (mut driver, requests) = h3::client::new(h3_quinn::Connection::new(connection.clone())).await.unwrap();
    tokio::spawn(async move { future::poll_fn(|cx| driver.poll_close(cx)).await });
    Ok(Client { requests, connection })
}

impl Client {
    async fn open(&self, request: Request<()>) -> Stream {
        self.requests.clone().send_request(request).await.unwrap()
    }

    /// A request without a body, and the whole response.
    async fn get(&self, url: &str) -> Response<String> {
        let mut stream = self.open(Request::get(url).body(()).unwrap()).await;
        stream.finish().await.unwrap();
        let (head, body) = timeout(PATIENCE, read(&mut stream)).await.unwrap();
        head.map(|()| String::from_utf8(body.unwrap()).unwrap())
    }
}

async fn read(stream: &mut Stream) -> (Response<()>, Result<Vec<u8>, h3::error::StreamError>) {
    let head = stream.recv_response().await.unwrap();
    let mut body = Vec::new();
    loop {
        match stream.recv_data().await {
            Ok(Some(mut data)) => body.extend_from_slice(&data.copy_to_bytes(data.remaining())),
            Ok(None) => return (head, Ok(body)),
            Err(error) => return (head, Err(error)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_before_the_response() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                for link in ["/a.css", "/b.js"] {
                    let hint = format!("HTTP/1.1 103 Early Hints\r\nLink: <{link}>\r\nConnection: x\r\n\r\n");
                    stream.write_all(hint.as_bytes()).await.unwrap();
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            });
        }
    });
    let proxy = start();
    let own = pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {address} --host example.com --force {}", own.flags));
    proxy.logged(|line| line["msg"] == "Target health updated").await;
    let client = connect(&proxy, &own.der, "example.com").await.unwrap();
    let mut stream = client.open(Request::get("https://example.com/").body(()).unwrap()).await;
    stream.finish().await.unwrap();
    for link in ["</a.css>", "</b.js>"] {
        let hint = timeout(PATIENCE, stream.recv_response()).await.unwrap().unwrap();
        assert_eq!((hint.status().as_u16(), &hint.headers()["link"]), (103, &link.parse().unwrap()));
        assert!(!hint.headers().contains_key("connection"));
    }
    let (head, body) = timeout(PATIENCE, read(&mut stream)).await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers().get("link"), &body.unwrap()[..]), (200, None, &b"ok"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_nothing_of_connections() {
    let proxy = start();
    let target = echo().await;
    let own = pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", target.address, own.flags));
    let client = connect(&proxy, &own.der, "example.com").await.unwrap();
    let mut stream = client.open(Request::connect("example.com:443").body(()).unwrap()).await;
    let (head, _) = timeout(PATIENCE, read(&mut stream)).await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers().get("connection")), (400, None));
}

async fn echo() -> Upstream {
    Upstream::start(|request| async move { Response::new(request.into_body().map_err(std::io::Error::other).boxed()) })
        .await
}

/// A target that says when a request has come, and answers when it may.
struct Slow {
    target: Upstream,
    arrived: Arc<Notify>,
    gate: Arc<Semaphore>,
}

impl Slow {
    async fn start() -> Self {
        let (arrived, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
        let (here, opened) = (Arc::clone(&arrived), Arc::clone(&gate));
        let target = Upstream::start(move |_| {
            let (here, opened) = (Arc::clone(&here), Arc::clone(&opened));
            async move {
                here.notify_one();
                // Closed by then, which is what it waits for.
                drop(opened.acquire().await);
                text(200, "slow")
            }
        })
        .await;
        Self { target, arrived, gate }
    }
}

// spec 11.M.204, 11.M.205, 11.M.206
#[tokio::test(flavor = "multi_thread")]
async fn the_same_services_by_another_way() {
    let proxy = start();
    let mirror = Upstream::mirror().await;
    let own = pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", mirror.address, own.flags));
    let here = format!("h3=\":{}\"; ma=2592000", proxy.https.port());

    let stream = connect_tls(&proxy, &own.der, "example.com", b"http/1.1").await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request("GET", "http://example.com/", "")).await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["alt-svc"].to_str().unwrap()), (200, here.as_str()));
    let stream = connect_tls(&proxy, &own.der, "example.com", b"h2").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request("GET", "http://example.com/", "")).await.unwrap();
    assert_eq!(response.headers()["alt-svc"].to_str().unwrap(), here);
    assert_eq!(proxy.get("http://example.com/").await.header("alt-svc"), "", "not without TLS");

    let client = connect(&proxy, &own.der, "example.com").await.unwrap();
    let response = client.get("https://example.com/h3?a=b").await;
    assert_eq!((response.status().as_u16(), response.headers().get("alt-svc")), (200, None));
    assert!(response.headers().contains_key("date"));
    let seen: serde_json::Value = serde_json::from_str(response.body()).unwrap();
    assert_eq!((&seen["uri"], &seen["headers"]["host"]), (&"/h3?a=b".into(), &"example.com".into()));
    assert_eq!(seen["headers"]["x-forwarded-proto"], "https");
    assert_eq!(seen["headers"].get("transfer-encoding"), None, "a GET has no body");
    let line = proxy.logged(|line| line["path"] == "/h3").await;
    assert_eq!((&line["proto"], &line["scheme"]), (&"HTTP/3.0".into(), &"https".into()));
    assert_eq!(client.get("https://unknown.test/").await.status(), 404);

    assert!(connect(&proxy, &own.der, "unknown.test").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn large_bodies_and_many_requests_at_once() {
    let proxy = start();
    let echo = echo().await;
    let own = pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", echo.address, own.flags));
    let client = connect(&proxy, &own.der, "example.com").await.unwrap();

    // More than all windows together, so that neither way can be kept by anyone on it.
    let piece = Bytes::from(vec![7; 1 << 20]);
    let (mut send, mut receive) = client.open(Request::post("https://example.com/").body(()).unwrap()).await.split();
    let sent = async {
        for _ in 0..24 {
            send.send_data(piece.clone()).await.unwrap();
        }
        send.finish().await.unwrap();
    };
    let received = async {
        assert_eq!(receive.recv_response().await.unwrap().status(), 200);
        let mut length = 0;
        while let Some(data) = receive.recv_data().await.unwrap() {
            length += data.remaining();
        }
        length
    };
    let ((), length) = timeout(PATIENCE, future::join(sent, received)).await.unwrap();
    assert_eq!(length, 24 << 20);

    let answers = stream::iter(0..300).map(|number| {
        let client = &client;
        async move {
            let body = number.to_string();
            let request = Request::post("https://example.com/").header("content-length", body.len()).body(()).unwrap();
            let mut stream = client.open(request).await;
            stream.send_data(body.clone().into()).await.unwrap();
            stream.finish().await.unwrap();
            let (head, answer) = read(&mut stream).await;
            (head.status().as_u16(), answer.unwrap() == body.as_bytes())
        }
    });
    let answers: Vec<_> = timeout(PATIENCE, answers.buffer_unordered(300).collect()).await.unwrap();
    assert!(answers.len() == 300 && answers.iter().all(|answer| *answer == (200, true)), "{answers:?}");
}

// Otherwise the rest would be a request of its own for the target (RFC 9114, 4.1.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_longer_than_it_says_is_refused() {
    let proxy = start();
    let mirror = Upstream::mirror().await;
    let own = pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", mirror.address, own.flags));
    let client = connect(&proxy, &own.der, "example.com").await.unwrap();
    let post = || Request::post("https://example.com/wrong");
    let smuggled = Bytes::from_static(b"12345GET /smuggled HTTP/1.1\r\nhost: example.com\r\n\r\n");
    let mut stream = client.open(post().header("content-length", 5).body(()).unwrap()).await;
    stream.send_data(smuggled).await.unwrap();
    stream.finish().await.unwrap();
    assert_eq!(timeout(PATIENCE, stream.recv_response()).await.unwrap().unwrap().status(), 400);
    for (name, value) in [("transfer-encoding", "chunked"), ("connection", "close"), ("content-length", "+5")] {
        let mut stream = client.open(post().header(name, value).body(()).unwrap()).await;
        let _ = stream.finish().await;
        assert!(timeout(PATIENCE, stream.recv_response()).await.unwrap().is_err(), "{name}");
    }
    assert_eq!(client.get("https://example.com/still").await.status(), 200);
    assert_eq!(proxy.count(|line| line["path"] == "/smuggled"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_is_not_taken_for_the_whole() {
    let proxy = start();
    let enough = Arc::new(Notify::new());
    let breaks = Arc::clone(&enough);
    let broken = Upstream::start(move |_| {
        let breaks = Arc::clone(&breaks);
        async move {
            let begin = stream::iter([Ok(Frame::data(Bytes::from_static(b"beginning")))]);
            let end = stream::once(async move {
                breaks.notified().await;
                Err(std::io::Error::other("enough"))
            });
            Response::new(BodyExt::boxed(StreamBody::new(begin.chain(end))))
        }
    })
    .await;
    let slow = Slow::start().await;
    let own = pair(&proxy, "example.com");
    let other = pair(&proxy, "slow.test");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", broken.address, own.flags));
    proxy.ok(&format!("deploy slow --target {} --host slow.test {}", slow.target.address, other.flags));
    let client = connect(&proxy, &own.der, "example.com").await.unwrap();
    let mut stream = client.open(Request::get("https://example.com/").body(()).unwrap()).await;
    stream.finish().await.unwrap();
    assert_eq!(timeout(PATIENCE, stream.recv_response()).await.unwrap().unwrap().status(), 200);
    assert_eq!(stream.recv_data().await.unwrap().map(|data| data.remaining()), Some(9));
    enough.notify_one();
    assert!(timeout(PATIENCE, stream.recv_data()).await.unwrap().is_err());

    // A client that goes away takes its requests with it.
    let client = connect(&proxy, &other.der, "slow.test").await.unwrap();
    let mut stream = client.open(Request::get("https://slow.test/left").body(()).unwrap()).await;
    stream.finish().await.unwrap();
    slow.arrived.notified().await;
    client.connection.close(0_u32.into(), b"");
    let line = proxy.logged(|line| line["path"] == "/left").await;
    assert_eq!(line["status"], 499);
    slow.gate.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_are_finished_when_the_proxy_stops() {
    let mut proxy = start();
    let slow = Slow::start().await;
    let own = pair(&proxy, "example.com");
    proxy.ok(&format!("deploy app --target {} --host example.com {}", slow.target.address, own.flags));
    let client = connect(&proxy, &own.der, "example.com").await.unwrap();
    let (answer, ()) = tokio::join!(client.get("https://example.com/"), async {
        slow.arrived.notified().await;
        proxy.signal("-TERM");
        slow.gate.close();
    });
    assert_eq!((answer.status().as_u16(), answer.body().as_str()), (200, "slow"));
    drop(client);
    assert_eq!(proxy.wait(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_successor_serves_once_the_predecessor_has_finished() {
    let mut old = start();
    let slow = Slow::start().await;
    let own = pair(&old, "example.com");
    old.ok(&format!("deploy app --target {} --host example.com {}", slow.target.address, own.flags));
    let client = connect(&old, &own.der, "example.com").await.unwrap();
    let (answer, new) = tokio::join!(client.get("https://example.com/"), async {
        slow.arrived.notified().await;
        let new = Proxy::start_in(Arc::clone(&old.home), &["--http3", "--takeover"]);
        old.logged(|line| line["msg"] == "Another server has taken over").await;
        assert!(connect(&old, &own.der, "example.com").await.is_err(), "refused, so that it comes by TCP");
        assert!(connect_tls(&old, &own.der, "example.com", b"h2").await.is_ok());
        slow.gate.close();
        new
    });
    assert_eq!((answer.status().as_u16(), answer.body().as_str()), (200, "slow"));
    drop(client);
    assert_eq!(old.wait(), Some(0));
    let client = timeout(PATIENCE, async {
        loop {
            if let Ok(client) = connect(&new, &own.der, "example.com").await {
                break client;
            }
        }
    });
    assert_eq!(client.await.unwrap().get("https://example.com/").await.status(), 200);
}
