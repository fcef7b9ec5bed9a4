//! What can go wrong in a chore. People read it, nothing branches on it, so it is little more than a good sentence.

use std::io;

/// Why a chore did not get done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, with the path or address it concerned.
        what: String,
        /// The refusal.
        source: io::Error,
    },
    /// Another program failed.
    #[error("`{command}` failed ({status})\n{output}")]
    Command {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: String,
        /// What it said, standard error last.
        output: String,
    },
    /// The chore cannot be done here and now; the text says what would fix it.
    #[error("{0}")]
    Refused(String),
}

/// The result of every chore.
pub type Result<T> = std::result::Result<T, Error>;

/// Adds to an [`io::Error`] what was attempted.
pub(crate) trait Context<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { what: what(), source })
    }
}
