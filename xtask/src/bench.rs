//! What things cost, beside what others take for the same, in one run on one machine.

pub mod all;
pub mod cluster;
pub mod config;
pub mod far;
pub mod figures;
pub mod fleet;
pub mod instructions;
pub mod load;
pub mod lock;
#[path = "../../tests/shared/memory.rs"]
mod memory;
pub mod proxy;
pub mod quiet;
pub mod registry;

use std::{
    env,
    process::{Command, Stdio},
    time::Duration,
};

use self::figures::Figures;
use crate::{command::run, error::Result, figure::Figure, sandbox::require_packages, workspace};

/// What the bench of SSH runs, and the packages that have it.
const PROGRAMS: [(&str, &str); 3] =
    [("sshd", "openssh-server"), ("scp", "openssh-client"), ("ssh-keygen", "openssh-client")];

/// Runs the SSH adapter's own benchmark beside OpenSSH's programs.
///
/// # Errors
///
/// When something is missing that it needs.
pub fn ssh(figures: &mut Figures) -> Result<()> {
    require_packages(&PROGRAMS)?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["bench", "--quiet", "--profile", "quick", "--package", "kamal-ssh", "--bench", "openssh"]);
    let said = run(cargo.current_dir(workspace()).stderr(Stdio::inherit()))?;
    figures.begin("Over SSH")?;
    said.lines().filter_map(Figure::read).try_for_each(|figure| figures.add(figure))
}

/// The one in the middle.
pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

pub(crate) fn seconds(time: Option<&Duration>) -> f64 {
    time.map_or(0.0, Duration::as_secs_f64)
}
