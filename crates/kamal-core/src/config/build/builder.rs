//! `builder` (spec 2.7).

use indexmap::IndexMap;

use super::super::diagnostic::Report;
use super::super::model::{Builder, Cache, Pack};
use super::super::ruby;
use super::super::shape::check::{at, section};
use super::super::shape::keys;
use super::super::source::Span;
use super::super::yaml::{Kind, Node};
use super::options::{text, text_list};

/// Reads and checks the builder. `owner` is where to point when something is missing.
pub(crate) fn builder(node: &Node, owner: Span, report: &mut Report<'_>) -> Builder {
    section(node, keys::BUILDER, "builder", report);
    if node.map().is_some() {
        cross_check(node, owner, report);
    }
    Builder {
        arches: node.get("arch").map(one_or_many).unwrap_or_default(),
        remote: text(node, "remote").filter(|remote| !remote.trim().is_empty()),
        local: node.get("local").and_then(Node::bool).unwrap_or(true),
        pack: node.get("pack").and_then(pack),
        cache: node.get("cache").and_then(|cache| {
            Some(Cache { kind: text(cache, "type")?, options: text(cache, "options"), image: text(cache, "image") })
        }),
        context: text(node, "context"),
        dockerfile: text(node, "dockerfile").unwrap_or_else(|| "Dockerfile".to_owned()),
        target: text(node, "target"),
        args: args(node),
        secrets: text_list(node.get("secrets")),
        ssh: text(node, "ssh"),
        driver: text(node, "driver").unwrap_or_else(|| "docker-container".to_owned()),
        provenance: text(node, "provenance"),
        sbom: node.get("sbom").and_then(Node::bool),
    }
}

fn cross_check(node: &Node, owner: Span, report: &mut Report<'_>) {
    if let Some(kind) = node.get("cache").and_then(|cache| cache.get("type"))
        && let Some(name) = kind.text().filter(|name| !matches!(name.as_str(), "gha" | "registry"))
    {
        report.error(kind.span, at("builder", &format!("Invalid cache type: {name}")));
    }
    if node.get("arch").is_none_or(Node::is_blank) {
        let span = node.entry("arch").map_or(owner, |entry| entry.key);
        let help = Some("add `arch: amd64` (or arm64), the architecture of the hosts".to_owned());
        report.error_with(span, at("builder", "Builder arch not set"), help);
    }
    if node.get("pack").is_some_and(Node::is_truthy)
        && let Some(arch) = node.get("arch").filter(|arch| arch.list().is_some_and(|list| list.len() > 1))
    {
        report.error(arch.span, at("builder", "buildpacks only support building for one arch"));
    }
    if let Some(remote) = node.get("remote").filter(|remote| !remote.is_blank())
        && remote.text().is_some_and(|url| !url.contains("://"))
    {
        report.error(remote.span, at("builder/remote", "should be a URL, `ssh://user@host`"));
    }
    if let Some(pack) = node.entry("pack").filter(|pack| pack.value.is_truthy())
        && pack.value.map().is_some()
        && pack.value.get("builder").is_none_or(Node::is_blank)
    {
        report.error(pack.key, at("builder/pack/builder", "is required"));
    }
    if let Some(local) = node.entry("local").filter(|local| local.value.bool() == Some(false))
        && node.get("remote").is_none_or(Node::is_blank)
    {
        report.error(local.key, at("builder", "Cannot disable local builds, no remote is set"));
    }
}

fn args(node: &Node) -> IndexMap<String, Option<String>> {
    let entries = node.get("args").and_then(Node::map).into_iter().flatten();
    let value = |node: &Node| (!matches!(node.kind, Kind::Null)).then(|| ruby::text(node));
    entries.map(|(name, entry)| (name.clone(), value(&entry.value))).collect()
}

fn one_or_many(node: &Node) -> Vec<String> {
    match node.list() {
        Some(_) => text_list(Some(node)),
        None => node.text().into_iter().collect(),
    }
}

fn pack(node: &Node) -> Option<Pack> {
    Some(Pack { builder: text(node, "builder")?, buildpacks: text_list(node.get("buildpacks")) })
}
