//! What containers have of hosts that are joined: their places on the network over all of them, and what they are told
//! of each other.

use crate::{
    config::{
        Config,
        model::{Accessory, Cluster, Proxy, Role, Ssl},
    },
    name::{ContainerName, HostName},
    naming,
    state::HostState,
    step::{Attachment, Sharing, Step},
};

/// A role's containers answer under its name, and under that of the role on their host.
pub(crate) fn of_role(config: &Config, role: &Role, host: &HostName) -> Option<Attachment> {
    on(config, vec![role.name.to_string(), naming::on_host(&role.name, host)])
}

/// An accessory answers under its name, unless it is on no network at all.
pub(crate) fn of_accessory(config: &Config, accessory: &Accessory) -> Option<Attachment> {
    on(config, vec![accessory.name.clone()]).filter(|_| !naming::is_no_network(&accessory.network))
}

/// The place of a container that answers to nobody.
pub(crate) fn nameless(config: &Config) -> Option<Attachment> {
    on(config, Vec::new())
}

fn on(config: &Config, aliases: Vec<String>) -> Option<Attachment> {
    config.cluster.as_ref().map(|cluster| Attachment { network: cluster.network.clone(), aliases })
}

/// What tells a role's containers of each other: its hosts, and the names its containers answer to on them.
pub(crate) fn facts(config: &Config, role: &Role) -> Vec<(String, String)> {
    if config.cluster.is_none() {
        return Vec::new();
    }
    let joined =
        |of: &dyn Fn(&HostName) -> String| role.hosts.iter().map(|host| of(&host.name)).collect::<Vec<_>>().join(",");
    vec![
        ("KAMAL_HOSTS".to_owned(), joined(&ToString::to_string)),
        ("KAMAL_PEERS".to_owned(), joined(&|host| naming::on_host(&role.name, host))),
    ]
}

/// The other hosts' proxies that serve a role too, where each, or one of them, is to lead requests to the containers of
/// all. All know the one, as what comes from it has been let in there.
pub(crate) fn peers(config: &Config, role: &Role, host: &HostName) -> Vec<String> {
    let others = role.hosts.iter().map(|tagged| &tagged.name).filter(|other| *other != host);
    if let Some(balancer) = &config.loadbalancer {
        let known = others.filter(|other| host == balancer || *other == balancer);
        return known.map(|other| in_front(role, other)).collect();
    }
    if !config.cluster.as_ref().is_some_and(|cluster| cluster.balance) {
        return Vec::new();
    }
    others.map(|other| naming::on_host(naming::PROXY_CONTAINER, other)).collect()
}

/// Where another host's proxy is found by the address deploy.yml has for it.
fn in_front(role: &Role, host: &HostName) -> String {
    match role.proxy.as_ref().and_then(|proxy| proxy.run.as_ref()).map(|run| run.http_port) {
        None | Some(80) => host.to_string(),
        Some(port) => format!("{host}:{port}"),
    }
}

/// What a host's proxy does for a role. Behind another one it has no certificates and believes nobody else: clients are
/// let in there, and what they are is known from there.
pub(crate) fn proxy(config: &Config, role: &Role, host: &HostName) -> Proxy {
    let proxy = role.proxy.clone().unwrap_or_default();
    if config.loadbalancer.as_ref().is_none_or(|balancer| balancer == host) {
        return proxy;
    }
    Proxy { ssl: Ssl::Off, forward_headers: Some(false), ..proxy }
}

/// The network on which a proxy reaches its own host's containers where they share several: one that stays when the host
/// leaves the others, and that nobody else is on.
pub(crate) fn own_network(config: &Config) -> Option<String> {
    config.cluster.as_ref().filter(|cluster| cluster.balance).map(|_| naming::NETWORK.to_owned())
}

/// How these share the certificates of an authority, of which one of them orders each.
pub(crate) fn sharing(config: &Config, role: &Role, host: &HostName) -> Option<Sharing> {
    let secret = sharing_secret(config, role)?.to_owned();
    Some(Sharing { name: naming::on_host(naming::PROXY_CONTAINER, host), secret })
}

/// The key of the secret a role's proxies share certificates by.
pub(crate) fn sharing_secret<'c>(config: &'c Config, role: &Role) -> Option<&'c str> {
    let cluster = config.cluster.as_ref().filter(|cluster| cluster.balance)?;
    let automatic = role.proxy.as_ref().is_some_and(|proxy| proxy.ssl == Ssl::Automatic);
    cluster.secret.as_deref().filter(|_| automatic && role.hosts.len() > 1)
}

/// `x-cluster`, where a host's proxy leads to containers of other hosts.
pub(crate) fn reaching_others(config: &Config) -> Option<&Cluster> {
    config.cluster.as_ref().filter(|cluster| cluster.balance || cluster.services.is_some())
}

/// Joins the proxy to the network over all hosts, where it leads to containers of other hosts.
pub(crate) fn join_proxy(config: &Config, state: &HostState) -> Option<Step> {
    let cluster = reaching_others(config)?;
    let there = state.proxy.as_ref().filter(|proxy| proxy.state.is_current());
    let joined = there.is_some_and(|proxy| proxy.networks.contains(&cluster.network));
    (!joined).then(|| connect_proxy(cluster, &state.host))
}

/// Joins a new container of the proxy to the network over all hosts.
pub(crate) fn connect_proxy(cluster: &Cluster, host: &HostName) -> Step {
    Step::ConnectNetwork {
        network: cluster.network.clone(),
        container: ContainerName::of_checked(naming::PROXY_CONTAINER),
        aliases: vec![naming::on_host(naming::PROXY_CONTAINER, host)],
    }
}
