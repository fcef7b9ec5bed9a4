//! The local machine of a project that is a text and has no folder: it has no files, no hooks, and nothing is built there,
//! but it is this machine all the same.

use async_trait::async_trait;
use kamal_core::{
    lock::Origin,
    ports::{Chunk, Claim, Command, Exit, Local, LocalError, LocalFolders, Nothing, Scratch},
};

use crate::machine::{Environment, process};

/// No folder, hence no files and no programs that work on them.
#[derive(Clone, Debug)]
pub(crate) struct Nowhere(pub(crate) Environment);

#[async_trait]
impl Local for Nowhere {
    async fn run(
        &self,
        command: &Command,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, LocalError> {
        Nothing.run(command, output).await
    }

    async fn exists(&self, path: &str) -> bool {
        Nothing.exists(path).await
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, LocalError> {
        Nothing.read(path).await
    }

    async fn mode(&self, path: &str) -> Result<u32, LocalError> {
        Nothing.mode(path).await
    }

    async fn list(&self, path: &str) -> Vec<String> {
        Nothing.list(path).await
    }

    async fn tree(&self, path: &str) -> Option<Vec<String>> {
        Nothing.tree(path).await
    }

    async fn create_folder(&self, path: &str) -> Result<(), LocalError> {
        Nothing.create_folder(path).await
    }

    async fn remove_folder(&self, path: &str) -> Result<(), LocalError> {
        Nothing.remove_folder(path).await
    }

    async fn claim(&self, path: &str) -> Result<Option<Claim>, LocalError> {
        Nothing.claim(path).await
    }

    async fn origin(&self) -> Origin {
        process::origin(&self.0)
    }

    async fn has_ended(&self, origin: &Origin) -> bool {
        process::has_ended(origin)
    }

    async fn scratch(&self) -> Result<Scratch, LocalError> {
        Nothing.scratch().await
    }

    fn folders(&self) -> LocalFolders {
        Nothing.folders()
    }
}
