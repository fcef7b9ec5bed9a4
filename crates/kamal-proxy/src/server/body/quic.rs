//! The body of an HTTP/3 request: handed over frame by frame by the task that reads the stream, and held to its length.
//!
//! A body longer than it says would be the beginning of another request for a target that speaks HTTP/1.1 (RFC 9114, 4.1.2).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::patience::UploadError;
use crate::server::wire::framing::LONGEST;

/// What a client sends on one stream.
#[derive(Debug)]
pub(crate) struct QuicBody {
    frames: mpsc::Receiver<Frame<Bytes>>,
    /// Bytes that are still to come, where that was announced.
    left: Option<u64>,
    ended: bool,
}

/// The other end of a body.
#[derive(Debug)]
pub(crate) struct Frames(mpsc::Sender<Frame<Bytes>>);

/// A request whose length cannot be told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnclearLength;

impl QuicBody {
    /// A body of the length the headers announce.
    pub(crate) fn new(headers: &HeaderMap) -> Result<(Self, Frames), UnclearLength> {
        let (sender, frames) = mpsc::channel(1);
        let left = announced(headers)?;
        Ok((Self { frames, left, ended: false }, Frames(sender)))
    }

    /// No body, as was seen by its end.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the end of the stream alone tells where the body ends.
    pub(crate) fn is_unannounced(&self) -> bool {
        self.left.is_none()
    }
}

impl Frames {
    /// Hands a frame over once there is room; `false` when nobody wants it any more.
    pub(crate) async fn send(&self, frame: Frame<Bytes>) -> bool {
        self.0.send(frame).await.is_ok()
    }
}

fn announced(headers: &HeaderMap) -> Result<Option<u64>, UnclearLength> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(None) };
    let digits = length.as_bytes().iter().all(u8::is_ascii_digit);
    let length =
        length.to_str().ok().filter(|_| digits).and_then(|text| text.parse().ok()).filter(|length| *length <= LONGEST);
    if lengths.next().is_some() { Err(UnclearLength) } else { length.map(Some).ok_or(UnclearLength) }
}

impl Body for QuicBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(self.frames.poll_recv(cx));
        let Some(left) = &mut self.left else {
            self.ended = frame.is_none();
            return Poll::Ready(frame.map(Ok));
        };
        let length = frame.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        match left.checked_sub(length) {
            Some(rest) if rest == 0 || frame.is_some() => *left = rest,
            _ => {
                self.ended = true;
                return Poll::Ready(Some(Err(UploadError::Length)));
            }
        }
        self.ended = frame.is_none();
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            _ if self.ended => SizeHint::with_exact(0),
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn headers(lengths: &[&'static str]) -> HeaderMap {
        lengths.iter().map(|length| (CONTENT_LENGTH, http::HeaderValue::from_static(length))).collect()
    }

    #[tokio::test]
    async fn a_body_is_as_long_as_it_says() {
        for (length, parts, fine) in [("5", 5, true), ("5", 6, false), ("5", 4, false), ("0", 0, true), ("0", 1, true)]
        {
            let (body, frames) = QuicBody::new(&headers(&[length])).unwrap();
            let send = async move {
                for _ in 0..parts {
                    let _ = frames.send(Frame::data(Bytes::from_static(b"x"))).await;
                }
            };
            let read = async {
                // As whoever reads it does.
                if body.is_end_stream() {
                    Ok(Bytes::new())
                } else {
                    body.collect().await.map(http_body_util::Collected::to_bytes)
                }
            };
            let (_, read) = tokio::join!(send, read);
            assert_eq!(read.is_ok(), fine, "{parts} bytes of {length}");
        }
    }

    #[test]
    fn a_length_is_one_number() {
        for unclear in
            [&["1", "1"][..], &["+1"], &["-1"], &["1, 1"], &[""], &["99999999999999999999"], &["9223372036854775808"]]
        {
            assert_eq!(QuicBody::new(&headers(unclear)).unwrap_err(), UnclearLength, "{unclear:?}");
        }
        assert!(QuicBody::new(&headers(&[])).unwrap().0.is_unannounced());
    }
}
