//! Secrets a program has itself, instead of files of the project.

use indexmap::IndexMap;
use kamal_core::{ports::Secrets, redact::Redactor, secret::Secret};

/// Secrets by key, in order.
#[derive(Debug, Default)]
pub struct SecretMap {
    secrets: IndexMap<String, Secret>,
    redactor: Redactor,
}

impl<N: Into<String>, V: AsRef<str>> FromIterator<(N, V)> for SecretMap {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(secrets: I) -> Self {
        let secrets: IndexMap<_, _> =
            secrets.into_iter().map(|(name, value)| (name.into(), Secret::new(value.as_ref()))).collect();
        let redactor = Redactor::new();
        secrets.values().for_each(|secret| redactor.learn(secret));
        Self { secrets, redactor }
    }
}

impl Secrets for SecretMap {
    fn get(&self, key: &str) -> Result<Secret, String> {
        self.secrets.get(key).cloned().ok_or_else(|| format!("Secret '{key}' not found among those that were given"))
    }

    fn all(&self) -> Result<Vec<(String, Secret)>, String> {
        Ok(self.secrets.iter().map(|(key, secret)| (key.clone(), secret.clone())).collect())
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}
