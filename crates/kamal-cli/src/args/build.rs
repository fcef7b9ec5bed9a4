//! `kamal build …`.

use clap::{Args, Subcommand};

use super::Preview;

/// Build commands.
#[derive(Debug, Subcommand)]
pub(crate) enum BuildCommand {
    /// Build, push, and pull
    Deliver(Preview),
    /// Build the image and push it
    Push(PushArgs),
    /// Pull the image on the hosts
    Pull(Preview),
    /// Create the builder
    Create(Preview),
    /// Remove the builder
    Remove(Preview),
    /// Show the builder
    Details,
    /// Build what is in the working directory, uncommitted changes included, for this machine
    Dev(DevArgs),
}

impl BuildCommand {
    pub(super) fn preview(&self) -> Option<&Preview> {
        match self {
            Self::Deliver(preview) | Self::Pull(preview) | Self::Create(preview) | Self::Remove(preview) => {
                Some(preview)
            }
            Self::Push(args) => Some(&args.preview),
            Self::Dev(args) => Some(&args.preview),
            Self::Details => None,
        }
    }
}

/// Options of `build push`.
#[derive(Args, Debug)]
pub(crate) struct PushArgs {
    /// What buildx makes: registry, docker, …
    #[arg(long, default_value = "registry", value_name = "TYPE")]
    pub(crate) output: String,
    /// Build without the build cache
    #[arg(long)]
    pub(crate) no_cache: bool,
    #[command(flatten)]
    pub(crate) preview: Preview,
}

/// Options of `build dev`.
#[derive(Args, Debug)]
pub(crate) struct DevArgs {
    /// What buildx makes: docker, registry, …
    #[arg(long, default_value = "docker", value_name = "TYPE")]
    pub(crate) output: String,
    /// Build without the build cache
    #[arg(long)]
    pub(crate) no_cache: bool,
    #[command(flatten)]
    pub(crate) preview: Preview,
}
