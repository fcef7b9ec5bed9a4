//! Hosts that are joined by Docker's swarm, and taken out of it again. Of somebody else's swarm they are used as they
//! are.

mod leave;
mod peers;

pub(super) use self::leave::leave;
use super::{
    Facts,
    facts::{audit, unfit},
};
use crate::{
    cluster::{Joined, Membership, PORT, private_address},
    config::{
        Config,
        model::{Accessory, Cluster},
    },
    error::{Error, HostError},
    name::{ContainerName, HostName},
    plan::{Draft, HostWork, Kind, Stage, cluster as places},
    state::{Container, HostState},
    step::{Attachment, Step},
    targets::{Selection, Targets},
};

/// What is to be done to join hosts, and what a reader should know.
#[derive(Debug, Default)]
pub(super) struct Joining {
    pub(super) stages: Vec<Stage>,
    pub(super) notes: Vec<String>,
}

/// `server join`.
pub(super) fn join(facts: &Facts<'_>) -> Result<Draft, Error> {
    let cluster = asked_for(facts.config)?;
    let Joining { mut stages, notes } = joining(facts, cluster)?;
    let order = every_host(facts)?;
    let comes = |state: &&HostState| facts.targets.hosts.contains(&state.host);
    let joined: Vec<&HostState> =
        facts.states_of(&order).filter(|state| member(state).is_some() || comes(state)).collect();
    let new = joined.iter().copied().filter(comes).filter(|state| places::join_proxy(facts.config, state).is_some());
    let new: Vec<&HostName> = new.map(|state| &state.host).collect();
    let peers: Vec<&HostName> = joined.iter().map(|state| &state.host).collect();
    stages.push(peers::acquaint(facts, &joined, &new, &peers));
    Ok(Draft { notes, ..Draft::of(stages) })
}

/// The stages that join the selected hosts with each other and with those that are joined already: the swarm, the network
/// over all of them, and what runs already put on it.
pub(super) fn joining(facts: &Facts<'_>, cluster: &Cluster) -> Result<Joining, Error> {
    let order = every_host(facts)?;
    let all: Vec<&HostState> = facts.states_of(&order).collect();
    let selected: Vec<&HostState> =
        all.iter().copied().filter(|state| facts.targets.hosts.contains(&state.host)).collect();
    sound(&all, &selected, cluster)?;
    let manager = all.iter().copied().find(|state| member(state).is_some_and(|member| member.manager));
    let (leader, address, init) = match manager {
        Some(state) => (state, member(state).map(|member| member.address.clone()).unwrap_or_default(), false),
        None => {
            strangers(&all, &selected)?;
            let Some(first) = all.first().copied() else { return Ok(Joining::default()) };
            (first, private(first, cluster)?, true)
        }
    };
    let mut stages = Vec::new();
    if init {
        let steps = vec![audit("Started a swarm", None), Step::InitSwarm { address: address.clone() }];
        stages.push(Stage::hosts(Kind::Change, vec![HostWork { host: leader.host.clone(), steps }]));
    }
    let managers = order.iter().take(cluster.managers as usize);
    let managers: Vec<&HostName> = managers.filter(|host| **host != leader.host).collect();
    let mut joins = Vec::new();
    for state in selected.iter().filter(|state| state.host != leader.host && member(state).is_none()) {
        let join = Step::JoinSwarm {
            through: leader.host.clone(),
            at: format!("{}:{PORT}", bracketed(&address)),
            address: private(state, cluster)?,
            manager: managers.contains(&&state.host),
            token: None,
        };
        let steps = vec![join, audit(format!("Joined the swarm of {}", leader.host), None)];
        joins.push(HostWork { host: state.host.clone(), steps });
    }
    if !joins.is_empty() {
        let hosts = joins.iter().map(|work| work.host.as_str()).collect::<Vec<_>>().join(", ");
        let say = format!("Joining {hosts} with {}...", leader.host);
        stages.push(Stage::hosts(Kind::Change, joins).saying(say));
    }
    if leader.joined.as_ref().is_none_or(|joined| joined.network.is_none()) {
        let create = Step::CreateOverlay { name: cluster.network.clone(), encrypted: cluster.encrypted };
        stages.push(Stage::hosts(Kind::Change, vec![HostWork { host: leader.host.clone(), steps: vec![create] }]));
    }
    let works = selected.iter().map(|state| HostWork { host: state.host.clone(), steps: connections(facts, state) });
    stages.push(Stage::hosts(Kind::Change, works.collect()));
    Ok(Joining { stages, notes: notes(&all, &selected, cluster) })
}

