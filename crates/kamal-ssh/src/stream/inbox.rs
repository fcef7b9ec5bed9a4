//! What has come through a channel and was not read yet.

use std::{
    collections::VecDeque,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::{io::ReadBuf, sync::Notify};

/// How much may lie unread before the other side has to wait. A message more is taken, which is 32 KiB.
const LIMIT: usize = 1 << 20;

/// Between the task that takes a channel's messages and the one that reads and writes the stream.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Told when something was read.
    read: Notify,
}

#[derive(Debug, Default)]
struct State {
    unread: VecDeque<Bytes>,
    size: usize,
    /// The other side sends nothing more.
    eof: bool,
    end: Option<End>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// How a channel ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    /// The other side closed it.
    Closed,
    /// The connection it went through ended.
    Lost,
    /// What came was not read.
    Unread,
}

impl Inbox {
    pub(super) fn put(&self, data: Bytes) {
        let mut state = self.state();
        state.size += data.len();
        state.unread.push_back(data);
        wake(state.reader.take());
    }

    pub(super) fn end_of_file(&self) {
        let mut state = self.state();
        state.eof = true;
        wake(state.reader.take());
    }

    pub(super) fn end(&self, how: End) {
        let mut state = self.state();
        state.end = Some(how);
        wake(state.reader.take());
        wake(state.writer.take());
    }

    pub(super) fn has_room(&self) -> bool {
        self.state().size < LIMIT
    }

    /// Waits until something was read since this was last awaited.
    pub(super) async fn read_from(&self) {
        self.read.notified().await;
    }

    /// Fails once the channel has ended; otherwise whoever asks is woken when it does.
    pub(super) fn check_open(&self, cx: &Context<'_>) -> io::Result<()> {
        let mut state = self.state();
        match state.end {
            None => {
                state.writer = Some(cx.waker().clone());
                Ok(())
            }
            Some(End::Lost) => Err(lost()),
            Some(_) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the other side closed it")),
        }
    }

    pub(super) fn poll_read(&self, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        let Some(first) = state.unread.front_mut() else {
            return match (state.eof, state.end) {
                (false, Some(End::Lost)) => Poll::Ready(Err(lost())),
                (false, Some(End::Unread)) => {
                    Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "it was not read")))
                }
                (true, _) | (_, Some(End::Closed)) => Poll::Ready(Ok(())),
                (false, None) => {
                    state.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        };
        let part = first.split_to(first.len().min(buf.remaining()));
        if first.is_empty() {
            state.unread.pop_front();
        }
        state.size -= part.len();
        buf.put_slice(&part);
        self.read.notify_one();
        Poll::Ready(Ok(()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the connection to the host ended")
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
