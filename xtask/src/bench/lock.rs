//! Twenty commands contend for the deploy lock of a real host and are killed at any moment.

use std::{env, process::Command};

use crate::{
    command::show,
    error::{Error, Result},
    workspace,
};

/// The test that does it; for how long is for the environment to say.
const TEST: &str = "of_many_who_contend_and_are_killed_one_holds_it";

/// Has them contend for so many seconds; `false` when two held it, or nobody did for longer than a lease lasts.
///
/// # Errors
///
/// When the test cannot be run.
pub fn contend(seconds: u64) -> Result<bool> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["nextest", "run", "--package", "kamal-tests", "--no-capture", TEST]);
    cargo.env("KAMAL_CONTENTION", seconds.to_string()).current_dir(workspace());
    match show(&mut cargo) {
        Ok(()) => Ok(true),
        Err(Error::Command { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
