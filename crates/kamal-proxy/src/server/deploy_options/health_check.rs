//! How targets are asked whether they are up.

use std::time::Duration;

use super::{seconds, word};
use crate::deploy_flags as flag;
use crate::server::options::HealthCheckOptions;

/// How targets are asked whether they are up: with GET, for an answer that is 2xx in the end.
///
/// ```
/// use std::time::Duration;
///
/// use kamal_proxy::server::HealthCheck;
///
/// let check = HealthCheck::default().path("/health").interval(Duration::from_millis(200));
/// ```
#[derive(Debug, Clone)]
#[must_use = "it is for the options of a deploy"]
pub struct HealthCheck(pub(super) HealthCheckOptions);

/// Asks for `/up` at the target's own port every second, with five seconds for an answer.
impl Default for HealthCheck {
    fn default() -> Self {
        Self(HealthCheckOptions {
            path: word(flag::HEALTH_CHECK_PATH).into(),
            interval: seconds(flag::HEALTH_CHECK_INTERVAL),
            timeout: seconds(flag::HEALTH_CHECK_TIMEOUT),
            ..HealthCheckOptions::default()
        })
    }
}

impl HealthCheck {
    /// What is asked for.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.0.path = path.into();
        self
    }

    /// Asks at another port than requests go to.
    pub fn port(mut self, port: u16) -> Self {
        self.0.port = port.into();
        self
    }

    /// How often.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.0.interval = interval.into();
        self
    }

    /// How long the answer may take.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.0.timeout = limit.into();
        self
    }

    /// The host that is asked for, instead of the target's address.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.0.host = host.into();
        self
    }
}
