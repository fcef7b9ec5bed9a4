//! The open client connections, so that a shutdown can tell each of them and wait for all (spec 10.1).
//!
//! Each connection has a notification of its own: one they all shared would be a lock they all meet at.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All open connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: Mutex<Open>,
    empty: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    stopping: bool,
    signals: HashMap<u64, Arc<Notify>>,
}

/// One connection's place in the list, given up when dropped.
#[derive(Debug)]
pub(crate) struct Stop {
    connections: Arc<Connections>,
    number: u64,
    signal: Arc<Notify>,
}

impl Connections {
    pub(crate) fn enter(self: &Arc<Self>) -> Stop {
        let mut open = self.lock();
        let (number, signal) = (open.next, Arc::new(Notify::new()));
        open.next += 1;
        if open.stopping {
            signal.notify_one();
        }
        open.signals.insert(number, Arc::clone(&signal));
        Stop { connections: Arc::clone(self), number, signal }
    }

    /// Asks all connections to end once they are idle, and waits until they have.
    pub(crate) async fn stop(&self) {
        {
            let mut open = self.lock();
            open.stopping = true;
            open.signals.values().for_each(|signal| signal.notify_one());
        }
        loop {
            let emptied = self.empty.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.lock().signals.is_empty() {
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
    /// Resolves when the connection is to end.
    pub(crate) async fn asked(&self) {
        self.signal.notified().await;
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
