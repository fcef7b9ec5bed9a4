//! Secrets that have been looked up, at hand: rendering a step takes them without waiting for anybody.

use std::collections::HashMap;

use crate::{ports::SecretError, redact::Redactor, secret::Secret};

/// The secrets of an operation, or why one of them cannot be had.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    found: HashMap<String, Result<Secret, SecretError>>,
    all: Option<Result<Vec<(String, Secret)>, SecretError>>,
    redactor: Redactor,
}

impl Keyring {
    /// Nothing yet. What is added will be covered by the redactor.
    #[must_use]
    pub fn new(redactor: Redactor) -> Self {
        Self { redactor, ..Self::default() }
    }

    /// Adds an answer of [`Secrets`](crate::ports::Secrets).
    pub fn add(&mut self, key: impl Into<String>, answer: Result<Secret, SecretError>) {
        answer.iter().for_each(|secret| self.redactor.learn(secret));
        self.found.insert(key.into(), answer);
    }

    /// Adds the answer to the question for all there are.
    pub(crate) fn add_all(&mut self, answer: Result<Vec<(String, Secret)>, SecretError>) {
        answer.iter().flatten().for_each(|(_, secret)| self.redactor.learn(secret));
        self.all = Some(answer);
    }

    /// The secret of a name.
    ///
    /// # Errors
    ///
    /// Why it cannot be had; one that was not looked up is none of the operation's.
    pub fn get(&self, key: &str) -> Result<Secret, SecretError> {
        let stranger = || Err(SecretError::unavailable(format!("Secret '{key}' was not looked up")));
        self.found.get(key).cloned().unwrap_or_else(stranger)
    }

    /// All there are, where they were asked for.
    pub(crate) fn all(&self) -> Result<Vec<(String, Secret)>, SecretError> {
        self.all.clone().unwrap_or_else(|| Ok(Vec::new()))
    }

    /// What covers them wherever something is shown or written down.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}

impl<K: Into<String>> FromIterator<(K, Secret)> for Keyring {
    fn from_iter<I: IntoIterator<Item = (K, Secret)>>(secrets: I) -> Self {
        let mut keyring = Self::default();
        secrets.into_iter().for_each(|(key, secret)| keyring.add(key, Ok(secret)));
        keyring
    }
}
