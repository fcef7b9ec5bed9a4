//! The port to programs, and what a vendor's program is called and where it comes from.

use zeroize::Zeroizing;

use super::VendorError;
use crate::secret::Secret;

/// A run of a program: never through a shell.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Program {
    /// Its name, to be found on the PATH.
    pub name: &'static str,
    /// Its arguments, each as it is to arrive.
    pub args: Vec<String>,
    /// What it reads on standard input; without it, it shares ours.
    pub stdin: Option<Secret>,
    /// Variables added to its environment.
    pub env: Vec<(&'static str, Secret)>,
    /// Whether it talks with the user.
    pub terminal: Terminal,
}

/// Whether a program talks with the user. If it does, its standard error is the terminal, and not part of [`Output`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// It does not.
    Unused,
    /// It may, where a password is asked for once more.
    Shared,
    /// It does: no other of these should run meanwhile.
    Alone,
}

/// What a program left.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Output {
    /// Its exit status; none when a signal ended it.
    pub status: Option<i32>,
    /// Its standard output.
    pub stdout: Zeroizing<Vec<u8>>,
    /// Its standard error, unless it went to the terminal.
    pub stderr: Vec<u8>,
}

/// Why a program did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRun {
    /// There is none of that name.
    NotInstalled,
    /// Something else, in words.
    Failed(String),
}

/// What vendors ask of the machine.
pub trait Programs: Sync {
    /// Runs a program to its end.
    ///
    /// # Errors
    ///
    /// When it cannot be run at all. A status other than zero is no error here.
    fn run(&self, program: &Program) -> Result<Output, NotRun>;

    /// Runs several, side by side where that is possible, and answers in their order.
    fn run_all(&self, programs: &[Program]) -> Vec<Result<Output, NotRun>> {
        programs.iter().map(|program| self.run(program)).collect()
    }

    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;

    /// Whether there is a file of that path.
    fn exists(&self, path: &str) -> bool;
}

/// A vendor's program.
#[derive(Debug)]
pub(super) struct Tool {
    /// Its name on the PATH.
    pub(super) program: &'static str,
    /// What messages call it.
    pub(super) name: &'static str,
    /// Where it is to be had.
    pub(super) site: &'static str,
}

impl Program {
    fn new<A: Into<String>>(name: &'static str, args: impl IntoIterator<Item = A>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self { name, args, stdin: None, env: Vec::new(), terminal: Terminal::Unused }
    }
}

impl Output {
    /// How a program ended, what it printed, and what it said besides.
    pub fn new(status: Option<i32>, stdout: impl Into<Vec<u8>>, stderr: impl Into<Vec<u8>>) -> Self {
        Self { status, stdout: Zeroizing::new(stdout.into()), stderr: stderr.into() }
    }

    /// Whether the program says that all went well.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status == Some(0)
    }
}

impl Tool {
    /// A run with these arguments.
    pub(super) fn with<A: Into<String>>(&self, args: impl IntoIterator<Item = A>) -> Program {
        Program::new(self.program, args)
    }

    /// A run that may ask something.
    pub(super) fn sharing<A: Into<String>>(&self, args: impl IntoIterator<Item = A>) -> Program {
        Program { terminal: Terminal::Shared, ..self.with(args) }
    }

    /// A run that asks: a login.
    pub(super) fn asking<A: Into<String>>(&self, args: impl IntoIterator<Item = A>) -> Program {
        Program { terminal: Terminal::Alone, ..self.with(args) }
    }

    /// Runs it.
    pub(super) fn run(&self, programs: &dyn Programs, program: &Program) -> Result<Output, VendorError> {
        programs.run(program).map_err(|not| self.not_run(not))
    }

    /// Runs several side by side.
    pub(super) fn run_all(&self, programs: &dyn Programs, all: &[Program]) -> Result<Vec<Output>, VendorError> {
        programs.run_all(all).into_iter().map(|ran| ran.map_err(|not| self.not_run(not))).collect()
    }

    fn not_run(&self, not: NotRun) -> VendorError {
        match not {
            NotRun::NotInstalled => {
                VendorError::NotInstalled { name: self.name, program: self.program, site: self.site }
            }
            NotRun::Failed(why) => VendorError::NotRun { program: self.program, why },
        }
    }
}
