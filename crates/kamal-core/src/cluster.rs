//! Hosts joined by Docker's swarm: what a host tells of it, and which of its addresses the others reach it by.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{
    config::model::PrivateAddress,
    name::{ContainerName, HostName, Version},
};

/// The port on which managers are asked to join.
pub(crate) const PORT: u16 = 2377;

/// How a host stands to the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Joined {
    /// Whether it belongs to a swarm.
    pub swarm: Membership,
    /// Its addresses, with their interfaces; those of Docker's own left out.
    pub addresses: Vec<Address>,
    /// The network over all hosts, as far as the host knows it: a worker does once a container of its is on it.
    pub network: Option<Network>,
    /// Whether its kernel can encrypt what goes between containers; `None` where that cannot be told.
    pub encrypts: Option<bool>,
    /// What a manager knows of the swarm; where deploy.yml runs services alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<Managed>,
}

/// A swarm as a manager knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Managed {
    /// Its hosts.
    pub nodes: Vec<Node>,
    /// The app's services.
    pub services: Vec<Service>,
}

/// A host of a swarm as a manager knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Node {
    /// Its id.
    pub id: String,
    /// Its address.
    pub address: String,
    /// Whether it answers, in docker's word: `ready`, `down`.
    pub state: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A service of a swarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Service {
    /// Its name.
    pub name: ContainerName,
    /// The version, if it was deployed by this program.
    pub version: Option<Version>,
    /// How many containers it is to have.
    pub replicas: u32,
    /// How many it was to have by deploy.yml when it was deployed.
    pub declared: Option<u32>,
    /// How many run.
    pub running: u32,
}

/// The label that says which host of deploy.yml a node is.
pub const HOST_LABEL: &str = "kamal.host";

impl Managed {
    /// The service of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == *name)
    }

    /// The node at an address.
    pub(crate) fn node(&self, address: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.address == address)
    }

    /// The hosts of deploy.yml that do not answer the managers.
    pub(crate) fn down(&self) -> Vec<HostName> {
        let down = self.nodes.iter().filter(|node| node.state != "ready");
        down.filter_map(|node| node.labels.get(HOST_LABEL)?.parse().ok()).collect()
    }
}

impl Service {
    /// A service that runs nothing yet.
    #[must_use]
    pub fn new(name: ContainerName, replicas: u32) -> Self {
        Self { name, version: None, replicas, declared: None, running: 0 }
    }
}

impl Node {
    /// A node that answers.
    #[must_use]
    pub fn new(id: impl Into<String>, address: impl Into<String>) -> Self {
        let (id, address) = (id.into(), address.into());
        Self { id, address, state: "ready".to_owned(), labels: BTreeMap::new() }
    }
}

/// Whether a host belongs to a swarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Membership {
    /// It belongs to none.
    #[default]
    None,
    /// It belongs to one.
    Member(Member),
    /// Something else, in Docker's word: `pending`, `error`, `locked`.
    Unclear(String),
}

/// A host of a swarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Member {
    /// The id of its node.
    pub node: String,
    /// The address the others know it by.
    pub address: String,
    /// Whether it is a manager.
    pub manager: bool,
    /// The ids of the managers' nodes it knows.
    pub managers: Vec<String>,
}

/// An address of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Address {
    /// The interface.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
}

/// A network of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Network {
    /// `overlay`, `bridge`.
    pub driver: String,
    /// Whether containers that are no swarm's may be on it.
    pub attachable: bool,
    /// Whether hosts encrypt what goes over it.
    pub encrypted: bool,
}

impl Joined {
    /// What it is in the swarm it belongs to.
    #[must_use]
    pub fn member(&self) -> Option<&Member> {
        match &self.swarm {
            Membership::Member(member) => Some(member),
            _ => None,
        }
    }
}

impl Address {
    /// An address and its interface.
    #[must_use]
    pub fn new(interface: impl Into<String>, address: IpAddr) -> Self {
        Self { interface: interface.into(), address }
    }
}

impl Network {
    /// A network by its driver.
    #[must_use]
    pub fn new(driver: impl Into<String>, attachable: bool, encrypted: bool) -> Self {
        Self { driver: driver.into(), attachable, encrypted }
    }
}

impl Member {
    /// A node, the address the others know it by, and the managers it knows.
    #[must_use]
    pub fn new(node: impl Into<String>, address: impl Into<String>, managers: Vec<String>) -> Self {
        let node = node.into();
        Self { manager: managers.contains(&node), address: address.into(), node, managers }
    }
}

