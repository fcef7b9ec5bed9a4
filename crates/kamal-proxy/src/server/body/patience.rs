//! A client's upload that must keep coming.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::client::ClientBody;

/// How long a client may send nothing of what it announced.
const STALL: Duration = Duration::from_secs(60);

/// The upload.
#[derive(Debug)]
pub(crate) struct Upload<B = ClientBody> {
    body: B,
    /// Made when first needed, and set anew each time.
    clock: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

/// Why an upload ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error(transparent)]
    Http2(#[from] h2::Error),
    /// The client does not keep to the chunked coding.
    #[error("malformed chunked encoding")]
    Malformed,
    #[error("the client went away")]
    Gone,
    /// It is not as long as it was announced to be.
    #[cfg(feature = "http3")]
    #[error("the body does not have the announced length")]
    Length,
    #[error("the client stopped sending")]
    Stalled,
}

impl<B> Upload<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body, clock: None, waiting: false }
    }
}

impl<B> Body for Upload<B>
where
    B: Body<Data = Bytes> + Unpin,
    UploadError: From<B::Error>,
{
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(UploadError::from)));
        }
        let clock = this.clock.get_or_insert_with(|| Box::pin(sleep(STALL)));
        if !this.waiting {
            this.waiting = true;
            clock.as_mut().reset(Instant::now() + STALL);
        }
        clock.as_mut().poll(cx).map(|()| Some(Err(UploadError::Stalled)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_upload_may_take_its_time_but_not_stop() {
        let pieces = stream::iter(0..5).then(|_| async {
            sleep(STALL / 2).await;
            Ok::<_, UploadError>(Frame::data(Bytes::from_static(b"x")))
        });
        let body = Box::pin(StreamBody::new(pieces.chain(stream::pending())));
        let mut upload = Upload::new(body);
        let begin = Instant::now();
        for _ in 0..5 {
            assert!(upload.frame().await.unwrap().is_ok());
        }
        assert!(begin.elapsed() > STALL, "longer in all than any pause may be");
        assert!(matches!(upload.frame().await, Some(Err(UploadError::Stalled))));
        assert_eq!(begin.elapsed(), STALL * 7 / 2);
    }
}
