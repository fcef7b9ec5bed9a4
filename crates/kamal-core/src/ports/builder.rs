//! Who builds images: what is done about them on the local machine.

use async_trait::async_trait;

use super::{Clock, Exit, Local, LocalError, ReachError, RegistryError, SecretError, Serving};
use crate::{build::BuildTask, config::Config, event::Teller, keyring::Keyring, name::Version};

/// Builds images. Implemented by `kamal-docker`; an own builder does the tasks that are its own and hands on the rest.
#[async_trait]
pub trait Builder: Send + Sync + std::fmt::Debug {
    /// Does something about images on the local machine, and tells what came of it. Safe to run again; cancelling leaves nothing that keeps the next one from its work.
    ///
    /// # Errors
    ///
    /// Why it was not done.
    async fn build(&self, order: &BuildOrder<'_>) -> Result<Built, BuildError>;
}

/// What came of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// What a person asked to see.
    pub told: String,
    /// The digest of the image as the registry took it, `sha256:…`: it is what hosts run, wherever its tag moves. Where
    /// none is told they run what the tag stands for when they pull it.
    pub digest: Option<String>,
    /// What the image that was to be measured is made of, for each architecture.
    pub variants: Vec<ImageVariant>,
}

/// An image for one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageVariant {
    /// The architecture, in Docker's spelling.
    pub arch: String,
    /// Its layers, the lowest first.
    pub layers: Vec<ImageLayer>,
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageLayer {
    /// The digest of what is in it, by which docker knows it.
    pub diff_id: String,
    /// How many bytes it has on its way.
    pub packed: u64,
}

impl From<String> for Built {
    fn from(told: String) -> Self {
        Self { told, ..Self::default() }
    }
}

/// What to do about images, and with what.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct BuildOrder<'a> {
    /// What to do.
    pub task: &'a BuildTask,
    /// The configuration.
    pub config: &'a Config,
    /// The version; builds need one.
    pub version: Option<&'a Version>,
    /// The local machine.
    pub local: &'a dyn Local,
    /// Builder secrets, and the registry's user and password.
    pub secrets: &'a Keyring,
    /// Listeners: the build's output.
    pub events: &'a Teller,
    /// Time, for how long things take.
    pub clock: &'a dyn Clock,
    /// The registry on this machine, where the image goes into it.
    pub registry: Option<&'a dyn Serving>,
}

impl<'a> BuildOrder<'a> {
    /// Something to do where there is no version and no registry of this machine's.
    #[must_use]
    pub fn new(
        task: &'a BuildTask,
        config: &'a Config,
        local: &'a dyn Local,
        secrets: &'a Keyring,
        events: &'a Teller,
        clock: &'a dyn Clock,
    ) -> Self {
        Self { task, config, version: None, local, secrets, events, clock, registry: None }
    }
}

/// Why an image was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A program is missing or a file cannot be read.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// A program ended badly.
    #[error("{what} failed with exit status {}{}", Exit(*.status), tail(.output, *.shown))]
    Failed {
        /// What was tried.
        what: String,
        /// Its exit status.
        status: i32,
        /// The last lines it printed.
        output: String,
        /// Whether somebody has seen them already, so that they need not be repeated.
        shown: bool,
    },
    /// A secret is missing.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Something is missing or does not fit.
    #[error("{0}")]
    Unfit(String),
    /// The machine that builds cannot push to the registry on this one.
    #[error("the builder does not reach the registry on this machine: {0}")]
    Unreached(#[from] ReachError),
    /// The registry on this machine failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

fn tail(output: &str, shown: bool) -> String {
    if shown || output.trim().is_empty() { String::new() } else { format!(":\n{}", output.trim_end()) }
}
