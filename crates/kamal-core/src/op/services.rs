//! Roles that run as services of the swarm: the stages that bring a version of them up, and what else is done to them.
//!
//! One manager that answers is enough: hosts that cannot be reached are left out, and what ran on them the swarm has run
//! elsewhere by then or will have.

use super::{
    Facts,
    boot::{self, Extras},
    cluster,
    facts::audit,
};
use crate::{
    cluster::Managed,
    config::{
        Config,
        model::{MOST_REPLICAS, Role},
    },
    error::Error,
    name::{HostName, RoleName, Version},
    naming,
    plan::{Boot, Draft, HostWork, Kind, Reuse, Stage, cluster as places, release, services as plan},
    state::HostState,
    step::Step,
    targets::Targets,
};

/// How many containers somebody wants a role to have.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Scale {
    /// The role.
    pub role: RoleName,
    /// How many.
    pub replicas: u32,
}

/// Whether roles run as services.
pub(super) fn are_wanted(config: &Config) -> bool {
    plan::asked_for(config).is_some()
}

/// A manager that answers, and what it knows; the host that becomes one where nobody is yet.
pub(super) fn manager<'f>(facts: &Facts<'f>) -> Result<(&'f HostName, Option<&'f Managed>), Error> {
    let managed = |state: &'f HostState| Some((&state.host, Some(state.joined.as_ref()?.managed.as_ref()?)));
    if let Some(found) = facts.states_of(&facts.targets.hosts).find_map(managed) {
        return Ok(found);
    }
    let joined = facts.states.iter().any(|state| cluster::member(state).is_some());
    match facts.states_of(&facts.targets.hosts).next() {
        Some(first) if !joined => Ok((&first.host, None)),
        _ => {
            let text = "no host that manages the swarm is among those that are selected and answer; services are changed \
                        through one";
            Err(Error::Usage(text.to_owned()))
        }
    }
}

/// The stages that bring a version up.
pub(super) fn stages(
    facts: &Facts<'_>,
    targets: &Targets,
    version: &Version,
    extras: Extras,
) -> Result<Vec<Stage>, Error> {
    let there: Vec<HostName> = facts.states.iter().map(|state| state.host.clone()).collect();
    let targets = &targets.on(&there);
    let (config, boot) = (facts.config, boot::boot(facts, targets, version, extras.reuse));
    let (manager, managed) = manager(facts)?;
    let mut prepare = boot::before(facts, targets, extras);
    // A proxy that is there has to reach containers of other hosts, also where nothing else is done to it.
    for state in facts.states_of(&targets.proxy_hosts).filter(|state| !extras.proxy && state.proxy.is_some()) {
        boot::join(&mut prepare, &state.host, places::join_proxy(config, state).into_iter().collect());
    }
    for host in targets.proxy_hosts.iter().filter(|_| extras.reuse == Reuse::Nothing) {
        boot::join(&mut prepare, host, plan::proxy_files(&boot, host));
    }
    let mut stages = vec![Stage::hosts(Kind::Prepare, prepare)];
    stages.extend(release(&boot).filter(|_| extras.releases).as_ref().map(boot::release_stage));
    stages.extend(facts.hook("pre-app-boot", Some(&targets.app_hosts)));
    if extras.reuse == Reuse::Nothing {
        let mut steps = facts.login();
        steps.extend(plan::labels(config, managed, &addresses(facts)?));
        for role in &targets.roles {
            steps.push(audit(format!("Booted app version {version}"), Some(role)));
            steps.push(Step::DeployService(Box::new(plan::spec(config, role, version, managed))));
        }
        let work = HostWork { host: manager.clone(), steps };
        let say = format!("Have services run version {version} (containers are replaced one after another)...");
        // Where nobody is led anywhere, it is done with that.
        let kind = if targets.roles.iter().any(|role| role.proxy.is_some()) { Kind::Start } else { Kind::Boot };
        stages.push(Stage::hosts(kind, vec![work]).saying(say));
    }
    let switches = facts
        .states_of(&targets.proxy_hosts)
        .map(|state| HostWork { host: state.host.clone(), steps: routes(facts, targets, &state.host, Some(&boot)) });
    stages.push(Stage::hosts(Kind::Boot, switches.collect()).saying("Leading requests to all containers..."));
    stages.extend(facts.hook("post-app-boot", Some(&targets.app_hosts)));
    let mut finish = boot::finish(facts, &boot, &[], extras);
    for state in facts.states_of(&targets.app_hosts) {
        let gone = targets.roles_on(&state.host).flat_map(|(role, _)| {
            let stop_timeout = crate::plan::stop_timeout(config, role);
            plan::plain(config, state, role).map(move |container| Step::Stop {
                container: container.name.clone(),
                timeout: stop_timeout,
                tolerant: false,
            })
        });
        let gone: Vec<Step> = gone.collect();
        finish.precede(&state.host, gone);
    }
    stages.push(finish);
    Ok(stages)
}

/// What leads a host's proxy to all containers of its roles.
fn routes(facts: &Facts<'_>, targets: &Targets, host: &HostName, boot: Option<&Boot<'_>>) -> Vec<Step> {
    let proxied = targets.roles_on(host).filter(|(role, _)| role.proxy.is_some());
    let route = |(role, _): (&Role, _)| plan::route_to_all(facts.config, role, host, boot);
    proxied.map(route).map(|route| Step::SwitchTraffic(Box::new(route))).collect()
}

