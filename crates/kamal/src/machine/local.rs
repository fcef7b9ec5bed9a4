//! The local machine: programs and files.

use std::{
    fs::TryLockError,
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::PathBuf,
    process::Stdio,
};

use async_trait::async_trait;
use kamal_core::{
    lock::Origin,
    ports::{Chunk, Claim, Command, Entropy as _, Exit, Local, LocalError, LocalFolders, Scratch},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Environment, SystemEntropy, process};

/// The machine this program runs on, as seen from a project's folder.
#[derive(Clone, Debug)]
pub struct ThisMachine {
    project: PathBuf,
    home: PathBuf,
    environment: Environment,
}

impl ThisMachine {
    /// A project's folder, and the home folder that `~/` stands for. Programs are given the environment.
    pub fn new(project: impl Into<PathBuf>, home: impl Into<PathBuf>, environment: Environment) -> Self {
        Self { project: project.into(), home: home.into(), environment }
    }

    /// A path as the user means it: `~/` is the home folder, else relative to the project.
    fn path(&self, path: &str) -> PathBuf {
        match path.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => self.project.join(path),
        }
    }
}

#[async_trait]
impl Local for ThisMachine {
    async fn run(
        &self,
        command: &Command,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, LocalError> {
        let folder = command.folder.as_deref().map_or_else(|| self.project.clone(), |folder| self.path(folder));
        let mut process = tokio::process::Command::new(&command.program);
        self.environment.give(process.as_std_mut());
        process.args(&command.args).current_dir(folder).kill_on_drop(true);
        for name in command.without {
            process.env_remove(name);
        }
        process.envs(command.env.iter().map(|(name, value)| (name, value.expose())));
        process.stdin(if command.input.is_some() { Stdio::piped() } else { Stdio::null() });
        process.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process.spawn().map_err(|source| start_error(&command.program, source))?;
        let failed = |source| LocalError::Io { what: format!("cannot run {}", command.program), source };
        if let (Some(input), Some(mut stdin)) = (&command.input, child.stdin.take()) {
            // A program that does not read its input is not our error.
            drop(stdin.write_all(input.expose().as_bytes()).await);
        }
        let (Some(mut out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed(io::Error::other("no output")));
        };
        let (mut out_buffer, mut err_buffer) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
        let (mut out_open, mut err_open) = (true, true);
        while out_open || err_open {
            tokio::select! {
                read = out.read(&mut out_buffer), if out_open => match read.map_err(failed)? {
                    0 => out_open = false,
                    n => output(Chunk::Stdout(&out_buffer[..n])),
                },
                read = err.read(&mut err_buffer), if err_open => match read.map_err(failed)? {
                    0 => err_open = false,
                    n => output(Chunk::Stderr(&err_buffer[..n])),
                },
            }
        }
        let status = child.wait().await.map_err(failed)?;
        // A program ended by a signal has no status of its own; shells count from 128.
        let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0);
        Ok(Exit(status.code().unwrap_or(128 + signal)))
    }

    async fn exists(&self, path: &str) -> bool {
        tokio::fs::try_exists(self.path(path)).await.unwrap_or(false)
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, LocalError> {
        let io = |source| LocalError::Io { what: format!("cannot read {path}"), source };
        tokio::fs::read(self.path(path)).await.map_err(io)
    }

    async fn mode(&self, path: &str) -> Result<u32, LocalError> {
        let io = |source| LocalError::Io { what: format!("cannot read {path}"), source };
        Ok(tokio::fs::metadata(self.path(path)).await.map_err(io)?.permissions().mode() & 0o777)
    }

    async fn list(&self, path: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(path)) else { return Vec::new() };
        let files = entries.flatten().filter(|entry| entry.path().is_file());
        let mut names: Vec<String> = files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    async fn tree(&self, path: &str) -> Option<Vec<String>> {
        let root = self.path(path);
        if !root.is_dir() {
            return None;
        }
        let (mut files, mut folders) = (Vec::new(), vec![(root.clone(), Vec::new())]);
        while let Some((folder, above)) = folders.pop() {
            // A link may lead to a folder that it lies in.
            let real = std::fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
            if above.contains(&real) {
                continue;
            }
            let above = [above, vec![real]].concat();
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push((path, above.clone()));
                } else if let Ok(below) = path.strip_prefix(&root) {
                    files.push(below.to_string_lossy().into_owned());
                }
            }
        }
        files.sort();
        Some(files)
    }

    async fn create_folder(&self, path: &str) -> Result<(), LocalError> {
        let io = |source| LocalError::Io { what: format!("cannot create the folder {path}"), source };
        tokio::fs::create_dir_all(self.path(path)).await.map_err(io)
    }

    async fn remove_folder(&self, path: &str) -> Result<(), LocalError> {
        match tokio::fs::remove_dir_all(self.path(path)).await {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(LocalError::Io { what: format!("cannot remove the folder {path}"), source })
            }
            _ => Ok(()),
        }
    }

    async fn claim(&self, path: &str) -> Result<Option<Claim>, LocalError> {
        let path = self.path(path);
        let io = |source| LocalError::Io { what: format!("cannot lock {}", path.display()), source };
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(io)?;
        let file = std::fs::File::options().create(true).append(true).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    async fn scratch(&self) -> Result<Scratch, LocalError> {
        let path = std::env::temp_dir().join(format!("kamal-{}", SystemEntropy::default().hex(16)));
        let io = |source| LocalError::Io { what: format!("cannot create the folder {}", path.display()), source };
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(io)?;
        Ok(Scratch::new(path.to_string_lossy(), Removed(path.clone())))
    }

    async fn origin(&self) -> Origin {
        process::origin(&self.environment)
    }

    async fn has_ended(&self, origin: &Origin) -> bool {
        process::has_ended(origin)
    }

    fn folders(&self) -> LocalFolders {
        LocalFolders::new(self.project.to_string_lossy(), std::env::temp_dir().to_string_lossy())
    }
}

/// A folder that is removed when this is dropped.
#[derive(Debug)]
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // Who empties it first has done what this is for.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start_error(program: &str, source: io::Error) -> LocalError {
    match source.kind() {
        io::ErrorKind::NotFound => LocalError::Missing { program: program.to_owned() },
        _ => LocalError::Io { what: format!("cannot run {program}"), source },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn links_in_a_folder_are_followed_but_not_in_a_circle() {
        let project = tempfile::tempdir().unwrap();
        let path = |name: &str| project.path().join(name);
        std::fs::create_dir_all(path("conf/v1/sub")).unwrap();
        for name in ["conf/v1/a", "conf/v1/sub/b"] {
            std::fs::write(path(name), "").unwrap();
        }
        for (to, link) in [("v1", "conf/current"), ("..", "conf/v1/up"), (".", "conf/here"), ("v1/a", "conf/a")] {
            symlink(to, path(link)).unwrap();
        }
        let machine = ThisMachine::new(project.path(), "/", Environment::default());
        let files = machine.tree("conf").await.unwrap();
        assert_eq!(files, ["a", "current/a", "current/sub/b", "v1/a", "v1/sub/b"]);
        assert_eq!(machine.tree("conf/a").await, None);
    }
}
