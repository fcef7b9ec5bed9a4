//! The body of an HTTP/2 request. What of it nobody wants goes back to the task that answers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::timeout;

use super::patience::UploadError;

/// How long a client that has been answered may go on.
const MOMENT: Duration = Duration::from_millis(50);

/// What a client sends on one stream.
#[derive(Debug)]
pub(crate) struct Http2Body {
    /// `None` once it was given back.
    stream: Option<RecvStream>,
    /// Bytes still to come, where that was announced; h2 holds the client to it.
    left: Option<u64>,
    data_over: bool,
    rest: Option<oneshot::Sender<RecvStream>>,
}

/// Where a stream comes back to when whoever reads it does no more.
#[derive(Debug)]
pub(crate) struct Unread {
    coming: oneshot::Receiver<RecvStream>,
    stream: Option<RecvStream>,
}

impl Http2Body {
    pub(crate) fn new(stream: RecvStream, length: Option<u64>) -> (Self, Unread) {
        let (rest, coming) = oneshot::channel();
        let body = Self { stream: Some(stream), left: length, data_over: false, rest: Some(rest) };
        (body, Unread { coming, stream: None })
    }
}

impl Unread {
    /// Whether all of the body has been read.
    pub(crate) fn is_over(&mut self) -> bool {
        match self.coming.try_recv() {
            Ok(stream) => self.stream.insert(stream).is_end_stream(),
            Err(TryRecvError::Closed) => self.stream.is_none(),
            Err(TryRecvError::Empty) => false,
        }
    }

    /// Reads on for a moment what nobody wants. What comes after that is refused when this is dropped.
    pub(crate) async fn hear_out(&mut self) {
        let rest = async {
            if self.stream.is_none() {
                self.stream = (&mut self.coming).await.ok();
            }
            let stream = self.stream.as_mut()?;
            while let Some(Ok(data)) = stream.data().await {
                // A stream that has ended needs no more room.
                let _ = stream.flow_control().release_capacity(data.len());
            }
            Some(())
        };
        let _ = timeout(MOMENT, rest).await;
    }
}

impl Body for Http2Body {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
        while !this.data_over {
            match ready!(stream.poll_data(cx)?) {
                Some(data) => {
                    // A stream that has ended needs no more room.
                    let _ = stream.flow_control().release_capacity(data.len());
                    if !data.is_empty() {
                        this.left = this.left.map(|left| left.saturating_sub(data.len() as u64));
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                None => this.data_over = true,
            }
        }
        let trailers = ready!(stream.poll_trailers(cx))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            _ if self.is_end_stream() => SizeHint::with_exact(0),
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Http2Body {
    fn drop(&mut self) {
        if let (Some(rest), Some(stream)) = (self.rest.take(), self.stream.take().filter(|it| !it.is_end_stream())) {
            // Nobody waits for it where the answer did not get that far.
            let _ = rest.send(stream);
        }
    }
}