/// A host's private address, or why there is none.
pub(crate) fn private_address(addresses: &[Address], by: &PrivateAddress) -> Result<IpAddr, String> {
    let PrivateAddress { within, interface } = by;
    let fits = |known: &&Address| match (within, interface) {
        (None, None) => is_private(known.address),
        _ => {
            within.as_ref().is_none_or(|network| is_in(known.address, network))
                && interface.as_ref().is_none_or(|interface| known.interface == *interface)
        }
    };
    let found: Vec<&Address> = addresses.iter().filter(fits).collect();
    let list = |some: &[&Address]| {
        some.iter().map(|known| format!("{} ({})", known.address, known.interface)).collect::<Vec<_>>().join(", ")
    };
    match found[..] {
        [one] => Ok(one.address),
        [] => {
            let what = match (within, interface) {
                (None, None) => "no private address".to_owned(),
                (Some(network), None) => format!("no address in {network}"),
                (None, Some(interface)) => format!("no address on an interface {interface}"),
                (Some(network), Some(interface)) => format!("no address in {network} on an interface {interface}"),
            };
            let all: Vec<&Address> = addresses.iter().collect();
            Err(if all.is_empty() { what } else { format!("{what}, only {}", list(&all)) })
        }
        _ => Err(format!("several addresses that may be meant: {}", list(&found))),
    }
}

/// Addresses that are nobody's on the Internet (RFC 1918, 4193, 6598).
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64,
        IpAddr::V6(v6) => v6.segments()[0] & 0xfe00 == 0xfc00,
    }
}

/// Whether an address is in a network such as `10.0.0.0/16`.
fn is_in(address: IpAddr, network: &str) -> bool {
    let Some((base, length)) = network.split_once('/') else { return false };
    let (Ok(base), Ok(length)) = (base.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 4),
        IpAddr::V6(v6) => (u128::from(v6), 6),
    };
    let ((address, family), (base, same)) = (bits(address), bits(base));
    let mask = if length == 0 { 0 } else { u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0) };
    family == same && (address & mask) == (base & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(by: &PrivateAddress, addresses: &[(&str, &str)]) -> Result<String, String> {
        let all: Vec<Address> =
            addresses.iter().map(|(interface, text)| Address::new(*interface, text.parse().unwrap())).collect();
        private_address(&all, by).map(|address| address.to_string())
    }

    #[test]
    fn the_only_private_address_needs_no_key() {
        let by = PrivateAddress::default();
        assert_eq!(told(&by, &[("eth0", "203.0.113.7"), ("eth1", "10.0.0.3")]).unwrap(), "10.0.0.3");
        assert_eq!(told(&by, &[("eth0", "203.0.113.7"), ("tailscale0", "100.101.0.3")]).unwrap(), "100.101.0.3");
        assert_eq!(told(&by, &[("eth0", "2001:db8::1"), ("wg0", "fd00::3")]).unwrap(), "fd00::3");
        let public = told(&by, &[("eth0", "203.0.113.7"), ("eth0", "100.128.0.1")]).unwrap_err();
        assert_eq!(public, "no private address, only 203.0.113.7 (eth0), 100.128.0.1 (eth0)");
        assert_eq!(told(&by, &[]).unwrap_err(), "no private address");
        let several = told(&by, &[("eth1", "10.0.0.3"), ("eth2", "192.168.0.3")]).unwrap_err();
        assert_eq!(several, "several addresses that may be meant: 10.0.0.3 (eth1), 192.168.0.3 (eth2)");
    }

    #[test]
    fn or_the_file_says_which() {
        let all = [("eth0", "203.0.113.7"), ("eth1", "10.0.0.3"), ("eth2", "10.1.0.3"), ("eth2", "fd00::3")];
        let by = |within: Option<&str>, interface: Option<&str>| {
            let of = |text: Option<&str>| text.map(str::to_owned);
            told(&PrivateAddress { within: of(within), interface: of(interface) }, &all)
        };
        let within = |network: &str| by(Some(network), None);
        assert_eq!(within("10.1.0.0/16").unwrap(), "10.1.0.3");
        assert_eq!(within("203.0.113.0/24").unwrap(), "203.0.113.7");
        assert_eq!(within("fd00::/8").unwrap(), "fd00::3");
        assert!(within("10.0.0.0/8").unwrap_err().starts_with("several"));
        assert!(within("0.0.0.0/0").unwrap_err().starts_with("several"));
        assert!(within("172.16.0.0/12").unwrap_err().starts_with("no address in 172.16.0.0/12, only "));
        assert_eq!(by(None, Some("eth1")).unwrap(), "10.0.0.3");
        assert_eq!(by(Some("10.0.0.0/8"), Some("eth2")).unwrap(), "10.1.0.3");
        assert!(by(None, Some("eth2")).unwrap_err().starts_with("several"));
        assert!(by(Some("10.0.0.0/16"), Some("eth2")).unwrap_err().starts_with("no address in 10.0.0.0/16 on an"));
    }
}
