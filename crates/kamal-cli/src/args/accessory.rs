//! `kamal accessory …`.

use clap::{Args, Subcommand};

use super::{LogsArgs, Preview, RollingArgs, candidates};

/// Accessory commands. `NAME` is an accessory's, and where the help says so `all`.
#[derive(Debug, Subcommand)]
pub(crate) enum AccessoryCommand {
    /// Boot an accessory, or all of them
    Boot(AccessoryArgs),
    /// Upload an accessory's files
    #[command(hide = true)]
    Upload(AccessoryArgs),
    /// Create an accessory's directories
    #[command(hide = true)]
    Directories(AccessoryArgs),
    /// Stop an accessory, remove its container and boot it again; or all of them
    Reboot(AccessoryArgs),
    /// Start an accessory's stopped container
    Start(AccessoryArgs),
    /// Stop an accessory
    Stop(AccessoryArgs),
    /// Stop an accessory and start it again
    Restart(AccessoryArgs),
    /// Show an accessory's containers, or those of all
    Details {
        /// The accessory, or `all`
        #[arg(add = candidates::accessories())]
        name: String,
    },
    /// Run a command in a container of an accessory
    Exec(AccessoryExecArgs),
    /// Show an accessory's log
    Logs(AccessoryLogsArgs),
    /// Pull an accessory's image
    #[command(name = "pull_image", hide = true)]
    PullImage(AccessoryArgs),
    /// Remove an accessory's container, image and data, or those of all
    Remove(AccessoryConfirmedArgs),
    /// Remove an accessory's container
    #[command(name = "remove_container", hide = true)]
    RemoveContainer(AccessoryArgs),
    /// Remove an accessory's image
    #[command(name = "remove_image", hide = true)]
    RemoveImage(AccessoryArgs),
    /// Remove an accessory's directory on its hosts, its data included
    #[command(name = "remove_service_directory", hide = true)]
    RemoveServiceDirectory(AccessoryArgs),
    /// Move an accessory, or all of them, from Kamal 1: boots it again in the network `kamal`
    Upgrade(AccessoryRollingArgs),
}

impl AccessoryCommand {
    pub(super) fn preview(&self) -> Option<&Preview> {
        match self {
            Self::Boot(args)
            | Self::Upload(args)
            | Self::Directories(args)
            | Self::Reboot(args)
            | Self::Start(args)
            | Self::Stop(args)
            | Self::Restart(args)
            | Self::PullImage(args)
            | Self::RemoveContainer(args)
            | Self::RemoveImage(args)
            | Self::RemoveServiceDirectory(args) => Some(&args.preview),
            Self::Remove(args) => Some(&args.preview),
            Self::Upgrade(args) => Some(&args.how.preview),
            Self::Details { .. } | Self::Exec(_) | Self::Logs(_) => None,
        }
    }
}

/// Options of what changes accessories.
#[derive(Args, Clone, Debug)]
pub(crate) struct AccessoryArgs {
    /// The accessory, or `all` for boot and reboot
    #[arg(add = candidates::accessories())]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// Options of `accessory remove`.
#[derive(Args, Clone, Debug)]
pub(crate) struct AccessoryConfirmedArgs {
    /// The accessory, or `all`
    #[arg(add = candidates::accessories())]
    pub(crate) name: String,
    /// Without asking
    #[arg(short = 'y', long)]
    pub(crate) confirmed: bool,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// Options of `accessory upgrade`.
#[derive(Args, Clone, Debug)]
pub(crate) struct AccessoryRollingArgs {
    /// The accessory, or `all`
    #[arg(add = candidates::accessories())]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) how: RollingArgs,
}

/// Options of `accessory exec`.
#[derive(Args, Debug)]
pub(crate) struct AccessoryExecArgs {
    /// Interactive: a terminal in the container
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Use the running container instead of a new one
    #[arg(long)]
    pub(crate) reuse: bool,
    /// Print the command's output and nothing else
    #[arg(long)]
    pub(crate) raw: bool,
    /// The accessory
    #[arg(add = candidates::accessories())]
    pub(crate) name: String,
    /// The command
    #[arg(required = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

/// Options of `accessory logs`.
#[derive(Args, Debug)]
pub(crate) struct AccessoryLogsArgs {
    /// The accessory
    #[arg(add = candidates::accessories())]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) logs: LogsArgs,
    /// Options for grep
    #[arg(long, value_name = "OPTIONS")]
    pub(crate) grep_options: Option<String>,
}
