//! Whether content is still what its digest says. Disks lose the ends of files and flip bits; what was damaged is never
//! given out whole, and goes, so that the next push brings it again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::digest::Digest;
use super::store::{Store, if_found, touch};

/// Read from disk and handed on in pieces of this size.
const PIECE: usize = 128 * 1024;

impl Store {
    /// Marks a blob as needed now, and tells whether it is there. Of another size than who needs it expects, it is looked
    /// at: the other may be wrong.
    pub(super) fn holds(&self, digest: &Digest, size: u64) -> io::Result<bool> {
        let Some(file) = if_found(File::open(self.blob(digest)))? else { return Ok(false) };
        if file.metadata()?.len() != size && digest.algorithm().of_file(&file)? != *digest {
            self.discard(digest, &file)?;
            return Ok(false);
        }
        touch(&self.blob(digest))
    }

    /// A small blob's content, if it is there; blocks while it reads.
    pub(super) fn content(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        let Some(mut file) = if_found(File::open(self.blob(digest)))? else { return Ok(None) };
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        if digest.algorithm().of(&content) == *digest {
            return Ok(Some(content));
        }
        self.discard(digest, &file)?;
        Ok(None)
    }

    /// A blob of so many bytes as it is read. In place of the last piece of one that is damaged there is an error, so that
    /// nobody takes it for whole.
    pub(super) fn stream(
        &self,
        digest: &Digest,
        file: File,
        size: u64,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + Sync + use<>> {
        let (store, digest, opened) = (self.clone(), digest.clone(), file.try_clone()?);
        let (mut left, mut so_far) = (size, digest.algorithm().context());
        let pieces = ReaderStream::with_capacity(tokio::fs::File::from_std(file).take(size), PIECE);
        Ok(pieces.map(move |piece| {
            let piece = piece?;
            so_far.update(&piece);
            left = left.saturating_sub(piece.len() as u64);
            if left > 0 || digest.algorithm().finish(so_far.clone()) == digest {
                return Ok(piece);
            }
            store.discard(&digest, &opened)?;
            Err(io::Error::other(format!("{digest} was damaged on disk and is removed; push the image again")))
        }))
    }

    /// Takes away a blob that is not what its digest says, unless it was replaced meanwhile.
    fn discard(&self, digest: &Digest, damaged: &File) -> io::Result<()> {
        let path = self.blob(digest);
        let there = if_found(fs::metadata(&path))?;
        if there.is_some_and(|there| damaged.metadata().is_ok_and(|damaged| damaged.ino() == there.ino())) {
            if_found(fs::remove_file(path))?;
        }
        Ok(())
    }
}
