//! `details` and `audit`: what there is on all hosts.

use super::{Facts, accessory};
use crate::{
    config::Config,
    name::ContainerName,
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
    Draft::asking(questions)
}

/// Every role on every host, and what runs of roles that are gone.
pub(super) fn app(facts: &Facts<'_>) -> Vec<Question> {
    let ask = |host: &crate::name::HostName, query| Question { host: host.clone(), heading: "App".to_owned(), query };
    let placed = facts.targets.placements().map(|(role, tagged)| {
        let role = role.name.clone();
        ask(&tagged.name, Query::Details { role })
    });
    let mut questions: Vec<Question> = placed.collect();
    for state in facts.states {
        let containers: Vec<ContainerName> =
            orphans_of(facts.config, facts.targets, state).map(|found| found.name.clone()).collect();
        questions.extend((!containers.is_empty()).then(|| ask(&state.host, Query::Orphans { containers })));
    }
    questions
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

/// Containers that run, but no role of the configuration has its place there.
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
    let runs = state.containers.iter().filter(|found| found.state.holds_resources());
    runs.filter(move |found| found.role.as_ref().is_some_and(|role| !placed.contains(role)))
}

/// Each of them, and what stops it.
pub(super) fn strays(config: &Config, targets: &Targets, state: &HostState) -> Vec<Stray> {
    let stray = |found: &Container| {
        let role = found.role.as_ref().map(ToString::to_string).unwrap_or_default();
        Stray {
            host: state.host.clone(),
            container: found.name.clone(),
            role: found.role.clone(),
            stopped_by: format!("kamal app stop -r {role} -h {}", state.host),
        }
    };
    orphans_of(config, targets, state).map(stray).collect()
}

/// A line for each of them.
pub(super) fn orphans(facts: &Facts<'_>) -> Vec<String> {
    let line = |Stray { host, container, role, stopped_by }: Stray| {
        let role = role.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{container} on {host} runs, but deploy.yml has no role {role} there; `{stopped_by}` stops it.")
    };
    facts.states.iter().flat_map(|state| strays(facts.config, facts.targets, state)).map(line).collect()
}
