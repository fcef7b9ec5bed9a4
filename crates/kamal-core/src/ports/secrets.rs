//! Where secrets come from: files, a password manager, a table in memory.

use async_trait::async_trait;
use futures_util::future::join_all;

use crate::{hint::Hint, secret::Secret, secrets::SecretsError};

/// Looks secrets up by name. The engine asks for all that an operation needs before it changes anything, and once; what
/// it is given it keeps out of everything that is shown.
#[async_trait]
pub trait Secrets: Send + Sync + std::fmt::Debug {
    /// The secret something needs. Whatever blocks, a program or a file, belongs on threads of its own: the caller's
    /// other work goes on meanwhile.
    ///
    /// # Errors
    ///
    /// Why there is none, with its name and where it was looked for.
    async fn get(&self, key: &str) -> Result<Secret, SecretError>;

    /// Several at once, the answers in the order of the keys. Where a secret takes a command or a question to a
    /// password manager, these go on side by side.
    async fn get_many(&self, keys: &[&str]) -> Vec<Result<Secret, SecretError>> {
        join_all(keys.iter().map(|key| self.get(key))).await
    }

    /// All of them, in the order of the files: what hooks get to see.
    ///
    /// # Errors
    ///
    /// The first that cannot be had.
    async fn all(&self) -> Result<Vec<(String, Secret)>, SecretError>;
}

/// Why a secret cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct SecretError {
    /// What is the matter.
    pub kind: SecretErrorKind,
    /// The same in words, the secret's name among them.
    pub message: String,
    /// What would put it right.
    pub hints: Vec<Hint>,
}

/// What is the matter with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretErrorKind {
    /// Nobody has one of that name.
    Missing,
    /// There is nothing in it.
    Blank,
    /// Whoever has it did not hand it out: a program failed, nobody is logged in, a file cannot be read.
    Unavailable,
}

impl SecretError {
    /// There is no such secret.
    #[must_use]
    pub fn missing(message: impl Into<String>) -> Self {
        Self::new(SecretErrorKind::Missing, message)
    }

    /// There may be one, and it cannot be had.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(SecretErrorKind::Unavailable, message)
    }

    /// An error in words. Lines that begin with `help: ` become hints.
    #[must_use]
    pub fn new(kind: SecretErrorKind, message: impl Into<String>) -> Self {
        let (message, hints) = Hint::apart(&message.into());
        Self { kind, message, hints }
    }
}

impl From<SecretsError> for SecretError {
    fn from(error: SecretsError) -> Self {
        let kind = match &error {
            SecretsError::NotFound { .. } | SecretsError::NoFiles { .. } | SecretsError::Unset { .. } => {
                SecretErrorKind::Missing
            }
            SecretsError::Blank { .. } => SecretErrorKind::Blank,
            SecretsError::Shell(_) | SecretsError::Command { .. } | SecretsError::TooLarge { .. } => {
                SecretErrorKind::Unavailable
            }
        };
        Self::new(kind, error.to_string())
    }
}
