//! What a reviewer is told besides a plan: each container that runs is looked at and compared with the one deploy.yml
//! makes of it, and so are the proxy's routes.

use super::{Cx, ask, made::Made};
use crate::{
    config::model::{Proxy, Role},
    name::{ContainerName, HostName},
    naming,
    op::Op,
    plan::{Aspect, Change, Difference, Outlook, Plan, Question, Stage, Subject},
    query::Query,
    state::HostState,
    step::{RunSpec, Step},
};

/// A container, and what it should be.
struct Pair {
    host: HostName,
    subject: Subject,
    /// The one that runs, if one does.
    running: Option<ContainerName>,
    spec: RunSpec,
    secrets: Vec<String>,
    put_right_by: Option<String>,
}

/// Looks at what runs on the hosts a plan was made for.
pub(super) async fn of(cx: &Cx<'_>, op: &Op, states: &[HostState], plan: Plan) -> Outlook {
    let pairs = pairs(cx, op, states, &plan);
    let question = |pair: &Pair| {
        let query = Query::Inspect { container: pair.running.clone()? };
        Some(Question { host: pair.host.clone(), heading: String::new(), query })
    };
    let answers = ask(&cx.fleet, &pairs.iter().filter_map(question).collect::<Vec<_>>()).await;
    let mut answers = answers.into_iter();
    let mut differences = Vec::new();
    for Pair { host, subject, running, spec, secrets, put_right_by } in pairs {
        let changes = match &running {
            None => vec![Change::of(Aspect::Missing)],
            // A host that does not answer any more is found by what comes.
            Some(_) => answers
                .next()
                .and_then(|answer| Made::read(&answer.outcome.ok()?.stdout))
                .map(|made| made.changes(&spec, &secrets))
                .unwrap_or_default(),
        };
        differences.push(Difference { host, subject, container: running, changes, put_right_by });
    }
    differences.extend(routes(cx, op, states));
    differences.retain(|difference| !difference.changes.is_empty());
    let left_alone = differences.iter().all(|difference| difference.put_right_by.is_some());
    let only_restarts = left_alone && op.converges() && plan.replaces_like_by_like();
    let strays = op.strays(cx.fleet.config, cx.targets, states);
    Outlook { plan, differences, strays, only_restarts }
}

fn pairs(cx: &Cx<'_>, op: &Op, states: &[HostState], plan: &Plan) -> Vec<Pair> {
    let config = cx.fleet.config;
    let state = |host: &HostName| states.iter().find(|state| state.host == *host);
    let mut pairs = Vec::new();
    for (host, step) in plan.stages.iter().flat_map(Stage::steps) {
        let Step::Start(spec) = step else { continue };
        let (Some(role), Some(state)) = (&spec.role, state(host)) else { continue };
        pairs.push(Pair {
            host: host.clone(),
            subject: Subject::Role(role.clone()),
            running: state.current(config, role).map(|current| current.name.clone()),
            spec: (**spec).clone(),
            secrets: secrets_of_role(cx, spec, host),
            put_right_by: None,
        });
    }
    for accessory in op.accessories_in_view(config) {
        for state in states.iter().filter(|state| accessory.hosts.contains(&state.host)) {
            let planned = plan.stages.iter().flat_map(Stage::steps).any(|(host, step)| {
                *host == state.host && matches!(step, Step::Start(spec) if *spec.name == *accessory.service)
            });
            let running = state.accessory(&accessory.service).map(|found| found.name.clone());
            let verb = if running.is_some() { "reboot" } else { "boot" };
            pairs.push(Pair {
                host: state.host.clone(),
                subject: Subject::Accessory(accessory.name.clone()),
                running,
                spec: op.accessory_spec(config, accessory, &state.host),
                secrets: accessory.env.secret.iter().map(|secret| secret.name.clone()).collect(),
                put_right_by: (!planned).then(|| format!("kamal accessory {verb} {}", accessory.name)),
            });
        }
    }
    pairs
}

/// Names of the secrets a role's container is given.
pub(super) fn secrets_of_role(cx: &Cx<'_>, spec: &RunSpec, host: &HostName) -> Vec<String> {
    let config = cx.fleet.config;
    let role = config.roles.iter().find(|role| Some(&role.name) == spec.role.as_ref());
    let placed = role.and_then(|role| Some((role, role.hosts.iter().find(|tagged| tagged.name == *host)?)));
    let secrets = placed.map(|(role, tagged)| config.env_for(role, tagged).secret).unwrap_or_default();
    secrets.into_iter().map(|secret| secret.name).collect()
}

/// Requests that the proxy leads otherwise than deploy.yml has it.
fn routes(cx: &Cx<'_>, op: &Op, states: &[HostState]) -> Vec<Difference> {
    let config = cx.fleet.config;
    let proxied = |role: &Role| Some((naming::container_prefix(config, &role.name), role.proxy.clone()?));
    let mut found = Vec::new();
    if !op.converges() {
        return found;
    }
    for state in states {
        for (service, proxy) in cx.targets.roles_on(&state.host).filter_map(|(role, _)| proxied(role)) {
            let Some(route) = state.routes.iter().find(|route| route.service == service) else { continue };
            let changes = changes_of_route(&route.hosts, &route.paths, &proxy);
            let subject = Subject::Route(service);
            found.push(Difference { host: state.host.clone(), subject, container: None, changes, put_right_by: None });
        }
    }
    found
}

fn changes_of_route(hosts: &str, paths: &str, proxy: &Proxy) -> Vec<Change> {
    let list = |names: &mut dyn Iterator<Item = &str>, nothing: &str| {
        let mut names: Vec<&str> = names.map(str::trim).filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        if names.is_empty() { nothing.to_owned() } else { names.join(",") }
    };
    let rooted = |path: &String| format!("/{}", path.trim_matches('/'));
    let prefixes: Vec<String> = proxy.path_prefixes.iter().map(rooted).collect();
    [
        (Aspect::Hosts, list(&mut hosts.split(','), "*"), list(&mut proxy.hosts.iter().map(String::as_str), "*")),
        (Aspect::Paths, list(&mut paths.split(','), "/"), list(&mut prefixes.iter().map(String::as_str), "/")),
    ]
    .into_iter()
    .filter(|(_, is, wanted)| is != wanted)
    .map(|(aspect, is, wanted)| Change::from_to(aspect, &is, &wanted))
    .collect()
}
