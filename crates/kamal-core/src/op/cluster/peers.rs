//! Which proxies know each other, told anew when a host comes or goes.

use super::super::Facts;
use crate::{
    config::model::Role,
    name::HostName,
    naming,
    plan::{HostWork, Kind, Stage},
    state::HostState,
    step::Step,
};

/// Has the proxies of hosts know those of others, for the roles that run on one of the hosts that come or go.
pub(super) fn acquaint(facts: &Facts<'_>, on: &[&HostState], about: &[&HostName], with: &[&HostName]) -> Stage {
    let balances = facts.config.cluster.as_ref().is_some_and(|cluster| cluster.balance);
    let works = on.iter().filter(|_| balances).map(|state| {
        let steps = routes(facts, state, about, with);
        HostWork { host: state.host.clone(), steps }
    });
    Stage::hosts(Kind::Change, works.collect())
}

/// The routes to what runs on a host, with peers among some hosts alone.
fn routes(facts: &Facts<'_>, state: &HostState, about: &[&HostName], with: &[&HostName]) -> Vec<Step> {
    if !state.proxy.as_ref().is_some_and(|proxy| proxy.state.is_current()) {
        return Vec::new();
    }
    let config = facts.config;
    let concerned = config.roles.iter().filter(|role| {
        let on = |host: &HostName| role.hosts.iter().any(|tagged| tagged.name == *host);
        role.proxy.is_some() && on(&state.host) && about.iter().any(|host| on(host))
    });
    let known: Vec<String> = with.iter().map(|host| naming::on_host(naming::PROXY_CONTAINER, host)).collect();
    let route = |role: &Role| {
        let container = state.current(config, &role.name)?;
        let mut route = facts.route_to(role, &state.host, &container.name);
        route.peers.retain(|peer| known.contains(peer));
        route.sharing = route.sharing.filter(|_| !route.peers.is_empty());
        Some(Step::SwitchTraffic(Box::new(route)))
    };
    concerned.filter_map(route).collect()
}
