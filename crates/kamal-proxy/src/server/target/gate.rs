//! Who may still come in to a target, who is inside, and how they are put out (spec 4.5).
//!
//! Entering and leaving is one atomic addition each. A request that was let in is waited for; one that comes while the
//! gate is draining is refused, and its caller looks for the target that took over.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Waiters are spread over this many lists so that requests do not meet at one lock.
const SHARDS: usize = 16;

/// Counts requests in flight and cuts them off.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    in_flight: AtomicUsize,
    draining: AtomicBool,
    empty: Notify,
    requests: Cutter,
    upgraded: Cutter,
}

/// The target is being drained; nobody new is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draining;

/// What a request remembers from entering, to find out later whether it has been cut off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    request_epoch: u64,
    upgraded_epoch: u64,
    shard: usize,
}

impl Gate {
    /// Lets a request in; each success must be followed by one [`Gate::leave`].
    pub(crate) fn enter(&self, shard: usize) -> Result<Pass, Draining> {
        // Either this addition is seen by the drain, or the drain's flag is seen here: both are sequentially consistent.
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        if self.draining.load(Ordering::SeqCst) {
            self.leave();
            return Err(Draining);
        }
        Ok(Pass {
            request_epoch: self.requests.epoch.load(Ordering::SeqCst),
            upgraded_epoch: self.upgraded.epoch.load(Ordering::SeqCst),
            shard: shard % SHARDS,
        })
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn leave(&self) {
        if self.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 && self.draining.load(Ordering::SeqCst) {
            self.empty.notify_waiters();
        }
    }

    /// Refuses newcomers, cuts upgraded connections, waits for the rest, cuts what remains at the timeout, and opens
    /// the gate again. Returns at once when a drain is under way.
    pub(crate) async fn drain(&self, limit: Duration) {
        if self.draining.swap(true, Ordering::SeqCst) {
            return;
        }
        self.upgraded.cut();
        if timeout(limit, self.emptied()).await.is_err() {
            self.requests.cut();
        }
        self.draining.store(false, Ordering::SeqCst);
    }

    async fn emptied(&self) {
        loop {
            let notified = self.empty.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.in_flight.load(Ordering::SeqCst) == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Returns once the request that holds `pass` must stop.
    pub(crate) async fn cut(&self, pass: Pass) {
        self.requests.wait(pass.request_epoch, pass.shard).await;
    }

    /// Returns once the upgraded connection that holds `pass` must stop.
    pub(crate) async fn upgraded_cut(&self, pass: Pass) {
        self.upgraded.wait(pass.upgraded_epoch, pass.shard).await;
    }
}

/// Tells everybody who entered before now to stop.
#[derive(Debug, Default)]
struct Cutter {
    epoch: AtomicU64,
    waiting: [Notify; SHARDS],
}

impl Cutter {
    fn cut(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        for shard in &self.waiting {
            shard.notify_waiters();
        }
    }

    async fn wait(&self, epoch: u64, shard: usize) {
        loop {
            let notified = self.waiting[shard].notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.epoch.load(Ordering::SeqCst) != epoch {
                return;
            }
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    // spec 11.D.72
    #[tokio::test(start_paused = true)]
    async fn an_empty_gate_drains_at_once_and_opens_again() {
        let gate = Gate::default();
        let before = tokio::time::Instant::now();
        gate.drain(LONG).await;
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert!(gate.enter(0).is_ok());
    }

    // spec 11.D.73
    #[tokio::test(start_paused = true)]
    async fn waits_for_those_inside_and_refuses_newcomers() {
        let gate = Arc::new(Gate::default());
        gate.enter(1).unwrap();
        let drain = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.drain(LONG).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(gate.enter(2).unwrap_err(), Draining);
        assert!(!drain.is_finished());
        gate.leave();
        drain.await.unwrap();
    }

    // spec 11.D.74, 11.D.75
    #[tokio::test(start_paused = true)]
    async fn cuts_upgraded_at_once_and_the_rest_at_the_timeout() {
        let gate = Arc::new(Gate::default());
        let pass = gate.enter(17).unwrap();
        let start = tokio::time::Instant::now();
        let drain = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.drain(LONG).await }
        });
        gate.upgraded_cut(pass).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        gate.cut(pass).await;
        assert_eq!(start.elapsed(), LONG);
        drain.await.unwrap();
    }
}
