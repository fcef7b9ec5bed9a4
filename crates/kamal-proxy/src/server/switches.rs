//! How a service is paused, and how it is put into maintenance.

use std::time::Duration;

/// Seconds for requests to end, and for requests to wait, where nobody says how long.
pub(crate) const PATIENCE: u32 = 30;

/// How a service is paused.
///
/// ```
/// use std::time::Duration;
///
/// use kamal_proxy::server::PauseOptions;
///
/// let options = PauseOptions::default().max_pause(Duration::from_secs(5));
/// ```
#[derive(Debug, Clone)]
pub struct PauseOptions {
    pub(crate) max_pause: Duration,
    pub(crate) drain_timeout: Duration,
}

/// How a service is put into maintenance.
///
/// ```
/// use kamal_proxy::server::MaintenanceOptions;
///
/// let options = MaintenanceOptions::default().message("Back at noon.");
/// ```
#[derive(Debug, Clone)]
pub struct MaintenanceOptions {
    pub(crate) message: String,
    pub(crate) drain_timeout: Duration,
}

impl Default for PauseOptions {
    fn default() -> Self {
        let patience = Duration::from_secs(PATIENCE.into());
        Self { max_pause: patience, drain_timeout: patience }
    }
}

impl Default for MaintenanceOptions {
    fn default() -> Self {
        Self { message: String::new(), drain_timeout: Duration::from_secs(PATIENCE.into()) }
    }
}

impl PauseOptions {
    /// How long a request waits before it is turned away; 30 seconds where nobody says.
    #[must_use]
    pub const fn max_pause(mut self, limit: Duration) -> Self {
        self.max_pause = limit;
        self
    }

    /// How long requests under way may take; 30 seconds where nobody says. What takes longer is cut.
    #[must_use]
    pub const fn drain_timeout(mut self, limit: Duration) -> Self {
        self.drain_timeout = limit;
        self
    }
}

impl MaintenanceOptions {
    /// What the page says to clients.
    #[must_use]
    pub fn message(mut self, text: impl Into<String>) -> Self {
        self.message = text.into();
        self
    }

    /// How long requests under way may take; 30 seconds where nobody says. What takes longer is cut.
    #[must_use]
    pub const fn drain_timeout(mut self, limit: Duration) -> Self {
        self.drain_timeout = limit;
        self
    }
}
