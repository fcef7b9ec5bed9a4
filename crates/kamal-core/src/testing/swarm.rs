//! What a simulated host has of a swarm. There is one swarm at most, whose tokens name the manager they are of.

use std::collections::BTreeMap;

use super::host::Ended;
use crate::{
    cluster::{Address, Joined, Member, Membership, Network},
    step::Step,
};

/// What a host has of a swarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimSwarm {
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// What it is in the swarm.
    pub member: Option<Member>,
    /// Networks over all hosts it knows, and bridges that hide one.
    pub networks: BTreeMap<String, Network>,
    /// Containers on networks besides their own: the network, and the names they answer to there.
    pub attached: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// Whether its kernel encrypts.
    pub encrypts: Option<bool>,
    /// Whether it runs services of the swarm.
    pub serves: bool,
}

/// What a token begins with; the manager's node follows.
const TOKEN: &str = "SWMTKN-1-";

impl SimSwarm {
    /// That of a host with one address.
    ///
    /// # Panics
    ///
    /// When that is none.
    #[must_use]
    pub fn at(address: &str) -> Self {
        let address = address.parse().expect("an address");
        Self { addresses: vec![Address::new("eth0", address)], ..Self::default() }
    }

    pub(super) fn joined(&self) -> Option<Joined> {
        if self.addresses.is_empty() && self.member.is_none() {
            return None;
        }
        Some(Joined {
            swarm: self.member.clone().map_or(Membership::None, Membership::Member),
            addresses: self.addresses.clone(),
            network: self.networks.values().next().cloned(),
            encrypts: self.encrypts,
        })
    }

    pub(super) fn networks_of(&self, container: &str) -> Vec<String> {
        self.attached.get(container).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    pub(super) fn token(&self, manager: bool) -> Ended {
        match &self.member {
            Some(member) if member.manager => {
                Ok(format!("{TOKEN}{}{}\n", member.node, if manager { "-manager" } else { "" }))
            }
            _ => Err((1, "Error response from daemon: This node is not a swarm manager.".to_owned())),
        }
    }

    /// Puts a container on a network.
    pub(super) fn connect(&mut self, network: &str, container: &str, aliases: &[String]) -> Result<(), (i32, String)> {
        let known = self.networks.contains_key(network);
        if !known && self.member.as_ref().is_none_or(|member| member.manager) {
            return Err((1, format!("Error response from daemon: network {network} not found")));
        }
        if !known {
            // A worker hears of it then.
            self.networks.insert(network.to_owned(), Network::new("overlay", true, true));
        }
        self.attached.entry(container.to_owned()).or_default().insert(network.to_owned(), aliases.to_vec());
        Ok(())
    }

    /// Acts a step out, if it is about a swarm.
    pub(super) fn act(&mut self, step: &Step) -> Option<Ended> {
        let refused = |text: &str| Some(Err((1, format!("Error response from daemon: {text}"))));
        match step {
            Step::InitSwarm { .. } | Step::JoinSwarm { .. } if self.member.is_some() => {
                return refused("This node is already part of a swarm.");
            }
            Step::InitSwarm { address } => {
                let node = format!("node-{address}");
                self.member = Some(Member::new(node.clone(), address, vec![node]));
            }
            Step::JoinSwarm { address, manager, token, .. } => {
                let token = token.as_ref().map(|token| token.expose().to_owned()).unwrap_or_default();
                let Some(of) = token.trim().strip_prefix(TOKEN) else { return refused("invalid join token") };
                let mut managers = vec![of.trim_end_matches("-manager").to_owned()];
                if of.ends_with("-manager") != *manager {
                    return refused("the token is for another kind of node");
                }
                let node = format!("node-{address}");
                managers.extend(manager.then(|| node.clone()));
                self.member = Some(Member::new(node, address, managers));
            }
            Step::CreateOverlay { name, encrypted } => {
                if self.member.as_ref().is_none_or(|member| !member.manager) {
                    return refused("This node is not a swarm manager.");
                }
                self.networks.entry(name.clone()).or_insert_with(|| Network::new("overlay", true, *encrypted));
            }
            Step::ConnectNetwork { network, container, aliases } => {
                return Some(self.connect(network, container, aliases).map(|()| String::new()));
            }
            Step::DisconnectNetwork { network, container } => {
                self.attached.entry(container.to_string()).or_default().remove(network);
            }
            Step::DemoteNode { .. } | Step::RemoveNode { .. } => {
                if self.member.as_ref().is_none_or(|member| !member.manager) {
                    return refused("This node is not a swarm manager.");
                }
            }
            Step::LeaveSwarm { .. } if self.serves => return refused("it runs services of the swarm"),
            Step::LeaveSwarm { .. } => {
                self.member = None;
                self.networks.clear();
            }
            _ => return None,
        }
        Some(Ok(String::new()))
    }
}
