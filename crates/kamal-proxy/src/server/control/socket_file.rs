//! A listening Unix socket at a path, which may be taken from whoever had the path before and be taken away again.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// The socket; its file is removed when it is dropped, unless another took the path meanwhile.
#[derive(Debug)]
pub(crate) struct SocketFile {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file.
    identity: (u64, u64),
}

impl SocketFile {
    /// Listens, in place of whatever was at the path before; at no time is there nothing. Only the owner may connect.
    pub(crate) fn bind(path: PathBuf) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&temporary)?;
        fs::set_permissions(&temporary, Permissions::from_mode(0o600))?;
        let identity = identity(&temporary)?;
        fs::rename(&temporary, &path)?;
        Ok(Self { listener, path, identity })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether whoever connects to the path comes here.
    pub(crate) fn is_current(&self) -> bool {
        identity(&self.path).is_ok_and(|identity| identity == self.identity)
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_current() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_latest_has_the_path_and_only_it_removes_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sub/socket");
        let first = SocketFile::bind(path.clone()).unwrap();
        let second = SocketFile::bind(path.clone()).unwrap();
        assert!(!first.is_current() && second.is_current());
        let (connected, accepted) = tokio::join!(UnixStream::connect(&path), second.accept());
        assert!(connected.is_ok() && accepted.is_ok());
        drop(first);
        assert!(second.is_current());
        drop(second);
        assert!(!path.exists());
    }
}
