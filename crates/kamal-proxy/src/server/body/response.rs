//! The body of a response on its way to a client.
//!
//! It carries what must last exactly as long as the response does: the target's count of requests in flight, the
//! upstream connection, and the record that becomes the access log's line.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::buffer::Buffered;
use crate::server::middleware::compress::Compressed;
use crate::server::observe::access::Record;
use crate::server::target::Claim;
use crate::server::target::reply::ReplyBody;

/// What is sent to a client.
pub(crate) struct ResponseBody {
    kind: Kind,
    record: Option<Box<Record>>,
}

enum Kind {
    Full(Bytes),
    Buffered(Box<Buffered>),
    Relayed(Box<Relayed>),
    Compressed(Box<Compressed>),
}

/// A response passed on as it comes from a target.
pub(crate) struct Relayed {
    body: ReplyBody,
    claim: Claim,
    cut: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Bytes that may still come.
    allowance: Option<u64>,
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl ResponseBody {
    pub(crate) fn empty() -> Self {
        Self::full(Bytes::new())
    }

    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Full(bytes.into()), record: None }
    }

    pub(crate) fn buffered(body: Buffered) -> Self {
        Self { kind: Kind::Buffered(Box::new(body)), record: None }
    }

    pub(crate) fn compressed(body: Compressed) -> Self {
        Self { kind: Kind::Compressed(Box::new(body)), record: None }
    }

    /// Lets the record end with this body.
    #[must_use]
    pub(crate) fn recorded(self, mut record: Box<Record>) -> Self {
        record.sending();
        Self { record: Some(record), ..self }
    }

    /// Gives up whatever else there is to come, and what it comes over; the record goes on.
    pub(crate) fn let_go(&mut self) {
        self.kind = Kind::Full(Bytes::new());
    }

    /// Notes that the client was sent all of it, as far as there was anything to send.
    pub(crate) fn delivered(&mut self) {
        if let Some(record) = &mut self.record {
            record.delivered();
        }
    }

    /// Notes that it was less than it was said to be.
    pub(crate) fn cut_short(&mut self) {
        if let Some(record) = &mut self.record {
            record.cut_short();
        }
    }
}

impl From<Relayed> for ResponseBody {
    fn from(relayed: Relayed) -> Self {
        Self { kind: Kind::Relayed(Box::new(relayed)), record: None }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = match &mut self.kind {
            Kind::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Buffered(body) => Pin::new(body).poll_frame(cx),
            Kind::Relayed(relayed) => Pin::new(relayed).poll_frame(cx),
            Kind::Compressed(body) => Pin::new(body).poll_frame(cx),
        };
        match (&polled, &mut self.record) {
            (Poll::Ready(Some(Ok(frame))), Some(record)) => record.sent(frame.data_ref().map_or(0, Bytes::len)),
            (Poll::Ready(Some(Err(_))), Some(record)) => record.cut_short(),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Buffered(body) => body.is_end_stream(),
            Kind::Relayed(relayed) => relayed.is_end_stream(),
            Kind::Compressed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Buffered(body) => body.size_hint(),
            Kind::Relayed(relayed) => relayed.size_hint(),
            Kind::Compressed(body) => body.size_hint(),
        }
    }
}

impl Relayed {
    /// `limit` is the most bytes the body may have; beyond it reading fails. Zero means unlimited.
    pub(crate) fn new(body: ReplyBody, claim: Claim, limit: u64) -> Self {
        Self { body, claim, cut: None, allowance: (limit > 0).then_some(limit) }
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let cut = this.cut.get_or_insert_with(|| this.claim.cut());
                return cut.as_mut().poll(cx).map(|()| Some(Err(io::Error::other("the target is drained"))));
            }
        };
        if let (Some(Ok(frame)), Some(allowance)) = (&frame, &mut this.allowance)
            && let Some(data) = frame.data_ref()
        {
            match allowance.checked_sub(data.len() as u64) {
                Some(left) => *allowance = left,
                None => return Poll::Ready(Some(Err(io::Error::other("the response exceeds its limit")))),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
