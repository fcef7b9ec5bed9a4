//! Programs of this machine, and `kamal secrets fetch|extract` over them, for the command line and for secrets files.

use std::{
    io::{ErrorKind, Write},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
};

use kamal_core::secrets::{
    CommandError,
    answer::{ExtractError, escaped, extracted, printed},
    vendors::{Ask, NotRun, Output, Program, Programs, Terminal, Vendor},
};
use zeroize::Zeroizing;

use super::{
    secrets::side_by_side,
    secrets_command::{Extract, Fetch},
    template_world::Surroundings,
};

/// Held while a program talks with the user: a process has one terminal, whatever number of projects.
static TERMINAL: Mutex<()> = Mutex::new(());

/// What makes room on the terminal: what it returns is kept until the user has been talked with.
pub type MakeRoom = fn() -> Box<dyn Send>;

/// Who makes room, if somebody draws on the terminal.
static MAKES_ROOM: OnceLock<MakeRoom> = OnceLock::new();

/// The terminal, for one who talks with the user.
pub struct TerminalAlone {
    _room: Option<Box<dyn Send>>,
    _alone: MutexGuard<'static, ()>,
}

impl std::fmt::Debug for TerminalAlone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TerminalAlone")
    }
}

/// Waits until no program talks with the user, and keeps others from it until what comes back is dropped.
#[must_use]
pub fn terminal_alone() -> TerminalAlone {
    let alone = TERMINAL.lock().unwrap_or_else(PoisonError::into_inner);
    TerminalAlone { _room: MAKES_ROOM.get().map(|make| make()), _alone: alone }
}

/// Has room made on the terminal whenever somebody is about to talk with the user. The first to ask for it counts.
pub fn make_room_on_terminal(make: MakeRoom) {
    let _ = MAKES_ROOM.set(make);
}

impl Programs for Surroundings {
    fn run(&self, program: &Program) -> Result<Output, NotRun> {
        let alone = (program.terminal == Terminal::Alone).then(terminal_alone);
        let _slot = self.slots.take();
        let mut command = Command::new(program.name);
        self.environment.give(&mut command);
        command.args(&program.args).current_dir(&self.project);
        command.envs(program.env.iter().map(|(name, value)| (name, value.expose())));
        if let Some(destination) = &self.destination {
            command.env("KAMAL_DESTINATION", destination);
        }
        command.stdin(if program.stdin.is_some() { Stdio::piped() } else { Stdio::inherit() });
        command.stdout(Stdio::piped());
        command.stderr(if program.terminal == Terminal::Unused { Stdio::piped() } else { Stdio::inherit() });
        let child = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => NotRun::NotInstalled,
            _ => NotRun::Failed(error.to_string()),
        })?;
        let output = finish(child, program).map_err(|error| NotRun::Failed(error.to_string()))?;
        drop(alone);
        Ok(Output::new(output.status.code(), output.stdout, output.stderr))
    }

    fn run_all(&self, programs: &[Program]) -> Vec<Result<Output, NotRun>> {
        side_by_side(programs, |program| self.run(program))
    }

    fn env(&self, name: &str) -> Option<String> {
        self.environment.get(name)
    }

    fn exists(&self, path: &str) -> bool {
        self.project.join(path).is_file()
    }
}

fn finish(mut child: Child, program: &Program) -> std::io::Result<std::process::Output> {
    let stdin = child.stdin.take();
    thread::scope(|scope| {
        scope.spawn(move || {
            if let (Some(mut stdin), Some(text)) = (stdin, &program.stdin) {
                // A program that does not read it all has its reason, which its status tells.
                drop(stdin.write_all(text.expose().as_bytes()));
            }
        });
        child.wait_with_output()
    })
}

impl Surroundings {
    /// `kamal secrets fetch`: JSON, with `--inline` as one word of a command. None when the account is lacking, of
    /// which Kamal makes no error.
    ///
    /// # Errors
    ///
    /// Why nothing was fetched.
    pub fn fetch(&self, args: &Fetch) -> Result<Option<Zeroizing<String>>, CommandError> {
        let ask = Ask::new(&args.names, args.account.as_deref(), args.from.as_deref());
        let vendor = Vendor::named(&args.adapter)?;
        if vendor.lacks_account(&ask) && !args.inline {
            return Ok(None);
        }
        let found = self.sessions.fetch(vendor, &ask, self)?;
        let json = printed(&found);
        Ok(Some(if args.inline { escaped(&json) } else { json }))
    }
}

impl Extract {
    /// `kamal secrets extract`.
    ///
    /// # Errors
    ///
    /// When there is nothing to extract from, or not that.
    pub fn run(&self) -> Result<Zeroizing<String>, CommandError> {
        let json = self.fetched.as_deref().filter(|json| !json.trim().is_empty());
        let json = json.ok_or_else(|| ExtractError::Nothing { name: self.name.clone() })?;
        let value = extracted(&self.name, json)?;
        Ok(Zeroizing::new(value.expose().to_owned()))
    }
}
