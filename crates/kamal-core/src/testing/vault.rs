//! Secrets out of a table.

use std::sync::{Mutex, PoisonError};

use crate::{
    ports::{Secrets, Templates},
    redact::Redactor,
    secret::Secret,
};

/// Secrets by key, in order.
#[derive(Debug, Default)]
pub struct TableSecrets {
    table: Mutex<Vec<(String, Secret)>>,
    redactor: Redactor,
}

impl TableSecrets {
    /// Adds a secret.
    pub fn put(&self, key: &str, value: &str) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).push((key.to_owned(), Secret::new(value)));
    }

    /// The same secrets, none of which anybody was told yet.
    pub(super) fn copy(&self) -> Self {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { table: Mutex::new(table), redactor: Redactor::default() }
    }

    /// Takes a secret out.
    pub fn remove(&self, key: &str) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| known != key);
    }
}

impl Secrets for TableSecrets {
    fn get(&self, key: &str) -> Result<Secret, String> {
        let all = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().find(|(known, _)| known == key).map(|(_, secret)| secret.clone());
        found.iter().for_each(|secret| self.redactor.learn(secret));
        found.ok_or_else(|| format!("Secret '{key}' not found in .kamal/secrets"))
    }

    fn all(&self) -> Result<Vec<(String, Secret)>, String> {
        let all = self.table.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.iter().for_each(|(_, secret)| self.redactor.learn(secret));
        Ok(all)
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}

/// Templates without any Ruby in them: every `<NAME>` becomes the variable's value.
#[derive(Debug)]
pub(super) struct PlainTemplates;

impl Templates for PlainTemplates {
    fn render(&self, _path: &str, text: &str, variables: &[(String, Secret)]) -> Result<String, String> {
        let put = |text: String, (name, value): &(String, Secret)| text.replace(&format!("<{name}>"), value.expose());
        Ok(variables.iter().fold(text.to_owned(), put))
    }
}
