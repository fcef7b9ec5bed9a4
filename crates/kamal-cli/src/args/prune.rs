//! `kamal prune …`.

use clap::{Args, Subcommand};

use super::{Preview, values};

/// Prune commands.
#[derive(Debug, Subcommand)]
pub(crate) enum PruneCommand {
    /// Remove unused images and stopped containers
    All(Preview),
    /// Remove unused images
    Images(Preview),
    /// Remove stopped containers but the newest
    Containers(PruneContainersArgs),
}

impl PruneCommand {
    pub(super) fn preview(&self) -> &Preview {
        match self {
            Self::All(preview) | Self::Images(preview) => preview,
            Self::Containers(args) => &args.preview,
        }
    }
}

/// Options of `prune containers`.
#[derive(Args, Debug)]
pub(crate) struct PruneContainersArgs {
    /// How many stay [default: retain_containers of the configuration]
    #[arg(long, value_name = "N", value_parser = values::whole::<u32>)]
    pub(crate) retain: Option<u32>,
    #[command(flatten)]
    pub(crate) preview: Preview,
}
