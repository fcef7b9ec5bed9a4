//! Clients that are led to another host for layers, so that each layer leaves this machine once.
//!
//! OCI distribution specification, "Pulling blobs": a registry may answer with a redirect, and who follows it checks the
//! digest as ever. So a host needs nothing but its engine. The one that hands layers on shows itself by a request that is
//! answered for as long as it is expected; while it has none, nobody is led to it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{AUTHORIZATION, LOCATION, RANGE};
use hyper::{HeaderMap, Method, Response, StatusCode};
use tokio::sync::watch;

use super::answer::{Body, empty, set, with_body};
use super::digest::Digest;

/// What the host that hands layers on asks for to show itself.
pub(super) const SHOWS_ITSELF: &str = "/v2/_layers";

/// Smaller things come at once from here: configurations.
const LEAST: u64 = 64 * 1024;

/// How often it hears that it is still expected.
const BEAT: Duration = Duration::from_secs(5);

/// A host that hands layers on. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Relay(Arc<Known>);

#[derive(Debug)]
struct Known {
    at: SocketAddr,
    token: String,
    /// By how many requests it shows itself.
    shown: watch::Sender<usize>,
}

impl Relay {
    /// One at an address; `token` is what others have to know, and by which it shows itself.
    #[must_use]
    pub fn new(at: SocketAddr, token: impl Into<String>) -> Self {
        Self(Arc::new(Known { at, token: token.into(), shown: watch::Sender::new(0) }))
    }

    /// Comes back once it has shown itself.
    pub async fn shown(&self) {
        // It cannot be gone while this is here.
        let _ = self.0.shown.subscribe().wait_for(|requests| *requests > 0).await;
    }

    /// Whether a request is its own.
    fn asks(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        given.is_some_and(|given| {
            aws_lc_rs::constant_time::verify_slices_are_equal(given.as_bytes(), self.0.token.as_bytes()).is_ok()
        })
    }
}

/// Where one client is led for layers, if anywhere. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Lead(Arc<Mutex<Option<Led>>>);

#[derive(Debug)]
struct Led {
    relay: Relay,
    /// What the client was led there for.
    layers: BTreeSet<Digest>,
    /// Whether it asked here for one of them after all.
    came_back: bool,
}

impl Lead {
    /// Leads the client to a host, once that has shown itself. Who comes back is led there no more.
    pub fn to(&self, relay: &Relay) {
        *self.led() = Some(Led { relay: relay.clone(), layers: BTreeSet::new(), came_back: false });
    }

    /// Leads it nowhere any more.
    pub fn end(&self) {
        *self.led() = None;
    }

    /// Whether the client asked here for a layer it had been led elsewhere for.
    #[must_use]
    pub fn came_back(&self) -> bool {
        self.led().as_ref().is_some_and(|led| led.came_back)
    }

    /// The answer that leads a client on, unless it is to have the blob from here.
    pub(super) fn onward(
        &self,
        name: &str,
        digest: &Digest,
        size: u64,
        method: &Method,
        headers: &HeaderMap,
    ) -> Option<Response<Body>> {
        let mut led = self.led();
        let led = led.as_mut().filter(|led| method == Method::GET && size >= LEAST && !led.relay.asks(headers))?;
        if led.layers.contains(digest) {
            led.came_back = true;
        }
        // Who goes on where it was cut is best served by whoever it asks.
        if led.came_back || headers.contains_key(RANGE) || *led.relay.0.shown.borrow() == 0 {
            return None;
        }
        led.layers.insert(digest.clone());
        let Known { at, token, .. } = &*led.relay.0;
        let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
        set(&mut response, LOCATION, &format!("http://{at}/{token}/v2/{name}/blobs/{digest}"));
        Some(response)
    }

    /// The answer to the host that shows itself, which ends when it goes, or is expected no more; `None` to anybody else.
    pub(super) fn shows(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        let relay = self.led().as_ref().filter(|led| led.relay.asks(headers)).map(|led| led.relay.clone())?;
        let shown = Shown::new(relay);
        let beats = stream::unfold((shown, Duration::ZERO), |(shown, pause)| async move {
            tokio::time::sleep(pause).await;
            Some((Ok(Frame::data(Bytes::from_static(b"\n"))), (shown, BEAT)))
        });
        Some(with_body(StatusCode::OK, BodyExt::boxed(StreamBody::new(beats))))
    }

    fn led(&self) -> MutexGuard<'_, Option<Led>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request by which a host shows itself.
#[derive(Debug)]
struct Shown(Relay);

impl Shown {
    fn new(relay: Relay) -> Self {
        relay.0.shown.send_modify(|requests| *requests += 1);
        Self(relay)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.0.shown.send_modify(|requests| *requests -= 1);
    }
}
