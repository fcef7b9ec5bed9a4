//! Connections to one target, kept for the next request (spec 7.6).
//!
//! Idle connections are in several lists. A client connection keeps to one of them, that of the thread that serves it: so
//! requests rarely meet at a lock, and a connection is used on the thread it was made on. What was idle for long is
//! closed, and everything when the target goes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::header::UPGRADE;
use http::{Method, Request, Response, response};
use http_body::Body;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::h2c::Connections;
use super::lookup::Lookup;
use super::reply::ReplyBody;
use crate::server::body::request::RequestBody;
use crate::server::wire::WireError;
use crate::server::wire::answer::{Home, ask};
use crate::server::wire::link::{Broken, Link};

/// Lists of connections.
pub(super) const SHARDS: usize = 16;
/// Idle connections kept per list.
const IDLE: usize = 256;
/// Common application servers close idle connections after 5 seconds (Node) or more; stay below.
const IDLE_TIME: Duration = Duration::from_secs(4);
/// How long a connection is left alone after an answer whose body should not come, and may.
const REST: Duration = Duration::from_millis(250);
/// How long a target may take to accept a connection, as with Go's proxy.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The same, where another target can be asked. A container that was killed is no longer at its address, and nobody is
/// there to say so; one whose queue is full is asked a second time after a second.
pub(crate) const CONNECT_TIMEOUT_AMONG_OTHERS: Duration = Duration::from_secs(2);

/// The connections of one target.
#[derive(Debug)]
pub(crate) struct Pool {
    address: Address,
    lookup: Lookup,
    shards: [Mutex<Shard>; SHARDS],
    /// Where the target is spoken to in HTTP/2.
    h2c: Option<Connections>,
}

#[derive(Debug, Default)]
struct Shard {
    /// The one used last is at the end.
    idle: Vec<Idle>,
    /// Whether somebody sees to it that old ones are closed.
    swept: bool,
}

#[derive(Debug)]
struct Idle {
    link: Link,
    /// When it may be used again.
    from: Instant,
}

/// The list a connection goes back to.
#[derive(Debug)]
pub(crate) struct Place {
    pool: Arc<Pool>,
    shard: usize,
}

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("dial tcp {address}: {error}")]
    Lookup { address: Address, error: io::Error },
    #[error("dial tcp {address}: {error}")]
    Connect { address: Address, error: io::Error },
    #[error("dial tcp {0}: i/o timeout")]
    ConnectTimeout(Address),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Http2(#[from] hyper::Error),
}

impl Pool {
    pub(crate) fn new(address: Address, h2c: bool) -> Arc<Self> {
        let h2c = h2c.then(Connections::default);
        Arc::new(Self { address, lookup: Lookup::default(), shards: std::array::from_fn(|_| Mutex::default()), h2c })
    }

    /// Sends a request and waits for the head of the response. The request is as it was after an error to connect, which
    /// may take so long.
    ///
    /// A kept connection that died before answering is replaced, when nothing of the request had been sent, or when
    /// sending it again changes nothing: a safe method without a body, then once.
    pub(crate) async fn send(
        self: &Arc<Self>,
        shard: usize,
        request: &mut Request<RequestBody>,
        connect_timeout: Duration,
        mut hint: impl FnMut(response::Parts),
    ) -> Result<Response<ReplyBody>, SendError> {
        let dial = Dial { address: &self.address, lookup: &self.lookup, timeout: connect_timeout };
        if let Some(connections) = self.h2c.as_ref().filter(|_| !request.headers().contains_key(UPGRADE)) {
            // Other protocols are switched to from HTTP/1.1 only.
            let (response, lease) = Box::pin(connections.send(shard, request, dial)).await?;
            return Ok(response.map(|body| ReplyBody::Http2(body, lease)));
        }
        let place = || Place { pool: Arc::clone(self), shard: shard % SHARDS };
        let repeatable = is_repeatable(request);
        while let Some(link) = self.take_idle(shard % SHARDS) {
            match ask(link, request, place(), &mut hint).await {
                Ok(response) => return Ok(response.map(ReplyBody::Http1)),
                Err(Broken { sent: false, .. }) => {}
                Err(Broken { error: WireError::Io(_) | WireError::Closed, .. }) if repeatable => break,
                Err(Broken { error, .. }) => return Err(error.into()),
            }
        }
        // It happens rarely and takes much room.
        let link = Link::new(Box::pin(dial.connect()).await?);
        let asked = ask(link, request, place(), hint).await;
        asked.map(|response| response.map(ReplyBody::Http1)).map_err(|broken| broken.error.into())
    }

    fn shard(&self, number: usize) -> MutexGuard<'_, Shard> {
        self.shards[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self, shard: usize) -> Option<Link> {
        let mut shard = self.shard(shard);
        let now = Instant::now();
        // Nearly always that is the last one.
        while let Some(at) = shard.idle.iter().rposition(|kept| kept.from <= now) {
            let kept = shard.idle.remove(at);
            if now.duration_since(kept.from) > IDLE_TIME {
                // All before it are older still.
                shard.idle.drain(..at);
                return None;
            }
            if kept.link.is_alive() {
                return Some(kept.link);
            }
        }
        None
    }
}

/// What it takes to connect to a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dial<'a> {
    address: &'a Address,
    lookup: &'a Lookup,
    timeout: Duration,
}

impl Dial<'_> {
    /// Looks the target up and connects to it.
    pub(super) async fn connect(self) -> Result<TcpStream, SendError> {
        let Self { address, lookup, .. } = self;
        let dialled = timeout(self.timeout, async {
            let unknown = |why: String| SendError::Lookup { address: address.clone(), error: io::Error::other(why) };
            let failed = |error| SendError::Connect { address: address.clone(), error };
            let found = lookup.find(address).await.map_err(unknown)?;
            let stream = TcpStream::connect(&found[..]).await.map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            Ok(stream)
        });
        dialled.await.unwrap_or_else(|_| Err(SendError::ConnectTimeout(address.clone())))
    }
}

impl Home for Place {
    fn keep(self, link: Link, rest: bool) {
        let mut shard = self.pool.shard(self.shard);
        if shard.idle.len() < IDLE {
            let from = Instant::now() + if rest { REST } else { Duration::ZERO };
            shard.idle.push(Idle { link, from });
        }
        if !shard.swept {
            shard.swept = true;
            tokio::spawn(sweep(Arc::downgrade(&self.pool), self.shard));
        }
    }
}

/// Closes connections nobody needed for a time, until none are left.
async fn sweep(pool: Weak<Pool>, shard: usize) {
    loop {
        sleep(IDLE_TIME).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut shard = pool.shard(shard);
        shard.idle.retain(|kept| kept.from.elapsed() <= IDLE_TIME);
        if shard.idle.is_empty() {
            shard.swept = false;
            return;
        }
    }
}

/// Whether a request may be sent again when it is not known what became of it.
pub(crate) fn is_repeatable(request: &Request<RequestBody>) -> bool {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
    let keyed = || ["idempotency-key", "x-idempotency-key"].iter().any(|name| request.headers().contains_key(*name));
    request.body().is_end_stream() && (safe || keyed())
}