/// What keeps hosts from being joined, all of it.
fn sound(all: &[&HostState], selected: &[&HostState], cluster: &Cluster) -> Result<(), Error> {
    let mut found = Vec::new();
    let first = all.iter().find_map(|state| Some((state, member(state)?)));
    for state in all {
        let host = &state.host;
        let Some(joined) = &state.joined else { continue };
        found.extend(shadow(state, cluster));
        if let Membership::Unclear(word) = &joined.swarm {
            let message = format!("its docker says of the swarm it belongs to: {word}");
            found.push(unfit(host, message, format!("see `docker info` on {host}; `docker swarm leave` takes it out")));
        }
        if let (Some((other, known)), Some(own)) = (first, joined.member())
            && !own.managers.iter().any(|manager| known.managers.contains(manager))
        {
            let message = format!("it belongs to another swarm than {}", other.host);
            found.push(unfit(host, message, format!("`docker swarm leave` on {host} takes it out of that one")));
        }
        if let Some(network) = joined.network.as_ref().filter(|network| network.driver == "overlay") {
            let name = &cluster.network;
            if !network.attachable {
                let message = format!("the network {name} is there, for services alone");
                found.push(unfit(host, message, "make it anew with `--attachable`, or give x-cluster another name"));
            }
            if cluster.encrypted && !network.encrypted && own_managers(joined) {
                let message = format!("the network {name} is there, and is not encrypted");
                let hint = "make it anew with `--opt encrypted`, or say so: `x-cluster: {encrypted: false}`";
                found.push(unfit(host, message, hint));
            }
        }
    }
    for state in selected {
        let cannot = state.joined.as_ref().is_some_and(|joined| joined.encrypts == Some(false));
        if cannot && cluster.encrypted {
            let message = "its kernel cannot encrypt what goes between hosts (it lacks ESP of IPsec, or AES-GCM): docker \
                           would make the network, and nothing would come through";
            let hint = "where the hosts' private network is trusted, or encrypted already, say so: \
                        `x-cluster: {encrypted: false}`";
            found.push(unfit(&state.host, message, hint));
        }
    }
    if found.is_empty() { Ok(()) } else { Err(Error::Hosts(found)) }
}

/// Managers know how a network was made; a worker knows it by hearsay.
fn own_managers(joined: &Joined) -> bool {
    joined.member().is_some_and(|member| member.manager)
}

/// A network of the host's own that hides the one over all hosts.
fn shadow(state: &HostState, cluster: &Cluster) -> Option<HostError> {
    let network = state.joined.as_ref()?.network.as_ref().filter(|network| network.driver != "overlay")?;
    let (host, name, driver) = (&state.host, &cluster.network, &network.driver);
    let message = format!("its network {name} is a {driver} of its own, which hides the one over all hosts");
    let hint =
        format!("`docker network rm {name}` on {host} removes it; `docker network inspect {name}` shows who is on it");
    Some(unfit(host, message, hint))
}

/// Fails where hosts belong to a swarm none of whose managers is in deploy.yml, and others are to join it.
fn strangers(all: &[&HostState], selected: &[&HostState]) -> Result<(), Error> {
    let Some(worker) = all.iter().find(|state| member(state).is_some()) else { return Ok(()) };
    let outside = selected.iter().filter(|state| member(state).is_none());
    let told = |state: &&HostState| {
        let message = format!(
            "{} belongs to a swarm whose managers are not in deploy.yml, so nobody here can join it",
            worker.host
        );
        unfit(&state.host, message, "join it by hand: `docker swarm join-token worker` on a manager says how")
    };
    let mut found: Vec<HostError> = outside.map(told).collect();
    if found.is_empty() {
        let message =
            "it belongs to a swarm whose managers are not in deploy.yml, so nobody here can make a network over it";
        let hint = "on a manager: `docker network create --driver overlay --attachable --opt encrypted NAME`, then \
                    `kamal deploy`";
        found.push(unfit(&worker.host, message, hint));
    }
    Err(Error::Hosts(found))
}

/// The address the others know a host by, or are to.
pub(super) fn address(state: &HostState, cluster: &Cluster) -> Result<String, Error> {
    member(state).map_or_else(|| private(state, cluster), |member| Ok(member.address.clone()))
}

