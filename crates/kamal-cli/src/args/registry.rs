//! `kamal registry …`.

use clap::{Args, Subcommand};

use super::Preview;

/// Registry commands.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Start the registry on this machine, or log in to one elsewhere
    Setup(RegistryArgs),
    /// Remove the registry on this machine, or log out of one elsewhere
    Remove(RegistryArgs),
    /// Log in to the registry, here and on the hosts
    Login(RegistryArgs),
    /// Log out of the registry, here and on the hosts
    Logout(RegistryArgs),
}

impl RegistryCommand {
    /// The options all of them have.
    pub(crate) fn args(&self) -> &RegistryArgs {
        match self {
            Self::Setup(args) | Self::Remove(args) | Self::Login(args) | Self::Logout(args) => args,
        }
    }
}

/// Where to log in or out.
#[derive(Args, Clone, Debug)]
pub(crate) struct RegistryArgs {
    /// Not on this machine
    #[arg(short = 'L', long)]
    pub(crate) skip_local: bool,
    /// Not on the hosts
    #[arg(short = 'R', long)]
    pub(crate) skip_remote: bool,
    #[command(flatten)]
    pub(crate) preview: Preview,
}
