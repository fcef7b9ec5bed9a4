//! What a run is given.

use std::time::Duration;

use super::ProxyImages;
use crate::{
    error::{Cover as _, Error},
    event::EventKind,
    fleet::Fleet,
    name::{HostName, Version},
    request::Request,
    targets::Targets,
};

/// What an operation is given besides what is asked for.
#[derive(Debug)]
#[non_exhaustive]
pub struct Cx<'a> {
    /// The hosts.
    pub fleet: Fleet<'a>,
    /// Which of them it acts on.
    pub targets: &'a Targets,
    /// The version of the project as it is: `VERSION`, or the commit; `None` where none can be told.
    pub version: Option<&'a Version>,
    /// The settings of this run.
    pub run: &'a RunSettings,
    /// The proxy's image where none is configured, by architecture; for others it is Kamal's default.
    pub proxy_images: ProxyImages,
}

/// What does not change during a run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RunSettings {
    /// `--version`: the version that was asked for, whole or its beginning.
    pub asked_version: Option<Version>,
    /// `--skip-hooks`.
    pub skip_hooks: bool,
    /// True when a parent process holds the lock for us (`KAMAL_LOCK`).
    pub lock_held: bool,
    /// `--lock-wait`: how long to wait for a held lock, and how long between looks.
    pub lock_wait: Option<(Duration, Duration)>,
    /// `git config user.name`, for the lock.
    pub user_name: String,
    /// `-r` as given, for hooks.
    pub roles: Option<String>,
    /// Runs only if the plan has this digest.
    pub expected_digest: Option<String>,
}

impl RunSettings {
    /// These settings for what is asked for.
    #[must_use]
    pub fn of(&self, request: &Request) -> Self {
        Self {
            asked_version: request.asked_version.clone(),
            skip_hooks: request.skip_hooks,
            roles: request.selection.roles.as_ref().map(|roles| roles.join(",")),
            ..self.clone()
        }
    }
}

impl<'a> Cx<'a> {
    /// An operation on some hosts, in a project whose version is not known, with Kamal's image of the proxy.
    #[must_use]
    pub fn new(fleet: Fleet<'a>, targets: &'a Targets, run: &'a RunSettings) -> Self {
        Self { fleet, targets, version: None, run, proxy_images: ProxyImages::default() }
    }

    pub(crate) fn say(&self, text: impl Into<String>) {
        self.fleet.emit(EventKind::say(text));
    }

    /// The host that holds the deploy lock; `None` where there is none, or somebody holds it for us.
    pub(super) fn lock_host(&self) -> Option<&HostName> {
        self.targets.lock_host().filter(|_| !self.run.lock_held)
    }

    /// An error as it may leave the engine.
    pub(super) fn covered(&self, mut error: Error) -> Error {
        error.cover(&self.fleet.world.redactor);
        error
    }
}
