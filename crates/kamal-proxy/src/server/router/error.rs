//! Why commands fail.

use std::time::Duration;

use crate::server::go_duration::GoDuration;
use crate::server::options::OptionsError;
use crate::server::service::AssetsError;
use crate::server::target::address::AddressError;
use crate::server::target::failure::CheckFailure;

/// Why a command failed. The texts are those users of the command line get (spec 2.2).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Nothing of that name is deployed.
    #[error("service not found")]
    ServiceNotFound,
    /// Another service has one of the hosts and paths.
    #[error("host settings conflict with another service")]
    Conflict,
    /// The new targets are not in use, those before them are.
    #[error(transparent)]
    Unhealthy(#[from] Unhealthy),
    /// A split was to be set where no rollout is deployed.
    #[error("rollout target not set")]
    NoRollout,
    /// A service that is watched does not keep to what it must.
    #[error("{0}")]
    Breach(String),
    /// A service's files are to be read again and cannot be used; the first of those.
    #[error("service {service} keeps what it has: {error}")]
    Reload {
        /// The service's name.
        service: String,
        /// What is wrong.
        error: AssetsError,
    },
    /// All is as before.
    #[error("nothing was changed, as the state could not be saved in {path}: {error}")]
    NotSaved {
        /// The state file.
        path: String,
        /// What is wrong with it.
        error: String,
    },
    /// It is in force, until the proxy starts anew.
    #[error("it is done, but will be forgotten at the next start, as the state could not be saved in {path}: {error}")]
    DoneNotSaved {
        /// The state file.
        path: String,
        /// What is wrong with it.
        error: String,
    },
    /// A successor decides what is served.
    #[error("the proxy was replaced while the command ran; run it again")]
    HandedOver,
    /// The proxy has been stopped, before the command or while it ran.
    #[error("the proxy has been stopped")]
    Stopped,
    /// The address of a target is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Options contradict each other.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// What the options name cannot be used.
    #[error(transparent)]
    Assets(#[from] AssetsError),
}

/// Targets that were to be switched to did not become healthy in time.
///
/// The part in parentheses is where Kamal stops reading; what follows says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("target failed to become healthy within configured timeout ({limit}){}", because(.cause.as_deref()))]
pub struct Unhealthy {
    pub(crate) limit: GoDuration,
    pub(crate) cause: Option<Box<CheckFailure>>,
}

impl Unhealthy {
    /// How long was waited.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit.as_std()
    }

    /// The last check that failed; `None` when none had ended.
    #[must_use]
    pub fn failure(&self) -> Option<&CheckFailure> {
        self.cause.as_deref()
    }
}

fn because(cause: Option<&CheckFailure>) -> String {
    cause.map(|cause| format!(": {cause}")).unwrap_or_default()
}
