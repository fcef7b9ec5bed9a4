//! Hosts that are joined.

use indexmap::IndexMap;
use serde::Serialize;

use crate::name::RoleName;

/// `x-cluster`: hosts joined by Docker's swarm.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Cluster {
    /// The name of the network over all hosts.
    pub network: String,
    /// Which of a host's addresses the others reach it by.
    pub by: PrivateAddress,
    /// How many hosts manage the swarm.
    pub managers: u32,
    /// Whether hosts encrypt what goes between containers.
    pub encrypted: bool,
    /// The key of the secret that proxies share certificates by.
    pub secret: Option<String>,
    /// `x-balance`: whether each web host's proxy leads requests to the containers of all.
    pub balance: bool,
    /// `run: services`: whether roles run as services of the swarm.
    pub services: Option<Services>,
}

/// The most containers a role may be said to have: what is more is a slip.
pub(crate) const MOST_REPLICAS: u32 = 1000;

/// Roles that run as services of the swarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Services {
    /// `replicas`: how many containers a role is to have; as many as it has hosts where nothing is said.
    pub replicas: IndexMap<RoleName, u32>,
}

/// Which of a host's addresses is its private one: the only one that is private by its number, where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PrivateAddress {
    /// The network it is in, `10.0.0.0/16`.
    pub within: Option<String>,
    /// Its interface.
    pub interface: Option<String>,
}
