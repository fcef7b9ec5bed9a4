//! `status`: the fleet as it is, one object a program reads and a screen a person does.

mod of;
mod print;

use jiff::Timestamp;
use serde::Serialize;

pub(crate) use of::{Of, Surveyed, status};

use crate::{
    error::Cover,
    name::{ContainerName, Destination, HostName, ImageRef, RoleName, ServiceName, Version},
    redact::Redactor,
    state::ContainerState,
    vitals::Room,
};

/// The form of the object, which changes when something in it gets another meaning or goes.
pub const SCHEMA: &str = "kamal/status/1";

/// A fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The form it has, [`SCHEMA`].
    pub schema: &'static str,
    /// When it was asked.
    pub at: Timestamp,
    /// The service.
    pub service: ServiceName,
    /// The destination.
    pub destination: Option<Destination>,
    /// The versions that serve, each once. One is what is wanted.
    pub versions: Vec<Version>,
    /// Whether all hosts were reached, and on each all that deploy.yml wants there runs and is healthy.
    pub healthy: bool,
    /// The deploy lock, where somebody holds it.
    pub lock: Option<Lock>,
    /// Rollouts that are under way: one on all hosts, if nobody was cut off.
    pub rollouts: Vec<Rollout>,
    /// The hosts, in order.
    pub hosts: Vec<Host>,
    /// Roles that run as services of the swarm, as a manager knows them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
}

/// A role that runs as a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Service {
    /// The role.
    pub role: RoleName,
    /// The version it is to run.
    pub version: Option<Version>,
    /// How many containers it is to have.
    pub wanted: u32,
    /// How many run.
    pub running: u32,
    /// Hosts that do not answer the managers: what ran there is started elsewhere.
    pub lost: Vec<HostName>,
}

/// A rollout that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rollout {
    /// The version beside the one that is live.
    pub version: Version,
    /// How many of a hundred requests it gets.
    pub percent: u8,
    /// Where.
    pub hosts: Vec<HostName>,
}

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// Where it is kept.
    pub host: HostName,
    /// What it says of its holder.
    pub details: String,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Host {
    /// Its name.
    pub host: HostName,
    /// Why nothing is known of it.
    pub error: Option<String>,
    /// The roles that belong there.
    pub roles: Vec<Role>,
    /// The accessories that belong there.
    pub accessories: Vec<Accessory>,
    /// The proxy, where one is.
    pub proxy: Option<Proxy>,
    /// Containers of ours that run and that deploy.yml has no place for there.
    pub orphans: Vec<ContainerName>,
    /// Where docker keeps images and containers.
    pub disk: Option<Room>,
    /// Its memory.
    pub memory: Option<Room>,
    /// Certificates.
    pub certificates: Vec<Certificate>,
    /// The last lines of the audit log.
    pub audit: Vec<String>,
}

/// A role on a host.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Role {
    /// The role.
    pub role: RoleName,
    /// The version that runs.
    pub version: Option<Version>,
    /// When it was deployed, in RFC 3339.
    pub since: Option<String>,
    /// Who did.
    pub by: Option<String>,
    /// Its container.
    pub container: Option<ContainerName>,
    /// How it is.
    pub health: Health,
    /// Its state in docker's words.
    pub state: Option<String>,
    /// In what it was made otherwise than it would be made now. Names only, no values of variables.
    pub drift: Vec<String>,
}

/// An accessory on a host.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Accessory {
    /// Its name in deploy.yml.
    pub accessory: String,
    /// Its image.
    pub image: Option<String>,
    /// How it is.
    pub health: Health,
    /// Its state in docker's words.
    pub state: Option<String>,
    /// As [`Role::drift`].
    pub drift: Vec<String>,
}

/// A proxy on a host.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Proxy {
    /// Its image.
    pub image: ImageRef,
    /// Its state.
    pub state: ContainerState,
    /// What it leads where, of all services on the host.
    pub routes: Vec<Route>,
}

/// What the proxy leads somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The service in kamal-proxy.
    pub service: String,
    /// The hosts it answers for.
    pub hosts: String,
    /// The paths it answers below.
    pub paths: String,
    /// The container it leads to, where that is one of ours, or else what kamal-proxy calls it.
    pub target: String,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// For which host.
    pub host: String,
    /// When it ends.
    pub ends: Option<Timestamp>,
    /// How many days that is from now.
    pub days_left: i64,
}

/// How something that runs, or should, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// The proxy leads to it.
    Serving,
    /// It runs.
    Running,
    /// It runs, and the proxy does not lead to it, though it should.
    NotServing,
    /// The image's own check fails.
    Unhealthy,
    /// It starts again and again.
    Restarting,
    /// It does not run.
    Stopped,
    /// There is none.
    Missing,
}

impl Health {
    /// Whether it is as it should be.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Serving | Self::Running)
    }
}

impl Status {
    /// True when every host was reached.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.hosts.iter().all(|host| host.error.is_none())
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Cover for Status {
    fn cover(&mut self, redactor: &Redactor) {
        self.lock.iter_mut().for_each(|lock| lock.details.cover(redactor));
        for host in &mut self.hosts {
            host.error.iter_mut().for_each(|text| text.cover(redactor));
            host.audit.cover(redactor);
            host.roles.iter_mut().for_each(|role| role.drift.cover(redactor));
            host.accessories.iter_mut().for_each(|accessory| accessory.drift.cover(redactor));
        }
    }
}
