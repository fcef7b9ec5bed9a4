//! Secrets files of the project, read when the first secret is asked for.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use kamal_core::{
    config::Config,
    ports::Secrets,
    secret::Secret,
    secrets::{Secrets as Store, SecretsFile},
};

use super::outside::Asked;

/// Secrets of `.kamal/secrets-common` and `.kamal/secrets[.DESTINATION]` (spec 3.1).
#[derive(Debug)]
pub(crate) struct FileSecrets {
    candidates: Vec<String>,
    asked: Asked,
    /// One command at a time: password managers may ask questions on the terminal.
    store: Mutex<Option<Result<Store, String>>>,
}

impl FileSecrets {
    /// Secrets of a configuration's files.
    pub(crate) fn new(config: &Config, asked: Asked) -> Self {
        let path = &config.secrets_path;
        let own =
            config.destination.as_ref().map_or_else(|| path.clone(), |destination| format!("{path}.{destination}"));
        Self { candidates: vec![format!("{path}-common"), own], asked, store: Mutex::default() }
    }

    fn with<T>(&self, work: impl FnOnce(&Store) -> Result<T, String>) -> Result<T, String> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let store = store.get_or_insert_with(|| load(&self.asked.project, &self.candidates));
        work(store.as_ref().map_err(Clone::clone)?)
    }
}

fn load(project: &Path, candidates: &[String]) -> Result<Store, String> {
    let mut files = Vec::new();
    for path in candidates {
        match std::fs::read_to_string(project.join(path)) {
            Ok(text) => files.push(SecretsFile { path: path.clone(), text }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("cannot read {path}: {error}")),
        }
    }
    Store::new(&files, candidates).map_err(|error| error.to_string())
}

impl Secrets for FileSecrets {
    fn get(&self, key: &str) -> Result<Secret, String> {
        self.with(|store| store.get(key, &self.asked).map_err(|error| error.to_string()))
    }

    fn all(&self) -> Result<Vec<(String, Secret)>, String> {
        self.with(|store| {
            store.all(&self.asked).map(|all| all.into_iter().collect()).map_err(|error| error.to_string())
        })
    }
}
