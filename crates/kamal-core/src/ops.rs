//! Operations: what `kamal deploy` and its kin do, as functions an embedder calls.

mod boot;
pub mod bootstrap;
pub mod deploy;
pub mod hooks;
pub mod lock;
mod needs;
mod proxy_version;
mod reboot;
mod remove;
pub mod small;

pub use deploy::{DeployOptions, Report, deploy, dry_run};
pub use needs::Needs;
pub use reboot::proxy_reboot;
pub use remove::{Removal, Stale, app_remove, stale_containers};

use std::time::Duration;

use crate::{
    error::HostError,
    event::EventKind,
    fleet::Fleet,
    name::{HostName, ImageRef, Version},
    shell::Script,
    targets::Targets,
};

/// What an operation is given besides its options.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The hosts.
    pub fleet: Fleet<'a>,
    /// Which of them it acts on.
    pub targets: &'a Targets,
    /// The version it acts on.
    pub version: &'a Version,
    /// The setting of this run.
    pub run: &'a RunSettings,
    /// The proxy's image where none is configured; `None` leaves it to Kamal's default.
    pub proxy_image: Option<ProxyImage>,
}

/// An image of the proxy that is brought along and handed to hosts without a registry.
#[derive(Clone, Debug)]
pub struct ProxyImage {
    /// Its name.
    pub reference: ImageRef,
    /// The architecture it is for, in Docker's spelling.
    pub arch: String,
    /// What `docker load` reads, made when a host needs it.
    pub archive: Archive,
}

/// Makes an image's archive: megabytes most runs have no use for. The error says what is missing.
#[derive(Clone)]
pub struct Archive(std::sync::Arc<dyn Fn() -> Result<Vec<u8>, String> + Send + Sync>);

impl Archive {
    /// Wraps a function.
    pub fn new(make: impl Fn() -> Result<Vec<u8>, String> + Send + Sync + 'static) -> Self {
        Self(std::sync::Arc::new(make))
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Archive")
    }
}

/// What does not change during a run.
#[derive(Clone, Debug, Default)]
pub struct RunSettings {
    /// `--skip-hooks`.
    pub skip_hooks: bool,
    /// True when a parent process holds the lock for us (`KAMAL_LOCK`).
    pub lock_held: bool,
    /// `--lock-wait`: how long to wait for a held lock, and how long between looks.
    pub lock_wait: Option<(Duration, Duration)>,
    /// The top-level word, for hooks.
    pub command: String,
    /// The second word, for hooks.
    pub subcommand: Option<String>,
    /// `git config user.name`, for the lock.
    pub user_name: String,
    /// `-r` as given, for hooks.
    pub roles: Option<String>,
}

impl Cx<'_> {
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.fleet.emit(EventKind::say(text));
    }
}

/// Hands an image to a host through its connection: two round trips, no registry.
pub(crate) async fn ship_image(fleet: &Fleet<'_>, host: &HostName, image: &ProxyImage) -> Result<(), HostError> {
    const ARCHIVE: &str = ".kamal/proxy/image.tar";
    let unfit = |message| HostError::Unfit { host: host.clone(), message };
    let archive = (image.archive.0)().map_err(unfit)?;
    fleet.upload(host, &archive, ARCHIVE, 0o600).await?;
    let load = format!("docker load --quiet --input {ARCHIVE} 2>&1; s=$?; rm -f {ARCHIVE}; exit $s");
    let loaded = fleet.capture(host, &Script::write("load the proxy's image", load)).await?;
    if loaded.status == 0 {
        return Ok(());
    }
    Err(unfit(format!("docker could not load the image {}: {}", image.reference, loaded.stdout.trim())))
}
