//! What goes wrong with a registry that is used from inside the program.

use std::io;
use std::path::PathBuf;

use super::store::Store;

/// Why the registry could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The folder could not be read or written.
    #[error("the image registry in {}: {source}", folder.display())]
    Store {
        /// The folder of the registry.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing is called so.
    #[error("the image registry holds no image {0}")]
    NoImage(String),
    /// What is called so is no image that can be run.
    #[error("{image} is not an image that can be run: {problem}")]
    NotAnImage {
        /// What was asked for.
        image: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Store {
    /// The error of a store whose folder could not be used.
    pub(super) fn failed(&self, source: io::Error) -> RegistryError {
        RegistryError::Store { folder: self.root().to_owned(), source }
    }
}