/// The addresses by which hosts that answer are known to the others.
fn addresses<'f>(facts: &Facts<'f>) -> Result<Vec<(&'f HostName, String)>, Error> {
    let Some(cluster) = &facts.config.cluster else { return Ok(Vec::new()) };
    let states = facts.states.iter();
    states.map(|state| Ok((&state.host, cluster::address(state, cluster)?))).collect()
}

/// `app start`: the services have as many containers as they should, and proxies lead to them.
pub(super) fn start(facts: &Facts<'_>) -> Result<Draft, Error> {
    let (manager, _) = manager(facts)?;
    let steps =
        facts.targets.roles.iter().flat_map(|role| {
            [audit("Started app", Some(role)), scale_to(facts, role, plan::declared(facts.config, role))]
        });
    let starts = Stage::hosts(Kind::Change, vec![HostWork { host: manager.clone(), steps: steps.collect() }]);
    let switches = facts
        .states_of(&facts.targets.proxy_hosts)
        .map(|state| HostWork { host: state.host.clone(), steps: routes(facts, facts.targets, &state.host, None) });
    Ok(Draft::of([starts, Stage::hosts(Kind::Change, switches.collect())]))
}

/// `app stop`: proxies lead nobody there any more, and the services have no containers.
pub(super) fn stop(facts: &Facts<'_>) -> Result<Draft, Error> {
    let (manager, _) = manager(facts)?;
    let steps =
        facts.targets.roles.iter().flat_map(|role| [audit("Stopped app", Some(role)), scale_to(facts, role, 0)]);
    let stops = HostWork { host: manager.clone(), steps: steps.collect() };
    Ok(Draft::of([unrouted(facts), Stage::hosts(Kind::Change, vec![stops])]))
}

/// Takes the roles out of the proxies.
fn unrouted(facts: &Facts<'_>) -> Stage {
    let works = facts.each_role(|_, role| {
        let service = naming::container_prefix(facts.config, &role.name);
        role.proxy.iter().map(|_| Step::RemoveRoute { service: service.clone() }).collect()
    });
    Stage::hosts(Kind::Change, works)
}

/// What ends services before their containers' leftovers are removed.
pub(super) fn removal(facts: &Facts<'_>) -> Result<Vec<Stage>, Error> {
    let (manager, managed) = manager(facts)?;
    let there = |role: &&Role| {
        managed.is_none_or(|managed| managed.service(&naming::swarm_service(facts.config, &role.name)).is_some())
    };
    let remove = |role: &Role| Step::RemoveService { service: naming::swarm_service(facts.config, &role.name) };
    let steps = facts.targets.roles.iter().filter(there).map(remove).collect();
    Ok(vec![unrouted(facts), Stage::hosts(Kind::Change, vec![HostWork { host: manager.clone(), steps }])])
}

/// Whether roles of deploy.yml can be scaled so.
pub(super) fn check(config: &Config, wanted: &[Scale]) -> Result<(), Error> {
    let usage = |text: String| Err(Error::Usage(text));
    if !are_wanted(config) {
        return usage(
            "deploy.yml runs containers, of which each host has one; `x-cluster: {network: overlay, run: services}` makes \
             services of roles, which can be scaled"
                .to_owned(),
        );
    }
    for (at, Scale { role: name, replicas }) in wanted.iter().enumerate() {
        if config.role(name).is_none() {
            return Err(crate::targets::no_role(config, name).into());
        }
        if *replicas == 0 {
            return usage(format!("{name}=0 would stop it; that is `kamal app stop -r {name}`"));
        }
        if *replicas > MOST_REPLICAS {
            return usage(format!("{name}={replicas} is too many: a role has {MOST_REPLICAS} containers at most"));
        }
        if wanted[..at].iter().any(|other| other.role == *name) {
            return usage(format!("{name} is named twice"));
        }
    }
    Ok(())
}

/// `app scale`.
pub(super) fn scale(facts: &Facts<'_>, wanted: &[Scale]) -> Result<Draft, Error> {
    let usage = |text: String| Err(Error::Usage(text));
    let (manager, managed) = manager(facts)?;
    let mut steps = Vec::new();
    for Scale { role: name, replicas } in wanted {
        let Some(role) = facts.config.role(name) else {
            return Err(crate::targets::no_role(facts.config, name).into());
        };
        let service = naming::swarm_service(facts.config, &role.name);
        if managed.is_none_or(|managed| managed.service(&service).is_none()) {
            return usage(format!("{name} does not run as a service yet; `kamal deploy` brings it up"));
        }
        steps.extend([audit(format!("Scaled to {replicas}"), Some(role)), scale_to(facts, role, *replicas)]);
    }
    Ok(Draft::hosts(vec![HostWork { host: manager.clone(), steps }]))
}

fn scale_to(facts: &Facts<'_>, role: &Role, replicas: u32) -> Step {
    let timeout = facts.config.deploy_timeout.as_secs() + crate::plan::stop_timeout(facts.config, role).unwrap_or(10);
    Step::ScaleService { service: naming::swarm_service(facts.config, &role.name), replicas, timeout }
}

/// The version a service runs, as the managers know it.
pub(super) fn current(facts: &Facts<'_>, role: &Role) -> Option<Version> {
    let (_, managed) = manager(facts).ok()?;
    managed?.service(&naming::swarm_service(facts.config, &role.name))?.version.clone()
}
