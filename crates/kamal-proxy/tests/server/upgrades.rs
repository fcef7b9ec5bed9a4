//! WebSockets and everything else that leaves HTTP (spec 8.8, 4.5).

use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use tokio::net::TcpStream;

use super::support::{PATIENCE, Proxy, TestBody, Upstream};

/// Agrees to any upgrade and then echoes.
pub(crate) async fn echo(mut request: Request<Incoming>) -> Response<TestBody> {
    let protocol = request.headers()["upgrade"].clone();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut read, mut write) = split(TokioIo::new(upgrade.await.unwrap()));
        let _ = copy(&mut read, &mut write).await;
    });
    Response::builder()
        .status(101)
        .header("connection", "Upgrade")
        .header("upgrade", protocol)
        .body(Empty::new().map_err(|never| match never {}).boxed())
        .unwrap()
}

pub(crate) async fn open(proxy: &Proxy) -> TcpStream {
    let mut stream = TcpStream::connect(proxy.http).await.unwrap();
    let head = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n\r\n") {
        reply.push(tokio::time::timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    let reply = String::from_utf8(reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 101 ") && reply.to_lowercase().contains("upgrade: websocket"), "{reply}");
    stream
}

// spec 11.E.104, 11.E.105
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn web_sockets_go_to_writers_unless_readers_take_them() {
    let proxy = Proxy::start();
    let [writer, reader] = [Upstream::start(echo).await, Upstream::start(echo).await];
    let targets = format!("--target {} --read-target {}", writer.address, reader.address);
    for (flag, expected) in [("", &writer.address), ("--read-target-websockets", &reader.address)] {
        proxy.ok(&format!("deploy app {targets} {flag} --drain-timeout 1s"));
        let mut socket = open(&proxy).await;
        socket.shutdown().await.unwrap();
        proxy.logged(|line| line["path"] == "/socket" && line["target"] == expected.as_str()).await;
    }
}

// spec 11.D.63, 11.D.64, 11.D.75
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn web_sockets() {
    let proxy = Proxy::start();
    let target = Upstream::start(echo).await;
    for buffering in ["", "--buffer-requests --buffer-responses --max-request-body 1 --max-response-body 2"] {
        proxy.ok(&format!("deploy app --target {} {buffering}", target.address));
        let mut socket = open(&proxy).await;
        for text in ["hello", "again"] {
            socket.write_all(text.as_bytes()).await.unwrap();
            let mut echoed = [0; 5];
            tokio::time::timeout(PATIENCE, socket.read_exact(&mut echoed)).await.unwrap().unwrap();
            assert_eq!(&echoed, text.as_bytes());
        }
        // Half a close goes through, and comes back as the other half.
        socket.shutdown().await.unwrap();
        assert_eq!(tokio::time::timeout(PATIENCE, socket.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
    }
    let line = proxy.logged(|line| line["path"] == "/socket").await;
    assert_eq!((&line["status"], &line["resp_content_length"]), (&101.into(), &0.into()));

    let mut socket = open(&proxy).await;
    let start = std::time::Instant::now();
    proxy.ok(&format!("deploy app --target {} --drain-timeout 15s", target.address));
    assert!(start.elapsed().as_secs() < 10, "sockets do not hold a drain");
    let end = tokio::time::timeout(PATIENCE, socket.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)));
}
