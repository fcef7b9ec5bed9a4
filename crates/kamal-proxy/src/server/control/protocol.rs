//! What is said over the control socket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::server::deployed::DeployedService;
use crate::server::go_duration::GoDuration;
use crate::server::options::{DeploymentOptions, ServiceOptions, TargetOptions};
use crate::server::target::failure::CheckFailure;
use crate::server::watch::Limits;

/// A command to the running proxy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "method", content = "args", rename_all = "snake_case")]
pub(crate) enum Request {
    Deploy(Box<Deploy>),
    Reload,
    Leave { drain_timeout: GoDuration },
    Remove { service: String },
    Pause(Pause),
    Stop(Stop),
    Resume { service: String },
    List,
    RolloutDeploy(RolloutDeploy),
    RolloutSet(RolloutSet),
    RolloutStop { service: String },
    Watch(Watch),
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Done,
    Services(BTreeMap<String, ServiceDescription>),
    /// To be printed.
    Text(String),
    Error(String),
    /// An error with what the last health check saw.
    Unhealthy {
        error: String,
        failure: Box<CheckFailure>,
    },
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
pub(crate) struct Watch {
    pub(crate) service: String,
    pub(crate) limits: Limits,
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

impl From<DeployedService> for ServiceDescription {
    fn from(service: DeployedService) -> Self {
        let host = if service.hosts.is_empty() { "*".into() } else { service.hosts.join(",") };
        Self {
            host,
            path: service.path_prefixes.join(","),
            tls: service.tls,
            target: [service.targets, service.readers].concat().join(","),
            state: service.state.name().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec 11.O.222
    #[test]
    fn messages_survive_being_written_and_read() {
        let text = |text: &str| text.to_owned();
        let requests = [
            Request::Remove { service: text("nosuch") },
            Request::Pause(Pause {
                service: text("svc1"),
                drain_timeout: GoDuration::from_secs(1),
                max_pause: GoDuration::from_secs(2),
            }),
            Request::Stop(Stop {
                service: text("svc1"),
                drain_timeout: GoDuration::from_secs(1),
                message: text("Back <soon> & \"later\""),
            }),
            Request::Resume { service: text("svc1") },
            Request::List,
            Request::Leave { drain_timeout: GoDuration::from_secs(1) },
            Request::RolloutSet(RolloutSet {
                service: text("svc1"),
                percentage: -20,
                allowlist: vec![text("a"), text("b")],
            }),
            Request::RolloutStop { service: text("svc1") },
        ];
        for request in requests {
            let written = serde_json::to_string(&request).unwrap();
            assert!(!written.contains('\n'), "one line per message");
            let read: Request = serde_json::from_str(&written).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), written);
        }
        let stop =
            serde_json::from_str(r#"{"method":"stop","args":{"service":"a","drain_timeout":5,"message":"<&>"}}"#);
        assert!(
            matches!(stop.unwrap(), Request::Stop(Stop { message, drain_timeout: GoDuration(5), .. }) if message == "<&>")
        );
    }
}
