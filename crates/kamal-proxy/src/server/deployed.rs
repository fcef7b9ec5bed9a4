//! What is deployed, as the proxy tells it.

use super::service::Service;
use super::target::Role;

/// A service that is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeployedService {
    /// What it was called at deploy.
    pub name: String,
    /// The hosts it serves; none, or an empty one, means all that no other service has.
    pub hosts: Vec<String>,
    /// The paths it serves, each with all below it.
    pub path_prefixes: Vec<String>,
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// The targets that take writes, and reads where there are no readers.
    pub targets: Vec<String>,
    /// The targets that take only reads.
    pub readers: Vec<String>,
    /// The targets of a rollout, writers first.
    pub rollout: Vec<String>,
    /// Whether it serves.
    pub state: ServiceState,
}

/// Whether a service serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceState {
    /// It serves.
    Running,
    /// Requests wait.
    Paused,
    /// Requests are turned away, for maintenance.
    Stopped,
}

impl ServiceState {
    /// The word for it in lists and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

impl DeployedService {
    pub(crate) fn of(service: &Service) -> Self {
        let rollout = |role| service.rollout.iter().flat_map(move |set| set.addresses(role));
        Self {
            name: service.name.clone(),
            hosts: Some(&service.options.hosts).filter(|hosts| hosts[..] != [""]).cloned().unwrap_or_default(),
            path_prefixes: service.options.path_prefixes.clone(),
            tls: service.tls.enabled,
            targets: service.active.addresses(Role::Writer),
            readers: service.active.addresses(Role::Reader),
            rollout: rollout(Role::Writer).chain(rollout(Role::Reader)).collect(),
            state: service.pause.state().state(),
        }
    }
}
