//! `x-cluster` and `x-balance`: hosts joined by Docker's swarm, and traffic over all of them.

use super::super::diagnostic::Report;
use super::super::model::{Cluster, Config, DockerOptions, PrivateAddress, Role, Ssl};
use super::super::shape::check::{at, join, section};
use super::super::shape::keys;
use super::super::shape::suggest::did_you_mean;
use super::super::source::Span;
use super::super::yaml::Node;
use super::options::{number, text};
use super::policies::is_network;
use super::services;
use crate::naming;

/// The key in the root.
const KEY: &str = "x-cluster";
/// The other one.
const BALANCE: &str = "x-balance";
/// The one way hosts are joined.
const OVERLAY: &str = "overlay";
/// Names of networks that are something else already.
const TAKEN: [&str; 7] = [naming::NETWORK, "bridge", "default", "docker_gwbridge", "host", "ingress", "none"];
/// Options of `docker run` that take a container off the networks it is to be on.
const NETWORKS: [&str; 2] = ["network", "net"];

/// Whether they ask for traffic over all web hosts, whose proxies can share a certificate.
pub(super) fn balances(root: &Node) -> bool {
    let joined = root.get(KEY).is_some_and(|node| node.map().is_some());
    joined && root.get(BALANCE).and_then(Node::bool).unwrap_or(false)
}

/// Reads and checks them. What is no mapping was refused already.
pub(crate) fn cluster(root: &Node, config: &Config, report: &mut Report<'_>) -> Option<Cluster> {
    let balance = root.get(BALANCE).and_then(Node::bool).unwrap_or(false);
    let Some(entry) = root.entry(KEY).filter(|entry| entry.value.map().is_some()) else {
        if let Some(node) = root.get(BALANCE).filter(|_| balance && root.get(KEY).is_none_or(Node::is_blank)) {
            let help = format!("add `{KEY}: {{network: {OVERLAY}}}`, and join the hosts with `kamal server join`");
            report.error_with(node.span, at(BALANCE, &format!("does nothing without {KEY}")), Some(help));
        }
        return None;
    };
    let node = &entry.value;
    section(node, keys::X_CLUSTER, KEY, report);
    driver(node, entry.key, report);
    containers(entry.key, config, report);
    let secret = text(node, "secret");
    let services = services::services(node, entry.key, config, report);
    if balance && services.is_some() {
        let span = root.get(BALANCE).map_or(entry.key, |node| node.span);
        let rule = "services: each host's proxy leads to all containers by itself; remove x-balance";
        report.error(span, at("x-cluster/run", rule));
    } else if balance {
        balanced((BALANCE, root.get(BALANCE).map_or(entry.key, |node| node.span)), config, report);
        certificates(node.get("secret").map_or(entry.key, |node| node.span), secret.as_deref(), config, report);
    } else if let Some(node) = node.get("secret") {
        report.warn(node.span, at("x-cluster/secret", &format!("does nothing without {BALANCE}")), None);
    }
    Some(Cluster {
        network: name(node, config, report),
        by: private_address(node, KEY, report),
        managers: managers(node, config, report),
        encrypted: node.get("encrypted").and_then(Node::bool).unwrap_or(true),
        secret,
        balance,
        services,
    })
}

fn driver(node: &Node, top: Span, report: &mut Report<'_>) {
    let Some(driver) = node.get("network") else {
        let help = format!("add `network: {OVERLAY}`");
        return report.error_with(top, at("x-cluster/network", "is required"), Some(help));
    };
    if let Some(text) = driver.text().filter(|text| text != OVERLAY) {
        let help = did_you_mean(&text, [OVERLAY]).or_else(|| Some("`name` is for the network's name".to_owned()));
        report.error_with(driver.span, at("x-cluster/network", &format!("should be {OVERLAY}, not {text}")), help);
    }
}

fn name(node: &Node, config: &Config, report: &mut Report<'_>) -> String {
    let Some(name) = text(node, "name") else { return naming::overlay(config) };
    let fits = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    let fault = if TAKEN.contains(&name.as_str()) {
        Some("is a network of each host by itself; take another name".to_owned())
    } else if !fits {
        Some(format!("should be letters, digits, _, . and -, the first a letter or a digit, not {name}"))
    } else {
        None
    };
    if let (Some(fault), Some(node)) = (fault, node.get("name")) {
        report.error(node.span, at("x-cluster/name", &fault));
    }
    name
}

/// What a section says of the hosts' private addresses.
pub(super) fn private_address(node: &Node, path: &str, report: &mut Report<'_>) -> PrivateAddress {
    let within = text(node, "address");
    if let (Some(address), Some(node)) = (&within, node.get("address"))
        && !(is_network(address) && address.contains('/'))
    {
        let message = format!("should be the network of the hosts' addresses such as 10.0.0.0/16, not {address}");
        report.error(node.span, at(&join(path, "address"), &message));
    }
    PrivateAddress { within, interface: text(node, "interface") }
}

