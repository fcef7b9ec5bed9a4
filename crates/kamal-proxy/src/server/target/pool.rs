//! Connections to one target, kept for the next request (spec 7.6).
//!
//! Idle connections are spread over several lists; a client connection keeps to one of them, so that two requests
//! rarely meet at a lock and a busy client finds its upstream connection again. Everything is closed when the target
//! goes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Address;
use crate::server::body::request::RequestBody;

const SHARDS: usize = 16;
/// Idle connections kept per list.
const IDLE: usize = 64;
/// Common application servers close idle connections after 5 seconds (Node) or more; stay below.
const IDLE_TIME: Duration = Duration::from_secs(4);
const YIELDS: usize = 8;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections of one target.
#[derive(Debug)]
pub(crate) struct Pool {
    address: Address,
    shards: [Mutex<Vec<Idle>>; SHARDS],
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

/// A connection in use by one request; dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<RequestBody>,
    pool: Arc<Pool>,
    shard: usize,
}

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("dial tcp {address}: {error}")]
    Connect { address: Address, error: io::Error },
    #[error("dial tcp {0}: i/o timeout")]
    ConnectTimeout(Address),
    #[error("{0}")]
    Http(#[from] hyper::Error),
}

/// A request that got no response.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) error: SendError,
    /// Given back where nothing of it was sent.
    pub(crate) request: Option<Box<Request<RequestBody>>>,
}

impl<E: Into<SendError>> From<E> for Unanswered {
    fn from(error: E) -> Self {
        Self { error: error.into(), request: None }
    }
}

impl Pool {
    pub(crate) fn new(address: Address) -> Arc<Self> {
        Arc::new(Self { address, shards: std::array::from_fn(|_| Mutex::default()) })
    }

    /// Sends a request and waits for the head of the response.
    ///
    /// A kept connection that died before answering is replaced once, when nothing of the request had been sent, or
    /// when sending it again changes nothing: a safe method without a body.
    pub(crate) async fn send(
        self: &Arc<Self>,
        shard: usize,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Connection), Unanswered> {
        let shard = shard % SHARDS;
        while let Some(mut sender) = self.take_idle(shard) {
            if !is_free(&sender).await {
                continue;
            }
            let copy = is_repeatable(&request).then(|| bodiless_copy(&request));
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, Connection { sender, pool: Arc::clone(self), shard })),
                Err(mut error) => match (error.take_message(), copy) {
                    (Some(unsent), _) => request = unsent,
                    (None, Some(copy)) => {
                        request = copy;
                        break;
                    }
                    (None, None) => return Err(error.into_error().into()),
                },
            }
        }
        let mut sender = match self.connect().await {
            Ok(sender) => sender,
            Err(error) => return Err(Unanswered { error, request: Some(Box::new(request)) }),
        };
        let response = sender.send_request(request).await?;
        Ok((response, Connection { sender, pool: Arc::clone(self), shard }))
    }

    fn take_idle(&self, shard: usize) -> Option<SendRequest<RequestBody>> {
        let mut idle = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(kept) = idle.pop() {
            if kept.since.elapsed() > IDLE_TIME {
                // The latest kept is the first out, so all others are older still.
                idle.clear();
                return None;
            }
            if !kept.sender.is_closed() {
                return Some(kept.sender);
            }
        }
        None
    }

    async fn connect(&self) -> Result<SendRequest<RequestBody>, SendError> {
        let address = (self.address.host(), self.address.port());
        let failed = |error| SendError::Connect { address: self.address.clone(), error };
        let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
            .await
            .map_err(|_| SendError::ConnectTimeout(self.address.clone()))?
            .map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, connection) = Builder::new().title_case_headers(true).handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // The error of a broken connection is told to the request that used it.
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }
}

impl Connection {
    /// Keeps the connection for the next request; its response must have been read to the end.
    pub(crate) fn recycle(self) {
        let now = Instant::now();
        let mut idle = self.pool.shards[self.shard].lock().unwrap_or_else(PoisonError::into_inner);
        if idle.first().is_some_and(|oldest| now.duration_since(oldest.since) > IDLE_TIME) {
            idle.retain(|kept| now.duration_since(kept.since) <= IDLE_TIME);
        }
        if idle.len() < IDLE && !self.sender.is_closed() {
            idle.push(Idle { sender: self.sender, since: now });
        }
    }
}

/// Whether a kept connection can take a request now. Just after a response its task may still have to see the end of
/// it; one that stays busy is busy with an upload its target did not wait for, and is of no use.
async fn is_free(sender: &SendRequest<RequestBody>) -> bool {
    for _ in 0..YIELDS {
        if sender.is_ready() {
            return true;
        }
        if sender.is_closed() {
            return false;
        }
        tokio::task::yield_now().await;
    }
    false
}

fn is_repeatable(request: &Request<RequestBody>) -> bool {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
    let keyed = ["idempotency-key", "x-idempotency-key"].iter().any(|name| request.headers().contains_key(*name));
    (safe || keyed) && request.body().is_end_stream()
}

fn bodiless_copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}
