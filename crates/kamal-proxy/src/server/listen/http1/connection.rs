//! The connection: what was read of it, what is to be written to it, and how long its client may take.
//!
//! The head of a request must come within a time from its first byte, a response must be taken as long as there is one,
//! and a connection nobody uses is closed in the end. None of these clocks costs a request anything: the first is made
//! only when a head comes in pieces, the second only when the client does not keep up, and the third is set once and, when
//! it runs out, set again for as long as is left.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tokio_util::io::poll_read_buf;

use super::head::{self, Head, Refusal};
use crate::server::body::client::ClientBody;
use crate::server::body::patience::UploadError;
use crate::server::body::upload::{self, Feed};
use crate::server::early_hints::EarlyHints;
use crate::server::front::Handled;
use crate::server::wire::framing::{Framing, Taken};
use crate::server::wire::room::{self, ROOM};

/// How long a connection may wait for its next request; longer than load balancers in front keep theirs.
pub(in crate::server::listen) const IDLE: Duration = Duration::from_secs(620);
/// How long a request may be waited for with everything at hand to answer it.
const QUIET: Duration = Duration::from_millis(100);
/// From the first byte of a request to the end of its head.
const HEAD: Duration = Duration::from_secs(30);
/// How long a client may take nothing of what is sent to it.
const STALL: Duration = Duration::from_secs(120);
/// Bytes of a body nobody wants that are read all the same, to go on with the connection or to let the client read why.
const UNWANTED: usize = 256 * 1024;
/// How long that may take.
const LINGER: Duration = Duration::from_secs(2);
/// How long one that goes on sending may take to read why nobody listens any more.
const MOMENT: Duration = Duration::from_millis(500);
/// Bytes of a body read at once.
const READ_BODY: usize = 64 * 1024;
/// Bytes of hints that may wait for a client.
const MOST_AHEAD: usize = 64 * 1024;
/// Pieces given to the kernel at once.
const SLICES: usize = 16;
/// What a client that waits to be asked for its body is told.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What comes next on a connection.
#[derive(Debug)]
pub(super) enum Next {
    Request(Head),
    Refused(Refusal),
    /// Nothing yet.
    Quiet,
    /// Nothing any more.
    End,
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    /// Read and not yet understood.
    buffer: BytesMut,
    /// To be written before anything else: what precedes the answer.
    ahead: Vec<u8>,
    upload: Option<Upload>,
    /// The answer has begun, so that nothing precedes it any more.
    answering: bool,
    idle: Option<Pin<Box<Sleep>>>,
    stall: Option<Pin<Box<Sleep>>>,
}

