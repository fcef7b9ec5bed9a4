//! `details` and `audit`: what there is on all hosts.

use super::{Facts, accessory};
use crate::{
    config::Config,
    name::{ContainerName, HostName},
    plan::{Draft, Kind, Question, Stage, Stray, Survey, Work},
    query::Query,
    state::{Container, HostState},
    targets::Targets,
};

/// The proxy, the roles, the accessories.
pub(super) fn details(facts: &Facts<'_>) -> Draft {
    let mut questions = facts.ask(&facts.targets.proxy_hosts, "Proxy", &Query::ProxyDetails);
    questions.extend(app(facts));
    questions.extend(accessory::details(facts, &facts.config.accessories.iter().collect::<Vec<_>>()));
    let left = |state| orphans_of(facts.config, facts.targets, state).filter(|found| found.role.is_none());
    questions.extend(facts.states.iter().filter_map(|state| listing(&state.host, "Accessory", left(state))));
    Draft::asking(questions)
}

/// Every role on every host, and what runs of roles that are gone.
pub(super) fn app(facts: &Facts<'_>) -> Vec<Question> {
    let placed = facts.targets.placements().map(|(role, tagged)| Question {
        host: tagged.name.clone(),
        heading: "App".to_owned(),
        query: Query::Details { role: role.name.clone() },
    });
    let left = |state| orphans_of(facts.config, facts.targets, state).filter(|found| found.role.is_some());
    placed.chain(facts.states.iter().filter_map(|state| listing(&state.host, "App", left(state)))).collect()
}

/// Asks for containers by their names, if there are any.
fn listing<'s>(host: &HostName, heading: &str, found: impl Iterator<Item = &'s Container>) -> Option<Question> {
    let containers: Vec<ContainerName> = found.map(|found| found.name.clone()).collect();
    let query = (!containers.is_empty()).then_some(Query::Orphans { containers })?;
    Some(Question { host: host.clone(), heading: heading.to_owned(), query })
}

/// The last lines of the audit log.
pub(super) fn audit(facts: &Facts<'_>) -> Draft {
    Draft::asking(facts.ask(&facts.targets.hosts, "App", &Query::Audit))
}

/// How the hosts are.
pub(super) fn survey(facts: &Facts<'_>, survey: Survey) -> Draft {
    let hosts = facts.targets.hosts.clone();
    Draft::of([Stage::new(Kind::Look, Work::Survey { hosts, survey })])
}

/// Containers that run, but no role and no accessory of the configuration has its place there.
pub(crate) fn orphans_of<'s>(
    config: &Config,
    targets: &Targets,
    state: &'s HostState,
) -> impl Iterator<Item = &'s Container> {
    // What was asked for by name is listed as itself.
    let placed: Vec<_> = config
        .roles
        .iter()
        .chain(&targets.roles)
        .filter(|role| role.hosts.iter().any(|tagged| tagged.name == state.host))
        .map(|role| role.name.clone())
        .collect();
    let of_roles = move |found: &&Container| found.role.as_ref().is_some_and(|role| !placed.contains(role));
    let belongs = |found: &Container| {
        let named = config.accessories.iter().find(|accessory| *accessory.service == *found.name);
        named.is_some_and(|accessory| accessory.hosts.contains(&state.host))
    };
    let of_accessories = state.accessories.iter().filter(move |found| !belongs(found));
    state.containers.iter().filter(of_roles).chain(of_accessories).filter(|found| found.state.holds_resources())
}

/// Each of them, and what stops it.
pub(super) fn strays(config: &Config, targets: &Targets, state: &HostState) -> Vec<Stray> {
    let host = &state.host;
    let stray = |Container { name, role, .. }: &Container| Stray {
        host: host.clone(),
        container: name.clone(),
        role: role.clone(),
        stopped_by: match role {
            Some(role) => format!("kamal app stop -r {role} -h {host}"),
            // Commands about accessories know those of the file alone.
            None => format!("kamal server exec -h {host} docker stop {name}"),
        },
    };
    orphans_of(config, targets, state).map(stray).collect()
}

/// A line for each of them.
pub(super) fn orphans(facts: &Facts<'_>) -> Vec<String> {
    let strays = facts.states.iter().flat_map(|state| strays(facts.config, facts.targets, state));
    strays.map(|stray| stray.to_string()).collect()
}
