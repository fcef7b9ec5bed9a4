//! `kamal proxy …`.

use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::{LogsArgs, Preview, RollingArgs, values};

/// Proxy commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ProxyCommand {
    /// Start kamal-proxy where it does not run
    Boot(Preview),
    /// Show, change or reset what kamal-proxy is booted with (deprecated: use proxy/run in deploy.yml)
    #[command(name = "boot_config")]
    BootConfig(BootConfigArgs),
    /// Replace kamal-proxy's containers by new ones
    Reboot(RollingArgs),
    /// Move from Kamal 1: replaces Traefik by kamal-proxy
    #[command(hide = true)]
    Upgrade(RollingArgs),
    /// Start kamal-proxy's stopped containers
    Start(Preview),
    /// Stop kamal-proxy's containers
    Stop(Preview),
    /// Stop kamal-proxy's containers and start them again
    Restart(Preview),
    /// Show kamal-proxy's containers
    Details,
    /// Show what kamal-proxy serves
    List,
    /// Show kamal-proxy's log
    Logs(LogsArgs),
    /// Remove kamal-proxy
    Remove(ProxyRemoveArgs),
    /// Remove kamal-proxy's containers
    #[command(name = "remove_container", hide = true)]
    RemoveContainer(Preview),
    /// Remove kamal-proxy's images
    #[command(name = "remove_image", hide = true)]
    RemoveImage(Preview),
    /// Remove kamal-proxy's directory
    #[command(name = "remove_proxy_directory", hide = true)]
    RemoveProxyDirectory(Preview),
}

impl ProxyCommand {
    pub(super) fn preview(&self) -> Option<&Preview> {
        match self {
            Self::Boot(preview)
            | Self::Start(preview)
            | Self::Stop(preview)
            | Self::Restart(preview)
            | Self::RemoveContainer(preview)
            | Self::RemoveImage(preview)
            | Self::RemoveProxyDirectory(preview) => Some(preview),
            Self::BootConfig(args) => Some(&args.preview),
            Self::Reboot(args) | Self::Upgrade(args) => Some(&args.preview),
            Self::Remove(args) => Some(&args.preview),
            Self::Details | Self::List | Self::Logs(_) => None,
        }
    }
}

/// Options of `proxy remove`.
#[derive(Args, Debug)]
pub(crate) struct ProxyRemoveArgs {
    /// Even though apps are installed
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// Options of `proxy boot_config`.
#[derive(Args, Debug)]
pub(crate) struct BootConfigArgs {
    /// What to do with it
    #[arg(value_enum, value_name = "set|get|reset", hide_possible_values = true)]
    pub(crate) chore: BootConfigChore,
    /// Do not publish kamal-proxy's ports
    // As clap has it: `--publish`, which is the default, is what it negates.
    #[arg(long = "no-publish", action = ArgAction::SetFalse)]
    pub(crate) publish: bool,
    /// Publish the ports on this address alone; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) publish_host_ip: Vec<String>,
    /// The port for HTTP
    #[arg(long, value_name = "PORT", default_value = "80", value_parser = values::whole::<u16>)]
    pub(crate) http_port: u16,
    /// The port for HTTPS
    #[arg(long, value_name = "PORT", default_value = "443", value_parser = values::whole::<u16>)]
    pub(crate) https_port: u16,
    /// How long the log may become, as docker has it; empty: as the daemon is configured
    #[arg(long, value_name = "SIZE", default_value = "10m")]
    pub(crate) log_max_size: String,
    /// The registry of kamal-proxy's image
    #[arg(long)]
    pub(crate) registry: Option<String>,
    /// The repository of kamal-proxy's image
    #[arg(long)]
    pub(crate) repository: Option<String>,
    /// The version of kamal-proxy's image
    #[arg(long, value_name = "VERSION")]
    pub(crate) image_version: Option<String>,
    /// The port metrics are served at
    #[arg(long, value_name = "PORT", value_parser = values::whole::<u16>)]
    pub(crate) metrics_port: Option<u16>,
    /// Let kamal-proxy log more
    #[arg(long)]
    pub(crate) debug: bool,
    /// Options for docker
    #[arg(long, value_name = "OPTION=VALUE", num_args = 1..)]
    pub(crate) docker_options: Vec<String>,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// What is done with what kamal-proxy is booted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BootConfigChore {
    /// Write it on the hosts
    Set,
    /// Show it
    Get,
    /// Remove what was written
    Reset,
}