fn managers(node: &Node, config: &Config, report: &mut Report<'_>) -> u32 {
    let managers = number(node, "managers", u32::MAX.into(), KEY, report).and_then(|count| u32::try_from(count).ok());
    let (Some(managers), Some(given)) = (managers, node.get("managers")) else { return 1 };
    let hosts = config.hosts().len();
    let mut fault = |message: &str| report.error(given.span, at("x-cluster/managers", message));
    if managers == 0 {
        fault("should be at least 1");
    } else if managers as usize > hosts {
        fault(&format!("should be at most {hosts}, the number of hosts"));
    } else if managers % 2 == 0 {
        let less = managers - 1;
        let why = format!("{managers} stand the loss of no more of them than {less} would, and more have to agree");
        report.warn(given.span, at("x-cluster/managers", &why), Some(format!("{less} or {} are better", managers + 1)));
    }
    managers
}

/// What containers have that does not go together with a network they share.
fn containers(top: Span, config: &Config, report: &mut Report<'_>) {
    let own = |options: &DockerOptions| options.iter().any(|(name, _)| NETWORKS.contains(&name.as_str()));
    for role in config.roles.iter().filter(|role| own(&role.options)) {
        let rule = "options/network takes its containers off the network of x-cluster; remove one of the two";
        report.error(top, format!("{KEY}: the role {}: {rule}", role.name));
    }
    for accessory in &config.accessories {
        if own(&accessory.options) || naming::is_no_network(&accessory.network) {
            let rule = "it is on no network of Docker's, so that it does not answer under its name";
            report.warn(top, format!("{KEY}: the accessory {}: {rule}", accessory.name), None);
        }
    }
    one_answers(top, config, report);
}

/// Of all who answer to a name on the network, each has its own, however it is spelled.
fn one_answers(top: Span, config: &Config, report: &mut Report<'_>) {
    let mut known: Vec<(String, String)> = Vec::new();
    let mut take = |name: &str, who: String| {
        let name = name.to_ascii_lowercase();
        match known.iter().find(|(taken, other)| *taken == name && *other != who) {
            Some((_, other)) => {
                let rule = format!("{other} and {who} would both answer to it; give one of them another name");
                report.error(top, format!("{KEY}: {name}: {rule}"));
            }
            None => known.push((name, who)),
        }
    };
    for role in &config.roles {
        let who = format!("the role {}", role.name);
        take(&role.name, who.clone());
        for host in &role.hosts {
            take(&naming::on_host(&role.name, &host.name), who.clone());
            if role.proxy.is_some() {
                let name = naming::on_host(naming::PROXY_CONTAINER, &host.name);
                take(&name, format!("the proxy on {}", host.name));
            }
        }
    }
    for accessory in &config.accessories {
        take(&accessory.name, format!("the accessory {}", accessory.name));
    }
}

/// What the proxy does for a role that it cannot do over several hosts, as a key asks for.
pub(super) fn balanced((key, span): (&str, Span), config: &Config, report: &mut Report<'_>) {
    let proxied = || config.roles.iter().filter_map(|role| Some((role, role.proxy.as_ref()?)));
    if proxied().next().is_none() {
        report.error(span, at(key, "does nothing: no role is proxied"));
    }
    for (role, proxy) in proxied() {
        let name = &role.name;
        if proxy.policies.sticky == Some(true) {
            let rule = "clients keep to a container of the host they came to; remove sticky from x-proxy";
            report.error(span, at(key, &format!("the role {name}: {rule}")));
        }
        if proxy.policies.target_h2c == Some(true) {
            let rule = "proxies speak HTTP/1.1 with each other; remove target_h2c from x-proxy";
            report.error(span, at(key, &format!("the role {name}: {rule}")));
        }
    }
}

