//! One layer: a file that grows, and those who read it meanwhile.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::sync::watch;

use super::source::Source;

/// What is read from the file in one piece at most.
const PIECE: u64 = 128 * 1024;

/// A layer that comes, or is there.
#[derive(Debug)]
pub(super) struct Layer {
    path: PathBuf,
    size: u64,
    come: watch::Receiver<Come>,
}

/// How much of it there is.
#[derive(Debug, Clone, Copy, Default)]
struct Come {
    bytes: u64,
    /// Whether no more is to come, though there should.
    broken: bool,
}

impl Layer {
    /// Asks the registry for one, and comes back once its size is known.
    pub(super) async fn begin(source: &Source, path: &str, file: PathBuf) -> io::Result<Arc<Self>> {
        let answer = source.get(path).await?;
        let size = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let size = size.ok_or_else(|| io::Error::other("the registry tells no size"))?;
        // Who reads one that broke off has the old file still.
        let _ = fs::remove_file(&file).await;
        let sink = File::create(&file).await?;
        let (told, come) = watch::channel(Come::default());
        tokio::spawn(async move {
            let came = keep(answer.into_body(), sink, &told).await;
            if came.is_err() || told.borrow().bytes != size {
                told.send_modify(|come| come.broken = true);
            }
        });
        Ok(Arc::new(Self { path: file, size, come }))
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn is_broken(&self) -> bool {
        self.come.borrow().broken
    }

    /// All of it, as it comes. Where it breaks off, so does this.
    pub(super) fn read(self: Arc<Self>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let come = self.come.clone();
        try_unfold((self, come, 0), |(layer, mut come, at)| async move {
            if at == layer.size {
                return Ok(None);
            }
            let more = come.wait_for(|come| come.bytes > at || come.broken).await.map(|come| *come);
            let there = more.map_err(io::Error::other)?.bytes;
            if there <= at {
                return Err(io::Error::other("the registry was lost"));
            }
            let piece = piece(&layer.path, at, (there - at).min(PIECE)).await?;
            let next = at + piece.len() as u64;
            Ok(Some((piece, (layer, come, next))))
        })
    }
}

async fn keep(mut body: Incoming, mut sink: File, told: &watch::Sender<Come>) -> io::Result<()> {
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else { continue };
        sink.write_all(&data).await?;
        // What is told of is in the file by then.
        sink.flush().await?;
        told.send_modify(|come| come.bytes += data.len() as u64);
    }
    Ok(())
}

async fn piece(path: &Path, at: u64, length: u64) -> io::Result<Bytes> {
    let mut file = File::open(path).await?;
    file.seek(SeekFrom::Start(at)).await?;
    let mut piece = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(length).read_to_end(&mut piece).await?;
    if piece.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(piece.into()) }
}
