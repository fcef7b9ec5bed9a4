//! Checks across sections, in Kamal's order (spec 2.4).

use std::cmp::Ordering;

use super::super::diagnostic::Report;
use super::super::model::{Accessory, Config, ProxyRun, Ssl};
use super::super::shape::suggest::did_you_mean;
use super::super::source::Span;
use super::super::yaml::{Kind, Node};
use super::servers::RawRole;
use super::version;
use super::{cluster, loadbalancer, root::retain_containers};
use crate::name::HostName;

/// Checks what can only be seen on the whole, and completes the configuration. `top` is where to point when
/// something is missing.
pub(crate) fn check(
    root: &Node,
    top: Span,
    config: Config,
    roles: &[RawRole<'_>],
    exists: &dyn Fn(&str) -> bool,
    report: &mut Report<'_>,
) -> Config {
    let span = |key: &str| root.get(key).map_or(top, |node| node.span);
    if config.require_destination && config.destination.is_none() {
        let help = "add -d DESTINATION".to_owned();
        report.error_with(span("require_destination"), "You must specify a destination", Some(help));
    }
    required(root, top, &config, report);
    servers(root, top, &config, roles, report);
    minimum_version(root, report);
    let retain_containers = retain_containers(root, report);
    service_name(root, report);
    old_hooks(&config, span("hooks_path"), exists, report);
    ssl(root, &config, roles, report);
    local_registry(root, &config, report);
    proxy_runs(&config, span("proxy"), report);
    containers(root, &config, report);
    Config { retain_containers, ..config }
}

fn required(root: &Node, top: Span, config: &Config, report: &mut Report<'_>) {
    let said = report.errors.iter().any(|error| error.message.starts_with("service:"));
    if root.get("service").is_none_or(Node::is_blank) && !said {
        report.error(top, "Missing required configuration for service");
    }
    let said = report.errors.iter().any(|error| error.message.starts_with("image:"));
    if config.image.trim().is_empty() && !said {
        report.error(top, "Missing required configuration for image");
    }
}

fn servers(root: &Node, top: Span, config: &Config, roles: &[RawRole<'_>], report: &mut Report<'_>) {
    let Some(servers) = root.entry("servers") else {
        if root.get("accessories").is_none_or(Node::is_blank) {
            report.error(top, "No servers or accessories specified");
        }
        return;
    };
    if servers.value.map().is_none() && servers.value.list().is_none() {
        return;
    }
    let primary = config.primary_role.as_str();
    // A role of the wrong type is not among `roles`, but it is defined; that has been said.
    let defined = servers.value.get(primary).is_some() || roles.iter().any(|role| role.name == primary);
    if !defined {
        let span = root.get("primary_role").map_or(servers.key, |node| node.span);
        let help = did_you_mean(primary, roles.iter().map(|role| role.name.as_str()))
            .or_else(|| Some("name the role in `primary_role`".to_owned()));
        report.error_with(span, format!("The primary_role {primary} isn't defined"), help);
    }
    for role in roles {
        let bad = format!("servers/{}", role.name);
        let said =
            report.errors.iter().any(|error| error.message.starts_with(&bad) || error.message.starts_with("servers/0"));
        if !role.hosts.is_empty() || said {
            continue;
        }
        if role.name == primary {
            report.error(role.span, format!("No servers specified for the {primary} primary_role"));
        } else if !config.allow_empty_roles {
            let hint = "You can ignore this with allow_empty_roles: true";
            report.error(role.span, format!("No servers specified for the {} role. {hint}", role.name));
        }
    }
}

fn minimum_version(root: &Node, report: &mut Report<'_>) {
    let Some(node) = root.get("minimum_version") else { return };
    let Some(minimum) = node.text() else { return };
    match version::compare(&minimum, version::KAMAL) {
        None => report.error(node.span, format!("Malformed version number string {minimum}")),
        Some(Ordering::Greater) => {
            report.error(node.span, format!("Current version is {}, minimum required is {minimum}", version::KAMAL));
        }
        Some(_) => {}
    }
}

fn service_name(root: &Node, report: &mut Report<'_>) {
    let Some(node) = root.get("service") else { return };
    let Some(text) = node.text().filter(|text| !text.trim().is_empty()) else { return };
    let fits = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !fits || !matches!(node.kind, Kind::Text(_) | Kind::Symbol(_)) {
        report.error(node.span, "Service name can only include alphanumeric characters, hyphens, and underscores");
    }
}

fn old_hooks(config: &Config, span: Span, exists: &dyn Fn(&str) -> bool, report: &mut Report<'_>) {
    let path = config.hooks_path.trim_end_matches('/');
    let found: Vec<&str> = ["pre-traefik-reboot", "post-traefik-reboot"]
        .into_iter()
        .filter(|hook| exists(&format!("{path}/{hook}")))
        .collect();
    if !found.is_empty() {
        let rule = "these should be renamed to (pre|post)-proxy-reboot";
        report.error(span, format!("Found {}, {rule}", found.join(", ")));
    }
}

fn ssl(root: &Node, config: &Config, roles: &[RawRole<'_>], report: &mut Report<'_>) {
    let mut seen: Vec<&String> = Vec::new();
    let mut shared: Vec<&str> = Vec::new();
    let mut last = None;
    for (role, raw) in config.roles.iter().zip(roles) {
        let Some(proxy) = role.proxy.as_ref().filter(|proxy| proxy.ssl != Ssl::Off) else { continue };
        if proxy.ssl == Ssl::Automatic
            && role.hosts.len() > 1
            && !cluster::balances(root)
            && !loadbalancer::is_there(root)
        {
            let rule = "SSL is only supported on a single server unless you provide custom certificates";
            let found = format!("found {} servers for role {}", role.hosts.len(), role.name);
            report.error(raw.span, format!("{rule}, {found}"));
        }
        for host in &proxy.hosts {
            if seen.contains(&host) && !shared.contains(&host.as_str()) {
                shared.push(host);
                last = Some(raw.span);
            }
        }
        seen.extend(&proxy.hosts);
    }
    if let Some(span) = last {
        report.error(span, format!("Different roles can't share the same host for SSL: {}", shared.join(", ")));
    }
}

/// What builds has to reach the registry on this machine. Whether the builder is remote depends on this machine's
/// architecture, which is not known here; it surely is when nothing is built locally, or when there are more
/// architectures than one machine has.
fn local_registry(root: &Node, config: &Config, report: &mut Report<'_>) {
    let builder = &config.builder;
    if config.registry.local_port().is_none() {
        return;
    }
    let span = |key: &str| {
        let node = root.get("builder").and_then(|builder| builder.get(key));
        node.map_or(root.span, |node| node.span)
    };
    if let Some(remote) = builder.remote.as_ref().filter(|remote| !remote.starts_with("ssh://"))
        && (!builder.local || builder.arches.len() > 1)
    {
        let help = Some(format!("`{remote}` cannot reach the registry on this machine"));
        let message = "Local registry with remote builder requires an SSH URL (e.g., ssh://user@host)";
        report.error_with(span("remote"), message, help);
    }
    if ["cloud", "kubernetes", "remote"].iter().any(|driver| builder.driver.split(' ').next() == Some(driver)) {
        let message =
            format!("builder/driver: what `{}` builds cannot reach the registry on this machine", builder.driver);
        let help = Some("name a registry both can reach in `registry`, or leave out the driver".to_owned());
        report.error_with(span("driver"), message, help);
    }
}

/// Accessories on one host whose containers would have one name: Kamal boots the first, and takes it for the others too.
fn containers(root: &Node, config: &Config, report: &mut Report<'_>) {
    for (at, one) in config.accessories.iter().enumerate() {
        let meets = |other: &&Accessory| {
            other.service == one.service && other.hosts.iter().any(|host| one.hosts.contains(host))
        };
        let Some(other) = config.accessories[..at].iter().find(meets) else { continue };
        let entry = root.get("accessories").and_then(|accessories| accessories.entry(&one.name));
        let help = Some("give one of them a `service` of its own".to_owned());
        let message =
            format!("accessories/{}: its container is called {}, as that of {}", one.name, one.service, other.name);
        report.error_with(entry.map_or(root.span, |entry| entry.key), message, help);
    }
}

fn proxy_runs(config: &Config, span: Span, report: &mut Report<'_>) {
    let mut runs: Vec<(&HostName, &ProxyRun)> = Vec::new();
    let roles = config.roles.iter().flat_map(|role| {
        let run = role.proxy.as_ref().and_then(|proxy| proxy.run.as_ref());
        role.hosts.iter().map(move |host| (&host.name, run))
    });
    let accessories = config.accessories.iter().flat_map(|accessory| {
        let run = accessory.proxy.as_ref().and_then(|proxy| proxy.run.as_ref());
        accessory.hosts.iter().map(move |host| (host, run))
    });
    for (host, run) in roles.chain(accessories) {
        let Some(run) = run else { continue };
        match runs.iter().find(|(seen, _)| *seen == host) {
            None => runs.push((host, run)),
            Some((_, first)) if *first == run => {}
            Some(_) => report.error(span, format!("Conflicting proxy run configurations for host {host}")),
        }
    }
}
