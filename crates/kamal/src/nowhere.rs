//! The local machine of a project that is a text and has no folder: it has no files, no hooks, and nothing is built there.

use std::io;

use async_trait::async_trait;
use kamal_core::{
    lock::Origin,
    ports::{Chunk, Claim, Command, Exit, Local, LocalError, LocalFolders},
};

use crate::machine::{Environment, process};

/// No folder, hence no files and no programs that work on them.
#[derive(Clone, Debug)]
pub(crate) struct Nowhere(pub(crate) Environment);

fn refusal(what: String) -> LocalError {
    let source = io::Error::new(io::ErrorKind::Unsupported, "the project was given as a text and has no folder");
    LocalError::Io { what, source }
}

#[async_trait]
impl Local for Nowhere {
    async fn run(
        &self,
        command: &Command,
        _output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, LocalError> {
        Err(refusal(format!("cannot run {}", command.program)))
    }

    async fn origin(&self) -> Origin {
        process::origin(&self.0)
    }

    async fn has_ended(&self, origin: &Origin) -> bool {
        process::has_ended(origin)
    }

    async fn exists(&self, _path: &str) -> bool {
        false
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, LocalError> {
        Err(refusal(format!("cannot read {path}")))
    }

    async fn mode(&self, path: &str) -> Result<u32, LocalError> {
        Err(refusal(format!("cannot read {path}")))
    }

    async fn list(&self, _path: &str) -> Vec<String> {
        Vec::new()
    }

    async fn tree(&self, _path: &str) -> Option<Vec<String>> {
        None
    }

    async fn create_folder(&self, path: &str) -> Result<(), LocalError> {
        Err(refusal(format!("cannot create the folder {path}")))
    }

    async fn remove_folder(&self, path: &str) -> Result<(), LocalError> {
        Err(refusal(format!("cannot remove the folder {path}")))
    }

    async fn claim(&self, path: &str) -> Result<Option<Claim>, LocalError> {
        Err(refusal(format!("cannot lock {path}")))
    }

    fn folders(&self) -> LocalFolders {
        LocalFolders { project: "/".to_owned(), temporary: std::env::temp_dir().to_string_lossy().into_owned() }
    }
}
