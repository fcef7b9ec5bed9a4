//! Shell completions. The shell asks this program, which knows hosts, roles and accessories.

use std::{ffi::OsString, io, process::ExitCode};

use clap::CommandFactory;
use clap_complete::{CompleteEnv, Shell, env::Shells};

use crate::{args::Cli, failure::Failure};

/// The variable by which a shell asks.
const VARIABLE: &str = "KAMAL_COMPLETE";

/// Answers a shell, if it is one that asks.
pub(super) fn answer(arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let folder = std::env::current_dir().ok();
    let env = CompleteEnv::with_factory(Cli::command).var(VARIABLE);
    match env.try_complete(arguments, folder.as_deref()) {
        Ok(answered) => answered.then_some(ExitCode::SUCCESS),
        Err(error) => {
            drop(error.print());
            Some(ExitCode::FAILURE)
        }
    }
}

/// Prints what makes a shell ask.
pub(super) fn print(shell: Shell) -> Result<(), Failure> {
    let name = shell.to_string();
    let shells = Shells::builtins();
    let completer = shells.completer(&name).ok_or_else(|| Failure::User(format!("{name} cannot be helped")))?;
    let written = completer.write_registration(VARIABLE, "kamal", "kamal", "kamal", &mut io::stdout());
    written.map_err(|error| Failure::User(format!("cannot write: {error}")))
}
