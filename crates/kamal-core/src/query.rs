//! Questions whose answer a person reads: what docker lists, logs, the output of a command in a container. Docker's
//! dialect spells them, nobody parses them.

use crate::name::{ContainerName, RoleName, Version};

/// A question to a host.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Query {
    /// A role's running containers.
    Details {
        /// The role.
        role: RoleName,
    },
    /// All the service's containers.
    Containers,
    /// The service's images.
    Images,
    /// The version of a role that runs.
    Version {
        /// The role.
        role: RoleName,
    },
    /// A role's log.
    Logs {
        /// The role.
        role: RoleName,
        /// Which lines.
        lines: LogLines,
    },
    /// The proxy's container.
    ProxyDetails,
    /// The proxy's log.
    ProxyLogs(LogLines),
    /// What kamal-proxy serves.
    ProxyRoutes,
    /// Runs a command in a new container of a role.
    ExecNew {
        /// The role.
        role: RoleName,
        /// Its clear environment on this host.
        env: Vec<(String, String)>,
        /// The version.
        version: Version,
        /// The command, shell text.
        command: String,
        /// Variables given on the command line.
        extra_env: Vec<(String, String)>,
        /// Random digits for the container's name.
        token: String,
        /// How it is attached.
        attach: Attach,
    },
    /// Runs a command in a container that runs.
    ExecReuse {
        /// The container.
        container: ContainerName,
        /// The command, shell text.
        command: String,
        /// Variables given on the command line.
        extra_env: Vec<(String, String)>,
        /// How it is attached.
        attach: Attach,
    },
    /// The last lines of the audit log.
    Audit,
    /// Accessories' containers.
    Accessories,
}

/// How a command in a container is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// A container of one's own choosing.
    pub container: Option<String>,
}
