//! Questions whose answer a person reads: what docker lists, logs, the output of a command in a container. Docker's
//! dialect spells them, nobody parses them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    command_line::CommandLine,
    diagnosis::Probe,
    name::{ContainerName, RoleName, Version},
};

/// A question to a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Query {
    /// A role's running containers.
    Details {
        /// The role.
        role: RoleName,
    },
    /// Running containers of the service whose role the configuration does not place on the host.
    Orphans {
        /// The containers.
        containers: Vec<ContainerName>,
    },
    /// All the service's containers.
    Containers,
    /// The service's images.
    Images,
    /// A container's log.
    Logs {
        /// The container: a name or an id.
        container: String,
        /// Which lines.
        lines: LogLines,
    },
    /// The proxy's container.
    ProxyDetails,
    /// What kamal-proxy serves.
    ProxyRoutes,
    /// How the proxy would be started from Kamal's legacy files.
    ProxyBootConfig,
    /// An accessory's container.
    AccessoryDetails {
        /// Its service.
        service: String,
    },
    /// Runs a command in a new container of a role.
    ExecNew(Box<ExecNew>),
    /// Runs a command in a new container of an accessory.
    ExecAccessory {
        /// The accessory's name in deploy.yml.
        accessory: String,
        /// `--volume`, shell text.
        volumes: Vec<String>,
        /// The command.
        command: CommandLine,
        /// How it is attached.
        attach: Attach,
    },
    /// Runs a command in a container that runs.
    ExecReuse {
        /// The container.
        container: ContainerName,
        /// The command.
        command: CommandLine,
        /// Variables given on the command line.
        env: Vec<(String, String)>,
        /// How it is attached.
        attach: Attach,
    },
    /// Runs a command on the host itself; without one, a shell.
    Shell {
        /// The command.
        command: Option<CommandLine>,
    },
    /// The last lines of the audit log.
    Audit,
    /// What is to be seen of a container that did not come up, for [`Docker::evidence`](crate::ports::Docker::evidence).
    PostMortem {
        /// The container.
        container: ContainerName,
        /// The request it was to answer.
        probe: Option<Probe>,
        /// Whether it is stopped as well, once it was looked at, and the `-t` of that.
        stop: Option<Stop>,
    },
    /// How the host is: what every plan depends on, and more, for [`Docker::vitals`](crate::ports::Docker::vitals).
    Survey,
    /// Whether other hosts of a cluster are reached, for [`Docker::vitals`](crate::ports::Docker::vitals).
    ProbeHosts {
        /// Their addresses.
        to: Vec<IpAddr>,
    },
    /// The layers of each image the host has: a JSON list a line, the lowest layer first.
    HeldLayers,
    /// Docker's configuration, which holds its logins.
    DockerConfig,
    /// What lets a host into a swarm, asked of a manager.
    SwarmToken {
        /// Whether the host is to be a manager as well.
        manager: bool,
    },
    /// What a container was made with: its environment and its options, as JSON.
    Inspect {
        /// The container.
        container: ContainerName,
    },
}

/// How a container is stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// `-t`, in seconds.
    pub timeout: Option<u64>,
}

/// A command in a new container of a role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecNew {
    /// The role.
    pub role: RoleName,
    /// The role's clear environment on this host.
    pub role_env: Vec<(String, String)>,
    /// The version.
    pub version: Version,
    /// The command.
    pub command: CommandLine,
    /// Variables given on the command line.
    pub env: Vec<(String, String)>,
    /// How it is attached.
    pub attach: Attach,
}

/// How a command in a container is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attach {
    /// Its output only.
    #[default]
    Output,
    /// Not at all: it goes on by itself.
    Detached,
    /// Input and output.
    Input,
    /// A terminal.
    Terminal,
}

/// Which lines of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLines {
    /// `--since`.
    pub since: Option<String>,
    /// `--tail`.
    pub lines: Option<u64>,
    /// `grep` pattern.
    pub grep: Option<String>,
    /// Options for `grep`, shell text.
    pub grep_options: Option<String>,
    /// Keeps following.
    pub follow: bool,
    /// Whether each line begins with its time.
    pub timestamps: bool,
}

impl LogLines {
    /// With as many lines as Kamal shows where no number, no time and no pattern is given.
    #[must_use]
    pub(crate) fn with_default(mut self) -> Self {
        if self.lines.is_none() && self.since.is_none() && self.grep.is_none() {
            self.lines = Some(if self.follow { 10 } else { 100 });
        }
        self
    }
}

impl Query {
    /// True when it runs a command of the user's, which may change anything.
    #[must_use]
    pub(crate) fn runs_a_command(&self) -> bool {
        matches!(self, Self::ExecNew(_) | Self::ExecAccessory { .. } | Self::ExecReuse { .. } | Self::Shell { .. })
    }
}

/// In a few words.
impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Details { role } => write!(f, "list running containers of {role}"),
            Self::Orphans { .. } => f.write_str("list running containers that deploy.yml has no place for"),
            Self::Containers => f.write_str("list containers"),
            Self::Images => f.write_str("list images"),
            Self::Logs { container, .. } => write!(f, "show the log of {container}"),
            Self::ProxyDetails => f.write_str("list the container kamal-proxy"),
            Self::ProxyRoutes => f.write_str("list what kamal-proxy serves"),
            Self::ProxyBootConfig => f.write_str("show the boot configuration of kamal-proxy"),
            Self::AccessoryDetails { service } => write!(f, "list the container {service}"),
            Self::ExecNew(exec) => write!(f, "run '{}' in a new container of {}", exec.command, exec.role),
            Self::ExecAccessory { accessory, command, .. } => {
                write!(f, "run '{command}' in a new container of {accessory}")
            }
            Self::ExecReuse { container, command, .. } => write!(f, "run '{command}' in {container}"),
            Self::Shell { command: Some(command) } => write!(f, "run '{command}'"),
            Self::Shell { command: None } => f.write_str("open a shell"),
            Self::Audit => f.write_str("show the audit log"),
            Self::PostMortem { container, .. } => write!(f, "find out what became of {container}"),
            Self::Survey => f.write_str("see how it is"),
            Self::ProbeHosts { .. } => f.write_str("try to reach the other hosts"),
            Self::HeldLayers => f.write_str("find out which layers are there"),
            Self::SwarmToken { .. } => f.write_str("ask what lets a host into the swarm"),
            Self::DockerConfig => f.write_str("read docker's configuration"),
            Self::Inspect { container } => write!(f, "look at what {container} was made with"),
        }
    }
}
