//! A client's upload that is kept back until whoever is asked says that he takes it, and that can go to another until then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use http_body::SizeHint;

use super::request::Streamed;

/// The upload; clones share it, and one of them sends it.
#[derive(Debug, Clone)]
pub(crate) struct Held(Arc<Mutex<Hold>>);

#[derive(Debug)]
struct Hold {
    /// `None` once somebody has it.
    upload: Option<Streamed>,
    let_go: bool,
    waker: Option<Waker>,
}

impl Held {
    pub(super) fn new(upload: Streamed) -> Self {
        Self(Arc::new(Mutex::new(Hold { upload: Some(upload), let_go: false, waker: None })))
    }

    /// Lets it go to whoever sends it.
    pub(crate) fn let_go(&self) {
        let mut hold = self.lock();
        hold.let_go = true;
        if let Some(waker) = hold.waker.take() {
            waker.wake();
        }
    }

    /// Whether nothing of it has gone anywhere.
    pub(crate) fn is_whole(&self) -> bool {
        self.lock().upload.is_some()
    }

    /// Resolves once it may be sent.
    pub(super) fn poll_taken(&self, cx: &mut Context<'_>) -> Poll<Option<Streamed>> {
        let mut hold = self.lock();
        if hold.let_go {
            return Poll::Ready(hold.upload.take());
        }
        hold.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.lock().upload.as_ref().map_or_else(|| SizeHint::with_exact(0), Streamed::size_hint)
    }

    fn lock(&self) -> MutexGuard<'_, Hold> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
