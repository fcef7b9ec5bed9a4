//! Secrets a program has itself, instead of files of the project.

use async_trait::async_trait;
use indexmap::IndexMap;
use kamal_core::{
    ports::{SecretError, Secrets},
    secret::Secret,
};

/// Secrets by key, in order.
///
/// ```
/// use std::sync::Arc;
///
/// use kamal::{Project, SecretMap};
///
/// let secrets: SecretMap = [("REGISTRY_PASSWORD", "hunter2"), ("API_KEY", "abc")].into_iter().collect();
/// // The same as `secret_map` with the pairs.
/// let builder = Project::builder().secrets(Arc::new(secrets));
/// # drop(builder);
/// ```
#[derive(Debug, Default)]
pub struct SecretMap {
    secrets: IndexMap<String, Secret>,
}

impl<N: Into<String>, V: AsRef<str>> FromIterator<(N, V)> for SecretMap {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(secrets: I) -> Self {
        let secrets: IndexMap<_, _> =
            secrets.into_iter().map(|(name, value)| (name.into(), Secret::new(value.as_ref()))).collect();
        Self { secrets }
    }
}

#[async_trait]
impl Secrets for SecretMap {
    async fn get(&self, key: &str) -> Result<Secret, SecretError> {
        let missing = || SecretError::missing(format!("Secret '{key}' not found among those that were given"));
        self.secrets.get(key).cloned().ok_or_else(missing)
    }

    async fn all(&self) -> Result<Vec<(String, Secret)>, SecretError> {
        Ok(self.secrets.iter().map(|(key, secret)| (key.clone(), secret.clone())).collect())
    }
}