/// What proxies need to share the certificates of an authority.
fn certificates(span: Span, secret: Option<&str>, config: &Config, report: &mut Report<'_>) {
    let automatic = |role: &&Role| role.proxy.as_ref().is_some_and(|proxy| proxy.ssl == Ssl::Automatic);
    let mut shared = config.roles.iter().filter(automatic).filter(|role| role.hosts.len() > 1);
    match (shared.next(), secret) {
        (Some(role), None) => {
            let rule = "SSL on several servers takes a secret by which their proxies share certificates";
            let help = "name one in x-cluster, `secret: CLUSTER_SECRET`, and have .kamal/secrets say \
                        CLUSTER_SECRET=..., such as `openssl rand -base64 32` prints";
            let found = format!("{KEY}: the role {}: {rule}", role.name);
            report.error_with(span, found, Some(help.to_owned()));
        }
        (None, Some(_)) => {
            let rule = "does nothing: no role on several hosts has ssl: true";
            report.warn(span, at("x-cluster/secret", rule), None);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Loaded, Source, load};
    use crate::testing::NoTemplateWorld;

    fn of(text: &str) -> Result<Loaded, String> {
        let file = format!(
            "service: app\nimage: acme/app\nservers: [h1, h2, h3]\nregistry: {{username: u, password: [P]}}\n\
             builder: {{arch: amd64}}\n{text}"
        );
        load(&Source::new("config/deploy.yml", file), None, &NoTemplateWorld).map_err(|errors| errors.to_string())
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let cluster = of("x-cluster: {network: overlay}\nx-balance: true\n").unwrap().config.cluster.unwrap();
        assert_eq!((cluster.network.as_str(), cluster.managers), ("kamal-app", 1));
        assert!(cluster.encrypted && cluster.balance && cluster.by == super::PrivateAddress::default());
        assert!(of("").unwrap().config.cluster.is_none());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, wanted) in [
            ("x-cluster: {name: x}", "x-cluster/network: is required"),
            ("x-cluster: {network: kamal}", "should be overlay, not kamal"),
            ("x-cluster: {network: overlay, name: kamal}", "x-cluster/name: is a network of each host by itself"),
            ("x-cluster: {network: overlay, name: -x}", "x-cluster/name: should be letters"),
            ("x-cluster: {network: overlay, name: \"\"}", "x-cluster/name: should not be empty"),
            ("x-cluster: {network: overlay, address: 10.0.0.1}", "x-cluster/address: should be the network"),
            ("x-cluster: {network: overlay, managers: 0}", "x-cluster/managers: should be at least 1"),
            ("x-cluster: {network: overlay, managers: 4}", "x-cluster/managers: should be at most 3"),
            ("x-cluster: {network: overlay, nodes: 4}", "x-cluster: unknown key: nodes"),
            ("x-cluster: overlay", "x-cluster: should be a hash"),
            ("x-cluster: {network: overlay}\naccessories: {web: {image: i, host: h1}}", "would both answer to it"),
            (
                "x-cluster: {network: overlay}\naccessories: {Web-H2: {image: i, host: h1}}",
                "web-h2: the role web and the accessory Web-H2 would both answer to it",
            ),
            (
                "x-cluster: {network: overlay}\naccessories: {kamal-proxy-h1: {image: i, host: h2}}",
                "kamal-proxy-h1: the proxy on h1 and the accessory",
            ),
            ("x-balance: true", "x-balance: does nothing without x-cluster"),
            ("x-cluster: {network: overlay}\nx-balance: true\nx-proxy: {sticky: true}", "remove sticky from x-proxy"),
            ("x-cluster: {network: overlay}\nx-balance: true\nx-proxy: {target_h2c: true}", "remove target_h2c"),
        ] {
            let refused = of(&format!("{text}\n")).unwrap_err();
            assert!(refused.contains(wanted), "{text}: {refused}");
        }
    }

    #[test]
    fn several_hosts_share_a_certificate_by_a_secret() {
        let file = |cluster: &str, balance: bool| {
            let proxy = "proxy: {ssl: true, host: a.example.com}";
            of(&format!("{proxy}\nx-cluster: {{network: overlay{cluster}}}\nx-balance: {balance}\n"))
        };
        let loaded = file(", secret: CLUSTER_SECRET", true).unwrap();
        assert_eq!(loaded.config.cluster.unwrap().secret.as_deref(), Some("CLUSTER_SECRET"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let refused = file("", true).unwrap_err();
        assert!(refused.contains("SSL on several servers takes a secret") && refused.contains("openssl"), "{refused}");
        let alone = file(", secret: CLUSTER_SECRET", false).unwrap_err();
        assert!(alone.contains("SSL is only supported on a single server"), "{alone}");
        let empty = file(", secret: \"\"", true).unwrap_err();
        assert!(empty.contains("x-cluster/secret: should not be empty"), "{empty}");
        let own = "proxy: {ssl: {certificate_pem: C, private_key_pem: K}, host: a.example.com}";
        of(&format!("{own}\nx-cluster: {{network: overlay}}\nx-balance: true\n")).unwrap();
    }

    #[test]
    fn what_is_unwise_is_told() {
        for (text, wanted) in [
            ("x-cluster: {network: overlay, secret: S}", "x-cluster/secret: does nothing without x-balance"),
            ("x-cluster: {network: overlay, secret: S}\nx-balance: true", "x-cluster/secret: does nothing: no role"),
            ("x-cluster: {network: overlay, managers: 2}", "2 stand the loss of no more of them than 1 would"),
            (
                "x-cluster: {network: overlay}\naccessories: {db: {image: i, host: h1, network: host}}",
                "does not answer",
            ),
        ] {
            let warnings = of(&format!("{text}\n")).unwrap().warnings;
            assert!(warnings.iter().any(|warning| warning.message.contains(wanted)), "{text}: {warnings:?}");
        }
    }
}
