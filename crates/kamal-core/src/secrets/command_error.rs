//! Why a command of a secrets file gave no value.

use super::{answer::ExtractError, vendors::VendorError};

/// Why a command of a secrets file gave no value. It says nothing of the command's text, which may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It was not run, for a reason in words.
    #[error("{0}")]
    NotRun(String),
    /// A program it names is not there.
    #[error("a program of its command is not there (exit status 127), what the shell said is above")]
    NoProgram,
    /// It is a `kamal secrets …` whose words make no sense.
    #[error("{0}")]
    Words(String),
    /// It is a `kamal secrets …` with an option that has no value.
    #[error("{option} has no value, since ${variable} is empty")]
    NoValue {
        /// The option.
        option: String,
        /// The variable that stands behind it.
        variable: String,
    },
    /// `kamal secrets fetch` did not get what it was to fetch.
    #[error(transparent)]
    Fetch(#[from] VendorError),
    /// `kamal secrets extract` did not find what it was to take.
    #[error(transparent)]
    Extract(#[from] ExtractError),
}

impl CommandError {
    /// An error in the words of a `kamal secrets …`.
    #[must_use]
    pub fn words(message: impl Into<String>) -> Self {
        Self::Words(message.into())
    }
}
