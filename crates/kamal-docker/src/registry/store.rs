//! The registry on disk. Everything appears under its name by one rename, so a reader sees whole things or nothing.
//!
//! ```text
//! blobs/sha256/HEX                         content, shared by all repositories
//! manifests/NAME/_manifests/HEX            media type of the manifest HEX, which is itself a blob
//! manifests/NAME/_tags/TAG                 digest the tag points at
//! uploads/ID                               content on its way in
//! ```
//!
//! Directories of the store's own begin with `_`, which no segment of a repository name does.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::rand;
use tokio::fs;

use super::digest::Digest;

/// A registry's content, in a folder of its own. Clones share it, and so may several processes.
#[derive(Debug, Clone)]
pub struct Store {
    root: Arc<Path>,
}

impl Store {
    /// Opens the store in the folder `root`, which is created when it is missing.
    ///
    /// # Errors
    ///
    /// When the folder cannot be created.
    pub fn open(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref();
        for folder in ["blobs/sha256", "manifests", "uploads"] {
            std::fs::create_dir_all(root.join(folder))?;
        }
        Ok(Self { root: root.into() })
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    pub(super) fn upload(&self, id: &str) -> PathBuf {
        self.root.join("uploads").join(id)
    }

    /// The folder of a repository's manifests. `name` was checked by [`super::names::is_repository`].
    pub(super) fn manifests(&self, name: &str) -> PathBuf {
        self.root.join("manifests").join(name).join("_manifests")
    }

    pub(super) fn tags(&self, name: &str) -> PathBuf {
        self.root.join("manifests").join(name).join("_tags")
    }

    /// Makes `content` the file at `path` in one step, and its folder when that is missing.
    pub(super) async fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let temporary = self.upload(&new_id()?);
        fs::write(&temporary, content).await?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await?;
        }
        fs::rename(&temporary, path).await
    }
}

/// A name nobody else has, for an upload: 32 hexadecimal digits.
pub(super) fn new_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether `text` could have come from [`new_id`]; nothing else may become a path.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `Some` of what a file operation gave, `None` when the file is not there.
pub(super) fn if_found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}
