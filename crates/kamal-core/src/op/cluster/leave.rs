//! Hosts that are taken out of the swarm, and serve by themselves from then on.

use super::{
    super::{
        Facts,
        facts::{audit, unfit},
    },
    asked_for, every_host, member, peers,
};
use crate::{
    cluster::Member,
    config::model::Cluster,
    error::Error,
    name::{ContainerName, HostName},
    naming,
    plan::{Draft, HostWork, Kind, Stage},
    state::HostState,
    step::Step,
};

/// A host of the swarm, and what it is there.
type Membership<'s> = (&'s HostState, &'s Member);

/// `server leave`: the selected hosts go on by themselves.
pub(crate) fn leave(facts: &Facts<'_>) -> Result<Draft, Error> {
    let cluster = asked_for(facts.config)?;
    let order = every_host(facts)?;
    let members: Vec<Membership<'_>> =
        facts.states_of(&order).filter_map(|state| Some((state, member(state)?))).collect();
    let goes = |host: &HostName| facts.targets.hosts.contains(host);
    let (going, staying): (Vec<Membership<'_>>, Vec<Membership<'_>>) =
        members.into_iter().partition(|(state, _)| goes(&state.host));
    let leader = staying.iter().find(|(_, member)| member.manager).map(|(state, _)| state.host.clone());
    let others = going.iter().flat_map(|(_, member)| &member.managers).any(|node| {
        going.iter().all(|(_, member)| member.node != *node) && staying.iter().all(|(_, member)| member.node != *node)
    });
    if let (None, Some((state, _)), false) =
        (&leader, going.iter().find(|(_, member)| member.manager), staying.is_empty())
        && !others
    {
        let left: Vec<&str> = staying.iter().map(|(state, _)| state.host.as_str()).collect();
        let message = format!("no other host manages the swarm {} belong to", left.join(", "));
        let hint = "without -h all leave; `docker node promote` makes another one a manager";
        return Err(Error::Hosts(vec![unfit(&state.host, message, hint)]));
    }
    let of = |work: &dyn Fn(&HostState) -> Vec<Step>| {
        let works = going.iter().map(|(state, _)| HostWork { host: state.host.clone(), steps: work(state) });
        Stage::hosts(Kind::Change, works.collect())
    };
    let [leavers, stayers]: [Vec<&HostState>; 2] =
        [&going, &staying].map(|of| of.iter().map(|(state, _)| *state).collect());
    let [gone, left]: [Vec<&HostName>; 2] = [&leavers, &stayers].map(|of| of.iter().map(|state| &state.host).collect());
    // First nobody sends to those that go, then they send to nobody, each when what is under way is done.
    let mut stages = vec![peers::acquaint(facts, &stayers, &gone, &left), peers::acquaint(facts, &leavers, &gone, &[])];
    stages.push(of(&|state| disconnections(state, cluster)));
    let through = |step: fn(String) -> Step, managers_only: bool| {
        let nodes = going.iter().filter(|(_, member)| member.manager || !managers_only);
        let steps: Vec<Step> = nodes.map(|(_, member)| step(member.node.clone())).collect();
        let work = leader.iter().map(|host| HostWork { host: host.clone(), steps: steps.clone() });
        Stage::hosts(Kind::Change, work.collect())
    };
    stages.push(through(|node| Step::DemoteNode { node }, true));
    let parts = |managers: bool| {
        let ends = managers && leader.is_none() && !others;
        let part = going.iter().filter(|(_, member)| member.manager == managers);
        let works = part.map(|(state, _)| {
            let steps = vec![Step::LeaveSwarm { last: ends }, audit("Left the swarm", None)];
            HostWork { host: state.host.clone(), steps }
        });
        Stage::hosts(Kind::Change, works.collect())
    };
    stages.extend([parts(false), parts(true)]);
    stages.push(through(|node| Step::RemoveNode { node }, false));
    Ok(Draft::of(stages))
}

fn disconnections(state: &HostState, cluster: &Cluster) -> Vec<Step> {
    let network = &cluster.network;
    let on = |networks: &[String]| networks.contains(network);
    let containers = state.containers.iter().chain(&state.accessories).filter(|container| on(&container.networks));
    let mut names: Vec<ContainerName> = containers.map(|container| container.name.clone()).collect();
    if state.proxy.as_ref().is_some_and(|proxy| on(&proxy.networks)) {
        names.push(ContainerName::of_checked(naming::PROXY_CONTAINER));
    }
    names.into_iter().map(|container| Step::DisconnectNetwork { network: network.clone(), container }).collect()
}
