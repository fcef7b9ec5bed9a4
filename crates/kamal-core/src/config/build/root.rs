//! The whole file, section by section in Kamal's order (spec 2.2, 2.3).

use std::time::Duration;

use indexmap::IndexMap;

use super::super::diagnostic::Report;
use super::super::model::{Accessory, Boot, BootLimit, Config, Env, HookLevel, HooksOutput, Output, Registry};
use super::super::shape::check::{at, join, section, wrong};
use super::super::shape::keys;
use super::super::shape::suggest::did_you_mean;
use super::super::source::Span;
use super::super::yaml::{Kind, Node};
use super::env::{Place, env, tags};
use super::options::{count, logging, number, text, text_list, text_map};
use super::servers::{FromRoot, RawRole, roles};
use super::{
    accessory, blank, builder, cluster, cross, deliver, guard, hosts, ignored, loadbalancer, policies, proxy, registry,
    release, shadowed, ssh, tags as host_tags, words,
};
use crate::name::{Destination, ImageRef, RoleName, ServiceName};

/// Kamal's commands of the first level, which an alias may not be called. `help` may, though it is never reached.
const COMMANDS: [&str; 21] = [
    "accessory",
    "app",
    "audit",
    "build",
    "config",
    "deploy",
    "details",
    "docs",
    "init",
    "lock",
    "proxy",
    "prune",
    "redeploy",
    "registry",
    "remove",
    "rollback",
    "secrets",
    "server",
    "setup",
    "upgrade",
    "version",
];

/// Builds the configuration. It is only to be used when the report holds no errors afterwards.
pub(crate) fn build(
    root: &Node,
    destination: Option<&Destination>,
    exists: &dyn Fn(&str) -> bool,
    report: &mut Report<'_>,
) -> Config {
    section(root, keys::ROOT, "", report);
    let top = Span { end: root.span.start + 1, ..root.span };
    let missing = Node::empty_map(top);
    let map_below = |key: &str| root.get(key).filter(|node| node.map().is_some());
    let owner = |key: &str| root.entry(key).map_or(top, |entry| entry.key);

    let service = text(root, "service").unwrap_or_default();
    let raw_roles = root.get("servers").map(|servers| roles(servers, report)).unwrap_or_default();
    let sound = |key: &str| root.get(key).is_none_or(|node| node.map().is_some());
    let registry = if root.get("registry").is_none_or(Node::is_blank) {
        Registry::unconfigured()
    } else if sound("registry") {
        registry::registry(map_below("registry").unwrap_or(&missing), owner("registry"), "registry", report)
    } else {
        Default::default()
    };
    let accessories = accessories(map_below("accessories"), &service, &raw_roles, report);
    let aliases = aliases(map_below("aliases"), report);
    let boot = map_below("boot").map(|node| boot(node, report)).unwrap_or_default();
    let builder = if sound("builder") {
        builder::builder(map_below("builder").unwrap_or(&missing), owner("builder"), report)
    } else {
        builder::builder(&Node { span: top, kind: Kind::Map(arch_stand_in(top)) }, top, report)
    };
    let (root_env, env_tags) = map_below("env").map(|node| root_env(node, report)).unwrap_or_default();
    let logging = map_below("logging").map(|node| logging(node, "logging", report)).unwrap_or_default();
    let output = map_below("output").map(|node| output(node, report)).unwrap_or_default();
    let before = report.errors.len();
    if let Some(entry) = root.entry("proxy") {
        match entry.value.bool() {
            // The root's check lets a boolean pass, as a role's proxy may be one.
            Some(_) => wrong("a hash", &entry.value, "proxy", report),
            None if entry.value.map().is_some() => proxy::check(&entry.value, "proxy", report),
            None => {}
        }
    }
    let proxy = map_below("proxy").filter(|_| report.errors.len() == before);
    let ssh = ssh::ssh(map_below("ssh").unwrap_or(&missing), map_below("x-ssh"), report);
    let sshkit = ssh::sshkit(map_below("sshkit").unwrap_or(&missing), report);

    let primary = text(root, "primary_role").unwrap_or_else(|| "web".to_owned());
    let asset_path = text(root, "asset_path");
    let from_root = FromRoot {
        primary: &primary,
        proxy,
        logging: &logging,
        stop_timeout: count(root, "stop_timeout", "", report),
        asset_path: asset_path.as_ref(),
    };
    let roles = raw_roles.iter().map(|role| role.merge(&from_root, report)).collect();
    let image = text(root, "image").filter(|image| !image.trim().is_empty());
    if let (Some(node), Some(Err(error))) = (root.get("image"), image.as_deref().map(ImageRef::parse)) {
        report.error(node.span, at("image", &error.to_string()));
    }
    let local = registry.local_port().is_some();
    let mut seconds = |key, default| Duration::from_secs(count(root, key, "", report).unwrap_or(default));
    let config = Config {
        destination: destination.cloned(),
        image: image.or_else(|| local.then(|| service.clone())).unwrap_or_default(),
        service: ServiceName::of_checked(service),
        labels: text_map(root.get("labels")),
        volumes: text_list(root.get("volumes")),
        registry,
        roles,
        primary_role: RoleName::of_checked(primary.clone()),
        env: root_env,
        env_tags,
        hooks_path: text(root, "hooks_path").unwrap_or_else(|| ".kamal/hooks".to_owned()),
        hooks_output: HooksOutput::default(),
        secrets_path: text(root, "secrets_path").unwrap_or_else(|| ".kamal/secrets".to_owned()),
        error_pages_path: text(root, "error_pages_path"),
        require_destination: flag(root, "require_destination"),
        allow_empty_roles: flag(root, "allow_empty_roles"),
        minimum_version: text(root, "minimum_version"),
        readiness_delay: seconds("readiness_delay", 7),
        deploy_timeout: seconds("deploy_timeout", 30),
        drain_timeout: seconds("drain_timeout", 30),
        retain_containers: 5,
        ssh,
        sshkit,
        builder,
        accessories,
        boot,
        release: None,
        guard: None,
        cluster: None,
        between_hosts: None,
        loadbalancer: None,
        logging,
        output,
        aliases,
    };
    let config = hosts::one_spelling(config);
    let mut config = cross::check(root, top, config, &raw_roles, exists, report);
    policies::fill(root, &mut config, report);
    config.release = release::release(root, &config, report);
    config.guard = guard::guard(root, report);
    config.boot.together = guard::together(root, report);
    config.cluster = cluster::cluster(root, &config, report);
    config.between_hosts = deliver::between_hosts(root, &config, report);
    config.loadbalancer = loadbalancer::loadbalancer(root, &config, report);
    let hooks_output = hooks_output(root.get("hooks_output"), report);
    blank::check(root, report);
    words::check(root, report);
    ignored::check(root, report);
    host_tags::check(root, &config, report);
    shadowed::check(root, &config, report);
    Config { hooks_output, ..config }
}

