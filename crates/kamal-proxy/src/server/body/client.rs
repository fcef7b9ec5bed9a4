//! The body of a request as it comes from a client, whatever protocol that speaks.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::http2::Http2Body;
use super::patience::UploadError;
use super::upload;

/// What a client sends.
#[derive(Debug, Default)]
pub(crate) enum ClientBody {
    /// Nothing at all.
    #[default]
    None,
    /// All of it, as it came along with its head.
    Whole(Bytes),
    /// Over HTTP/1.1.
    Http1(upload::Incoming),
    Http2(Http2Body),
    /// Over HTTP/3.
    #[cfg(feature = "http3")]
    Quic(Box<super::quic::QuicBody>),
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        match &mut *self {
            Self::None => Poll::Ready(None),
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Http1(body) => Pin::new(body).poll_frame(cx),
            Self::Http2(body) => Pin::new(body).poll_frame(cx),
            #[cfg(feature = "http3")]
            Self::Quic(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::None => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
            #[cfg(feature = "http3")]
            Self::Quic(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::None => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
            #[cfg(feature = "http3")]
            Self::Quic(body) => body.size_hint(),
        }
    }
}
