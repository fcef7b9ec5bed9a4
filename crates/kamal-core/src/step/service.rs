//! A role as a service of Docker's swarm.

use serde::{Deserialize, Serialize};

use crate::{
    config::model::{DockerOptions, Logging, SecretName},
    name::{ContainerName, ImageRef, RoleName, Version},
};

/// The options of `docker run` that services have, too.
pub const SERVICE_OPTIONS: [&str; 22] = [
    "add-host",
    "cap-add",
    "cap-drop",
    "cpus",
    "dns",
    "entrypoint",
    "health-cmd",
    "health-interval",
    "health-retries",
    "health-start-period",
    "health-timeout",
    "hostname",
    "init",
    "memory",
    "memory-reservation",
    "read-only",
    "stop-signal",
    "sysctl",
    "tmpfs",
    "ulimit",
    "user",
    "workdir",
];

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Its name.
    pub service: ContainerName,
    /// The stack it is a part of; the rest of its name is the role's.
    pub stack: String,
    /// Its role.
    pub role: RoleName,
    /// The version.
    pub version: Version,
    /// The image.
    pub image: ImageRef,
    /// The digest the image must have, where it is known by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// How many containers it has.
    pub replicas: u32,
    /// How many it would have by deploy.yml alone, which is noted: who changes that there means it.
    pub declared: u32,
    /// Whether requests are led to it: then its containers need a check by which the swarm knows which of them serve.
    pub serves: bool,
    /// The network over all hosts.
    pub network: String,
    /// The label of the hosts its containers may be on.
    pub on: String,
    /// What its containers are told of themselves, which may be what only the swarm knows (`{{.Node.Hostname}}`).
    pub told: Vec<(String, String)>,
    /// Clear environment in order.
    pub env: Vec<(String, String)>,
    /// The secrets among the environment.
    pub secrets: Vec<SecretName>,
    /// Labels in order.
    pub labels: Vec<(String, String)>,
    /// Logging.
    pub logging: Logging,
    /// The restart policy.
    pub restart: String,
    /// What is mounted.
    pub mounts: Vec<ServiceMount>,
    /// Further options, all of them of [`SERVICE_OPTIONS`].
    pub options: DockerOptions,
    /// The words of its command.
    pub cmd: Option<Vec<String>>,
    /// How an update goes.
    pub pace: Pace,
    /// How many seconds a container may take to stop.
    pub stop_timeout: Option<u64>,
    /// How many seconds a container may take to come up.
    pub timeout: u64,
}

/// How containers are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// How many at a time.
    pub parallelism: u32,
    /// How many seconds pass between these.
    pub delay: u64,
    /// How many seconds a new one must keep running.
    pub monitor: u64,
}

impl ServiceSpec {
    /// How many seconds an update may take.
    #[must_use]
    pub fn limit(&self) -> u64 {
        let Pace { parallelism, delay, monitor } = self.pace;
        u64::from(self.replicas.div_ceil(parallelism.max(1)).max(1)) * (self.timeout + delay) + monitor
    }
}

/// Something of a host's, or of a volume there, in the containers of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceMount {
    /// The name of a volume, or a path of the host.
    pub source: String,
    /// Where it is in the container.
    pub target: String,
    /// Whether it is only read.
    pub read_only: bool,
}

impl ServiceMount {
    /// Reads `SOURCE:TARGET[:ro]`, as `--volume` takes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (source, target, options, rest) = (parts.next()?, parts.next()?, parts.next(), parts.next());
        let is_name = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        };
        let plain = |path: &str| path.starts_with('/') && !path.contains(['$', '`', '"', '\'', '\\']);
        let sound = (is_name(source) || plain(source)) && plain(target);
        let read_only = match options {
            None | Some("rw") => false,
            Some("ro") => true,
            Some(_) => return None,
        };
        (sound && rest.is_none()).then(|| Self { source: source.to_owned(), target: target.to_owned(), read_only })
    }

    /// Whether it is a volume of docker's.
    #[must_use]
    pub fn is_volume(&self) -> bool {
        !self.source.starts_with('/')
    }
}
