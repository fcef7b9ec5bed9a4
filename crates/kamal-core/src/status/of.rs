//! From what hosts told to the fleet's status: a pure function.

use jiff::Timestamp;

use super::{Accessory, Certificate, Health, Host, Lock, Proxy, Role, Rollout, Route, SCHEMA, Service, Status};
use crate::{
    config::Config,
    error::HostError,
    name::{HostName, Version},
    naming,
    op::orphans_of,
    plan::services,
    state::{Container, ContainerState, HostState},
    targets::Targets,
    vitals::{self, Vitals},
};

/// A host, and what it told or why it did not.
#[derive(Debug)]
pub(crate) struct Surveyed {
    pub(crate) host: HostName,
    pub(crate) found: Result<(HostState, Vitals), HostError>,
}

/// In what a container of a role, or of an accessory, was made otherwise than it would be made now.
pub(crate) type Drift<'d> = &'d dyn Fn(&HostState, &Vitals, Of<'_>) -> Vec<String>;

/// Whose container it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of<'o> {
    Role(&'o crate::config::model::Role, &'o Version),
    Accessory(&'o crate::config::model::Accessory),
}

/// The status of a fleet.
pub(crate) fn status(
    config: &Config,
    targets: &Targets,
    surveyed: &[Surveyed],
    at: Timestamp,
    drift: Drift<'_>,
) -> Status {
    let hosts: Vec<Host> = surveyed
        .iter()
        .map(|one| match &one.found {
            Ok((state, vitals)) => known(config, targets, state, vitals, at, drift),
            Err(error) => unknown(one, error),
        })
        .collect();
    let mut versions: Vec<Version> =
        hosts.iter().flat_map(|host| &host.roles).filter_map(|role| role.version.clone()).collect();
    versions.sort();
    versions.dedup();
    let good = |host: &Host| {
        let roles = host.roles.iter().all(|role| role.health.is_good());
        host.error.is_none() && roles && host.accessories.iter().all(|accessory| accessory.health.is_good())
    };
    let services = services(config, targets, surveyed);
    let all_run = services.iter().all(|service| service.running >= service.wanted);
    let lock = surveyed.iter().find_map(|one| {
        let (state, _) = one.found.as_ref().ok()?;
        Some(Lock { host: one.host.clone(), details: state.lock.as_ref()?.to_string() })
    });
    Status {
        schema: SCHEMA,
        at,
        service: config.service.clone(),
        destination: config.destination.clone(),
        versions,
        healthy: all_run && hosts.iter().all(good),
        lock,
        rollouts: rollouts(surveyed),
        hosts,
        services,
    }
}

/// What a manager knows of the roles that run as services.
fn services(config: &Config, targets: &Targets, surveyed: &[Surveyed]) -> Vec<Service> {
    let told = |one: &'_ Surveyed| one.found.as_ref().ok()?.0.joined.as_ref()?.managed.clone();
    let Some(managed) = surveyed.iter().find_map(told) else { return Vec::new() };
    let of = |role: &crate::config::model::Role| {
        let found = managed.service(&naming::swarm_service(config, &role.name))?;
        let lost = managed.down();
        let lost = lost.into_iter().filter(|host| role.hosts.iter().any(|tagged| tagged.name == *host));
        Some(Service {
            role: role.name.clone(),
            version: found.version.clone(),
            wanted: found.replicas,
            running: found.running,
            lost: lost.collect(),
        })
    };
    targets.roles.iter().filter_map(of).collect()
}

/// What is under way, and where.
fn rollouts(surveyed: &[Surveyed]) -> Vec<Rollout> {
    let mut all: Vec<Rollout> = Vec::new();
    for (host, found) in
        surveyed.iter().filter_map(|one| Some((&one.host, one.found.as_ref().ok()?.0.rollout.as_ref()?)))
    {
        match all.iter_mut().find(|known| (&known.version, known.percent) == (&found.version, found.percent)) {
            Some(known) => known.hosts.push(host.clone()),
            None => {
                all.push(Rollout { version: found.version.clone(), percent: found.percent, hosts: vec![host.clone()] });
            }
        }
    }
    all
}

fn unknown(one: &Surveyed, error: &HostError) -> Host {
    Host {
        host: one.host.clone(),
        error: Some(error.to_string()),
        roles: Vec::new(),
        accessories: Vec::new(),
        proxy: None,
        orphans: Vec::new(),
        disk: None,
        memory: None,
        certificates: Vec::new(),
        audit: Vec::new(),
    }
}

fn known(
    config: &Config,
    targets: &Targets,
    state: &HostState,
    vitals: &Vitals,
    at: Timestamp,
    drift: Drift<'_>,
) -> Host {
    // A service has containers on some of its hosts, as many as it is to have.
    let of_service = services::asked_for(config).is_some();
    let here = targets.roles_on(&state.host);
    let here = here.filter(|(role, _)| !of_service || state.current(config, &role.name).is_some());
    let roles = here.map(|(role, _)| {
        let current = state.current(config, &role.name);
        let newest = current.or_else(|| state.of_role(&role.name).next());
        let version = state.current_version(config, &role.name);
        let deployed = state.history.iter().rev().find(|entry| Some(&entry.version) == version.as_ref());
        Role {
            role: role.name.clone(),
            since: deployed.map(|entry| entry.at.clone()),
            by: deployed.map(|entry| entry.by.clone()),
            container: newest.map(|found| found.name.clone()),
            health: health(newest, role.proxy.as_ref().map(|_| is_led_to(config, state, newest))),
            state: newest.map(|found| found.status.clone()),
            drift: version.as_ref().map(|version| drift(state, vitals, Of::Role(role, version))).unwrap_or_default(),
            version,
        }
    });
    let accessories = config.accessories.iter().filter(|accessory| accessory.hosts.contains(&state.host));
    let accessories = accessories.map(|accessory| {
        let found = state.accessory(&accessory.service);
        let runs = found.is_some_and(|found| found.state.is_current());
        Accessory {
            accessory: accessory.name.clone(),
            image: found.map(|found| found.image.clone()),
            health: health(found, accessory.proxy.as_ref().map(|_| is_led_to(config, state, found))),
            state: found.map(|found| found.status.clone()),
            drift: if runs { drift(state, vitals, Of::Accessory(accessory)) } else { Vec::new() },
        }
    });
    let certificate = |found: &vitals::Certificate| Certificate {
        host: found.host.clone(),
        ends: Timestamp::from_second(found.ends).ok(),
        days_left: found.days_left(at.as_second()),
    };
    Host {
        host: state.host.clone(),
        error: (!state.docker).then(|| HostError::DockerMissing { host: state.host.clone() }.to_string()),
        roles: roles.collect(),
        accessories: accessories.collect(),
        proxy: state.proxy.as_ref().map(|proxy| Proxy {
            image: proxy.image.clone(),
            state: proxy.state,
            routes: state.routes.iter().map(|route| routed(state, route)).collect(),
        }),
        orphans: orphans_of(config, targets, state).map(|found| found.name.clone()).collect(),
        disk: vitals.disk,
        memory: vitals.memory,
        certificates: vitals.certificates.iter().map(certificate).collect(),
        audit: vitals.audit.clone(),
    }
}

fn routed(state: &HostState, route: &crate::state::RouteState) -> Route {
    let named = |target: &String| {
        let ours = state.containers.iter().chain(&state.accessories);
        let found = ours.into_iter().find(|found| found.id.starts_with(target.as_str()));
        found.map_or_else(|| target.clone(), |found| found.name.to_string())
    };
    Route {
        service: route.service.clone(),
        hosts: route.hosts.clone(),
        paths: route.paths.clone(),
        target: route.targets.iter().map(named).collect::<Vec<_>>().join(", "),
    }
}

/// Whether the proxy leads to a container, or to all of its service.
fn is_led_to(config: &Config, state: &HostState, found: Option<&Container>) -> bool {
    let mut targets = state.routes.iter().flat_map(|route| &route.targets);
    let Some(found) = found else { return false };
    let service = found.role.as_ref().filter(|_| services::is_task(config, found));
    let tasks = service.map(|role| naming::tasks_of(&naming::swarm_service(config, role)));
    targets.any(|target| found.id.starts_with(target.as_str()) || tasks.as_ref() == Some(target))
}

/// `led_to` is whether the proxy leads to it, where it should.
fn health(found: Option<&Container>, led_to: Option<bool>) -> Health {
    let Some(found) = found else { return Health::Missing };
    match found.state {
        ContainerState::Restarting => Health::Restarting,
        ContainerState::Running if found.status.contains("(unhealthy)") => Health::Unhealthy,
        ContainerState::Running => match led_to {
            Some(true) => Health::Serving,
            Some(false) => Health::NotServing,
            None => Health::Running,
        },
        _ => Health::Stopped,
    }
}
