//! `accessories` (spec 2.11).

use super::super::diagnostic::Report;
use super::super::model::{Accessory, TaggedHost};
use super::super::shape::check::{at, join, section, wrong};
use super::super::shape::keys;
use super::super::shape::suggest::did_you_mean;
use super::super::source::Span;
use super::super::yaml::{Entry, Node};
use super::env::{Place, env};
use super::options::{check_labels, docker_options, text, text_list, text_map};
use super::servers::{RawRole, name, tagged};
use super::{paths, proxy, registry};
use crate::name::{ContainerName, HostName, ImageRef, check_accessory};

const PLACES: [&str; 6] = ["host", "hosts", "role", "roles", "tag", "tags"];

/// Reads and checks an accessory.
pub(crate) fn accessory(
    name: &str,
    entry: &Entry,
    service: &str,
    roles: &[RawRole<'_>],
    report: &mut Report<'_>,
) -> Option<Accessory> {
    let node = &entry.value;
    let path = join("accessories", name);
    if node.map().is_none() {
        wrong("a hash", node, &path, report);
        return None;
    }
    if let Err(error) = check_accessory(name) {
        report.error(entry.key, at("accessories", &error.to_string()));
    }
    section(node, keys::ACCESSORY, &path, report);
    let places: Vec<_> = PLACES.iter().filter_map(|key| Some((key, node.entry(key)?.key))).collect();
    if places.len() != 1 {
        let message = "specify one of `host`, `hosts`, `role`, `roles`, `tag` or `tags`";
        let place = |(key, span): &(&&str, Span)| format!("`{key}` at {}:{}", report.file(*span), report.line(*span));
        let given: Vec<String> = places.iter().map(place).collect();
        let help = (!given.is_empty()).then(|| format!("given are {}", given.join(", ")));
        report.error_with(entry.key, at(&path, message), help);
    }
    check_labels(node, &path, report);
    let (options, restart) = docker_options(node, &path, report);
    unknown_roles(node, &path, roles, report);
    let map_below = |key: &str| node.entry(key).filter(|entry| entry.value.map().is_some());
    // An empty one of these is none.
    let filled = |key: &str| map_below(key).filter(|entry| !entry.value.is_blank());
    let env = map_below("env").map(|e| env(&e.value, Place::Inner, &join(&path, "env"), report)).unwrap_or_default();
    let proxy_path = join(&path, "proxy");
    let proxy = filled("proxy").map(|entry| {
        proxy::check(&entry.value, &proxy_path, report);
        proxy::read(&entry.value, &proxy_path, report)
    });
    let registry =
        filled("registry").map(|entry| registry::registry(&entry.value, entry.key, &join(&path, "registry"), report));
    let server = registry.as_ref().and_then(|registry| registry.server.as_deref());
    let image = text(node, "image").unwrap_or_default();
    if image.trim().is_empty() {
        report.error(entry.key, at(&path, "image is required"));
    }
    let image = server.map_or_else(|| image.clone(), |server| format!("{server}/{image}"));
    let container = text(node, "service");
    if let (Some(node), Some(Err(error))) = (node.get("service"), container.as_deref().map(ContainerName::parse)) {
        report.error(node.span, at(&join(&path, "service"), &error.to_string()));
    }
    if let (Some(node), Err(error)) = (node.get("image").filter(|node| !node.is_blank()), ImageRef::parse(&*image)) {
        report.error(node.span, at(&join(&path, "image"), &error.to_string()));
    }
    paths::check_targets(node, &path, report);
    Some(Accessory {
        name: name.to_owned(),
        service: container.unwrap_or_else(|| format!("{service}-{name}")),
        image,
        hosts: hosts(node, &path, roles, report),
        cmd: text(node, "cmd"),
        port: text(node, "port").map(|port| if port.contains(':') { port } else { format!("{port}:{port}") }),
        labels: text_map(node.get("labels")),
        options,
        restart,
        env,
        files: paths::files(node, &path, report),
        directories: paths::directories(node, &path, report),
        volumes: text_list(node.get("volumes")),
        network: text(node, "network").unwrap_or_else(|| "kamal".to_owned()),
        proxy,
        registry,
    })
}

fn unknown_roles(node: &Node, path: &str, roles: &[RawRole<'_>], report: &mut Report<'_>) {
    let known = |name: &str| roles.iter().any(|role| role.name == name);
    let unknown: Vec<String> = named(node, "role", "roles").into_iter().filter(|name| !known(name)).collect();
    let (Some(first), Some(at_node)) = (unknown.first(), node.get("role").or_else(|| node.get("roles"))) else {
        return;
    };
    let plural = if unknown.len() > 1 { "s" } else { "" };
    let help = did_you_mean(first, roles.iter().map(|role| role.name.as_str()));
    report.error_with(at_node.span, at(path, &format!("unknown role{plural} {}", unknown.join(", "))), help);
}

/// The names below a key for one or a key for several.
fn named(node: &Node, one: &str, many: &str) -> Vec<String> {
    text(node, one).into_iter().chain(text_list(node.get(many))).collect()
}

fn hosts(node: &Node, path: &str, roles: &[RawRole<'_>], report: &mut Report<'_>) -> Vec<HostName> {
    let of_roles = named(node, "role", "roles");
    let of_tags = named(node, "tag", "tags");
    let host = node.get("host").and_then(|host| Some(name(&host.text()?, host.span, path, report)));
    let mut found: Vec<HostName> = host.into_iter().collect();
    if let Some(list) = node.get("hosts") {
        found.extend(tagged(list, path, report).into_iter().map(|host| host.name));
    }
    let by_name = |name: &String| roles.iter().find(|role| role.name == *name);
    found.extend(of_roles.iter().filter_map(by_name).flat_map(|role| &role.hosts).map(|host| host.name.clone()));
    let tagged = |host: &&TaggedHost| host.tags.iter().any(|tag| of_tags.contains(tag));
    found.extend(roles.iter().flat_map(|role| &role.hosts).filter(tagged).map(|host| host.name.clone()));
    let mut once: Vec<HostName> = Vec::new();
    for host in found {
        if !once.contains(&host) {
            once.push(host);
        }
    }
    once
}
