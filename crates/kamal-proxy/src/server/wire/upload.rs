//! The body of a request on its way, in a task of its own: a target may answer before it has all of it, and a client may
//! send without reading.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::{JoinHandle, yield_now};

use super::encode::{self, Marked};

/// Bytes of a head with what is at hand of a body.
const AT_HAND: usize = 32 * 1024;
/// How often it is looked whether more is at hand.
const LOOKS: usize = 3;

/// The task; dropping this ends it.
#[derive(Debug)]
pub(super) struct Upload(JoinHandle<Uploaded>);

/// What came of an upload.
#[derive(Debug)]
pub(super) enum Uploaded {
    /// All of it was sent.
    Sent(OwnedWriteHalf),
    /// The body could not be read.
    Unread(io::Error),
    /// The target takes no more. What it has to say may still come.
    Untaken,
}

impl Upload {
    pub(super) fn start<B>(body: B, marked: Marked, to: OwnedWriteHalf) -> Self
    where
        B: Body<Data = Bytes, Error = io::Error> + Unpin + Send + 'static,
    {
        Self(tokio::spawn(send(body, marked, to)))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Uploaded> {
        Pin::new(&mut self.0).poll(cx).map(|ended| ended.unwrap_or(Uploaded::Untaken))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Appends what is at hand of a body to the head of its request: a target that answers without reading a body would
/// otherwise close the connection before it has come. Gives back whether that was all of it.
pub(super) async fn at_hand<B>(body: &mut B, marked: &Marked, out: &mut Vec<u8>) -> io::Result<bool>
where
    B: Body<Data = Bytes, Error = io::Error> + Unpin,
{
    // hyper reads a body when it is asked for, once whoever asks has let it.
    for _ in 0..LOOKS {
        if let Poll::Ready(all) = poll_fn(|cx| Poll::Ready(poll_at_hand(body, marked, cx, out))).await {
            return all;
        }
        yield_now().await;
    }
    Ok(false)
}

fn poll_at_hand<B>(body: &mut B, marked: &Marked, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<io::Result<bool>>
where
    B: Body<Data = Bytes, Error = io::Error> + Unpin,
{
    while out.len() < AT_HAND {
        let trailers = match ready!(Pin::new(&mut *body).poll_frame(cx)?) {
            Some(frame) => match (frame.into_data(), marked) {
                (Ok(data), Marked::ByLength) => {
                    out.extend_from_slice(&data);
                    if body.is_end_stream() {
                        return Poll::Ready(Ok(true));
                    }
                    continue;
                }
                (Ok(data), Marked::ByChunks(_)) => {
                    encode::chunk(&data, out);
                    continue;
                }
                (Err(frame), _) => frame.into_trailers().ok(),
            },
            None => None,
        };
        if let Marked::ByChunks(announced) = marked {
            encode::end(trailers.as_ref(), announced, out);
        }
        return Poll::Ready(Ok(true));
    }
    Poll::Ready(Ok(false))
}

async fn send<B>(mut body: B, marked: Marked, mut to: OwnedWriteHalf) -> Uploaded
where
    B: Body<Data = Bytes, Error = io::Error> + Unpin,
{
    let mut out = Vec::new();
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return Uploaded::Unread(error),
        };
        let written = match (frame.into_data(), &marked) {
            (Ok(data), Marked::ByLength) => to.write_all(&data).await,
            (Ok(data), Marked::ByChunks(_)) => {
                out.clear();
                encode::chunk(&data, &mut out);
                to.write_all(&out).await
            }
            (Err(frame), _) => {
                trailers = frame.into_trailers().ok();
                Ok(())
            }
        };
        if written.is_err() {
            return Uploaded::Untaken;
        }
    }
    if let Marked::ByChunks(announced) = &marked {
        out.clear();
        encode::end(trailers.as_ref(), announced, &mut out);
        if to.write_all(&out).await.is_err() {
            return Uploaded::Untaken;
        }
    }
    Uploaded::Sent(to)
}
