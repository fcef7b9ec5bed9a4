//! Requests that the proxy leads elsewhere already. It would refuse to lead them to a second service, so that is told
//! before anything changes, with the name of the one that has them and what to do about it.

use super::{Facts, facts::unfit};
use crate::{
    error::Error,
    name::HostName,
    naming,
    plan::{Draft, Stage},
    state::{HostState, RouteState},
    step::{Route, Step},
};

/// Fails where a draft leads requests to a container that another service has.
pub(super) fn check(facts: &Facts<'_>, draft: &Draft) -> Result<(), Error> {
    let steps: Vec<(&HostName, &Step)> =
        [&draft.stages, &draft.after].into_iter().flatten().flat_map(Stage::steps).collect();
    let given_up = |host: &HostName, service: &str| {
        steps
            .iter()
            .any(|(on, step)| *on == host && matches!(step, Step::RemoveRoute { service: gone } if gone == service))
    };
    let mut found = Vec::new();
    for (host, step) in &steps {
        let (Step::SwitchTraffic(route), Some(state)) = (step, facts.state(host)) else { continue };
        let others =
            state.routes.iter().filter(|other| other.service != route.service && !given_up(host, &other.service));
        let conflict = others.filter_map(|other| Some((other, shared(route, other)?))).next();
        found.extend(conflict.map(|(other, name)| {
            let (message, hint) = told(facts, state, other, &name);
            unfit(host, message, hint)
        }));
    }
    if found.is_empty() { Ok(()) } else { Err(Error::Hosts(found)) }
}

/// What both a route that is wanted and one that is there answer for.
fn shared(wanted: &Route, other: &RouteState) -> Option<String> {
    let (hosts, paths) = (or(&wanted.proxy.hosts, "*"), or(&wanted.proxy.path_prefixes, "/"));
    let is_there =
        |names: &str, name: &str, plain: fn(&str) -> String| names.split(',').any(|other| plain(other) == plain(name));
    let host = hosts.iter().find(|host| is_there(&other.hosts, host, plain_host))?;
    let path = paths.iter().find(|path| is_there(&other.paths, path, plain_path))?;
    let host = if host == "*" { "every host" } else { host };
    Some(if plain_path(path) == "/" { host.to_owned() } else { format!("{host}{}", plain_path(path)) })
}

fn or(names: &[String], otherwise: &str) -> Vec<String> {
    if names.is_empty() { vec![otherwise.to_owned()] } else { names.to_vec() }
}

fn plain_host(name: &str) -> String {
    name.trim().trim_end_matches('.').to_lowercase()
}

fn plain_path(path: &str) -> String {
    format!("/{}", path.trim().trim_matches('/'))
}

/// What is the matter, and what would put it right.
fn told(facts: &Facts<'_>, state: &HostState, other: &RouteState, name: &str) -> (String, String) {
    let (service, host) = (&other.service, &state.host);
    let of_service = |role: &&crate::name::RoleName| naming::container_prefix(facts.config, role) == *service;
    let role = state.containers.iter().filter_map(|container| container.role.as_ref()).find(of_service);
    let has = format!("the proxy leads requests for {name} to {service} already");
    let another = "give one of the two another host or path_prefix";
    match role {
        Some(role) if facts.config.role(role).is_some_and(|role| role.hosts.iter().any(|on| on.name == *host)) => {
            (format!("{has}, the role {role} of this service"), another.to_owned())
        }
        Some(role) => (
            format!("{has}, an earlier role of this service"),
            format!(
                "`kamal app stop -r {role} -h {host}` takes it out, and nobody answers until the next deploy is done"
            ),
        ),
        None => {
            let owner = other.owner.as_ref();
            let whose =
                owner.map_or_else(String::new, |owner| format!(", whose container has the label service={owner}"));
            let out = format!("`docker exec {} kamal-proxy remove {service}`", naming::PROXY_CONTAINER);
            let hint = format!("if it has made way for this one, {out} on that host takes it out, else {another}");
            (format!("{has}{whose}"), hint)
        }
    }
}
