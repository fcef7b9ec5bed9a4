//! The machine the command is typed on: programs with an argument vector, never a shell string, and the few files the
//! engine asks about.

use async_trait::async_trait;

use super::{Chunk, Exit};
use crate::{lock::Origin, secret::Secret};

/// Runs programs and looks at files where the user sits. Implemented by the crate `kamal`.
#[async_trait]
pub trait Local: Send + Sync + std::fmt::Debug {
    /// Runs a program to its end and streams what it prints. A non-zero exit is data. Cancelling kills the program.
    ///
    /// # Errors
    ///
    /// When it cannot be run at all.
    async fn run(
        &self,
        command: &Command,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, LocalError>;

    /// True when a file or folder is there. Relative paths are relative to the project.
    async fn exists(&self, path: &str) -> bool;

    /// A file's content.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    async fn read(&self, path: &str) -> Result<Vec<u8>, LocalError>;

    /// What a file's owner, its group and others may do with it: the nine bits of its mode.
    ///
    /// # Errors
    ///
    /// Why the file cannot be looked at.
    async fn mode(&self, path: &str) -> Result<u32, LocalError>;

    /// Names of the files directly in a folder, sorted; none when there is no such folder.
    async fn list(&self, path: &str) -> Vec<String>;

    /// Paths of all files in a folder and below it, relative to it, sorted; `None` when it is no folder.
    async fn tree(&self, path: &str) -> Option<Vec<String>>;

    /// Creates a folder and its parents.
    ///
    /// # Errors
    ///
    /// Why it cannot be created.
    async fn create_folder(&self, path: &str) -> Result<(), LocalError>;

    /// Removes a folder and all that is in it; it need not exist.
    ///
    /// # Errors
    ///
    /// Why it cannot be removed.
    async fn remove_folder(&self, path: &str) -> Result<(), LocalError>;

    /// Claims what a file stands for, creating the file and its folder; `None` while somebody else on this machine
    /// holds the claim. It ends when it is dropped, or with this program, in whatever way that ends.
    ///
    /// # Errors
    ///
    /// Why nobody could claim it: the file cannot be created.
    async fn claim(&self, path: &str) -> Result<Option<Claim>, LocalError>;

    /// Makes a folder that nobody else may look into, for what is needed for a while.
    ///
    /// # Errors
    ///
    /// Why it cannot be made.
    async fn scratch(&self) -> Result<Scratch, LocalError>;

    /// This program, so that another one on this machine can tell whether it still runs.
    async fn origin(&self) -> Origin {
        Origin::default()
    }

    /// True when a program has come to its end: one of the same user on this machine. False where that is not certain.
    async fn has_ended(&self, _origin: &Origin) -> bool {
        false
    }

    /// Where builds may put clones: absolute, and the project's own absolute path beside it.
    fn folders(&self) -> LocalFolders;
}

/// A folder that goes with all that is in it when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    /// Its path, absolute.
    pub path: String,
    _remover: Box<dyn std::fmt::Debug + Send + Sync>,
}

impl Scratch {
    /// A folder, and what removes it when it is dropped itself.
    pub fn new(path: impl Into<String>, remover: impl std::fmt::Debug + Send + Sync + 'static) -> Self {
        Self { path: path.into(), _remover: Box::new(remover) }
    }
}

/// What nobody else on this machine holds until this is dropped.
pub type Claim = Box<dyn std::fmt::Debug + Send + Sync>;

/// Folders of the local machine, absolute.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LocalFolders {
    /// The folder commands are run in.
    pub project: String,
    /// The folder for temporary files.
    pub temporary: String,
}

impl LocalFolders {
    /// The folder commands are run in, and the one for temporary files.
    pub fn new(project: impl Into<String>, temporary: impl Into<String>) -> Self {
        Self { project: project.into(), temporary: temporary.into() }
    }
}

/// A program and what it is given.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// The program: a name looked up in `PATH`, or a path.
    pub program: String,
    /// Its arguments. Never secrets: other users can read them.
    pub args: Vec<String>,
    /// Variables added to the environment.
    pub env: Vec<(String, Secret)>,
    /// Variables it must not see.
    pub without: &'static [&'static str],
    /// The folder it runs in; the project when none is given.
    pub folder: Option<String>,
    /// What its standard input holds; empty when none is given.
    pub input: Option<Secret>,
}

impl Command {
    /// A program with arguments.
    pub fn new<A: Into<String>>(program: impl Into<String>, args: impl IntoIterator<Item = A>) -> Self {
        Self { program: program.into(), args: args.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Runs it in another folder.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<String>) -> Self {
        self.folder = Some(folder.into());
        self
    }
}

/// As it would be typed.
impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::shell::escape::word(&self.program))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", crate::shell::escape::word(arg)))
    }
}

/// Why something could not be done locally.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// The program is not installed.
    #[error("{program} is not installed locally, or not in PATH")]
    Missing {
        /// The program.
        program: String,
    },
    /// It could not be started, or a file not read.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}
