//! What reading a configuration asks of the machine, so that hostile files can be read without one.

use std::{
    ffi::OsString,
    fmt::Debug,
    io,
    path::Path,
    process::{Command, Stdio},
};

/// Files and commands.
pub(crate) trait ClientMachine: Debug {
    /// The content of a file.
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;

    /// The names in a folder, in any order; none when it cannot be read.
    fn names(&self, folder: &Path) -> Vec<OsString>;

    /// Whether a command of the user's own configuration succeeds.
    fn succeeds(&self, command: &str) -> bool;
}

/// This machine.
#[derive(Debug)]
pub(crate) struct Machine;

impl ClientMachine for Machine {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(file)
    }

    fn names(&self, folder: &Path) -> Vec<OsString> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        entries.filter_map(Result::ok).map(|entry| entry.file_name()).collect()
    }

    fn succeeds(&self, command: &str) -> bool {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        shell.status().is_ok_and(|status| status.success())
    }
}
