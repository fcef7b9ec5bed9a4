//! Clients that never stop asking, and remember every request that failed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::support::request;

/// As many as ask at the same time.
pub(crate) const CLIENTS: usize = 20;

/// The clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    /// Begins to ask; every answer must be 200 with one of these bodies.
    pub(crate) fn start(address: SocketAddr, bodies: &'static [&'static str]) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients = (0..CLIENTS)
            .map(|number| tokio::spawn(client(number, address, bodies, Arc::clone(&stop), Arc::clone(&answered))))
            .collect();
        Self { stop, answered, clients }
    }

    /// Waits until there was an answer for each client, on average.
    pub(crate) async fn round(&self) {
        let before = self.answered();
        while self.answered() < before + CLIENTS {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends it and gives what went wrong.
    pub(crate) async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for client in self.clients {
            failures.extend(client.await.unwrap());
        }
        failures
    }
}

async fn client(
    number: usize,
    address: SocketAddr,
    bodies: &'static [&'static str],
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
) -> Vec<String> {
    let mut failures = Vec::new();
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        // Some clients write, so that a request which may not be repeated is among them.
        let method = if number.is_multiple_of(4) { "POST" } else { "GET" };
        match ask(address, connection.take(), method, bodies).await {
            Ok(kept) => {
                answered.fetch_add(1, Ordering::Relaxed);
                // Every second client comes back over a new connection each time.
                connection = kept.filter(|_| number.is_multiple_of(2));
            }
            Err(failure) => failures.push(failure),
        }
    }
    failures
}

type Sender = SendRequest<http_body_util::Full<bytes::Bytes>>;

/// Asks once; gives the connection back unless the proxy wants it closed.
async fn ask(
    address: SocketAddr,
    connection: Option<Sender>,
    method: &str,
    bodies: &[&str],
) -> Result<Option<Sender>, String> {
    let told = |error: hyper::Error| format!("{error:?}");
    let mut connection = match connection {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect(address).await.map_err(|error| format!("connecting: {error}"))?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(told)?;
            tokio::spawn(connection);
            sender
        }
    };
    connection.ready().await.map_err(told)?;
    let body = if method == "POST" { "written" } else { "" };
    let response = connection.send_request(request(method, "http://localhost/", body)).await.map_err(told)?;
    let (status, closes) = (response.status().as_u16(), response.headers().get("connection").is_some());
    let body = response.into_body().collect().await.map_err(told)?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    match status {
        200 if bodies.contains(&text.as_ref()) => Ok(Some(connection).filter(|_| !closes)),
        _ => Err(format!("{status}: {text}")),
    }
}
