//! The body of a request, between the connection it comes over and whoever reads it.
//!
//! That may be the task of the connection itself or another one; either way a piece is read from the connection when it is
//! asked for and not before, so that a slow target slows its client down, and one that does not want the body is not
//! made to take it (RFC 9110, 10.1.1).

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::patience::UploadError;

/// The reader's end.
#[derive(Debug)]
pub(crate) struct Incoming {
    slot: Arc<Slot>,
    /// Bytes still to come, where that is known.
    left: Option<u64>,
    over: bool,
}

/// The connection's end.
#[derive(Debug)]
pub(crate) struct Feed(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    piece: Option<Result<Frame<Bytes>, UploadError>>,
    /// Nothing comes after the piece.
    over: bool,
    wanted: bool,
    /// There is no reader any more.
    unread: bool,
    reader: Option<Waker>,
    connection: Option<Waker>,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Both ends of a body; `length` where it is known.
pub(crate) fn pair(length: Option<u64>) -> (Feed, Incoming) {
    let slot = Arc::new(Slot::default());
    (Feed(Arc::clone(&slot)), Incoming { slot, left: length, over: false })
}

impl Feed {
    /// Ready with whether there is a reader, when that one waits for a piece or has gone.
    pub(crate) fn poll_wanted(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut state = self.0.lock();
        if state.unread {
            return Poll::Ready(false);
        }
        if state.wanted && state.piece.is_none() {
            return Poll::Ready(true);
        }
        if !state.connection.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.connection = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Whether there is no reader any more.
    pub(crate) fn is_unread(&self) -> bool {
        self.0.lock().unread
    }

    /// Hands a piece over; `over` when it is the last.
    pub(crate) fn give(&self, piece: Result<Frame<Bytes>, UploadError>, over: bool) {
        self.tell(|state| {
            state.piece = Some(piece);
            state.over = over;
        });
    }

    /// There was nothing more.
    pub(crate) fn end(&self) {
        self.tell(|state| state.over = true);
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock();
        state.wanted = false;
        change(&mut state);
        if let Some(reader) = state.reader.take() {
            drop(state);
            reader.wake();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // A reader that still waits would do so for ever.
        let whole = self.0.lock().over;
        if !whole {
            self.give(Err(UploadError::Gone), true);
        }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        let mut state = this.slot.lock();
        if let Some(piece) = state.piece.take() {
            this.over = state.over;
            drop(state);
            if let (Some(left), Some(data)) = (&mut this.left, piece.as_ref().ok().and_then(Frame::data_ref)) {
                *left = left.saturating_sub(data.len() as u64);
            }
            return Poll::Ready(Some(piece));
        }
        if state.over {
            drop(state);
            this.over = true;
            return Poll::Ready(None);
        }
        if !state.reader.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.reader = Some(cx.waker().clone());
        }
        if !std::mem::replace(&mut state.wanted, true)
            && let Some(connection) = state.connection.take()
        {
            drop(state);
            connection.wake();
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let mut state = self.slot.lock();
        state.unread = true;
        if let Some(connection) = state.connection.take() {
            drop(state);
            connection.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;

    /// A waker that remembers whether it was used.
    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    impl Woken {
        fn with<T>(self: &Arc<Self>, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
            poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
        }

        fn is_woken(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn next(body: &mut Incoming, reader: &Arc<Woken>) -> Poll<Option<Result<Bytes, ()>>> {
        let frame = reader.with(|cx| Pin::new(body).poll_frame(cx));
        frame.map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default()).map_err(drop)))
    }

    #[test]
    fn a_piece_is_asked_for_and_not_before() {
        let (feed, mut body) = pair(Some(4));
        let (connection, reader) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        assert_eq!(connection.with(|cx| feed.poll_wanted(cx)), Poll::Pending);
        assert_eq!(next(&mut body, &reader), Poll::Pending);
        assert!(connection.is_woken());
        assert_eq!(connection.with(|cx| feed.poll_wanted(cx)), Poll::Ready(true));
        feed.give(Ok(Frame::data(Bytes::from_static(b"four"))), true);
        assert!(reader.is_woken());
        assert_eq!(next(&mut body, &reader), Poll::Ready(Some(Ok(Bytes::from_static(b"four")))));
        assert!(body.is_end_stream() && body.size_hint().exact() == Some(0));
        drop(body);
        assert_eq!(connection.with(|cx| feed.poll_wanted(cx)), Poll::Ready(false));
    }

    #[test]
    fn a_connection_that_ends_leaves_nobody_waiting() {
        for (ended, expected) in [(true, None), (false, Some(Err(())))] {
            let (feed, mut body) = pair(None);
            let reader = Arc::new(Woken::default());
            assert_eq!(next(&mut body, &reader), Poll::Pending);
            if ended {
                feed.end();
            }
            drop(feed);
            assert!(reader.is_woken());
            assert_eq!(next(&mut body, &reader), Poll::Ready(expected));
        }
    }
}