/// What the builder's own checks need to be content when `builder` is not even a mapping, which has been said.
fn arch_stand_in(span: Span) -> super::super::yaml::Map {
    use super::super::yaml::{Entry, Form};
    let value = Node { span, kind: Kind::Text("amd64".to_owned()) };
    [("arch".to_owned(), Entry { key: span, form: Form::Text, value })].into_iter().collect()
}

fn flag(root: &Node, key: &str) -> bool {
    root.get(key).and_then(Node::bool).unwrap_or(false)
}

fn accessories(node: Option<&Node>, service: &str, roles: &[RawRole<'_>], report: &mut Report<'_>) -> Vec<Accessory> {
    let entries = node.and_then(Node::map).into_iter().flatten();
    entries.filter_map(|(name, entry)| accessory::accessory(name, entry, service, roles, report)).collect()
}

fn root_env(node: &Node, report: &mut Report<'_>) -> (Env, IndexMap<String, Env>) {
    (env(node, Place::Root, "env", report), tags(node, report))
}

fn aliases(node: Option<&Node>, report: &mut Report<'_>) -> IndexMap<String, String> {
    for (name, entry) in node.and_then(Node::map).into_iter().flatten() {
        let path = join("aliases", name);
        report.watch(&entry.value);
        if entry.value.text().is_none() {
            wrong("a string", &entry.value, &path, report);
        }
        let fits = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
        if !fits {
            let rule = "Must only contain lowercase letters, alphanumeric, hyphens and underscores.";
            report.error(entry.key, at(&path, &format!("Invalid alias name: '{name}'. {rule}")));
        } else if COMMANDS.contains(&name.as_str()) {
            report.error(entry.key, at(&path, &format!("Alias '{name}' conflicts with a built-in command.")));
        }
    }
    text_map(node)
}

fn boot(node: &Node, report: &mut Report<'_>) -> Boot {
    section(node, keys::BOOT, "boot", report);
    let limit = node.get("limit").and_then(|limit| {
        let text = limit.text()?;
        let parsed = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().map(BootLimit::Percent),
            None => text.trim().parse().ok().filter(|count| *count > 0).map(BootLimit::Count),
        };
        if parsed.is_none() {
            let message = format!("should be a number of hosts or a percentage such as 25%, not {text}");
            report.error(limit.span, at("boot/limit", &message));
        }
        parsed
    });
    let wait = count(node, "wait", "boot", report);
    Boot { limit, wait, parallel_roles: flag(node, "parallel_roles"), together: false }
}

