//! `x-deliver`: how images of the registry on this machine get to several hosts.

use super::super::diagnostic::Report;
use super::super::model::{Config, PrivateAddress};
use super::super::shape::check::{at, section};
use super::super::shape::keys;
use super::super::yaml::Node;
use super::cluster::private_address;

const KEY: &str = "x-deliver";
const BETWEEN: &str = "x-deliver/between_hosts";

/// By which of their addresses hosts get layers from the first of them, where deploy.yml asks for that. What is no mapping
/// was refused already.
pub(crate) fn between_hosts(root: &Node, config: &Config, report: &mut Report<'_>) -> Option<PrivateAddress> {
    let entry = root.entry(KEY).filter(|entry| entry.value.map().is_some())?;
    let node = &entry.value;
    section(node, keys::X_DELIVER, KEY, report);
    let by = private_address(node, KEY, report);
    if node.get("between_hosts").and_then(Node::bool) != Some(true) {
        if by != PrivateAddress::default() {
            let help = Some("add `between_hosts: true`".to_owned());
            report.error_with(entry.key, at(KEY, "the hosts' addresses do nothing without between_hosts"), help);
        }
        return None;
    }
    if config.registry.local_port().is_none() {
        // Another destination may have none.
        let span = node.get("between_hosts").map_or(entry.key, |node| node.span);
        let help = "remove it; or leave out registry, so that images go through the registry on this machine";
        let message = "does nothing: hosts pull from the registry of deploy.yml, not from this machine";
        report.warn(span, at(BETWEEN, message), Some(help.to_owned()));
        return None;
    }
    let of_cluster = config.cluster.as_ref().map(|cluster| cluster.by.clone());
    Some(if by == PrivateAddress::default() { of_cluster.unwrap_or(by) } else { by })
}

#[cfg(test)]
mod tests {
    use super::PrivateAddress;
    use crate::config::{Loaded, Source, load};
    use crate::testing::NoTemplateWorld;

    fn loaded(text: &str) -> Result<Loaded, String> {
        let file = format!("service: app\nimage: acme/app\nservers: [h1, h2]\nbuilder: {{arch: amd64}}\n{text}\n");
        load(&Source::new("config/deploy.yml", file), None, &NoTemplateWorld).map_err(|errors| errors.to_string())
    }

    fn of(text: &str) -> Result<Option<PrivateAddress>, String> {
        loaded(text).map(|loaded| loaded.config.between_hosts)
    }

    #[test]
    fn it_is_asked_for_and_takes_the_addresses_of_the_cluster_where_it_names_none() {
        let by = |within: Option<&str>, interface: Option<&str>| {
            let of = |text: Option<&str>| text.map(str::to_owned);
            Some(PrivateAddress { within: of(within), interface: of(interface) })
        };
        let cluster = "x-cluster: {network: overlay, interface: wg0}\n";
        for (text, expected) in [
            ("", None),
            ("x-deliver: {}", None),
            ("x-deliver: {between_hosts: false}", None),
            ("x-deliver: {between_hosts: true}", by(None, None)),
            ("x-deliver: {between_hosts: true, address: 10.0.0.0/16}", by(Some("10.0.0.0/16"), None)),
            (&format!("{cluster}x-deliver: {{between_hosts: true}}"), by(None, Some("wg0"))),
            (&format!("{cluster}x-deliver: {{between_hosts: true, interface: eth1}}"), by(None, Some("eth1"))),
        ] {
            assert_eq!(of(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_does_nothing_is_told() {
        let registry = "registry: {server: r.example, username: u, password: [P]}\n";
        let loaded = loaded(&format!("{registry}x-deliver: {{between_hosts: true}}")).unwrap();
        assert_eq!(loaded.config.between_hosts, None);
        let told = |wanted: &str| loaded.warnings.iter().any(|warning| warning.message.starts_with(wanted));
        assert!(told("x-deliver/between_hosts: does nothing"), "{:?}", loaded.warnings);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, wanted) in [
            ("x-deliver: {interface: eth1}", "x-deliver: the hosts' addresses do nothing without between_hosts"),
            ("x-deliver: {between_hosts: true, address: 10.0.0.1}", "x-deliver/address: should be the network"),
            ("x-deliver: {between_host: true}", "x-deliver: unknown key: between_host"),
            ("x-deliver: true", "x-deliver: should be a hash"),
            ("x-deliver: {between_hosts: 1}", "x-deliver/between_hosts: should be"),
        ] {
            let refused = of(text).unwrap_err();
            assert!(refused.contains(wanted), "{text}: {refused}");
        }
    }
}
