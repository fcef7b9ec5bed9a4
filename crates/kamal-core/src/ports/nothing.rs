//! What a world has where it is given nothing.

use std::{io, sync::Arc};

use async_trait::async_trait;

use super::{
    Chunk, Claim, Command, Events, Exit, Local, LocalError, LocalFolders, LocalRegistry, RegistryError, Scratch,
    SecretError, Secrets, Serving, TemplateError, Templates,
};
use crate::{event::Event, secret::Secret};

/// Nobody listens, there are no secrets and no registry, and the project has no folder: no files, no hooks, no templates,
/// and nothing is built.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

fn no_folder(what: String) -> LocalError {
    let source = io::Error::new(io::ErrorKind::Unsupported, "the project was given as a text and has no folder");
    LocalError::Io { what, source }
}

impl Events for Nothing {
    fn emit(&self, _event: Event) {}

    fn shows_output(&self) -> bool {
        false
    }
}

#[async_trait]
impl Secrets for Nothing {
    async fn get(&self, key: &str) -> Result<Secret, SecretError> {
        Err(SecretError::missing(format!("Secret '{key}' not found, as there are no secrets here")))
    }

    async fn all(&self) -> Result<Vec<(String, Secret)>, SecretError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Templates for Nothing {
    async fn render(&self, path: &str, _text: &str, _variables: &[(String, Secret)]) -> Result<String, TemplateError> {
        Err(TemplateError::new(format!("{path} is a template, and nobody renders templates here")))
    }
}

#[async_trait]
impl LocalRegistry for Nothing {
    async fn start(&self, _port: u16) -> Result<Arc<dyn Serving>, RegistryError> {
        Err(RegistryError::Failed("there is no registry on this machine; name one in registry/server".to_owned()))
    }
}

#[async_trait]
impl Local for Nothing {
    async fn run(
        &self,
        command: &Command,
        _output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, LocalError> {
        Err(no_folder(format!("cannot run {}", command.program)))
    }

    async fn exists(&self, _path: &str) -> bool {
        false
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, LocalError> {
        Err(no_folder(format!("cannot read {path}")))
    }

    async fn mode(&self, path: &str) -> Result<u32, LocalError> {
        Err(no_folder(format!("cannot read {path}")))
    }

    async fn list(&self, _path: &str) -> Vec<String> {
        Vec::new()
    }

    async fn tree(&self, _path: &str) -> Option<Vec<String>> {
        None
    }

    async fn create_folder(&self, path: &str) -> Result<(), LocalError> {
        Err(no_folder(format!("cannot create the folder {path}")))
    }

    async fn remove_folder(&self, path: &str) -> Result<(), LocalError> {
        Err(no_folder(format!("cannot remove the folder {path}")))
    }

    async fn scratch(&self) -> Result<Scratch, LocalError> {
        Err(no_folder("cannot make a folder".to_owned()))
    }

    async fn claim(&self, path: &str) -> Result<Option<Claim>, LocalError> {
        Err(no_folder(format!("cannot lock {path}")))
    }

    fn folders(&self) -> LocalFolders {
        LocalFolders::new("/", "/tmp")
    }
}
