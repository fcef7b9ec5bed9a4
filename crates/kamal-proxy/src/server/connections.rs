//! The open client connections, so that the end can tell each of them and wait for all (spec 10.1).
//!
//! Each connection has a notification of its own: one they all shared would be a lock they all meet at.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// All open connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// Zero means any number.
    most: usize,
    open: Mutex<Open>,
    empty: Notify,
    phase: AtomicU8,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    signals: HashMap<u64, Arc<Notify>>,
    busy: usize,
}

/// Everything is served.
const SERVING: u8 = 0;
/// Another process accepts by now: clients are asked to connect again, but none is cut off.
const LEAVING: u8 = 1;
/// Connections end as soon as they are idle.
const STOPPING: u8 = 2;

/// One connection's place in the list, given up when dropped.
#[derive(Debug)]
pub(crate) struct Stop {
    connections: Arc<Connections>,
    number: u64,
    signal: Arc<Notify>,
}

/// What is waited for when leaving and not when stopping: an upgraded connection, a command under way.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Connections>);

impl Connections {
    /// `most` connections at the same time; zero means any number.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// A place for a connection, if there is one left.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Stop> {
        let mut open = self.lock();
        if self.most > 0 && open.signals.len() >= self.most {
            return None;
        }
        let (number, signal) = (open.next, Arc::new(Notify::new()));
        open.next += 1;
        if self.phase.load(Ordering::Relaxed) != SERVING {
            signal.notify_one();
        }
        open.signals.insert(number, Arc::clone(&signal));
        Some(Stop { connections: Arc::clone(self), number, signal })
    }

    /// Counts something that is not among the connections that were entered, or no longer.
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.lock().busy += 1;
        Busy(Arc::clone(self))
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().signals.len()
    }

    /// Whether a client should make a new connection for its next request.
    pub(crate) fn is_leaving(&self) -> bool {
        self.phase.load(Ordering::Relaxed) != SERVING
    }

    /// Lets connections go, each after its next response, and waits until all have gone or the time is over. None is
    /// closed while its client may be about to send a request, which would be lost.
    pub(crate) async fn leave(&self, limit: Duration) {
        self.announce(LEAVING);
        // What is left then is for `stop`.
        let _ = timeout(limit, self.emptied(|open| open.signals.is_empty() && open.busy == 0)).await;
    }

    /// Lets connections go as [`Connections::leave`] does, but goes on accepting, and serves as before when the time is
    /// over: clients are led elsewhere by other means. Upgraded connections are not waited for, they last. Nothing else may
    /// begin to leave meanwhile.
    pub(crate) async fn see_off(&self, limit: Duration) {
        if self.is_leaving() {
            return;
        }
        self.announce(LEAVING);
        let _ = timeout(limit, self.emptied(|open| open.signals.is_empty())).await;
        // Unless the end has come.
        let _ = self.phase.compare_exchange(LEAVING, SERVING, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Asks all connections to end once they are idle, and waits until they have.
    pub(crate) async fn stop(&self) {
        self.announce(STOPPING);
        self.emptied(|open| open.signals.is_empty()).await;
    }

    fn announce(&self, phase: u8) {
        let open = self.lock();
        // What has begun to stop does not go back to leaving.
        self.phase.fetch_max(phase, Ordering::Relaxed);
        open.signals.values().for_each(|signal| signal.notify_one());
    }

    async fn emptied(&self, is_empty: impl Fn(&Open) -> bool) {
        loop {
            let emptied = self.empty.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if is_empty(&self.lock()) {
                return;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stop {
    /// Resolves when the connection is to end as soon as it is idle.
    pub(crate) async fn asked(&self) {
        while self.connections.phase.load(Ordering::Relaxed) != STOPPING {
            self.signal.notified().await;
        }
    }

    /// Whether the connection is to end as soon as it is idle.
    pub(crate) fn is_asked(&self) -> bool {
        self.connections.phase.load(Ordering::Relaxed) == STOPPING
    }

    /// Resolves when the connection is to end by a way that loses no request: HTTP/2 has one.
    pub(crate) async fn asked_to_leave(&self) {
        while self.connections.phase.load(Ordering::Relaxed) == SERVING {
            self.signal.notified().await;
        }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.signals.remove(&self.number);
        if open.signals.is_empty() {
            self.connections.empty.notify_waiters();
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut open = self.0.lock();
        open.busy -= 1;
        if open.busy == 0 {
            self.0.empty.notify_waiters();
        }
    }
}
