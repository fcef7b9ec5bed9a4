//! What a new version must keep to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `x-guard`: what a new version must keep to before the old one goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Guard {
    /// How long it is watched.
    pub window: Duration,
    /// How many of ten thousand requests may be answered with a 5xx.
    pub errors: u32,
    /// Within what 95 % of requests must be answered.
    pub latency: Option<Duration>,
    /// Requests to a host below which nothing is concluded.
    pub requests: u64,
}

impl std::fmt::Display for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "for {} s (at most {} % errors", self.window.as_secs_f64(), self.percent())?;
        if let Some(latency) = self.latency {
            write!(f, ", 95 % within {} ms", latency.as_millis())?;
        }
        write!(f, "; of {} requests or more)", self.requests)
    }
}

impl Guard {
    /// The percentage of requests that may be answered with a 5xx.
    #[must_use]
    pub fn percent(&self) -> f64 {
        f64::from(self.errors) / 100.0
    }
}
