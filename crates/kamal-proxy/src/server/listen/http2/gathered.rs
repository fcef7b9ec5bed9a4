//! What h2 writes, gathered until it has no more to write for now.
//!
//! h2 flushes after every piece of a body, which over TLS makes each a record and a call of the kernel by itself; and
//! requests that came together are mostly answered together. Both halves belong to one task, which lets h2 write first
//! and sends then, so that neither has to wake the other.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf, split};

/// Bytes that may wait.
const MOST: usize = 64 * 1024;
/// Bytes there is room for as soon as one waits: a record of TLS.
const ROOM: usize = 16 * 1024;

/// What is written and not yet sent.
#[derive(Debug, Default)]
struct Waiting(Mutex<Vec<u8>>);

/// A stream that is written to at once, and sends nothing.
#[derive(Debug)]
pub(super) struct Gathered<S> {
    stream: ReadHalf<S>,
    waiting: Arc<Waiting>,
}

/// Sends what was gathered.
#[derive(Debug)]
pub(super) struct Sender<S> {
    stream: WriteHalf<S>,
    waiting: Arc<Waiting>,
    sending: Vec<u8>,
    sent: usize,
}

/// Gathers what is written to a stream.
pub(super) fn gather<S: AsyncRead + AsyncWrite>(stream: S) -> (Gathered<S>, Sender<S>) {
    let (read, write) = split(stream);
    let waiting = Arc::<Waiting>::default();
    let sender = Sender { stream: write, waiting: Arc::clone(&waiting), sending: Vec::new(), sent: 0 };
    (Gathered { stream: read, waiting }, sender)
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// Waits for whoever writes, and sends what is written meanwhile.
    pub(super) async fn send_during<T>(&mut self, writer: impl Future<Output = T>) -> io::Result<T> {
        let mut writer = pin!(writer);
        poll_fn(|cx| {
            if let Poll::Ready(done) = writer.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            match self.poll_send(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Sends what waits; ready when that is nothing any more.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.sent == self.sending.len() {
                self.sending = std::mem::take(&mut *self.waiting.lock());
                self.sent = 0;
                if self.sending.is_empty() {
                    return Pin::new(&mut self.stream).poll_flush(cx);
                }
                if self.sending.len() == MOST {
                    // There was more to write.
                    cx.waker().wake_by_ref();
                }
            }
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.sending[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                length => self.sent += length,
            }
        }
    }

    /// Sends what waits, and announces that nothing more comes.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(cx)).await?;
        self.stream.shutdown().await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, to)
    }
}

impl<S: Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut waiting = self.waiting.lock();
        let length = bytes.len().min(MOST - waiting.len());
        if length == 0 && !bytes.is_empty() {
            return Poll::Pending;
        }
        if waiting.is_empty() {
            waiting.reserve(ROOM.max(length));
        }
        waiting.extend_from_slice(&bytes[..length]);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    /// Whether all that waits could be sent at once.
    async fn send(sender: &mut Sender<DuplexStream>) -> bool {
        poll_fn(|cx| Poll::Ready(sender.poll_send(cx).is_ready())).await
    }

    #[tokio::test]
    async fn what_is_written_goes_out_together() {
        let (near, mut far) = duplex(1024);
        let (mut gathered, mut sender) = gather(near);
        for piece in [b"one ", b"two ", b"six."] {
            gathered.write_all(piece).await.unwrap();
            gathered.flush().await.unwrap();
        }
        assert!(far.read_buf(&mut Vec::new()).now_or_never().is_none());
        assert!(send(&mut sender).await);
        let mut read = Vec::new();
        far.read_buf(&mut read).await.unwrap();
        assert_eq!(read, b"one two six.");
        gathered.write_all(b"end").await.unwrap();
        assert!(send(&mut sender).await);
        sender.close().await.unwrap();
        assert_eq!(far.read_to_end(&mut read).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn what_is_not_taken_is_not_gathered_without_end() {
        let (near, mut far) = duplex(MOST / 2);
        let (mut gathered, mut sender) = gather(near);
        let all: Vec<u8> = (0..3 * MOST).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut left = &all[..];
        while let Some(written) = gathered.write(left).now_or_never() {
            left = &left[written.unwrap()..];
            send(&mut sender).await;
        }
        assert_eq!(all.len() - left.len(), 2 * MOST);
        let write = async {
            sender.send_during(gathered.write_all(left)).await.unwrap().unwrap();
            sender.close().await.unwrap();
        };
        let mut read = Vec::new();
        let ((), length) = tokio::join!(write, far.read_to_end(&mut read));
        assert!(length.unwrap() == all.len() && read == all);
    }
}
