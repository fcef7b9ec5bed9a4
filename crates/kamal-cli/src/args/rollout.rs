//! `kamal rollout …`.

use clap::{Args, Subcommand};

use super::{DeployArgs, Preview, values};

/// Rollout commands.
#[derive(Debug, Subcommand)]
pub(crate) enum RolloutCommand {
    /// Bring a version up beside the one that is live, for a part of the requests
    Deploy(RolloutDeployArgs),
    /// Lead another part of the requests to it
    Set(RolloutSetArgs),
    /// Make it the only one: what is left of a deploy
    Promote(Preview),
    /// Lead all requests to what was live before, and remove it
    Abort(Preview),
}

impl RolloutCommand {
    pub(super) fn preview(&self) -> &Preview {
        match self {
            Self::Deploy(args) => &args.deploy.preview,
            Self::Set(args) => &args.preview,
            Self::Promote(preview) | Self::Abort(preview) => preview,
        }
    }
}

/// Options of `rollout deploy`.
#[derive(Args, Debug)]
pub(crate) struct RolloutDeployArgs {
    /// How many of a hundred requests it gets, by the value of their cookie `kamal-rollout`
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = values::percent)]
    pub(crate) percent: u8,
    #[command(flatten)]
    pub(crate) deploy: DeployArgs,
}

/// Options of `rollout set`.
#[derive(Args, Debug)]
pub(crate) struct RolloutSetArgs {
    /// How many of a hundred requests it gets, by the value of their cookie `kamal-rollout`
    #[arg(value_name = "PERCENT", value_parser = values::percent)]
    pub(crate) percent: u8,
    #[command(flatten)]
    pub(crate) preview: Preview,
}
