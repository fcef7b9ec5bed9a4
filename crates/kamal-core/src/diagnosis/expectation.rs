//! What was expected of a container.

use serde::{Deserialize, Serialize};

use crate::{
    name::ContainerName,
    step::{Route, Step},
};

/// The path and the time of a health check where deploy.yml has none, as kamal-proxy has them.
const PATH: &str = "/up";
const TIMEOUT: u64 = 5;

/// What was expected of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// The request it was to answer; `None` where no proxy leads to it.
    pub probe: Option<Probe>,
    /// Within how many seconds.
    pub limit: u64,
    /// The architectures its image is built for.
    pub built_for: Vec<String>,
}

/// A health check as the proxy makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// `proxy/app_port`.
    pub port: u16,
    /// `proxy/healthcheck/path`.
    pub path: String,
    /// `proxy/healthcheck/timeout`, in seconds.
    pub timeout: u64,
}

impl Expectation {
    /// What the steps that bring a container up expect of it.
    pub(crate) fn of(container: &ContainerName, steps: &[Step], built_for: &[String]) -> Self {
        let waits = steps.iter().find_map(|step| match step {
            Step::SwitchTraffic(route) | Step::AwaitHealthy(route) | Step::StartRollout(route)
                if route.container == *container =>
            {
                Some((Some(Probe::of(route)), route.deploy_timeout))
            }
            Step::AwaitReady { container: awaited, timeout, .. } if awaited == container => Some((None, *timeout)),
            _ => None,
        });
        let (probe, limit) = waits.unwrap_or_default();
        Self { probe, limit, built_for: built_for.to_vec() }
    }
}

impl Probe {
    fn of(route: &Route) -> Self {
        let check = &route.proxy.healthcheck;
        let path = check.path.clone().unwrap_or_else(|| PATH.to_owned());
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        Self { port: route.proxy.app_port, path, timeout: check.timeout.unwrap_or(TIMEOUT) }
    }
}
