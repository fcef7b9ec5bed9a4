//! `kamal server …`.

use clap::{Args, Subcommand};

use super::Preview;

/// Server commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Install Docker where it is missing
    Bootstrap(Preview),
    /// Join the servers by Docker's swarm, so that containers reach each other by name
    Join(Preview),
    /// Take servers out of the swarm
    Leave(Preview),
    /// Run a command on the servers
    Exec(ServerExecArgs),
}

/// Options of `server exec`.
#[derive(Args, Debug)]
pub(crate) struct ServerExecArgs {
    /// Interactive: a terminal on the primary host; without a command, a shell
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Print the command's output and nothing else
    #[arg(long)]
    pub(crate) raw: bool,
    /// The command, as the host's shell takes it
    #[arg(value_name = "CMD")]
    pub(crate) command: Vec<String>,
}
