//! A byte stream through a connection: one connection of a forwarded port.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use russh::{Channel, ChannelStream, client::Msg};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::Connection;

/// One connection through a host. Shutting it down sends an end of file; dropping it closes it.
pub struct Stream {
    channel: ChannelStream<Msg>,
    /// In use as long as this is.
    _connection: Option<Arc<Connection>>,
}

impl Stream {
    pub(crate) fn new(channel: Channel<Msg>) -> Self {
        Self { channel: channel.into_stream(), _connection: None }
    }

    pub(crate) fn through(self, connection: Arc<Connection>) -> Self {
        Self { _connection: Some(connection), ..self }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.channel).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_shutdown(cx)
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}
