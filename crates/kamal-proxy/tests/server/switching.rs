//! Switching targets while requests keep coming: nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::support::{Proxy, Upstream, request};

const CLIENTS: usize = 20;
const SWITCHES: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_through_twenty_deploys_under_load() {
    let proxy = Proxy::start();
    let targets = [Upstream::named("one").await, Upstream::named("two").await];
    proxy.ok(&format!("deploy app --target {}", targets[0].address));

    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (stop, answered, address) = (Arc::clone(&stop), Arc::clone(&answered), proxy.http);
            tokio::spawn(async move {
                let mut failures = Vec::new();
                let mut connection = connect(address).await;
                while !stop.load(Ordering::Relaxed) {
                    // Some clients write, so that a request which may not be repeated is among them.
                    let method = if number % 4 == 0 { "POST" } else { "GET" };
                    match ask(&mut connection, method).await {
                        Ok(()) => _ = answered.fetch_add(1, Ordering::Relaxed),
                        Err(failure) => {
                            failures.push(failure);
                            connection = connect(address).await;
                        }
                    }
                    // Every second client comes back over a new connection each time.
                    if number % 2 == 1 {
                        connection = connect(address).await;
                    }
                }
                failures
            })
        })
        .collect();

    for switch in 0..SWITCHES {
        let target = &targets[(switch + 1) % 2];
        let before = answered.load(Ordering::Relaxed);
        proxy.ok(&format!("deploy app --target {}", target.address));
        let expected = if (switch + 1) % 2 == 0 { "one" } else { "two" };
        assert_eq!(proxy.get("http://localhost/").await.body, expected, "the switch is over when deploy returns");
        while answered.load(Ordering::Relaxed) < before + CLIENTS {
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut failures = Vec::new();
    for client in clients {
        failures.extend(client.await.unwrap());
    }
    assert_eq!(failures, Vec::<String>::new());
    assert!(answered.load(Ordering::Relaxed) >= CLIENTS * SWITCHES);
}

type Sender = SendRequest<http_body_util::Full<bytes::Bytes>>;

async fn connect(address: std::net::SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(connection: &mut Sender, method: &str) -> Result<(), String> {
    connection.ready().await.map_err(|error| error.to_string())?;
    let body = if method == "POST" { "written" } else { "" };
    let response =
        connection.send_request(request(method, "http://localhost/", body)).await.map_err(|e| e.to_string())?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    match (status, &body[..]) {
        (200, b"one" | b"two") => Ok(()),
        _ => Err(format!("{status}: {}", String::from_utf8_lossy(&body))),
    }
}
