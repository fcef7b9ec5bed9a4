//! The body of a request as it comes from a client, whatever protocol that speaks.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::patience::UploadError;

/// What a client sends.
#[derive(Debug)]
pub(crate) enum ClientBody {
    /// Of a request the proxy itself makes.
    None,
    /// Over HTTP/1.1 and HTTP/2.
    Tcp(Incoming),
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
            Self::Tcp(body) => Pin::new(body).poll_frame(cx).map_err(UploadError::from),
            #[cfg(feature = "http3")]
            Self::Quic(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::None => true,
            Self::Tcp(body) => body.is_end_stream(),
            #[cfg(feature = "http3")]
            Self::Quic(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::None => SizeHint::with_exact(0),
            Self::Tcp(body) => body.size_hint(),
            #[cfg(feature = "http3")]
            Self::Quic(body) => body.size_hint(),
        }
    }
}