/// The body of the request that is being answered, as long as it has not all come.
#[derive(Debug)]
struct Upload {
    feed: Feed,
    framing: Framing,
    /// The client waits to be asked for it.
    awaited: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            ahead: Vec::new(),
            upload: None,
            answering: false,
            idle: None,
            stall: None,
        }
    }

    /// The stream, and what was read of it.
    pub(super) fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.buffer.freeze())
    }

    /// Waits for the first bytes of a request, without memory to read them into. Gives whether any came: none do when the
    /// client closes the connection or does not use it for long, or when it is `asked` to end.
    pub(super) async fn next_bytes(&mut self, mut asked: Pin<&mut impl Future<Output = ()>>) -> io::Result<bool> {
        // Empty as it is, it holds on to the memory of what it had: 64 KiB after an upload.
        self.buffer = BytesMut::new();
        let until = Instant::now() + IDLE;
        let length = poll_fn(|cx| {
            if let Poll::Ready(read) = self.poll_read(cx) {
                return Poll::Ready(read);
            }
            let over = asked.as_mut().poll(cx).is_ready() || self.poll_idle(cx, until).is_ready();
            if over { Poll::Ready(Ok(0)) } else { Poll::Pending }
        });
        Ok(length.await? > 0)
    }

    /// Waits for the head of the next request, for a moment if nothing of it comes; `request` becomes that, without a body.
    pub(super) async fn next_head(
        &mut self,
        mut asked: Pin<&mut impl Future<Output = ()>>,
        request: &mut Request<ClientBody>,
    ) -> io::Result<Next> {
        let (mut seen, mut begun) = (0, None);
        let quiet = Instant::now() + QUIET;
        loop {
            match head::take(&mut self.buffer, &mut seen, request) {
                Ok(None) => {}
                Ok(Some(head)) => return Ok(Next::Request(head)),
                Err(refusal) => return Ok(Next::Refused(refusal)),
            }
            let waiting = self.buffer.is_empty();
            let read = poll_fn(|cx| {
                if let Poll::Ready(read) = self.poll_read(cx) {
                    return Poll::Ready(read.map(|length| if length > 0 { None } else { Some(Next::End) }));
                }
                if !waiting {
                    let rest = begun.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + HEAD)));
                    return rest.as_mut().poll(cx).map(|()| Ok(Some(Next::End)));
                }
                if asked.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Ok(Some(Next::End)));
                }
                self.poll_idle(cx, quiet).map(|()| Ok(Some(Next::Quiet)))
            });
            if let Some(next) = read.await? {
                return Ok(next);
            }
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let clock = self.idle.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if clock.deadline() > until {
            clock.as_mut().reset(until);
        }
        while clock.as_mut().poll(cx).is_ready() {
            if clock.deadline() >= until {
                return Poll::Ready(());
            }
            clock.as_mut().reset(until);
        }
        Poll::Pending
    }

    /// The body of a request whose head was taken; from now on it is read as it is asked for.
    pub(super) fn begin_upload(&mut self, mut framing: Framing, awaited: bool) -> ClientBody {
        self.answering = false;
        if framing.is_over() {
            return ClientBody::None;
        }
        let length = framing.left();
        if let Some(whole) = length.and_then(|length| usize::try_from(length).ok())
            && whole <= self.buffer.len()
            && let Ok(Taken::Frame(frame)) = framing.take(&mut self.buffer)
        {
            return ClientBody::Whole(frame.into_data().unwrap_or_default());
        }
        let (feed, body) = upload::pair(length);
        self.upload = Some(Upload { feed, framing, awaited });
        ClientBody::Http1(body)
    }

    /// Waits for the handler, while the body of its request comes in and hints go out. When the client leaves, or the
    /// handler cannot answer, there is an error and nothing more to do.
    pub(super) async fn until<H>(&mut self, mut handled: Pin<&mut H>, hints: &EarlyHints) -> io::Result<Handled>
    where
        H: Future<Output = io::Result<Handled>>,
    {
        poll_fn(|cx| {
            let handled = handled.as_mut().poll(cx);
            self.take(hints);
            if handled.is_ready() {
                return handled;
            }
            self.poll_meanwhile(cx)?;
            self.poll_ahead(cx)?;
            Poll::Pending
        })
        .await
    }

    /// Takes hints on, unless there is enough already: a client need not read as fast as a target talks.
    fn take(&mut self, hints: &EarlyHints) {
        for hint in hints.take() {
            if self.ahead.len() < MOST_AHEAD {
                hint.write(&mut self.ahead);
            }
        }
    }

    /// From here on what is sent is the answer: a client that still waits to be asked for its body no longer is, as that
    /// would be taken for a part of the answer. Gives whether the connection may be of use afterwards, as far as that is
    /// known: a client told otherwise in time does not send a request that is lost.
    pub(super) fn begin_answer(&mut self) -> bool {
        self.answering = true;
        self.upload.as_ref().is_none_or(|Upload { feed, framing, awaited }| {
            let endless = framing.left().is_some_and(|left| left > UNWANTED as u64) && feed.is_unread();
            !*awaited && !endless && *framing != Framing::UntilClosed
        })
    }

    /// What goes on while something else is waited for: the body of the request comes in as far as it is wanted, and
    /// that the client has gone is noticed.
    pub(super) fn poll_meanwhile(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.poll_upload(cx)?;
        if self.upload.is_none() && self.buffer.is_empty() {
            // What comes is the next request, unless it is the end.
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(_)) | Poll::Pending => {}
            }
        }
        Ok(())
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Some(upload) = &mut self.upload {
            if upload.feed.poll_wanted(cx) != Poll::Ready(true) {
                return Ok(());
            }
            match upload.framing.take(&mut self.buffer) {
                Ok(Taken::Frame(frame)) => {
                    let over = upload.framing.is_over();
                    upload.feed.give(Ok(frame), over);
                    if over {
                        self.upload = None;
                    }
                }
                Ok(Taken::End) => {
                    upload.feed.end();
                    self.upload = None;
                }
                Ok(Taken::More) => {
                    if !self.answering && std::mem::take(&mut upload.awaited) {
                        self.ahead.extend_from_slice(CONTINUE);
                    }
                    let gone = match self.poll_read(cx) {
                        Poll::Pending => return Ok(()),
                        Poll::Ready(Ok(length)) => length == 0,
                        Poll::Ready(Err(_)) => true,
                    };
                    if gone {
                        // Whoever reads the body is told, and what becomes of the request is theirs to say.
                        self.fail(UploadError::Gone);
                        return Ok(());
                    }
                }
                Err(_) => {
                    self.fail(UploadError::Malformed);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Nothing more can be understood of the request, nor of what would follow it.
    fn fail(&mut self, error: UploadError) {
        if let Some(upload) = &mut self.upload {
            upload.feed.give(Err(error), true);
            upload.framing = Framing::UntilClosed;
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.upload.is_some() {
            // A piece keeps all of what it was read to, and a body may be kept in its pieces: small ones share.
            if self.buffer.capacity() - self.buffer.len() < ROOM {
                self.buffer.reserve(READ_BODY);
            }
            return poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.buffer);
        }
        room::poll_read(&mut self.stream, cx, &mut self.buffer)
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while !self.ahead.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.ahead) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => drop(self.ahead.drain(..written?)),
            }
        }
        if let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx) {
            flushed?;
        }
        Ok(())
    }

    /// Sends bytes and then pieces, whatever precedes the answer first.
    pub(super) async fn send(&mut self, bytes: &[u8], pieces: &[Bytes]) -> io::Result<()> {
        let ahead = std::mem::take(&mut self.ahead);
        let all = ahead.len() + bytes.len() + pieces.iter().map(Bytes::len).sum::<usize>();
        let mut sent = 0;
        while sent < all {
            sent += poll_fn(|cx| {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let unsent = [&ahead[..], bytes].into_iter().chain(pieces.iter().map(|piece| &piece[..]));
                let stream = Pin::new(&mut self.stream);
                let written = match rest(unsent, sent, &mut slices) {
                    1 => stream.poll_write(cx, &slices[0]),
                    count => stream.poll_write_vectored(cx, &slices[..count]),
                };
                self.patiently(cx, written)
            })
            .await?;
        }
        poll_fn(|cx| {
            let flushed = Pin::new(&mut self.stream).poll_flush(cx).map_ok(|()| 1);
            self.patiently(cx, flushed)
        })
        .await
        .map(drop)
    }

    /// The outcome of a write: an error for none at all, and when it has been pending for too long.
    fn patiently(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            self.stall = None;
            return Poll::Ready(match written {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                written => written,
            });
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + STALL)));
        if stall.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        // A client may send without reading, for as long as somebody takes it.
        self.poll_upload(cx)?;
        Poll::Pending
    }

    /// After an answer that did not wait for all of the request: whether the rest came soon enough for the connection to
    /// be of further use.
    pub(super) async fn finish_upload(&mut self) -> bool {
        let Some(Upload { feed, mut framing, awaited }) = self.upload.take() else { return true };
        drop(feed);
        // A client that was never asked for its body may send it or not.
        if awaited || framing == Framing::UntilClosed {
            return false;
        }
        let mut unwanted = UNWANTED;
        let finished = async {
            loop {
                match framing.take(&mut self.buffer) {
                    Ok(Taken::Frame(frame)) => {
                        let length = frame.data_ref().map_or(0, Bytes::len);
                        unwanted = unwanted.checked_sub(length)?;
                        if framing.is_over() {
                            return Some(());
                        }
                    }
                    Ok(Taken::End) => return Some(()),
                    Ok(Taken::More) => match poll_fn(|cx| self.poll_read(cx)).await {
                        Ok(length) if length > 0 => {}
                        _ => return None,
                    },
                    Err(_) => return None,
                }
            }
        };
        matches!(timeout(LINGER, finished).await, Ok(Some(())))
    }

    /// Closes a connection nothing is under way on. Over TLS the end is announced, or it would be taken for an attack.
    pub(super) async fn close(&mut self) {
        let _ = timeout(LINGER, self.stream.shutdown()).await;
    }

    /// Closes the connection so that what was sent last arrives: closed with something unread it would be reset, and the
    /// client might never see its answer.
    pub(super) async fn linger(&mut self) {
        // Over TLS that has something to write, which a client may not take.
        if !matches!(timeout(STALL, self.stream.shutdown()).await, Ok(Ok(()))) {
            return;
        }
        let mut unwanted = UNWANTED;
        let read = async {
            loop {
                self.buffer.clear();
                match poll_fn(|cx| self.poll_read(cx)).await {
                    Ok(length) if length > unwanted => return sleep(MOMENT).await,
                    Ok(length) if length > 0 => unwanted -= length,
                    _ => return,
                }
            }
        };
        // However that ends, the connection does too.
        let _ = timeout(LINGER, read).await;
    }
}

