//! What a host tells of itself besides what plans depend on: what `status` shows and `doctor` judges.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{diagnosis::Listener, secret::Secret};

/// What a host tells of itself. What could not be found out is `None`, or empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vitals {
    /// Its clock, in seconds since 1970.
    pub now: Option<i64>,
    /// Its docker.
    pub docker: Engine,
    /// The groups of whoever logs in.
    pub groups: Vec<String>,
    /// Where docker keeps images and containers.
    pub disk: Option<Room>,
    /// Its memory.
    pub memory: Option<Room>,
    /// Where programs listen on it.
    pub listeners: Vec<Listener>,
    /// What containers publish, whoever's they are.
    pub published: Vec<Published>,
    /// The firewall that is switched on.
    pub firewall: Option<String>,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Names of hosts that are served, and the addresses they have.
    pub names: BTreeMap<String, Vec<String>>,
    /// Certificates the proxy holds for them.
    pub certificates: Vec<Certificate>,
    /// What came of trying to reach other hosts.
    pub probes: Vec<PortProbe>,
    /// Whether docker keeps a login to the registry.
    pub logged_in: bool,
    /// The last lines of the audit log.
    pub audit: Vec<String>,
    /// How running containers of ours were made, as docker tells it. Their environment is in it.
    #[serde(skip)]
    pub made: Vec<Secret>,
}

/// A docker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Engine {
    /// Whether there is a program of that name.
    pub installed: bool,
    /// Its version, where it answers.
    pub version: Option<String>,
    /// Where containers log to unless they are told otherwise.
    pub log_driver: Option<String>,
    /// Why it does not answer.
    pub complaint: String,
}

/// A port of another host that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortProbe {
    /// The other host's address.
    pub to: IpAddr,
    /// The port.
    pub port: u16,
    /// Whether by UDP.
    pub udp: bool,
    /// What came of it.
    pub reach: Reach,
}

/// What came of trying to reach a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Somebody is there; by UDP, nobody says that there is nobody.
    Open,
    /// Nobody listens, or a firewall says that nobody may.
    Refused,
    /// No answer came.
    Silent,
}

/// How much there is of something, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// All of it.
    pub total: u64,
    /// What is free.
    pub free: u64,
}

/// A port of the host that leads to a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The container.
    pub container: String,
    /// The address it is published on.
    pub address: String,
    /// The port.
    pub port: u16,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The name it was looked for under.
    pub host: String,
    /// When it ends, in seconds since 1970.
    pub ends: i64,
}

impl Room {
    /// What is free, in per cent.
    #[must_use]
    pub fn free_percent(&self) -> u64 {
        (self.free * 100).checked_div(self.total).unwrap_or(100)
    }
}

impl Published {
    /// Whether anybody who reaches the host gets there.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        ["0.0.0.0", "[::]", "::", "*"].contains(&self.address.as_str())
    }
}

impl Certificate {
    /// How many days are left of it at a time.
    #[must_use]
    pub fn days_left(&self, now: i64) -> i64 {
        (self.ends - now).div_euclid(24 * 3600)
    }
}

/// Bytes, as people read them.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000)];
    let (unit, by) = UNITS.into_iter().find(|(_, by)| bytes >= *by).unwrap_or(("MB", 1_000_000));
    format!("{:.1} {unit}", bytes as f64 / by as f64)
}
