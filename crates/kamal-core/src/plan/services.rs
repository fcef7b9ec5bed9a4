//! Roles as services of the swarm: what each is to be, and where its containers may run.

use super::{
    Boot,
    boot::{certificate, error_pages, route},
};
use crate::{
    cluster::{HOST_LABEL, Managed},
    config::{
        Config,
        model::{BootLimit, Role, Services},
    },
    name::{HostName, Version},
    naming,
    shell::split,
    state::{Container, HostState},
    step::{Pace, Route, ServiceMount, ServiceSpec, Step},
};

/// What is said of services, where roles run as such.
pub(crate) fn asked_for(config: &Config) -> Option<&Services> {
    config.cluster.as_ref()?.services.as_ref()
}

/// How many containers a role has by deploy.yml.
pub(crate) fn declared(config: &Config, role: &Role) -> u32 {
    let said = asked_for(config).and_then(|services| services.replicas.get(&role.name)).copied();
    said.unwrap_or_else(|| u32::try_from(role.hosts.len()).unwrap_or(u32::MAX).max(1))
}

/// How many it is to have. What somebody scaled it to stays, until deploy.yml says something else than it did then.
fn replicas(config: &Config, role: &Role, managed: Option<&Managed>) -> u32 {
    let declared = declared(config, role);
    let service = managed.and_then(|managed| managed.service(&naming::swarm_service(config, &role.name)));
    match service {
        Some(service) if service.declared == Some(declared) && service.replicas > 0 => service.replicas,
        _ => declared,
    }
}

/// A role's service at a version.
pub(crate) fn spec(config: &Config, role: &Role, version: &Version, managed: Option<&Managed>) -> ServiceSpec {
    let service = naming::swarm_service(config, &role.name);
    let mut told = vec![
        ("KAMAL_CONTAINER_NAME".to_owned(), "{{.Task.Name}}".to_owned()),
        ("KAMAL_VERSION".to_owned(), version.to_string()),
        ("KAMAL_HOST".to_owned(), "{{.Node.Hostname}}".to_owned()),
    ];
    told.extend(config.destination.iter().map(|name| ("KAMAL_DESTINATION".to_owned(), name.to_string())));
    let hosts: Vec<&str> = role.hosts.iter().map(|host| host.name.as_str()).collect();
    told.push(("KAMAL_HOSTS".to_owned(), hosts.join(",")));
    told.push(("KAMAL_PEERS".to_owned(), naming::tasks_of(&service)));
    // No host has an environment of its own: that was refused.
    let env = role.hosts.first().map(|host| config.env_for(role, host)).unwrap_or_default();
    ServiceSpec {
        stack: naming::service_with_destination(config),
        role: role.name.clone(),
        version: version.clone(),
        image: naming::image(config, version),
        digest: None,
        replicas: replicas(config, role, managed),
        declared: declared(config, role),
        serves: role.proxy.is_some(),
        network: config.cluster.as_ref().map(|cluster| cluster.network.clone()).unwrap_or_default(),
        on: naming::node_label(config, &role.name),
        told,
        env: env.clear.into_iter().collect(),
        secrets: env.secret,
        labels: config.labels_for(role).into_iter().collect(),
        logging: role.logging.clone(),
        restart: role.restart.clone(),
        mounts: config.volumes.iter().filter_map(|volume| ServiceMount::parse(volume)).collect(),
        options: role.options.clone(),
        cmd: role.cmd.as_deref().and_then(split),
        pace: pace(config),
        stop_timeout: super::stop_timeout(config, role),
        timeout: config.deploy_timeout.as_secs(),
        service,
    }
}

/// `boot` goes by hosts; what it says of these is said of containers here.
fn pace(config: &Config) -> Pace {
    let parallelism = match config.boot.limit {
        None => 1,
        Some(BootLimit::Count(count)) => count,
        Some(BootLimit::Percent(percent)) => {
            u32::try_from(config.hosts().len() * percent as usize / 100).unwrap_or(1).max(1)
        }
    };
    Pace { parallelism, delay: config.boot.wait.unwrap_or(0), monitor: config.readiness_delay.as_secs().max(1) }
}

/// The labels by which the swarm finds the hosts of roles, where hosts have others. Of hosts that are not among these
/// nothing is known, and nothing changes.
pub(crate) fn labels(config: &Config, managed: Option<&Managed>, hosts: &[(&HostName, String)]) -> Vec<Step> {
    let step = |(host, address): &(&HostName, String)| {
        let node = managed.and_then(|managed| managed.node(address));
        let has = |name: &str| node.and_then(|node| node.labels.get(name).cloned());
        let known = has(HOST_LABEL).as_deref() == Some(host.as_str());
        let mut add: Vec<String> = (!known).then(|| format!("{HOST_LABEL}={host}")).into_iter().collect();
        let mut remove = Vec::new();
        for role in &config.roles {
            let label = naming::node_label(config, &role.name);
            let wanted = role.hosts.iter().any(|tagged| tagged.name == **host);
            match (wanted, has(&label).as_deref()) {
                (true, Some("true")) | (false, None) => {}
                (true, _) => add.push(format!("{label}=true")),
                (false, Some(_)) => remove.push(label),
            }
        }
        let due = !(add.is_empty() && remove.is_empty());
        due.then(|| Step::LabelNode { host: (*host).clone(), address: address.clone(), add, remove })
    };
    hosts.iter().filter_map(step).collect()
}

/// What a host's proxy needs of a version before it leads to it.
pub(crate) fn proxy_files(boot: &Boot<'_>, host: &HostName) -> Vec<Step> {
    let mut steps = error_pages(boot);
    for (role, _) in boot.targets.roles_on(host) {
        let proxy = role.proxy.iter();
        steps.extend(proxy.flat_map(|proxy| certificate(boot.config, proxy, &naming::role_certificate(&role.name))));
    }
    steps
}

/// The route of a host's proxy to all containers of a role.
pub(crate) fn route_to_all(config: &Config, role: &Role, host: &HostName, boot: Option<&Boot<'_>>) -> Route {
    let service = naming::swarm_service(config, &role.name);
    Route { tasks: true, ..route(config, role, host, &service, boot) }
}

/// Whether a container is one of a service's.
pub(crate) fn is_task(config: &Config, container: &Container) -> bool {
    let service = container.role.as_ref().map(|role| naming::swarm_service(config, role));
    service.is_some_and(|service| container.name.starts_with(&format!("{service}.")))
}

/// A role's containers on a host that are none of a service: what ran before it was one.
pub(crate) fn plain<'s>(
    config: &'s Config,
    state: &'s HostState,
    role: &'s Role,
) -> impl Iterator<Item = &'s Container> {
    state.of_role(&role.name).filter(|container| container.state.holds_resources() && !is_task(config, container))
}
