//! The requests of one client connection, counted: which have begun, and which are still open.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The counts of one connection.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Requests {
    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    pub(super) fn none_open(&self) -> bool {
        self.begun() == self.ended.load(Ordering::Relaxed)
    }
}