/// Fills in what is left of pieces of which so many bytes have been sent; gives the number of slices.
fn rest<'b>(pieces: impl Iterator<Item = &'b [u8]>, mut sent: usize, slices: &mut [IoSlice<'b>; SLICES]) -> usize {
    let left = pieces.filter_map(|piece| {
        let skipped = sent.min(piece.len());
        sent -= skipped;
        (skipped < piece.len()).then(|| IoSlice::new(&piece[skipped..]))
    });
    slices.iter_mut().zip(left).map(|(slice, piece)| *slice = piece).count()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;

    use http_body::Body;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, DuplexStream, ReadBuf, duplex};

    use super::*;
    use crate::server::body::response::ResponseBody;

    fn connect(room: usize) -> (Connection<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(room);
        (Connection::new(near), far)
    }

    fn answered(body: impl Into<Bytes>) -> Handled {
        Handled::Response(http::Response::new(ResponseBody::full(body)))
    }

    async fn next_head(connection: &mut Connection<DuplexStream>) -> Option<Head> {
        match connection.next_head(pin!(pending()), &mut Request::default()).await.unwrap() {
            Next::Request(head) => Some(head),
            Next::Quiet | Next::End => None,
            Next::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    async fn next_bytes(connection: &mut Connection<DuplexStream>) -> bool {
        connection.next_bytes(pin!(pending())).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_nobody_uses_is_closed_in_the_end() {
        let (mut connection, mut far) = connect(1024);
        for _ in 0..3 {
            let ask = async {
                sleep(IDLE / 2).await;
                far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            };
            assert!(tokio::join!(next_bytes(&mut connection), ask).0);
            assert!(next_head(&mut connection).await.is_some());
            let begin = Instant::now();
            assert!(matches!(connection.next_head(pin!(pending()), &mut Request::default()).await, Ok(Next::Quiet)));
            assert_eq!(begin.elapsed(), QUIET);
        }
        let begin = Instant::now();
        assert!(!next_bytes(&mut connection).await);
        assert_eq!(begin.elapsed(), IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_follow_soon_are_one_conversation() {
        let (mut connection, mut far) = connect(1024);
        for _ in 0..10 {
            let ask = async {
                sleep(QUIET * 3 / 4).await;
                far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            };
            assert!(tokio::join!(next_head(&mut connection), ask).0.is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_has_begun_must_end() {
        let (mut connection, mut far) = connect(1024);
        let head = tokio::spawn(async move {
            sleep(IDLE / 2).await;
            let begin = Instant::now();
            // It does not help that something comes all the time.
            while far.write_all(b"x").await.is_ok() {
                sleep(HEAD / 8).await;
            }
            begin.elapsed()
        });
        assert!(next_bytes(&mut connection).await);
        assert!(matches!(connection.next_head(pin!(pending()), &mut Request::default()).await, Ok(Next::End)));
        drop(connection);
        assert!((HEAD..HEAD * 5 / 4).contains(&head.await.unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_asked_to_end_does_so_between_requests() {
        let (mut connection, mut far) = connect(1024);
        far.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let finish = async {
            sleep(HEAD / 2).await;
            far.write_all(b"Host: a\r\n\r\n").await.unwrap();
        };
        let mut asked = pin!(ready(()));
        let mut request = Request::default();
        let (head, ()) = tokio::join!(connection.next_head(asked.as_mut(), &mut request), finish);
        assert!(matches!(head, Ok(Next::Request(_))), "a request that has begun is served");
        assert!(matches!(connection.next_head(asked, &mut request).await, Ok(Next::End)));
        assert!(!connection.next_bytes(pin!(ready(()))).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut connection, _far) = connect(16);
        let begin = Instant::now();
        let error = connection.send(&[0; 64], &[]).await.unwrap_err();
        assert_eq!((error.kind(), begin.elapsed()), (io::ErrorKind::TimedOut, STALL));
        // One that is only slow may take its time.
        let (mut connection, mut far) = connect(16);
        let begin = Instant::now();
        let read = tokio::spawn(async move {
            for _ in 0..5 {
                sleep(STALL / 2).await;
                far.read_exact(&mut [0; 16]).await.unwrap();
            }
        });
        let pieces = [Bytes::from_static(&[1; 24]), Bytes::from_static(&[2; 24])];
        connection.send(&[0; 32], &pieces).await.unwrap();
        assert!(begin.elapsed() >= 2 * STALL);
        read.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_asked_for_its_body_when_somebody_wants_it() {
        let (mut connection, mut far) = connect(1024);
        far.write_all(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n").await.unwrap();
        let Head { framing, expects, .. } = next_head(&mut connection).await.unwrap();
        let body = connection.begin_upload(framing, expects);
        let mut handled = Box::pin(async move {
            sleep(HEAD).await;
            let body = body.collect().await.unwrap().to_bytes();
            Ok(answered(body))
        });
        let client = async {
            let begin = Instant::now();
            let mut asked = [0; CONTINUE.len()];
            far.read_exact(&mut asked).await.unwrap();
            assert_eq!((&asked[..], begin.elapsed()), (CONTINUE, HEAD));
            far.write_all(b"four").await.unwrap();
        };
        let hints = EarlyHints::default();
        let (response, ()) = tokio::join!(connection.until(handled.as_mut(), &hints), client);
        let Ok(Handled::Response(response)) = response else { panic!("a response") };
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "four");
        assert!(connection.finish_upload().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_not_asked_for_its_body_once_its_answer_has_begun() {
        let (mut connection, mut far) = connect(1024);
        let mut body = connection.begin_upload(Framing::Length(4), true);
        assert!(!connection.begin_answer(), "whether the body comes now nobody knows");
        let read = tokio::spawn(async move { body.frame().await.is_some_and(|frame| frame.is_ok()) });
        sleep(LINGER).await;
        poll_fn(|cx| Poll::Ready(connection.poll_meanwhile(cx))).await.unwrap();
        connection.send(b"answer", &[]).await.unwrap();
        let mut sent = [0; 64];
        let length = far.read(&mut sent).await.unwrap();
        assert_eq!(sent[..length].escape_ascii().to_string(), "answer");
        // One that sends it all the same is heard.
        far.write_all(b"four").await.unwrap();
        poll_fn(|cx| Poll::Ready(connection.poll_meanwhile(cx))).await.unwrap();
        assert!(read.await.unwrap());
    }

    #[tokio::test]
    async fn what_is_known_of_a_connection_when_the_answer_begins() {
        for (framing, awaited, read, useful) in [
            (Framing::Length(0), false, false, true),
            (Framing::Length(UNWANTED as u64), false, false, true),
            (Framing::Length(UNWANTED as u64 + 1), false, true, true),
            (Framing::Length(UNWANTED as u64 + 1), false, false, false),
            (Framing::Length(4), true, false, false),
        ] {
            let (mut connection, _far) = connect(1024);
            let body = Some(connection.begin_upload(framing, awaited)).filter(|_| read);
            assert_eq!(connection.begin_answer(), useful, "{body:?} {awaited}");
        }
        let (mut connection, mut far) = connect(1024);
        let Head { framing, .. } = {
            far.write_all(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n").await.unwrap();
            next_head(&mut connection).await.unwrap()
        };
        let body = connection.begin_upload(framing, false);
        let mut handled = Box::pin(async { Ok(answered(body.collect().await.is_err().to_string())) });
        connection.until(handled.as_mut(), &EarlyHints::default()).await.unwrap();
        assert!(!connection.begin_answer(), "after what is no chunk");
    }

    /// A stream whose other end takes nothing, not even that it is over.
    struct Stuck(DuplexStream);

    impl AsyncRead for Stuck {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, to)
        }
    }

    impl AsyncWrite for Stuck {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_take_the_end_is_given_up() {
        let (near, _far) = duplex(16);
        let mut connection = Connection::new(Stuck(near));
        let begin = Instant::now();
        timeout(10 * STALL, connection.linger()).await.expect("an end");
        assert_eq!(begin.elapsed(), STALL);
        timeout(10 * STALL, connection.close()).await.expect("an end");
        assert_eq!(begin.elapsed(), STALL + LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_there_is_no_buffer_and_small_pieces_share_one() {
        let (mut connection, mut far) = connect(1024);
        let mut body = connection.begin_upload(Framing::Length(1000), false);
        let mut pieces = Vec::new();
        for _ in 0..1000 {
            far.write_all(b"x").await.unwrap();
            pieces.push(
                poll_fn(|cx| {
                    let frame = Pin::new(&mut body).poll_frame(cx);
                    connection.poll_meanwhile(cx).unwrap();
                    frame
                })
                .await
                .unwrap()
                .unwrap()
                .into_data()
                .unwrap(),
            );
        }
        let neighbours = pieces.windows(2).filter(|pair| pair[0].as_ptr().addr() + 1 == pair[1].as_ptr().addr());
        assert_eq!(neighbours.count(), 999);
        assert!(connection.finish_upload().await && connection.buffer.capacity() > ROOM);
        assert!(timeout(LINGER, next_bytes(&mut connection)).await.is_err());
        assert_eq!(connection.buffer.capacity(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn hints_for_a_client_that_does_not_read_are_left_out() {
        let (mut connection, _far) = connect(16);
        let hints = EarlyHints::default();
        let headers: http::HeaderMap = [(http::header::LINK, "x".repeat(1000).parse().unwrap())].into_iter().collect();
        for _ in 0..1000 {
            hints.push(http::StatusCode::EARLY_HINTS, headers.clone());
            let never = pin!(pending());
            let waited = timeout(Duration::ZERO, connection.until(never, &hints));
            assert!(waited.await.is_err());
        }
        assert!(connection.ahead.len() < 130 * 1024, "{}", connection.ahead.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_is_noticed_while_its_answer_is_waited_for() {
        let (mut connection, far) = connect(1024);
        let leave = async {
            sleep(HEAD).await;
            drop(far);
        };
        let (begin, hints) = (Instant::now(), EarlyHints::default());
        let never = pin!(pending());
        let (response, ()) = tokio::join!(connection.until(never, &hints), leave);
        assert!(response.is_err());
        assert_eq!(begin.elapsed(), HEAD);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_wants_of_a_body_is_passed_over_within_limits() {
        for (length, sent, reusable) in
            [(1000, 1000, true), (UNWANTED, UNWANTED, true), (UNWANTED + 1, UNWANTED + 1, false), (10, 9, false)]
        {
            let (mut connection, mut far) = connect(UNWANTED);
            let _unwanted = connection.begin_upload(Framing::Length(length as u64), false);
            let send = async { far.write_all(&vec![0; sent]).await };
            let (finished, _) = tokio::join!(connection.finish_upload(), send);
            assert_eq!(finished, reusable, "{sent} of {length}");
        }
        let (mut connection, _far) = connect(1024);
        let _never_asked_for = connection.begin_upload(Framing::Length(10), true);
        assert!(!connection.finish_upload().await);
    }
}
