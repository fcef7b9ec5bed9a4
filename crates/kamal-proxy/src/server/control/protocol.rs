//! What is said over the control socket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::server::go_duration::GoDuration;
use crate::server::options::{DeploymentOptions, ServiceOptions, TargetOptions};

/// A command to the running proxy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "method", content = "args", rename_all = "snake_case")]
pub(crate) enum Request {
    Deploy(Box<Deploy>),
    Remove { service: String },
    Pause(Pause),
    Stop(Stop),
    Resume { service: String },
    List,
    RolloutDeploy(RolloutDeploy),
    RolloutSet(RolloutSet),
    RolloutStop { service: String },
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Done,
    Services(BTreeMap<String, ServiceDescription>),
    Error(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Deploy {
    pub(crate) service: String,
    pub(crate) targets: Vec<String>,
    pub(crate) readers: Vec<String>,
    pub(crate) deployment: DeploymentOptions,
    pub(crate) service_options: ServiceOptions,
    pub(crate) target_options: TargetOptions,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pause {
    pub(crate) service: String,
    pub(crate) drain_timeout: GoDuration,
    pub(crate) max_pause: GoDuration,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub(crate) service: String,
    pub(crate) drain_timeout: GoDuration,
    pub(crate) message: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RolloutDeploy {
    pub(crate) service: String,
    pub(crate) targets: Vec<String>,
    pub(crate) readers: Vec<String>,
    pub(crate) deployment: DeploymentOptions,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RolloutSet {
    pub(crate) service: String,
    pub(crate) percentage: i64,
    pub(crate) allowlist: Vec<String>,
}

/// One line of `list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceDescription {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) tls: bool,
    pub(crate) target: String,
    pub(crate) state: String,
}
