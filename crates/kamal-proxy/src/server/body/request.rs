//! The body of a request on its way to a target.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

use super::buffer::Buffered;
use super::client::ClientBody;
use super::held::Held;
use super::patience::{Upload, UploadError};

/// What is sent to a target.
#[derive(Debug, Default)]
pub(crate) enum RequestBody {
    #[default]
    Empty,
    Streamed(Streamed),
    /// Not before whoever is asked says so.
    Held(Held),
    Buffered(Box<Buffered>),
}

/// A client's upload, passed on as it comes.
#[derive(Debug)]
pub(crate) struct Streamed {
    body: Upload,
    fault: Arc<Fault>,
    /// Dropped when the upload is over, which starts the clock of the target timeout.
    _sending: oneshot::Sender<()>,
}

impl Streamed {
    pub(super) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whether an upload went wrong on the client's side, which decides the status (spec 8.4).
#[derive(Debug, Default)]
pub(crate) struct Fault(AtomicU8);

/// How an upload went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadFault {
    /// The client did not keep to the chunked coding.
    Malformed,
    /// The client went away.
    Gone,
}

impl Fault {
    pub(crate) fn get(&self) -> Option<UploadFault> {
        match self.0.load(Ordering::Acquire) {
            1 => Some(UploadFault::Malformed),
            2 => Some(UploadFault::Gone),
            _ => None,
        }
    }

    fn set(&self, fault: UploadFault) {
        self.0.store(if fault == UploadFault::Malformed { 1 } else { 2 }, Ordering::Release);
    }
}

impl RequestBody {
    /// The same once more, before any of it was sent, where it is at hand.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Streamed(_) => None,
            Self::Held(held) => held.is_whole().then(|| Self::Held(held.clone())),
            Self::Buffered(body) => body.again().map(|body| Self::Buffered(Box::new(body))),
        }
    }

    /// Keeps an upload back; gives what lets it go.
    pub(crate) fn hold(&mut self) -> Option<Held> {
        match std::mem::take(self) {
            Self::Streamed(upload) => {
                let held = Held::new(upload);
                *self = Self::Held(held.clone());
                Some(held)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// Passes an upload on; the receiver resolves when all of it has been taken, or it was given up.
    pub(crate) fn streamed(body: ClientBody) -> (Self, Arc<Fault>, oneshot::Receiver<()>) {
        let (sending, sent) = oneshot::channel();
        let fault = Arc::new(Fault::default());
        (
            Self::Streamed(Streamed { body: Upload::new(body), fault: Arc::clone(&fault), _sending: sending }),
            fault,
            sent,
        )
    }
}

/// Says whose fault an error of reading a client's body is.
pub(crate) fn upload_fault(error: &UploadError) -> UploadFault {
    match error {
        UploadError::Malformed => UploadFault::Malformed,
        #[cfg(feature = "http3")]
        UploadError::Length => UploadFault::Malformed,
        UploadError::Http2(_) | UploadError::Gone | UploadError::Stalled => UploadFault::Gone,
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Self::Held(held) = &*self {
            let upload = ready!(held.poll_taken(cx));
            *self = upload.map_or(Self::Empty, Self::Streamed);
        }
        let streamed = match &mut *self {
            Self::Empty | Self::Held(_) => return Poll::Ready(None),
            Self::Buffered(body) => return Pin::new(body).poll_frame(cx),
            Self::Streamed(streamed) => streamed,
        };
        Poll::Ready(match ready!(Pin::new(&mut streamed.body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if streamed.body.is_end_stream() {
                    *self = Self::Empty;
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                streamed.fault.set(upload_fault(&error));
                Some(Err(io::Error::other(error)))
            }
            None => {
                *self = Self::Empty;
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streamed(streamed) => streamed.body.is_end_stream(),
            Self::Held(_) => false,
            Self::Buffered(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streamed(streamed) => streamed.body.size_hint(),
            Self::Held(held) => held.size_hint(),
            Self::Buffered(body) => body.size_hint(),
        }
    }
}
