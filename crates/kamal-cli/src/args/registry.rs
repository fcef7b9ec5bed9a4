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
    /// List the images in the registry on this machine
    Ls,
    /// Remove from the registry on this machine what is old, and what nothing leads to
    Gc(GcArgs),
}

/// What stays.
#[derive(Args, Clone, Debug)]
pub(crate) struct GcArgs {
    /// How many tags of each image stay, the last pushed first; all of them unless this is given
    #[arg(long, value_name = "COUNT")]
    pub(crate) keep: Option<usize>,
}

impl RegistryCommand {
    /// The options of those that log in or out.
    pub(crate) fn args(&self) -> Option<&RegistryArgs> {
        match self {
            Self::Setup(args) | Self::Remove(args) | Self::Login(args) | Self::Logout(args) => Some(args),
            Self::Ls | Self::Gc(_) => None,
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
