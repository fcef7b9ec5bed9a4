//! What of the user's runs at fixed points of an operation, on the local machine.

use async_trait::async_trait;

use super::{Chunk, Exit, Local, LocalError};
use crate::{config::Config, secret::Secret};

/// Hooks. [`HookFiles`](crate::run::hooks::HookFiles) runs the files of `.kamal/hooks`,
/// [`HookFunctions`](crate::run::hooks::HookFunctions) functions of the program that embeds the engine, after those files
/// or without.
#[async_trait]
pub trait Hooks: Send + Sync + std::fmt::Debug {
    /// The names of those that are there, in any order; ones that are not of
    /// [`NAMES`](crate::run::hooks::NAMES) never run. Asked once, before anything is changed.
    async fn present(&self, project: &HookProject<'_>) -> Vec<String>;

    /// Runs one of them to its end, and hands on what it prints while it does. One that ends with anything but 0 ends the
    /// operation. Cancelling ends it.
    ///
    /// # Errors
    ///
    /// When it cannot be run at all.
    async fn run(
        &self,
        order: &HookOrder<'_>,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, LocalError>;
}

/// Whose hooks they are, and what runs them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HookProject<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The local machine.
    pub local: &'a dyn Local,
}

/// A hook to run, and what it is given.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HookOrder<'a> {
    /// Its name: `pre-deploy`.
    pub name: &'a str,
    /// Its variables, `KAMAL_` and all; some hooks are given all secrets too.
    pub env: &'a [(String, Secret)],
    /// Whose it is.
    pub project: HookProject<'a>,
}
