//! The machine the command is typed on: hooks end as they are told to, builds put images into the registry.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;

use super::{EffectKind, How, SimFleet};
use crate::lock::Origin;
use crate::ports::{Chunk, Claim, Clock, Command, Exit, Local, LocalError, LocalFolders, Scratch};

/// Acts local programs out.
#[derive(Clone, Debug)]
pub struct SimLocal(pub(super) SimFleet);

/// A local program that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The program with its arguments.
    pub command: String,
    /// The variables it was given, secrets in clear.
    pub env: BTreeMap<String, String>,
}

#[async_trait]
impl Local for SimLocal {
    async fn run(
        &self,
        command: &Command,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, LocalError> {
        let fleet = &self.0;
        let how = fleet.enter(None, EffectKind::Local, &command.to_string());
        let env = command.env.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
        fleet.state().ran.push(Ran { command: command.to_string(), env });
        let pace = fleet.state().pace();
        fleet.0.clock.sleep(Duration::from_millis(10 * pace)).await;
        if how == Some(How::Fails) {
            output(Chunk::Stderr(b"it was made to fail\n"));
            return Ok(Exit(1));
        }
        if command.program == "docker" {
            if let Some(image) = command.args.iter().skip_while(|arg| *arg != "--tag").nth(1) {
                if image.starts_with("localhost:") && fleet.state().served == 0 {
                    output(Chunk::Stderr(b"dial tcp 127.0.0.1: connect: connection refused\n"));
                    return Ok(Exit(1));
                }
                let id = fleet.publish(image);
                output(Chunk::Stdout(id.as_bytes()));
            }
            if command.args.iter().any(|arg| arg == "imagetools") {
                let size = fleet.state().image_size.to_string();
                output(Chunk::Stdout(size.as_bytes()));
            }
            return Ok(Exit(0));
        }
        let file = fleet.state().files.get(relative(&command.program)).cloned();
        let (content, status) = file.ok_or_else(|| LocalError::Missing { program: command.program.clone() })?;
        output(Chunk::Stdout(&content));
        Ok(Exit(status))
    }

    async fn origin(&self) -> Origin {
        self.0.state().origin()
    }

    async fn has_ended(&self, origin: &Origin) -> bool {
        *origin != self.0.state().origin()
    }

    async fn exists(&self, path: &str) -> bool {
        self.0.state().files.contains_key(relative(path))
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, LocalError> {
        let found = self.0.state().files.get(relative(path)).map(|(content, _)| content.clone());
        let missing = || LocalError::Io { what: path.to_owned(), source: std::io::ErrorKind::NotFound.into() };
        found.ok_or_else(missing)
    }

    async fn mode(&self, _path: &str) -> Result<u32, LocalError> {
        Ok(0o644)
    }

    async fn list(&self, path: &str) -> Vec<String> {
        let folder = format!("{}/", relative(path).trim_end_matches('/'));
        let state = self.0.state();
        let inside = state.files.keys().filter_map(|file| file.strip_prefix(&folder));
        inside.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }

    async fn tree(&self, path: &str) -> Option<Vec<String>> {
        let folder = format!("{}/", relative(path).trim_end_matches('/'));
        let state = self.0.state();
        let inside: Vec<String> =
            state.files.keys().filter_map(|file| file.strip_prefix(&folder)).map(str::to_owned).collect();
        (!inside.is_empty()).then_some(inside)
    }

    async fn create_folder(&self, _path: &str) -> Result<(), LocalError> {
        Ok(())
    }

    async fn remove_folder(&self, path: &str) -> Result<(), LocalError> {
        let folder = format!("{}/", relative(path).trim_end_matches('/'));
        self.0.state().files.retain(|file, _| !file.starts_with(&folder));
        Ok(())
    }

    async fn claim(&self, _path: &str) -> Result<Option<Claim>, LocalError> {
        Ok(Some(Box::new(())))
    }

    async fn scratch(&self) -> Result<Scratch, LocalError> {
        Ok(Scratch::new("/tmp/scratch", ()))
    }

    fn folders(&self) -> LocalFolders {
        LocalFolders { project: "/project".into(), temporary: "/tmp".into() }
    }
}

fn relative(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}
