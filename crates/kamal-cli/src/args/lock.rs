//! `kamal lock …`.

use clap::{Args, Subcommand};

use super::Preview;

/// Lock commands.
#[derive(Debug, Subcommand)]
pub(crate) enum LockCommand {
    /// Show who holds the deploy lock
    Status,
    /// Take the deploy lock
    Acquire(AcquireArgs),
    /// Release the deploy lock
    Release(Preview),
}

impl LockCommand {
    pub(super) fn preview(&self) -> Option<&Preview> {
        match self {
            Self::Acquire(args) => Some(&args.preview),
            Self::Release(preview) => Some(preview),
            Self::Status => None,
        }
    }
}

/// Options of `lock acquire`.
#[derive(Args, Debug)]
pub(crate) struct AcquireArgs {
    /// Why
    #[arg(short, long)]
    pub(crate) message: String,
    #[command(flatten)]
    pub(crate) preview: Preview,
}
