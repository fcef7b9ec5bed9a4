//! Secrets out of a table.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::{
    ports::{SecretError, Secrets, TemplateError, Templates},
    secret::Secret,
};

/// Secrets by key, in order.
#[derive(Debug, Default)]
pub struct TableSecrets {
    table: Mutex<Vec<(String, Secret)>>,
}

impl TableSecrets {
    /// Adds a secret, or gives one another value.
    pub fn put(&self, key: &str, value: &str) {
        self.remove(key);
        self.table.lock().unwrap_or_else(PoisonError::into_inner).push((key.to_owned(), Secret::new(value)));
    }

    /// The same secrets.
    pub(super) fn copy(&self) -> Self {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { table: Mutex::new(table) }
    }

    /// Takes a secret out.
    pub fn remove(&self, key: &str) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| known != key);
    }
}

#[async_trait]
impl Secrets for TableSecrets {
    async fn get(&self, key: &str) -> Result<Secret, SecretError> {
        let all = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().find(|(known, _)| known == key).map(|(_, secret)| secret.clone());
        found.ok_or_else(|| SecretError::missing(format!("Secret '{key}' not found in .kamal/secrets")))
    }

    async fn all(&self) -> Result<Vec<(String, Secret)>, SecretError> {
        Ok(self.table.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Templates without any Ruby in them: every `<NAME>` becomes the variable's value.
#[derive(Debug)]
pub(super) struct PlainTemplates;

#[async_trait]
impl Templates for PlainTemplates {
    async fn render(&self, _path: &str, text: &str, variables: &[(String, Secret)]) -> Result<String, TemplateError> {
        let put = |text: String, (name, value): &(String, Secret)| text.replace(&format!("<{name}>"), value.expose());
        Ok(variables.iter().fold(text.to_owned(), put))
    }
}
