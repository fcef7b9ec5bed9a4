//! What a simulated host has of a swarm. There is one swarm at most, whose tokens name the manager they are of.

use std::collections::BTreeMap;

use super::host::Ended;
use crate::{
    cluster::{Address, Joined, Managed, Member, Membership, Network, Node, Service},
    config::Config,
    diagnosis::Evidence,
    name::{ContainerName, Version},
    plan::services,
    step::{ServiceSpec, Step},
};

/// A role of a configuration as a service at a version.
///
/// # Panics
///
/// When there is no such role, or the version cannot be one.
#[must_use]
pub fn service_spec(config: &Config, role: &str, version: &str) -> ServiceSpec {
    let role = config.role(role).expect("a role of the configuration");
    services::spec(config, role, &Version::parse(version).expect("a version"), None)
}

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
    /// Where it is a manager, the hosts it knows, by address.
    pub nodes: BTreeMap<String, Node>,
    /// Where it is a manager, the services.
    pub services: BTreeMap<String, SimService>,
}

/// A service: what it is, and what it was before.
#[derive(Clone, Debug, PartialEq)]
pub struct SimService {
    /// What it is.
    pub spec: ServiceSpec,
    /// How many containers it has.
    pub replicas: u32,
    /// What it was.
    pub before: Option<ServiceSpec>,
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
            managed: self.member.as_ref().filter(|member| member.manager).map(|_| self.managed()),
        })
    }

    fn managed(&self) -> Managed {
        let service = |(name, found): (&String, &SimService)| {
            let mut service = Service::new(ContainerName::of_checked(name.as_str()), found.replicas);
            service.version = Some(found.spec.version.clone());
            (service.declared, service.running) = (Some(found.spec.declared), found.replicas);
            service
        };
        Managed { nodes: self.nodes.values().cloned().collect(), services: self.services.iter().map(service).collect() }
    }

    /// Has a service become another one; of a version that never becomes healthy nothing is left.
    fn deploy(&mut self, spec: &ServiceSpec, sick: &BTreeMap<String, Evidence>) -> Ended {
        let name = spec.service.to_string();
        if self.nodes.values().all(|node| node.labels.get(&spec.on).is_none_or(|label| label != "true")) {
            return Err((1, "no suitable node (scheduling constraints not satisfied)".to_owned()));
        }
        if sick.contains_key(spec.version.as_str()) {
            return Err((1, format!("a container of {name} did not come up: task: unhealthy container")));
        }
        let before = self.services.get(&name).map(|service| service.spec.clone());
        self.services.insert(name, SimService { spec: spec.clone(), replicas: spec.replicas, before });
        Ok(String::new())
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
    pub(super) fn act(&mut self, step: &Step, sick: &BTreeMap<String, Evidence>) -> Option<Ended> {
        let refused = |text: &str| Some(Err((1, format!("Error response from daemon: {text}"))));
        let manages = self.member.as_ref().is_some_and(|member| member.manager);
        match step {
            Step::LabelNode { .. }
            | Step::DeployService(_)
            | Step::RollBackService { .. }
            | Step::ScaleService { .. }
            | Step::RemoveService { .. }
                if !manages =>
            {
                return refused("This node is not a swarm manager.");
            }
            Step::LabelNode { address, add, remove, .. } => {
                let node = self.nodes.entry(address.clone()).or_insert_with(|| Node::new("", address.as_str()));
                let add = add.iter().filter_map(|label| label.split_once('='));
                node.labels.extend(add.map(|(name, value)| (name.to_owned(), value.to_owned())));
                node.labels.retain(|name, _| !remove.contains(name));
            }
            Step::DeployService(spec) => return Some(self.deploy(spec, sick)),
            Step::RollBackService { service, .. } => {
                let Some(found) = self.services.get_mut(service.as_str()) else { return refused("service not found") };
                let Some(before) = found.before.take() else { return refused("service has no previous spec") };
                *found = SimService { replicas: before.replicas, spec: before, before: None };
            }
            Step::ScaleService { service, replicas, .. } => match self.services.get_mut(service.as_str()) {
                Some(found) => found.replicas = *replicas,
                None => return refused("service not found"),
            },
            Step::RemoveService { service } => drop(self.services.remove(service.as_str())),
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
