//! A client connection whose client must keep going: the head of a request comes within a time from its first byte, and
//! a response is taken as long as there is one.
//!
//! hyper has one clock for the head, which also runs while nothing is asked at all; that one would have to be long. A
//! connection on which nothing is asked for a moment ends for hyper, as if the client had closed it, and can then be
//! taken back.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::server::front::Client;

/// From the first byte of a request to the end of its head.
const HEAD: Duration = Duration::from_secs(30);
/// How long a client may take nothing of what is sent to it.
const STALL: Duration = Duration::from_secs(120);
/// How long nothing may be asked before the stream can be taken back.
const QUIET: Duration = Duration::from_millis(100);
/// Bytes that are sooner copied into one piece than given to the kernel in several.
const ONE_PIECE: usize = 4 * 1024;

thread_local! {
    static PIECE: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(ONE_PIECE));
}

/// The connection.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    /// Read before, and to be read again.
    begun: Bytes,
    client: Arc<Client>,
    /// Since a head began, the number of requests there had been by then.
    head: Option<usize>,
    /// For the rest of a head that did not come as a whole.
    rest: Option<Pin<Box<Sleep>>>,
    /// Running since the client stopped taking.
    stall: Option<Pin<Box<Sleep>>>,
    /// Since when nothing has been asked.
    quiet: Option<Instant>,
    /// Made once; set anew when it has run out, not with each request.
    clock: Option<Pin<Box<Sleep>>>,
    parked: bool,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, begun: Bytes, client: Arc<Client>) -> Self {
        Self { stream, begun, client, head: None, rest: None, stall: None, quiet: None, clock: None, parked: false }
    }

    /// The stream, where it was ended for being quiet and not by the client.
    pub(super) fn parked(self) -> Option<S> {
        self.parked.then_some(self.stream)
    }

    /// Resolves when nothing was asked for long enough.
    fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.quiet.get_or_insert_with(Instant::now);
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep(QUIET)));
        while clock.as_mut().poll(cx).is_ready() {
            if Instant::now() >= since + QUIET {
                return Poll::Ready(());
            }
            clock.as_mut().reset(since + QUIET);
        }
        Poll::Pending
    }

    /// The result of a write, unless it has been pending for too long.
    fn taking<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL)));
        stall.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = if this.begun.is_empty() {
            Pin::new(&mut this.stream).poll_read(cx, buffer)
        } else {
            let again = this.begun.split_to(this.begun.len().min(buffer.remaining()));
            buffer.put_slice(&again);
            Poll::Ready(Ok(()))
        };
        let begun = this.client.requests.begun();
        if this.head.is_some_and(|number| number != begun) {
            // It was complete.
            this.head = None;
            this.rest = None;
        }
        match read {
            Poll::Ready(Ok(())) if buffer.filled().len() > before => {
                this.quiet = None;
                if this.head.is_none() && this.client.requests.none_open() {
                    this.head = Some(begun);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => match this.head {
                Some(_) => {
                    let rest = this.rest.get_or_insert_with(|| Box::pin(sleep(HEAD)));
                    rest.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
                }
                // Nothing is open, and what was answered is sent: no byte of a body can still be on its way.
                None if this.client.requests.none_open() && this.stall.is_none() => {
                    ready!(this.poll_quiet(cx));
                    this.parked = true;
                    Poll::Ready(Ok(()))
                }
                None => Poll::Pending,
            },
            ended => ended,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.taking(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = if length > ONE_PIECE {
            Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
        } else {
            PIECE.with_borrow_mut(|piece| {
                piece.clear();
                slices.iter().for_each(|slice| piece.extend_from_slice(slice));
                Pin::new(&mut self.stream).poll_write(cx, piece)
            })
        };
        self.taking(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.parked {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::front::Scheme;
    use crate::server::listen::requests::Requests;
    use http::HeaderValue;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    fn client() -> Arc<Client> {
        Arc::new(Client {
            scheme: Scheme::Http,
            listener_port: 80,
            address: "127.0.0.1".into(),
            port: "1".into(),
            header: HeaderValue::from_static("127.0.0.1"),
            requests: Requests::default(),
            shard: 0,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_has_begun_must_end() {
        let (near, mut far) = duplex(1024);
        let client = client();
        let mut patient = Patient::new(near, Bytes::new(), Arc::clone(&client));
        let mut buffer = [0; 64];
        // Nothing at all ends the wait for a head, but not the stream.
        let begin = Instant::now();
        assert_eq!((patient.read(&mut buffer).await.unwrap(), begin.elapsed()), (0, QUIET));
        let mut patient = Patient::new(patient.parked().unwrap(), Bytes::new(), Arc::clone(&client));
        // A request that is answered, and an idle time after it.
        far.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        assert!(patient.read(&mut buffer).await.unwrap() > 0);
        client.requests.begin();
        sleep(QUIET / 2).await;
        client.requests.end();
        let begin = Instant::now();
        assert_eq!((patient.read(&mut buffer).await.unwrap(), begin.elapsed()), (0, QUIET));
        let mut patient = Patient::new(patient.parked().unwrap(), Bytes::new(), Arc::clone(&client));
        // Bytes that come, but slowly.
        let begin = Instant::now();
        let error = loop {
            far.write_all(b"x").await.unwrap();
            let read = async {
                while patient.read(&mut buffer).await? > 0 {}
                patient.read(&mut buffer).await
            };
            match tokio::time::timeout(HEAD / 4, read).await {
                Ok(Err(error)) => break error,
                Ok(Ok(_)) | Err(_) => assert!(begin.elapsed() < 2 * HEAD),
            }
        };
        assert_eq!((error.kind(), begin.elapsed()), (io::ErrorKind::TimedOut, HEAD));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_take_longer_than_a_head() {
        let (near, mut far) = duplex(1024);
        let client = client();
        let mut patient = Patient::new(near, Bytes::new(), Arc::clone(&client));
        let mut buffer = [0; 64];
        far.write_all(b"POST").await.unwrap();
        assert!(patient.read(&mut buffer).await.unwrap() > 0);
        client.requests.begin();
        far.write_all(b"body").await.unwrap();
        assert!(patient.read(&mut buffer).await.unwrap() > 0);
        assert!(tokio::time::timeout(2 * HEAD, patient.read(&mut buffer)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(16);
        let mut patient = Patient::new(near, Bytes::new(), client());
        let begin = Instant::now();
        let error = patient.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!((error.kind(), begin.elapsed()), (io::ErrorKind::TimedOut, STALL));
    }
}
