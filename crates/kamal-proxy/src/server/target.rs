//! One target: an address requests are sent to, its connections, its health and its requests in flight (spec 4, 7.4).

pub(crate) mod address;
pub(crate) mod failure;
pub(crate) mod gate;
mod h2c;
pub(crate) mod health;
mod lookup;
pub(crate) mod pool;
pub(crate) mod reply;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use http::HeaderValue;

use self::address::Address;
use self::gate::{Draining, Gate, Pass};
use self::pool::Pool;
use super::middleware::sticky;
use super::observe::logged::Logged;
use super::options::TargetOptions;
use super::peers::Peer;

/// Whether a target takes writes or reads only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Writer,
    Reader,
    /// It is a proxy of another host, which has targets of its own.
    Peer,
}

/// What the checks of a target have found so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Health {
    /// Never seen healthy.
    Adding = 0,
    Healthy = 1,
    Unhealthy = 2,
}

impl Health {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Adding => "adding",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// One target of a set.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) role: Role,
    /// Where it is a peer.
    pub(crate) peer: Option<Peer>,
    pub(crate) options: Arc<TargetOptions>,
    pub(crate) pool: Arc<Pool>,
    /// The address as the value of a header.
    pub(crate) header: HeaderValue,
    /// Stands for the address in the cookie of clients that keep to it.
    pub(crate) number: u64,
    pub(crate) logged_of_requests: Vec<Logged>,
    pub(crate) logged_of_responses: Vec<Logged>,
    health: AtomicU8,
    /// Requests that failed since one last succeeded.
    failures: AtomicU32,
    gate: Gate,
}

impl Target {
    pub(crate) fn new(address: Address, role: Role, options: Arc<TargetOptions>, health: Health) -> Self {
        let header = HeaderValue::from_str(address.as_str()).unwrap_or_else(|_| HeaderValue::from_static(""));
        let pool = Pool::new(address.clone(), options.h2c && role != Role::Peer);
        let number = sticky::number(address.as_str());
        let logged_of_requests = Logged::all("req_", &options.log_request_headers);
        let logged_of_responses = Logged::all("resp_", &options.log_response_headers);
        let (health, failures) = (AtomicU8::new(health as u8), AtomicU32::new(0));
        Self {
            address,
            role,
            peer: None,
            options,
            pool,
            header,
            number,
            logged_of_requests,
            logged_of_responses,
            health,
            failures,
            gate: Gate::default(),
        }
    }

    /// A proxy of another host that serves a service too.
    pub(crate) fn peer(address: Address, service: &str, options: Arc<TargetOptions>) -> Self {
        let peer = Some(Peer::new(service));
        Self { peer, ..Self::new(address, Role::Peer, options, Health::Adding) }
    }

    /// Notes how a request went; gives how many have failed in a row.
    pub(crate) fn went(&self, well: bool) -> u32 {
        if !well {
            return self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        }
        // Requests that go well, as nearly all do, must not fight over who writes the same zero.
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        0
    }

    pub(crate) fn health(&self) -> Health {
        match self.health.load(Ordering::Acquire) {
            0 => Health::Adding,
            1 => Health::Healthy,
            _ => Health::Unhealthy,
        }
    }

    /// Takes the result of a check; gives the state before when it changed. One that was never healthy stays *adding*.
    pub(crate) fn checked(&self, healthy: bool) -> Option<Health> {
        let was = self.health();
        let now = match (healthy, was) {
            (true, _) => Health::Healthy,
            (false, Health::Adding) => Health::Adding,
            (false, _) => Health::Unhealthy,
        };
        self.health.store(now as u8, Ordering::Release);
        (now != was).then_some(was)
    }

    /// Requests that have been let in and have not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.gate.in_flight()
    }

    /// Counts a request in, unless the target is being drained.
    pub(crate) fn claim(self: &Arc<Self>, shard: usize) -> Result<Claim, Draining> {
        Ok(Claim { pass: self.gate.enter(shard)?, target: Arc::clone(self) })
    }

    /// Sends everybody home; see [`Gate::drain`].
    pub(crate) async fn drain(&self, limit: Duration) {
        self.gate.drain(limit).await;
    }
}

/// A request's place at a target, given back when dropped.
pub(crate) struct Claim {
    target: Arc<Target>,
    pass: Pass,
}

impl Claim {
    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Resolves when the request must stop because the target is drained.
    pub(crate) fn cut(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (target, pass) = (Arc::clone(&self.target), self.pass);
        Box::pin(async move { target.gate.cut(pass).await })
    }

    /// As [`Claim::cut`], without an allocation, for as long as the claim is at hand.
    pub(crate) async fn until_cut(&self) {
        self.target.gate.cut(self.pass).await;
    }

    /// Resolves when an upgraded connection must stop.
    pub(crate) async fn until_upgraded_cut(&self) {
        self.target.gate.upgraded_cut(self.pass).await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.target.gate.leave();
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claim").field(&self.target.address).finish()
    }
}
