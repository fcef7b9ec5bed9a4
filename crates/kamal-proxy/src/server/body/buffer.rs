//! A body kept whole before it is passed on: first in memory, then in a file without a name (spec 8.7).
//!
//! The file is unlinked as soon as it is created, so nothing is left behind however the request ends.

use std::collections::VecDeque;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncSeekExt, AsyncWriteExt, ReadBuf};

/// Bytes read from the file at once.
const CHUNK: usize = 64 * 1024;

/// How much may be kept, how much of it in memory, in bytes, and where the rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub(crate) memory: u64,
    /// Zero means unlimited.
    pub(crate) total: u64,
    pub(crate) folder: &'a Path,
}

/// A whole body, read once.
#[derive(Debug)]
pub(crate) struct Buffered {
    chunks: VecDeque<Bytes>,
    file: Option<File>,
    left: u64,
    trailers: Option<HeaderMap>,
}

impl Buffered {
    /// The same once more, before any of it was read, unless it is kept in a file.
    pub(crate) fn again(&self) -> Option<Self> {
        let Self { chunks, file: None, left, trailers } = self else { return None };
        Some(Self { chunks: chunks.clone(), file: None, left: *left, trailers: trailers.clone() })
    }
}

/// Why a body could not be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BufferError<E> {
    #[error("maximum size exceeded")]
    TooLarge,
    #[error("reading the body: {0}")]
    Read(E),
    #[error("writing to a buffer file: {0}")]
    Spill(io::Error),
}

/// Reads a body to its end.
pub(crate) async fn collect<B>(mut body: B, limits: Limits<'_>) -> Result<Buffered, BufferError<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let too_large = |size: u64| limits.total > 0 && size > limits.total;
    if too_large(body.size_hint().lower()) {
        return Err(BufferError::TooLarge);
    }
    let mut chunks = VecDeque::new();
    let (mut in_memory, mut total) = (0_u64, 0_u64);
    let mut file: Option<File> = None;
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        let data = match frame.map_err(BufferError::Read)?.into_data() {
            Ok(data) => data,
            Err(frame) => {
                trailers = frame.into_trailers().ok();
                continue;
            }
        };
        total += data.len() as u64;
        if too_large(total) {
            return Err(BufferError::TooLarge);
        }
        if file.is_none() && in_memory + data.len() as u64 <= limits.memory {
            in_memory += data.len() as u64;
            chunks.push_back(data);
            continue;
        }
        if file.is_none() {
            file = Some(spill_file(limits.folder).await.map_err(BufferError::Spill)?);
        }
        if let Some(file) = &mut file {
            file.write_all(&data).await.map_err(BufferError::Spill)?;
        }
    }
    if let Some(file) = &mut file {
        file.flush().await.map_err(BufferError::Spill)?;
        file.seek(SeekFrom::Start(0)).await.map_err(BufferError::Spill)?;
    }
    Ok(Buffered { chunks, file, left: total, trailers })
}

async fn spill_file(folder: &Path) -> io::Result<File> {
    let folder = folder.to_owned();
    let file = tokio::task::spawn_blocking(|| tempfile::tempfile_in(folder)).await.map_err(io::Error::other)??;
    Ok(File::from_std(file))
}

impl Body for Buffered {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(chunk) = self.chunks.pop_front() {
            self.left -= chunk.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        if let Some(file) = &mut self.file {
            let mut chunk = BytesMut::zeroed(CHUNK);
            let mut buffer = ReadBuf::new(&mut chunk);
            ready!(Pin::new(file).poll_read(cx, &mut buffer))?;
            let length = buffer.filled().len();
            if length > 0 {
                chunk.truncate(length);
                self.left = self.left.saturating_sub(length as u64);
                return Poll::Ready(Some(Ok(Frame::data(chunk.freeze()))));
            }
            self.file = None;
            if self.left > 0 {
                return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
            }
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    fn body(chunks: &'static [&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        StreamBody::new(stream::iter(chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))))))
    }

    // spec 11.I.135-146
    #[tokio::test]
    async fn what_goes_in_comes_out_and_no_more_than_the_limit() {
        let limits = |total, memory| Limits { memory, total, folder: Path::new("/tmp") };
        for (total, memory) in [(0, 0), (0, 5), (2048, 1024), (2048, 5), (13, 7)] {
            let buffered = collect(body(&["Hello, ", "World!"]), limits(total, memory)).await.unwrap();
            assert_eq!(buffered.size_hint().exact(), Some(13));
            assert_eq!(buffered.collect().await.unwrap().to_bytes(), "Hello, World!");
        }
        let error = collect(body(&["Hello, ", "World!"]), limits(8, 5)).await.unwrap_err();
        assert!(matches!(error, BufferError::TooLarge));
        let empty = collect(body(&[]), limits(0, 0)).await.unwrap();
        assert!(empty.is_end_stream());
        assert_eq!(empty.collect().await.unwrap().to_bytes(), "");
    }
}
