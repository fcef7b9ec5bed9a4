//! `kamal import …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use kamal_core::config::import::Origin;

/// Import commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// From a Compose file
    Compose(ImportArgs),
    /// From Capistrano's config/deploy.rb, which is read and never run, and config/deploy/STAGE.rb beside it
    Capistrano(ImportArgs),
    /// From a deploy.yml of Kamal 1 (with Traefik), and those of its destinations
    Kamal1(ImportArgs),
}

/// Options of the import commands.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The file, `-` for standard input [default: where the tool looks for it]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// Where the draft goes, `-` for standard output
    #[arg(long, value_name = "PATH", default_value = "config/deploy.yml", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// Replace what is there already
    #[arg(long)]
    pub(crate) force: bool,
}

impl ImportCommand {
    /// Whose file it is, and its options.
    pub(crate) fn parts(&self) -> (Origin, &ImportArgs) {
        match self {
            Self::Compose(args) => (Origin::Compose, args),
            Self::Capistrano(args) => (Origin::Capistrano, args),
            Self::Kamal1(args) => (Origin::Kamal1, args),
        }
    }
}
