//! Where the sandbox keeps its things: one folder, so that removing it leaves nothing behind.
//!
//! ```text
//! client_key, client_key.pub, known_hosts
//! enter                                    the script that gives a daemon its private view of the machine
//! registry/                                the registry's store, log and pid
//! builder/, hosts/N/                       one machine each, see `machine.rs`
//! ```

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};

/// Overrides the folder of the sandbox.
const FOLDER_VARIABLE: &str = "KAMAL_SANDBOX_DIR";

/// Longest folder: the path of a Unix socket has at most 107 bytes, and ours adds `/hosts/250/run/docker.sock`.
const FOLDER_LIMIT: usize = 80;

/// The paths of the sandbox.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The folder the environment names, or `target/sandbox` of the workspace.
    pub(super) fn find() -> Result<Self> {
        let root = match env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()) {
            Some(folder) => {
                std::path::absolute(&folder).context(|| format!("{FOLDER_VARIABLE} {}", folder.display()))?
            }
            None => crate::workspace().join("target/sandbox"),
        };
        Self::at(root)
    }

    fn at(root: PathBuf) -> Result<Self> {
        if root.as_os_str().len() > FOLDER_LIMIT {
            return Err(Error::Refused(format!(
                "{} is too long a path for the sockets of the sandbox (at most {FOLDER_LIMIT} bytes); \
                 name a shorter folder in {FOLDER_VARIABLE}",
                root.display()
            )));
        }
        Ok(Self { root })
    }

    /// Makes the folder, readable by nobody else: it has a private key in it.
    pub(super) fn create(&self) -> Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.root).context(|| format!("creating {}", self.root.display()))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn key(&self) -> PathBuf {
        self.root.join("client_key")
    }

    pub(super) fn known_hosts(&self) -> PathBuf {
        self.root.join("known_hosts")
    }

    pub(super) fn enter_script(&self) -> PathBuf {
        self.root.join("enter")
    }

    pub(super) fn registry(&self) -> PathBuf {
        self.root.join("registry")
    }

    pub(super) fn builder(&self) -> PathBuf {
        self.root.join("builder")
    }

    pub(super) fn host(&self, number: u8) -> PathBuf {
        self.root.join("hosts").join(number.to_string())
    }

    /// The hosts there are, up or broken, in order.
    pub(super) fn host_numbers(&self) -> Vec<u8> {
        let Ok(entries) = fs::read_dir(self.root.join("hosts")) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut numbers = names.filter_map(|name| name.parse().ok()).collect::<Vec<_>>();
        numbers.sort_unstable();
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_listed_by_number() {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let layout = Layout::at(folder.path().to_owned()).unwrap();
        assert!(layout.host_numbers().is_empty());
        for name in ["10", "2", "1", "lost+found"] {
            fs::create_dir_all(folder.path().join("hosts").join(name)).unwrap();
        }
        assert_eq!(layout.host_numbers(), [1, 2, 10]);
    }

    #[test]
    fn a_folder_too_deep_for_sockets_is_refused_at_once() {
        let error = Layout::at(Path::new("/").join("x".repeat(100))).unwrap_err().to_string();
        assert!(error.contains(FOLDER_VARIABLE), "{error}");
    }
}
