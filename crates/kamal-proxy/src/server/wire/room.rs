//! Reading what comes next, whenever that is. Bytes are read to the thread's room and kept in memory of their size: a
//! connection that waits has none, and what many connections read one after the other goes through the same cache lines.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes read at once: enough for a head with a page.
pub(in crate::server) const ROOM: usize = 16 * 1024;

thread_local! {
    static READ_TO: RefCell<Box<[u8]>> = RefCell::new(vec![0; ROOM].into());
}

/// Appends what there is to read, at most [`ROOM`] bytes, and gives how many those were; none at the end.
pub(in crate::server) fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    READ_TO.with_borrow_mut(|room| {
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(stream).poll_read(cx, &mut room))?;
        buffer.extend_from_slice(room.filled());
        Poll::Ready(Ok(room.filled().len()))
    })
}