/// The address the others are to know a host by.
fn private(state: &HostState, cluster: &Cluster) -> Result<String, Error> {
    let addresses = state.joined.as_ref().map_or(&[][..], |joined| &joined.addresses);
    private_address(addresses, &cluster.by).map(|address| address.to_string()).map_err(|why| {
        let hint =
            "`x-cluster: {address: 10.0.0.0/16}` or `{interface: eth1}` says by which address hosts reach each other";
        Error::Hosts(vec![unfit(&state.host, format!("it has {why}"), hint)])
    })
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

fn notes(all: &[&HostState], selected: &[&HostState], cluster: &Cluster) -> Vec<String> {
    let managers = all.iter().filter_map(|state| member(state)).map(|member| member.managers.len()).max().unwrap_or(0);
    let mut notes = Vec::new();
    if managers > 0 && managers % 2 == 0 {
        notes.push(format!(
            "The swarm has {managers} managers, which stand the loss of no more of them than {} would, and more have to \
             agree.",
            managers - 1
        ));
    }
    let unknown = selected.iter().filter(|state| state.joined.as_ref().is_some_and(|joined| joined.encrypts.is_none()));
    if cluster.encrypted {
        notes.extend(unknown.map(|state| {
            format!(
                "Whether the kernel of {} can encrypt cannot be told. If it cannot, nothing comes through the network: \
                 `x-cluster: {{encrypted: false}}` makes one that is not encrypted.",
                state.host
            )
        }));
    }
    notes
}

/// The steps that put what runs on a host on the network over all of them.
fn connections(facts: &Facts<'_>, state: &HostState) -> Vec<Step> {
    let config = facts.config;
    let Some(cluster) = &config.cluster else { return Vec::new() };
    let off = |container: &Container| container.state.is_current() && !container.networks.contains(&cluster.network);
    let mut steps = Vec::new();
    for (role, tagged) in facts.targets.roles_on(&state.host) {
        for container in state.of_role(&role.name).filter(|container| off(container)) {
            steps.extend(places::of_role(config, role, &tagged.name).map(|place| connect(&container.name, place)));
        }
    }
    let accessories = config.accessories.iter().filter(|accessory| accessory.hosts.contains(&state.host));
    let running = |accessory: &&Accessory| state.accessory(&accessory.service).is_some_and(&off);
    for accessory in accessories.filter(running) {
        let name = ContainerName::of_checked(accessory.service.as_str());
        steps.extend(places::of_accessory(config, accessory).map(|place| connect(&name, place)));
    }
    if state.proxy.is_some() {
        steps.extend(places::join_proxy(config, state));
    }
    steps
}

fn connect(container: &ContainerName, Attachment { network, aliases }: Attachment) -> Step {
    Step::ConnectNetwork { network, container: container.clone(), aliases }
}

/// Fails where a draft puts containers on the network over all hosts on a host that has none, or another.
pub(super) fn check(facts: &Facts<'_>, draft: &Draft) -> Result<(), Error> {
    let Some(cluster) = &facts.config.cluster else { return Ok(()) };
    let steps = || [&draft.stages, &draft.after].into_iter().flatten().flat_map(Stage::steps);
    let joins = |host: &HostName| {
        let joins = |step: &Step| matches!(step, Step::InitSwarm { .. } | Step::JoinSwarm { .. });
        steps().any(|(on, step)| on == host && joins(step))
    };
    let makes = steps().any(|(_, step)| matches!(step, Step::CreateOverlay { .. }));
    let needs = |step: &Step| match step {
        Step::Start(run) => run.overlay.is_some(),
        Step::RunOnce { run, .. } => run.overlay.is_some(),
        Step::ConnectNetwork { network, .. } => *network == cluster.network,
        Step::DeployService(_) => true,
        _ => false,
    };
    let mut found = Vec::new();
    for state in facts.states.iter().filter(|state| steps().any(|(on, step)| *on == state.host && needs(step))) {
        let host = &state.host;
        let hint = format!("`kamal server join -h {host}` joins it; without x-cluster it is on its own");
        match state.joined.as_ref().and_then(Joined::member) {
            None if !joins(host) => found.push(unfit(host, "it is not joined with the other hosts", hint)),
            Some(member) if member.manager && !makes => {
                let lacks = state.joined.as_ref().is_some_and(|joined| joined.network.is_none());
                let message = format!("its swarm has no network {}", cluster.network);
                found.extend(lacks.then(|| unfit(host, message, hint)));
            }
            _ => {}
        }
        found.extend(shadow(state, cluster));
    }
    if found.is_empty() { Ok(()) } else { Err(Error::Hosts(found)) }
}

/// What is said of joined hosts.
pub(super) fn asked_for(config: &Config) -> Result<&Cluster, Error> {
    let missing = "deploy.yml has no x-cluster; `x-cluster: {network: overlay}` asks for joined hosts";
    config.cluster.as_ref().ok_or_else(|| Error::Usage(missing.to_owned()))
}

/// All hosts there are, the primary host first.
fn every_host(facts: &Facts<'_>) -> Result<Vec<HostName>, Error> {
    Ok(Targets::select(facts.config, &Selection::default())?.hosts)
}

pub(super) fn member(state: &HostState) -> Option<&crate::cluster::Member> {
    state.joined.as_ref()?.member()
}
