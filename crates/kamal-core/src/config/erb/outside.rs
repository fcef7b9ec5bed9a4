//! The port through which a template asks the world.

use jiff::Zoned;

/// What a template may ask of the world. The command line answers for real, tests answer from a table. Paths are
/// relative to the project. Whatever it asks is answered before it goes on: [`load`](crate::config::load) is no future, so
/// a program that has others to serve calls it on a thread that may block.
pub trait Outside {
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
    /// Why it could not be run at all, in Ruby's words: `No such file or directory - git`.
    fn run(&self, command: &str, complaints: Complaints) -> Result<Answer, String>;

    /// Something about the machine or its user.
    fn fact(&self, fact: Fact) -> String;

    /// The time, in the machine's zone.
    fn now(&self) -> Zoned;

    /// As many random bytes.
    fn random(&self, count: usize) -> Vec<u8>;

    /// Shows its user a text.
    fn say(&self, text: &str);

    /// Renders a whole template with Ruby's own ERB (trim mode `-`): its output, or its complaint. `None` when there
    /// is no ruby on PATH.
    fn ruby_erb(&self, template: &str) -> Option<Result<String, RubyError>>;
}

/// Why a file or folder cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileError {
    /// There is none.
    Missing,
    /// It is a folder.
    Folder,
    /// Something else, in words.
    Other(String),
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// A folder, not a file.
    pub folder: bool,
    /// The size in bytes.
    pub size: u64,
    /// Somebody may execute it.
    pub executable: bool,
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
pub struct Answer {
    /// Its standard output.
    pub printed: String,
    /// Its standard error, where that was kept.
    pub complaints: String,
    /// Its exit status.
    pub status: i32,
}

/// What a machine knows about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RubyError {
    /// Its message.
    pub message: String,
    /// The template's line it means, from 1.
    pub line: Option<usize>,
}
