//! The body of a target's response, whatever protocol it came by.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::net::TcpStream;

use super::h2c::Lease;
use super::pool::Place;
use crate::server::wire::answer::Answer;

/// What a target sends.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    Http1(Answer<Place>),
    Http2(Incoming, #[expect(dead_code, reason = "held as long as the body lasts")] Lease),
}

impl ReplyBody {
    /// After a switch of protocols: the connection, and what came over it already.
    pub(crate) fn into_stream(self) -> Option<(TcpStream, Bytes)> {
        match self {
            Self::Http1(answer) => answer.into_stream(),
            Self::Http2(..) => None,
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Http1(answer) => Pin::new(answer).poll_frame(cx).map_err(io::Error::other),
            Self::Http2(body, _) => Pin::new(body).poll_frame(cx).map_err(io::Error::other),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(answer) => answer.is_end_stream(),
            Self::Http2(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(answer) => answer.size_hint(),
            Self::Http2(body, _) => body.size_hint(),
        }
    }
}
