//! How checks of hosts that are to be joined judge.

use std::net::IpAddr;

use super::{
    Judgement::{Failed, Ok, Warning},
    checks::Verdict,
    hosts::Seen,
};
use crate::{
    cluster::{Joined, Managed, Membership, is_private, private_address},
    config::model::Cluster,
    name::HostName,
    state::HostState,
    status::Surveyed,
    vitals::{PortProbe, Reach},
};

/// Where managers are asked, and where all hosts tell each other who is there.
const MANAGERS: u16 = crate::cluster::PORT;
const GOSSIP: u16 = 7946;
/// Where what containers send each other goes.
const TRAFFIC: u16 = 4789;
/// Hosts each one is asked to reach, at most: in a large fleet every host is tried by some.
const TRIED: usize = 8;

/// Which addresses each host is to try: those of the hosts behind it in the list, the first ones behind the last.
pub(crate) fn to_try(cluster: &Cluster, surveyed: &[Surveyed]) -> Vec<(HostName, Vec<IpAddr>)> {
    let known = |one: &Surveyed| {
        let (state, _) = one.found.as_ref().ok()?;
        let joined = state.joined.as_ref()?;
        joined.member()?;
        Some((one.host.clone(), private_address(&joined.addresses, &cluster.by).ok()?))
    };
    let known: Vec<(HostName, IpAddr)> = surveyed.iter().filter_map(known).collect();
    let of = |at: usize| known.iter().cycle().skip(at + 1).take((known.len() - 1).min(TRIED)).map(|(_, to)| *to);
    known.iter().enumerate().map(|(at, (host, _))| (host.clone(), of(at).collect())).collect()
}

/// Whether it belongs with the others.
pub(super) fn cluster(seen: &Seen<'_>) -> Option<Verdict> {
    let cluster = seen.patient.config.cluster.as_ref()?;
    let joined = seen.state.joined.as_ref()?;
    if let Some(network) = joined.network.as_ref().filter(|network| network.driver != "overlay") {
        let said = format!(
            "its network {} is a {} of its own, which hides the one over all hosts",
            cluster.network, network.driver
        );
        return Some((Failed, said));
    }
    let member = match &joined.swarm {
        Membership::None => return Some((Failed, "it is not joined with the other hosts".to_owned())),
        Membership::Unclear(word) => return Some((Failed, format!("its docker says of the swarm: {word}"))),
        Membership::Member(member) => member,
    };
    let others = others(seen).filter_map(|(state, joined)| Some((&state.host, joined.member()?)));
    let apart = |managers: &[String]| !managers.iter().any(|manager| member.managers.contains(manager));
    let strange: Vec<&str> =
        others.filter(|(_, other)| apart(&other.managers)).map(|(host, _)| host.as_str()).collect();
    if !strange.is_empty() {
        return Some((Failed, format!("it belongs to another swarm than {}", strange.join(", "))));
    }
    let managers = member.managers.len();
    let said = format!("{} of a swarm with {managers}", if member.manager { "a manager" } else { "a worker" });
    if managers > 0 && managers % 2 == 0 {
        let less = managers - 1;
        return Some((Warning, format!("{said} managers, which stand the loss of no more of them than {less} would")));
    }
    let said = format!("{said} manager{}", if managers == 1 { "" } else { "s" });
    match joined.managed.as_ref().map(short_of).unwrap_or_default() {
        short if short.is_empty() => Some((Ok, said)),
        short => Some((Warning, format!("{said}; {}", short.join(", ")))),
    }
}

/// What services lack by what a manager knows.
fn short_of(managed: &Managed) -> Vec<String> {
    let down = managed.down();
    let mut short: Vec<String> = down.iter().map(|host| format!("{host} is down")).collect();
    let services = managed.services.iter().filter(|service| service.running < service.replicas);
    short.extend(services.map(|service| {
        format!("{} of {} containers of the service {} run", service.running, service.replicas, service.name)
    }));
    short
}

/// Whether it reaches the others.
pub(super) fn reached(seen: &Seen<'_>) -> Option<Verdict> {
    let cluster = seen.patient.config.cluster.as_ref()?;
    seen.state.joined.as_ref()?.member()?;
    let mut closed = Vec::new();
    for (state, joined) in others(seen) {
        let Some(address) = private_address(&joined.addresses, &cluster.by).ok() else { continue };
        let probes = seen.vitals.probes.iter().filter(|probe| probe.to == address && probe.reach != Reach::Open);
        for PortProbe { port, udp, reach, .. } in probes.filter(|probe| is_needed(probe, cluster, state, joined)) {
            let protocol = if *udp { "udp" } else { "tcp" };
            let how = if *reach == Reach::Refused { "refuses" } else { "does not answer" };
            closed.push(format!("{} ({address}) {how} {port}/{protocol}", state.host));
        }
    }
    if !closed.is_empty() {
        return Some((Failed, closed.join(", ")));
    }
    let mut tried: Vec<IpAddr> = seen.vitals.probes.iter().map(|probe| probe.to).collect();
    tried.sort_unstable();
    tried.dedup();
    Some(match tried.len() {
        0 => (Ok, "no other host was tried".to_owned()),
        1 => (Ok, "1 other host answers".to_owned()),
        many => (Ok, format!("{many} other hosts answer")),
    })
}

/// Whether a host has to be reached by a port: only managers are asked to let hosts in, and only where a container is on the
/// network does anybody take what containers send.
fn is_needed(probe: &PortProbe, cluster: &Cluster, state: &HostState, joined: &Joined) -> bool {
    let mut containers =
        state.containers.iter().chain(&state.accessories).filter(|container| container.state.is_current());
    match probe.port {
        MANAGERS => joined.member().is_some_and(|member| member.manager),
        GOSSIP => true,
        TRAFFIC => {
            probe.reach == Reach::Refused && containers.any(|container| container.networks.contains(&cluster.network))
        }
        _ => false,
    }
}

/// Whether anybody else reaches what hosts tell each other. A firewall in front of the host cannot be seen.
pub(super) fn open(seen: &Seen<'_>) -> Option<Verdict> {
    seen.patient.config.cluster.as_ref()?;
    let joined = seen.state.joined.as_ref()?;
    joined.member()?;
    let public: Vec<String> = joined
        .addresses
        .iter()
        .filter(|known| !is_private(known.address))
        .map(|known| known.address.to_string())
        .collect();
    if public.is_empty() {
        return Some((Ok, "the host has private addresses alone".to_owned()));
    }
    if let Some(firewall) = &seen.vitals.firewall {
        return Some((Ok, format!("{firewall} is on; it has to let in the other hosts alone")));
    }
    let listens = |port: &u16| seen.vitals.listeners.iter().any(|one| one.port == *port && !one.loopback);
    let ports: Vec<String> =
        [MANAGERS, GOSSIP].iter().filter(|port| listens(port)).map(|port| format!("{port}/tcp")).collect();
    let ports = [ports, vec![format!("{TRAFFIC}/udp")]].concat().join(", ");
    Some((Warning, format!("no firewall is on, and {ports} listen on {} as well", public.join(", "))))
}

/// The other hosts that were reached.
fn others<'s>(seen: &Seen<'s>) -> impl Iterator<Item = (&'s HostState, &'s Joined)> {
    let own = seen.state;
    let reached = seen.patient.surveyed.iter().filter_map(|one| one.found.as_ref().ok());
    reached.filter(|(state, _)| state.host != own.host).filter_map(|(state, _)| Some((state, state.joined.as_ref()?)))
}
