//! The port through which a template asks the world.

use jiff::Zoned;

/// What a template may ask of the world. The command line answers for real, tests answer from a table. Paths are
/// relative to the project. Whatever it asks is answered before it goes on: [`load`](crate::config::load) is no future, so
/// a program that has others to serve calls it on a thread that may block.
pub trait TemplateWorld {
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;

    /// All environment variables, by name.
    fn variables(&self) -> Vec<(String, String)>;

    /// Sets an environment variable, or takes it away: for this template, the programs it runs, and, as Kamal is one
    /// process, for everything that asks for variables after it.
    fn set_env(&self, name: &str, value: Option<&str>);

    /// A file's contents.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    fn read_file(&self, path: &str) -> Result<String, FileError>;

    /// What a path names, links followed; `None` when there is nothing.
    fn look(&self, path: &str) -> Option<Found>;

    /// The names in a folder, in any order, without `.` and `..`.
    ///
    /// # Errors
    ///
    /// Why it cannot be listed.
    fn list(&self, folder: &str) -> Result<Vec<String>, FileError>;

    /// Runs a command as Ruby's backticks do: a plain one without a shell, so that a program that is not there is an
    /// error, any other with `sh -c`.
    ///
    /// # Errors
    ///
    /// Why it could not be run at all. One that fails is none.
    fn run(&self, command: &str, complaints: Complaints) -> Result<Answer, CommandError>;

    /// Something about the machine or its user.
    fn fact(&self, fact: Fact) -> String;

    /// The time, in the machine's zone.
    fn now(&self) -> Zoned;

    /// As many random bytes.
    fn random(&self, count: usize) -> Vec<u8>;

    /// Shows its user a text.
    fn say(&self, text: &str);

    /// Renders a whole template with Ruby's own ERB (trim mode `-`); `None` when there is no ruby on PATH.
    ///
    /// # Errors
    ///
    /// Its complaint.
    fn ruby_erb(&self, template: &str) -> Option<Result<String, RubyError>>;
}

/// Why a file or folder cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is none.
    #[error("No such file or directory")]
    Missing,
    /// It is a folder.
    #[error("Is a directory")]
    Folder,
    /// Something else, in words.
    #[error("{0}")]
    Other(String),
}

/// Why a command could not be run at all, in Ruby's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such program.
    #[error("No such file or directory - {program}")]
    Missing {
        /// The program.
        program: String,
    },
    /// There is, and nobody may execute it.
    #[error("Permission denied - {program}")]
    Denied {
        /// The program.
        program: String,
    },
    /// Something else, in words.
    #[error("{0}")]
    Other(String),
}

impl CommandError {
    /// There is no such program.
    pub fn missing(program: impl Into<String>) -> Self {
        Self::Missing { program: program.into() }
    }

    /// The exception it is in Ruby.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "Errno::ENOENT",
            Self::Denied { .. } => "Errno::EACCES",
            Self::Other(_) => "SystemCallError",
        }
    }
}

/// What a path names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// A folder, not a file.
    pub folder: bool,
    /// The size in bytes.
    pub size: u64,
    /// Somebody may execute it.
    pub executable: bool,
}

impl Found {
    /// A file of so many bytes.
    #[must_use]
    pub fn file(size: u64) -> Self {
        Self { size, ..Self::default() }
    }

    /// A folder, whose own list takes so many bytes, and whose names anybody may look up.
    #[must_use]
    pub fn folder(size: u64) -> Self {
        Self { folder: true, size, executable: true }
    }

    /// The same, which somebody may execute or not.
    #[must_use]
    pub fn executable(self, executable: bool) -> Self {
        Self { executable, ..self }
    }
}

/// What becomes of a command's standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaints {
    /// The user sees it.
    Shown,
    /// It is in the answer.
    Kept,
}

/// How a command went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Its standard output.
    pub printed: String,
    /// Its standard error, where that was kept.
    pub complaints: String,
    /// Its exit status.
    pub status: i32,
}

impl Answer {
    /// A command that succeeded.
    pub fn printed(text: impl Into<String>) -> Self {
        Self { printed: text.into(), ..Self::default() }
    }

    /// The same, with what it said on its standard error.
    #[must_use]
    pub fn complaining(self, complaints: impl Into<String>) -> Self {
        Self { complaints: complaints.into(), ..self }
    }

    /// The same, ended with another exit status.
    #[must_use]
    pub fn ended(self, status: i32) -> Self {
        Self { status, ..self }
    }
}

/// What a machine knows about itself. Whoever does not know something says an empty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// The project's folder, where the command is run.
    Folder,
    /// The user's home folder.
    Home,
    /// The machine's name.
    Host,
    /// The user's login name.
    User,
    /// How many processors there are.
    Processors,
    /// Its processors and its system, as Ruby calls them: `x86_64-linux`.
    Platform,
    /// The command that prints what processors containers have here.
    ArchitectureQuestion,
}

/// What ruby says to a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct RubyError {
    /// Its message.
    pub message: String,
    /// The template's line it means, from 1.
    pub line: Option<usize>,
}

impl RubyError {
    /// A message, about a line where it says which.
    pub fn new(message: impl Into<String>, line: Option<usize>) -> Self {
        Self { message: message.into(), line }
    }
}
