//! What is to be a file on a host and is too large to be held in memory.

use std::io;

use futures_util::stream::BoxStream;

/// The content of a file, which is read in pieces.
pub trait Content: Send + Sync + std::fmt::Debug {
    /// Exactly how many bytes it has.
    fn size(&self) -> u64;

    /// Its pieces, from the beginning each time it is asked: an upload may have to begin again.
    fn read(&self) -> Pieces<'_>;
}

/// The pieces of a file's content, in order.
pub type Pieces<'p> = BoxStream<'p, io::Result<Vec<u8>>>;
