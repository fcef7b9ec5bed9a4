//! `x-loadbalancer`: one web host's proxy leads requests to the containers of all.

use std::net::IpAddr;

use super::super::diagnostic::Report;
use super::super::model::{Config, Role};
use super::super::shape::check::at;
use super::super::yaml::Node;
use super::cluster::balanced;
use crate::name::HostName;

const KEY: &str = "x-loadbalancer";

/// Whether one is asked for, which has the certificates for all.
pub(super) fn is_there(root: &Node) -> bool {
    root.get(KEY).is_some_and(|node| !node.is_blank())
}

/// Reads and checks it.
pub(crate) fn loadbalancer(root: &Node, config: &Config, report: &mut Report<'_>) -> Option<HostName> {
    let node = root.get(KEY).filter(|node| !node.is_blank())?;
    let text = node.text().filter(|text| !text.trim().is_empty())?;
    let mut fault = |message: String, help: Option<String>| report.error_with(node.span, at(KEY, &message), help);
    if config.cluster.as_ref().is_some_and(|cluster| cluster.balance) {
        fault("x-balance has the proxy of every web host do that; remove one of the two".to_owned(), None);
    }
    if config.cluster.as_ref().is_some_and(|cluster| cluster.services.is_some()) {
        fault("services: each host's proxy leads to all containers by itself; remove it".to_owned(), None);
    }
    let proxied = || config.roles.iter().filter(|role| role.proxy.is_some());
    let hosts = || proxied().flat_map(|role| &role.hosts).map(|tagged| &tagged.name);
    let found = hosts().find(|host| host.is_same(&text, config.ssh.port)).cloned();
    if found.is_none() {
        let known: Vec<&str> = hosts().map(HostName::as_str).collect();
        let help = "it is one of the hosts of a role that is proxied, and serves for itself too";
        fault(format!("should be one of {}, not {text}", known.join(", ")), Some(help.to_owned()));
    }
    let host = found?;
    for role in proxied() {
        stranger(role, &host, &mut fault);
    }
    if let Some(other) = hosts().find(|host| !is_reached(host)) {
        let help = "name it by an IPv4 address, or by a name that the other web hosts know";
        fault(format!("proxies cannot reach {other} by what deploy.yml calls it"), Some(help.to_owned()));
    }
    balanced((KEY, node.span), config, report);
    Some(host)
}

/// A role of which the host runs nothing would be served by nobody there.
fn stranger(role: &Role, host: &HostName, fault: &mut impl FnMut(String, Option<String>)) {
    if !role.hosts.iter().any(|tagged| tagged.name == *host) {
        let help = format!("add {host} to the hosts of {}, or set `proxy: false` for it", role.name);
        fault(format!("{host} is none of the hosts of the role {}, which is proxied", role.name), Some(help));
    }
}

/// Whether a proxy takes what deploy.yml calls a host for the address of another proxy.
fn is_reached(host: &HostName) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_ipv4(),
        Err(_) => host.len() > 1 && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Loaded, Source, load};
    use crate::testing::NoTemplateWorld;

    fn of(servers: &str, text: &str) -> Result<Loaded, String> {
        let file = format!(
            "service: app\nimage: acme/app\nservers: {servers}\nregistry: {{username: u, password: [P]}}\n\
             builder: {{arch: amd64}}\n{text}\n"
        );
        load(&Source::new("config/deploy.yml", file), None, &NoTemplateWorld).map_err(|errors| errors.to_string())
    }

    #[test]
    fn it_is_a_web_host_however_that_is_spelled() {
        for (servers, text, host) in [
            ("[192.0.2.1, 192.0.2.2]", "x-loadbalancer: 192.0.2.2", "192.0.2.2"),
            ("[192.0.2.1, 192.0.2.2]", "x-loadbalancer: '::ffff:192.0.2.2'", "192.0.2.2"),
            ("[web-1.example.com, web2]", "x-loadbalancer: web2", "web2"),
        ] {
            let config = of(servers, text).unwrap().config;
            assert_eq!(config.loadbalancer.as_deref(), Some(host), "{text}");
        }
        // It has the certificates, so that several servers need no more than one.
        of("[a1, a2]", "x-loadbalancer: a1\nproxy: {ssl: true, host: a.example.com}").unwrap();
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let two = "[192.0.2.1, 192.0.2.2]";
        let apart = "{web: [a1, a2], api: {hosts: [a2], proxy: {host: b.example.com}}}";
        for (servers, text, wanted) in [
            (two, "x-loadbalancer: 192.0.2.9", "should be one of 192.0.2.1, 192.0.2.2, not 192.0.2.9"),
            (two, "x-loadbalancer: true", "should be one of 192.0.2.1, 192.0.2.2, not true"),
            (two, "x-loadbalancer: [192.0.2.1]", "x-loadbalancer: should be a string"),
            (two, "x-loadbalancer:", "x-loadbalancer: should be a string"),
            (two, "x-loadbalancer: ''", "x-loadbalancer: should not be empty"),
            (two, "x-loadbalancer: 192.0.2.1\nx-balance: true\nx-cluster: {network: overlay}", "remove one of the two"),
            (two, "x-loadbalancer: 192.0.2.1\nx-proxy: {sticky: true}", "remove sticky from x-proxy"),
            (two, "x-loadbalancer: 192.0.2.1\nproxy: {ssl: true}", "Must set a host"),
            ("[192.0.2.1, '2001:db8::1']", "x-loadbalancer: 192.0.2.1", "cannot reach 2001:db8::1"),
            ("[a1, deploy@a2]", "x-loadbalancer: a1", "cannot reach deploy@a2"),
            (apart, "x-loadbalancer: a1", "a1 is none of the hosts of the role api"),
            ("{web: {hosts: [a1], proxy: false}}", "x-loadbalancer: a1", "should be one of"),
            (two, "proxy: {loadbalancer: 192.0.2.1}", "x-loadbalancer"),
        ] {
            let refused = of(servers, text).unwrap_err();
            assert!(refused.contains(wanted), "{text}: {refused}");
        }
    }
}
