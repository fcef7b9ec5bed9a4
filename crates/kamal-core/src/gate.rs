//! The gate other roles wait at: it opens with the first healthy container of the primary role, and closes when one
//! fails. The first verdict stands (spec 9.6, barrier).
//!
//! Unlike Kamal's barrier it cannot be waited at for ever: when every keeper is gone without a verdict, it is closed.

use std::sync::{Mutex, PoisonError};

use futures_channel::oneshot;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

/// Waits at the gate.
#[derive(Clone)]
pub(crate) struct Waiter(Shared<BoxFuture<'static, bool>>);

/// May open or close the gate. Share it among those who may, and drop it when none is left.
#[derive(Debug)]
pub(crate) struct Keeper(Mutex<Option<oneshot::Sender<bool>>>);

/// A gate: who keeps it, and who waits.
#[must_use]
pub(crate) fn gate() -> (Keeper, Waiter) {
    let (sender, receiver) = oneshot::channel();
    let waiter = receiver.map(|verdict| verdict.unwrap_or(false)).boxed().shared();
    (Keeper(Mutex::new(Some(sender))), Waiter(waiter))
}

impl Keeper {
    /// Opens or closes the gate; true when this was the verdict.
    pub(crate) fn decide(&self, open: bool) -> bool {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        sender.is_some_and(|sender| sender.send(open).is_ok())
    }
}

impl Waiter {
    /// Waits for the verdict.
    pub(crate) async fn open(self) -> bool {
        self.0.await
    }
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Waiter({:?})", self.0.clone().now_or_never())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_verdict_stands() {
        let (keeper, waiter) = gate();
        assert!(keeper.decide(true));
        assert!(!keeper.decide(false));
        assert_eq!(waiter.clone().open().now_or_never(), Some(true));
        assert_eq!(waiter.open().now_or_never(), Some(true));
    }

    #[test]
    fn a_gate_without_a_keeper_is_closed() {
        let (keeper, waiter) = gate();
        assert_eq!(waiter.clone().open().now_or_never(), None);
        drop(keeper);
        assert_eq!(waiter.open().now_or_never(), Some(false));
    }
}
