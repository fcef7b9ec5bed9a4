//! `kamal app …`.

use std::time::Duration;

use clap::{Args, Subcommand};
use kamal_core::op::Scale;

use super::{LogsArgs, Pair, Preview, candidates, values};

/// App commands.
#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// Boot the app on hosts, or reboot it if it runs
    Boot(Preview),
    /// Start the version's stopped containers
    Start(Preview),
    /// Stop the app
    Stop(Preview),
    /// Have roles that run as services have so many containers
    Scale(ScaleArgs),
    /// Answer requests with a maintenance page
    Maintenance(MaintenanceArgs),
    /// End maintenance
    Live(Preview),
    /// Run a command in a container of the app
    Exec(AppExecArgs),
    /// Show the app's log
    Logs(AppLogsArgs),
    /// Show the app's running containers
    Details,
    /// Show all containers of the app
    Containers,
    /// Show images on the hosts
    Images,
    /// Show the version that runs
    Version,
    /// Show containers that run though another version is current
    #[command(name = "stale_containers")]
    StaleContainers(StaleArgs),
    /// Stop the app and remove its containers, images and folders
    Remove(Preview),
    /// Remove the container of a version
    #[command(name = "remove_container", hide = true)]
    RemoveContainer(RemoveContainerArgs),
    /// Remove containers that do not run
    #[command(name = "remove_containers", hide = true)]
    RemoveContainers(Preview),
    /// Remove images no container uses
    #[command(name = "remove_images", hide = true)]
    RemoveImages(Preview),
    /// Remove the app's folders
    #[command(name = "remove_app_directories", hide = true)]
    RemoveAppDirectories(Preview),
}

impl AppCommand {
    pub(super) fn preview(&self) -> Option<&Preview> {
        match self {
            Self::Boot(preview)
            | Self::Start(preview)
            | Self::Stop(preview)
            | Self::Live(preview)
            | Self::Remove(preview)
            | Self::RemoveContainers(preview)
            | Self::RemoveImages(preview)
            | Self::RemoveAppDirectories(preview) => Some(preview),
            Self::Scale(args) => Some(&args.preview),
            Self::Maintenance(args) => Some(&args.preview),
            Self::StaleContainers(args) => Some(&args.preview),
            Self::RemoveContainer(args) => Some(&args.preview),
            Self::Exec(_) | Self::Logs(_) | Self::Details | Self::Containers | Self::Images | Self::Version => None,
        }
    }
}

/// Options of `app scale`.
#[derive(Args, Debug)]
pub(crate) struct ScaleArgs {
    /// How many containers which role is to have
    #[arg(required = true, value_name = "ROLE=N", value_parser = values::scale)]
    pub(crate) replicas: Vec<Scale>,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// Options of `app maintenance`.
#[derive(Args, Debug)]
pub(crate) struct MaintenanceArgs {
    /// How long requests under way may take [default: drain_timeout of the configuration]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) drain_timeout: Option<Duration>,
    /// What the page says
    #[arg(long)]
    pub(crate) message: Option<String>,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// Options of `app exec`.
#[derive(Args, Debug)]
pub(crate) struct AppExecArgs {
    /// Interactive: a terminal in the container
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Use the running container instead of a new one
    #[arg(long)]
    pub(crate) reuse: bool,
    /// Variables for the command, one or several after each other
    #[arg(short, long, value_name = "KEY:VALUE", value_parser = values::pair)]
    pub(crate) env: Vec<Pair>,
    /// Leave it running and print its container's id
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print the command's output and nothing else
    #[arg(long)]
    pub(crate) raw: bool,
    /// The command
    #[arg(required = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

/// Options of `app logs`.
#[derive(Args, Debug)]
pub(crate) struct AppLogsArgs {
    #[command(flatten)]
    pub(crate) logs: LogsArgs,
    /// Options for grep
    #[arg(long, value_name = "OPTIONS")]
    pub(crate) grep_options: Option<String>,
    /// The log of this container
    #[arg(long, value_name = "ID")]
    pub(crate) container_id: Option<String>,
}

/// Options of `app stale_containers`.
#[derive(Args, Debug)]
pub(crate) struct StaleArgs {
    /// Stop them
    #[arg(short, long)]
    pub(crate) stop: bool,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// Options of `app remove_container`.
#[derive(Args, Debug)]
pub(crate) struct RemoveContainerArgs {
    /// The version
    // Not `version`, which is `--version`.
    #[arg(value_name = "VERSION", add = candidates::versions())]
    pub(crate) version_removed: String,
    #[command(flatten)]
    pub(crate) preview: Preview,
}