fn output(node: &Node, report: &mut Report<'_>) -> Output {
    section(node, keys::OUTPUT, "output", report);
    let mut part = |section: &str, key: &str, what: &str| {
        let entry = node.entry(section).filter(|entry| entry.value.map().is_some())?;
        let found = text(&entry.value, key).filter(|value| !value.trim().is_empty());
        if found.is_none() && entry.value.get(key).is_none_or(Node::is_blank) {
            report.error(entry.key, format!("{what} is required"));
        }
        found
    };
    let otel_endpoint = part("otel", "endpoint", "OTel endpoint");
    let file_path = part("file", "path", "file path");
    let is_url = |url: &String| {
        let place = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        place.is_some_and(|place| !place.is_empty() && !place.starts_with('/') && !place.contains(char::is_whitespace))
    };
    if otel_endpoint.as_ref().is_some_and(|url| !is_url(url))
        && let Some(entry) = node.entry("otel").and_then(|otel| otel.value.entry("endpoint"))
    {
        let message = "should be the URL of a collector, such as http://localhost:4318";
        report.error(entry.value.span, at("output/otel/endpoint", message));
    }
    Output { otel_endpoint, file_path }
}

fn hooks_output(node: Option<&Node>, report: &mut Report<'_>) -> HooksOutput {
    let Some(node) = node else { return HooksOutput::default() };
    let mut output = HooksOutput::default();
    match node.map() {
        None if matches!(node.kind, Kind::Text(_) | Kind::Symbol(_)) => output.all = hook_level(node, None, report),
        // Kamal lets it pass and looks at it no more.
        None if node.text().is_some() => {
            let help = "it is quiet, verbose, or one of them per hook".to_owned();
            report.warn(node.span, "hooks_output is ignored: it is no text", Some(help));
        }
        None => {}
        Some(map) => {
            for (hook, entry) in map {
                if entry.value.text().is_none() {
                    wrong("a string or a symbol", &entry.value, &join("hooks_output", hook), report);
                    continue;
                }
                if let Some(level) = hook_level(&entry.value, Some(hook), report) {
                    output.each.insert(hook.clone(), level);
                }
            }
        }
    }
    output
}

fn hook_level(node: &Node, hook: Option<&str>, report: &mut Report<'_>) -> Option<HookLevel> {
    let text = node.text().unwrap_or_default();
    match text.as_str() {
        "quiet" => return Some(HookLevel::Quiet),
        "verbose" => return Some(HookLevel::Verbose),
        _ => {}
    }
    let hook = hook.map(|hook| format!(" for hook '{hook}'")).unwrap_or_default();
    let message = format!("Invalid hooks_output '{text}'{hook}, must be one of: quiet, verbose");
    report.error_with(node.span, message, did_you_mean(&text, ["quiet", "verbose"]));
    None
}

/// `retain_containers`, which must be at least one.
pub(crate) fn retain_containers(root: &Node, report: &mut Report<'_>) -> u32 {
    let Some(node) = root.get("retain_containers").filter(|node| node.int().is_some()) else { return 5 };
    if node.int().is_some_and(|value| value < 1) {
        report.error(node.span, "Must retain at least 1 container");
        return 5;
    }
    let value = number(root, "retain_containers", u32::MAX.into(), "", report);
    value.and_then(|value| u32::try_from(value).ok()).unwrap_or(5)
}
