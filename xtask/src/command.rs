//! Running other programs, and telling people about it.

use std::env;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::error::{Context, Error, Result};

/// Where system programs are, also for users whose own `PATH` has no `sbin`.
pub const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a program to its end, without input, and gives back what it printed.
///
/// # Errors
///
/// When it cannot be started, or ends with anything but success; the error carries its output.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().context(|| format!("starting `{}`", line(command)))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = format!("{}\n{}", stdout.trim_end(), stderr.trim_end());
    Err(Error::Command { command: line(command), status: output.status.to_string(), output: said.trim().to_owned() })
}

/// Runs a program that shows its output itself.
///
/// # Errors
///
/// When it cannot be started, or ends with anything but success.
pub fn show(command: &mut Command) -> Result<()> {
    let status = command.status().context(|| format!("starting `{}`", line(command)))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Command { command: line(command), status: status.to_string(), output: String::new() })
}

/// The program `name` in `PATH` or in one of the system's own folders.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(env::split_paths(SYSTEM_PATH)).collect::<Vec<_>>();
    folders.into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Tells the user how far a chore is, on standard error.
pub fn note(text: impl Display) {
    // A closed terminal is no reason to leave a chore half done.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints what the user asked for, on standard output.
///
/// # Errors
///
/// When nobody reads it any more.
pub fn print(text: impl Display) -> Result<()> {
    writeln!(io::stdout().lock(), "{text}").context(|| "writing to standard output".to_owned())
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
