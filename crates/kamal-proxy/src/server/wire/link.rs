//! One connection to a target: a request out, the head of its answer in.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, response};
use http_body::Body;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio_util::io::poll_read_buf;

use super::WireError;
use super::framing::Framing;
use super::room;
use super::upload::{Upload, Uploaded, at_hand};
use super::{encode, head};

/// Bytes of a body read at once, and of one that turns out to be long.
const READ: usize = 8 * 1024;
const READ_MORE: usize = 64 * 1024;
/// What the buffer for heads may keep once they are sent.
const KEPT_HEAD: usize = 4 * 1024;

/// The connection, with what was read and not yet understood.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Stream,
    buffer: BytesMut,
    out: Vec<u8>,
    next_read: usize,
}

#[derive(Debug)]
enum Stream {
    Whole(TcpStream),
    /// While the other half sends a request's body.
    Half(OwnedReadHalf, Upload),
    /// The target took no more of a request's body.
    Deaf(OwnedReadHalf),
    Gone,
}

/// The head of an answer and what is needed to read the rest.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) parts: response::Parts,
    pub(super) framing: Framing,
    pub(super) keeps: bool,
}

/// A request that got no answer.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) error: WireError,
    /// Whether the target may have seen something of it.
    pub(crate) sent: bool,
}

impl Link {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream: Stream::Whole(stream), buffer: BytesMut::new(), out: Vec::new(), next_read: READ }
    }

    /// Whether a kept connection is still good: open, and silent as it has to be. The kernel is asked, as the runtime does
    /// not always know of this very moment, and what has come would be taken for the next answer.
    pub(crate) fn is_alive(&self) -> bool {
        let Stream::Whole(stream) = &self.stream else { return false };
        let mut byte = [0];
        self.buffer.is_empty() && recv(stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) == Err(Errno::AGAIN)
    }

    /// Sends a request and waits for the head of the answer. The body is taken out of the request once its head is sent.
    pub(super) async fn ask<B>(
        &mut self,
        request: &mut Request<B>,
        hint: impl FnMut(response::Parts),
    ) -> Result<Begun, Broken>
    where
        B: Body<Data = Bytes, Error = io::Error> + Default + Unpin + Send + 'static,
    {
        let marked = encode::mark(request);
        encode::head(request, &mut self.out);
        if request.body().is_end_stream() {
            self.send_head().await?;
        } else {
            let all = at_hand(request.body_mut(), &marked, &mut self.out).await;
            let body = std::mem::take(request.body_mut());
            // Part of the request is gone by now, if not sent.
            let all = all.map_err(|error| Broken { error: WireError::Upload(error), sent: true })?;
            self.send_head().await.map_err(|broken| Broken { sent: true, ..broken })?;
            if !all {
                self.upload(body, marked);
            }
        }
        self.begun(request.method(), hint).await.map_err(|error| Broken { error, sent: true })
    }

    async fn send_head(&mut self) -> Result<(), Broken> {
        let Stream::Whole(stream) = &mut self.stream else {
            return Err(Broken { error: WireError::Closed, sent: false });
        };
        let mut written = 0;
        while written < self.out.len() {
            match poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, &self.out[written..])).await {
                Ok(0) => return Err(Broken { error: WireError::Closed, sent: written > 0 }),
                Ok(length) => written += length,
                Err(error) => return Err(Broken { error: error.into(), sent: written > 0 }),
            }
        }
        self.out.clear();
        self.out.shrink_to(KEPT_HEAD);
        Ok(())
    }

    fn upload<B>(&mut self, body: B, marked: encode::Marked)
    where
        B: Body<Data = Bytes, Error = io::Error> + Unpin + Send + 'static,
    {
        if let Stream::Whole(stream) = std::mem::replace(&mut self.stream, Stream::Gone) {
            let (read, write) = stream.into_split();
            self.stream = Stream::Half(read, Upload::start(body, marked, write));
        }
    }

    async fn begun(&mut self, method: &Method, mut hint: impl FnMut(response::Parts)) -> Result<Begun, WireError> {
        let mut seen = 0;
        loop {
            if let Some(head) = head::take(&mut self.buffer, method, &mut seen, &mut hint)? {
                return Ok(Begun { parts: head.parts, framing: head.framing, keeps: head.keeps });
            }
            if poll_fn(|cx| self.poll_begin(cx)).await? == 0 {
                return Err(WireError::Closed);
            }
        }
    }

    /// What has been read.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Reads what an answer begins with; nothing means the end.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, WireError>> {
        self.poll_upload(cx)?;
        let length = ready!(room::poll_read(&mut self.stream, cx, &mut self.buffer))?;
        self.next_read = if length >= READ { READ_MORE } else { READ };
        Poll::Ready(Ok(length))
    }

    /// Gives up the memory of what was read, which is all understood.
    pub(super) fn forget(&mut self) {
        self.buffer = BytesMut::new();
    }

    /// Reads more; nothing means the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, WireError>> {
        self.poll_upload(cx)?;
        if self.buffer.capacity() - self.buffer.len() < self.next_read / 2 {
            self.buffer.reserve(self.next_read);
        }
        let length = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.buffer))?;
        // Whoever fills what it is given has more to say.
        self.next_read = if length >= READ { READ_MORE } else { READ };
        Poll::Ready(Ok(length))
    }

    /// Whether nothing of the request is still on its way out.
    pub(super) fn is_whole(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.poll_upload(&mut cx).is_ok() && matches!(self.stream, Stream::Whole(_))
    }

    /// The connection itself and what was read of it, after a switch of protocols.
    pub(super) fn into_stream(mut self) -> Option<(TcpStream, Bytes)> {
        if !self.is_whole() {
            return None;
        }
        let Stream::Whole(stream) = self.stream else { return None };
        Some((stream, self.buffer.freeze()))
    }

    /// Sees to the upload, if there is one: the two halves become one again after it.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), WireError> {
        let Stream::Half(_, upload) = &mut self.stream else { return Ok(()) };
        let Poll::Ready(uploaded) = upload.poll(cx) else { return Ok(()) };
        let Stream::Half(read, _) = std::mem::replace(&mut self.stream, Stream::Gone) else { return Ok(()) };
        match uploaded {
            Uploaded::Sent(write) => {
                if let Ok(stream) = read.reunite(write) {
                    self.stream = Stream::Whole(stream);
                }
                Ok(())
            }
            Uploaded::Unread(error) => Err(WireError::Upload(error)),
            Uploaded::Untaken => {
                self.stream = Stream::Deaf(read);
                Ok(())
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Whole(stream) => Pin::new(stream).poll_read(cx, to),
            Self::Half(stream, _) | Self::Deaf(stream) => Pin::new(stream).poll_read(cx, to),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}
