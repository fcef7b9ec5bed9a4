//! A byte stream through a connection: one connection of a forwarded port.
//!
//! russh hands the messages of a channel to a queue of a hundred, and the whole connection waits while one such queue is
//! full, be it with nothing but news of the other side's window. A task therefore takes the messages out as they come,
//! whether anybody reads the stream or only writes to it. What is read lies here, up to a limit; behind it the connection
//! does have to wait, but for a stream of somebody who sends and is not listened to only so long, then it is cut off.

mod inbox;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use inbox::{End, Inbox};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client::Msg};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    task::AbortHandle,
    time::timeout,
};

use crate::connection::Connection;

/// One connection through a host. Shutting it down sends an end of file; dropping it closes it.
pub struct Stream {
    inbox: Arc<Inbox>,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    channel: Arc<ChannelWriteHalf<Msg>>,
    taking: AbortHandle,
    /// In use as long as this is.
    _connection: Option<Arc<Connection>>,
    /// Its place among the connections to a port.
    _place: Option<OwnedSemaphorePermit>,
}

impl Stream {
    /// A stream whose other side is made to wait as long as nobody reads.
    pub(crate) fn new(channel: Channel<Msg>) -> Self {
        Self::begin(channel, None, None)
    }

    /// A stream that is cut off when its other side sends more than is read for so long.
    pub(crate) fn limited(channel: Channel<Msg>, patience: Duration, place: OwnedSemaphorePermit) -> Self {
        Self::begin(channel, Some(patience), Some(place))
    }

    pub(crate) fn through(mut self, connection: Arc<Connection>) -> Self {
        self._connection = Some(connection);
        self
    }

    fn begin(channel: Channel<Msg>, patience: Option<Duration>, place: Option<OwnedSemaphorePermit>) -> Self {
        let inbox = Arc::new(Inbox::default());
        let (reader, channel) = channel.split();
        let (writer, channel) = (Box::pin(channel.make_writer()), Arc::new(channel));
        let taking = tokio::spawn(take(reader, inbox.clone(), channel.clone(), patience)).abort_handle();
        Self { inbox, writer, channel, taking, _connection: None, _place: place }
    }
}

/// Takes a channel's messages out as they come, until it ends.
async fn take(
    mut reader: ChannelReadHalf,
    inbox: Arc<Inbox>,
    channel: Arc<ChannelWriteHalf<Msg>>,
    patience: Option<Duration>,
) {
    loop {
        match reader.wait().await {
            Some(ChannelMsg::Data { data }) => inbox.put(data),
            Some(ChannelMsg::Eof) => inbox.end_of_file(),
            Some(ChannelMsg::Close) => return inbox.end(End::Closed),
            None => return inbox.end(End::Lost),
            Some(_) => {}
        }
        while !inbox.has_room() {
            let read = inbox.read_from();
            match patience {
                None => read.await,
                Some(patience) if timeout(patience, read).await.is_ok() => {}
                Some(_) => {
                    inbox.end(End::Unread);
                    // Its end follows, and what comes until then is nobody's.
                    let _ = channel.close().await;
                    return;
                }
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.inbox.poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // russh wakes nobody who waits for the window of a channel that has ended.
        self.inbox.check_open(cx)?;
        self.writer.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(cx)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.taking.abort();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let channel = self.channel.clone();
            runtime.spawn(async move { channel.close().await });
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}
