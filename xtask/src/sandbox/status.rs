//! What every part of the sandbox is doing, for people (a table) and for programs (JSON).

use std::fmt::{self, Display, Formatter};
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Serialize;

use super::machine::Machine;
use super::{REGISTRY, Sandbox, engine, process, registry};

/// The state of a sandbox.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The hosts, by number.
    pub hosts: Vec<HostStatus>,
    /// Where the registry is, if it answers.
    pub registry: Option<&'static str>,
    /// `DOCKER_HOST` for building, when the sandbox has an engine of its own for it.
    pub docker_host: Option<String>,
    /// Version of that engine, if it answers.
    pub builder: Option<String>,
}

impl Status {
    /// Whether there is a sandbox, and all of it answers.
    #[must_use]
    pub fn healthy(&self) -> bool {
        let builder = self.docker_host.is_none() || self.builder.is_some();
        !self.hosts.is_empty() && self.hosts.iter().all(HostStatus::healthy) && self.registry.is_some() && builder
    }
}

/// The state of one host.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct HostStatus {
    /// `host1`
    pub name: String,
    /// `10.77.1.2`
    pub address: Ipv4Addr,
    /// Whether its sshd greets.
    pub ssh: bool,
    /// The version of its engine, if it answers.
    pub docker: Option<String>,
    /// How long its engine has been running, in seconds.
    pub uptime: Option<u64>,
}

impl HostStatus {
    /// Whether it can be deployed to.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.ssh && self.docker.is_some()
    }
}

pub(super) fn of(sandbox: &Sandbox) -> Status {
    let hosts = sandbox.hosts().iter().map(|host| {
        let machine = Machine::host(&sandbox.layout, host.number);
        let uptime = process::running(&machine.pid_file("dockerd")).and_then(process::uptime);
        HostStatus {
            ssh: machine.sshd_answers(),
            docker: engine::version(&host.docker_socket),
            uptime: uptime.as_ref().map(Duration::as_secs),
            name: machine.name,
            address: machine.address,
        }
    });
    let builder = engine::version(&Machine::builder(&sandbox.layout).docker_socket());
    Status {
        hosts: hosts.collect(),
        registry: registry::answers().then_some(REGISTRY),
        docker_host: sandbox.docker_host(),
        builder,
    }
}

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.hosts.is_empty() {
            return write!(f, "no sandbox is up");
        }
        writeln!(f, "{:<9} {:<13} {:<5} {:<20} UPTIME", "HOST", "ADDRESS", "SSH", "DOCKER")?;
        for host in &self.hosts {
            let ssh = if host.ssh { "up" } else { "down" };
            let docker = host.docker.as_deref().unwrap_or("down");
            let uptime = host.uptime.map(clock).unwrap_or_default();
            let address = host.address.to_string();
            writeln!(f, "{:<9} {address:<13} {ssh:<5} {docker:<20} {uptime}", host.name)?;
        }
        writeln!(f, "{:<9} {}", "registry", self.registry.unwrap_or("down"))?;
        match (&self.docker_host, &self.builder) {
            (None, _) => write!(f, "{:<9} the machine's own engine", "builder"),
            (Some(socket), version) => {
                write!(f, "{:<9} {} at {socket}", "builder", version.as_deref().unwrap_or("down"))
            }
        }
    }
}

fn clock(seconds: u64) -> String {
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_is_down() {
        let host = |name: &str, docker: Option<&str>, uptime| HostStatus {
            name: name.to_owned(),
            address: Ipv4Addr::new(10, 77, 1, 2),
            ssh: docker.is_some(),
            docker: docker.map(str::to_owned),
            uptime,
        };
        let status = Status {
            hosts: vec![host("host1", Some("20.10.24"), Some(3725)), host("host2", None, None)],
            registry: None,
            docker_host: None,
            builder: None,
        };
        let expected = "HOST      ADDRESS       SSH   DOCKER               UPTIME\n\
                        host1     10.77.1.2     up    20.10.24             1:02:05\n\
                        host2     10.77.1.2     down  down                 \n\
                        registry  down\n\
                        builder   the machine's own engine";
        assert_eq!(status.to_string(), expected);
    }
}
