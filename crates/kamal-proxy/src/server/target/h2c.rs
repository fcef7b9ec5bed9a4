//! HTTP/2 without TLS to targets that ask for it, as gRPC servers do (RFC 9113, 3.3).
//!
//! A thread's requests share connections, so many at a time on each: a stream may last for days, and a target allows only
//! so many.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::pool::{Dial, SHARDS, SendError};
use crate::server::body::request::RequestBody;

/// Requests at the same time on one connection: what servers commonly allow.
const STREAMS: usize = 100;
/// Bytes a target may send ahead of what clients take.
const WINDOW: u32 = 1024 * 1024;
/// How often a target with requests under way is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The connections of one target.
#[derive(Debug, Default)]
pub(super) struct Connections {
    shards: [Mutex<Vec<Connection>>; SHARDS],
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<RequestBody>,
    streams: Arc<AtomicUsize>,
}

/// A request's place on a connection, given up when dropped.
#[derive(Debug)]
pub(crate) struct Lease(Arc<AtomicUsize>);

impl Lease {
    fn new(streams: &Arc<AtomicUsize>) -> Self {
        streams.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(streams))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connections {
    /// Sends a request and waits for the head of the response. The request is still whole after an error to connect.
    ///
    /// One that a connection gave back unsent, as it was just being closed, goes out on another.
    pub(super) async fn send(
        &self,
        shard: usize,
        request: &mut Request<RequestBody>,
        dial: Dial<'_>,
    ) -> Result<(Response<Incoming>, Lease), SendError> {
        loop {
            let (mut sender, lease, kept) = match self.open(shard) {
                Some((sender, lease)) => (sender, lease, true),
                None => {
                    let (sender, lease) = self.connect(shard, dial.connect().await?).await?;
                    (sender, lease, false)
                }
            };
            match sender.try_send_request(in_http2(request)).await {
                Ok(response) => return Ok((response, lease)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if kept => *request = unsent,
                    _ => return Err(error.into_error().into()),
                },
            }
        }
    }

    fn shard(&self, number: usize) -> MutexGuard<'_, Vec<Connection>> {
        self.shards[number % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection with room for a request.
    fn open(&self, shard: usize) -> Option<(SendRequest<RequestBody>, Lease)> {
        let mut connections = self.shard(shard);
        connections.retain(|connection| !connection.sender.is_closed());
        let free = connections.iter().find(|connection| connection.streams.load(Ordering::Relaxed) < STREAMS)?;
        Some((free.sender.clone(), Lease::new(&free.streams)))
    }

    async fn connect(&self, shard: usize, stream: TcpStream) -> Result<(SendRequest<RequestBody>, Lease), SendError> {
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(TokioIo::new(stream))
            .await?;
        // It ends by itself once the last sender and the last stream are gone.
        tokio::spawn(connection);
        let streams = Arc::default();
        let lease = Lease::new(&streams);
        self.shard(shard).push(Connection { sender: sender.clone(), streams });
        Ok((sender, lease))
    }
}

/// Takes a request and makes it one of HTTP/2, where the host is part of what is asked for. One that is so already stays
/// as it is.
fn in_http2(request: &mut Request<RequestBody>) -> Request<RequestBody> {
    let (mut head, body) = std::mem::take(request).into_parts();
    let host = head.headers.remove(HOST);
    let mut parts = head.uri.into_parts();
    parts.authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok()).or(parts.authority);
    parts.scheme = parts.authority.as_ref().map(|_| Scheme::HTTP);
    head.uri = Uri::from_parts(parts).unwrap_or_default();
    head.version = Version::HTTP_2;
    Request::from_parts(head, body)
}
