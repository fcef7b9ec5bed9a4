//! `kamal doctor …`.

use clap::Subcommand;

use super::candidates;

/// Doctor commands.
#[derive(Debug, Subcommand)]
pub(crate) enum DoctorCommand {
    /// Go the way to hosts step by step: configuration, name, network, host key, login, shell, Docker
    Ssh {
        /// The hosts [default: all that are selected]
        // Not `hosts`, which is `--hosts`.
        #[arg(value_name = "HOST", add = candidates::host())]
        named: Vec<String>,
    },
}
