//! What can go wrong before the engine is at work, and in it.

use std::path::PathBuf;

use kamal_core::{config::ConfigErrors, name::NameError, ports::SecretError, targets::SelectionError};

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine says why.
    #[error(transparent)]
    Engine(#[from] kamal_core::error::Error),
    /// The configuration is wrong. It prints itself, source lines and all.
    #[error("{0}")]
    Config(ConfigErrors),
    /// There is no configuration where it was looked for.
    #[error("Configuration file not found in {}\nhelp: {help}", .path.display())]
    NoConfig {
        /// Where.
        path: PathBuf,
        /// What to do.
        help: String,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The selection of hosts and roles matches nothing.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The project has no version.
    #[error(transparent)]
    NoVersion(#[from] NoVersion),
    /// A key for SSH that is kept as a secret cannot be had.
    #[error("ssh/key_data: {0}")]
    KeyData(SecretError),
    /// A file is no proxy that hosts could run.
    #[error("{} is no static binary for Linux on amd64 or arm64, which the proxy's image is made of", .path.display())]
    ProxyBinary {
        /// The file.
        path: PathBuf,
    },
    /// The work was begun outside of a tokio runtime, or its runtime ended before it did.
    #[error("there is no tokio runtime to work on, or it ended")]
    NoRuntime,
}

/// Why the project has no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoVersion {
    /// The variable `VERSION` holds none.
    #[error("VERSION: {0}")]
    Variable(String),
    /// Git is not there.
    #[error("{}", commit("git is not installed", "install git"))]
    NoGit,
    /// The folder is in no repository.
    #[error("{}", commit(&format!("no git repository found in {}", .0), "commit the project to git"))]
    NoRepository(String),
    /// The repository has no commit yet.
    #[error("{}", commit(&format!("the repository in {} has no commits yet", .0), "commit the project"))]
    NoCommit(String),
    /// Git does not trust the repository, which belongs to another user.
    #[error("{}", commit(&format!("the repository in {} belongs to somebody else", .0), &format!("`git config --global --add safe.directory {}` if you trust it", .0)))]
    ForeignRepository(String),
    /// Git says something else.
    #[error("{}", commit(&format!("git says: {}", .0), "see to that"))]
    Git(String),
    /// The project has no folder to look into.
    #[error("the project has no folder whose commit could be its version; give it one")]
    NoFolder,
}

/// In Kamal's words, and what to do.
fn commit(why: &str, fix: &str) -> String {
    format!("Can't use commit hash as version, {why}\nhelp: {fix}, or give --version (or the variable VERSION)")
}
