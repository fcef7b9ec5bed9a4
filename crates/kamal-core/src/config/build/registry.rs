//! `registry` of the root and of accessories (spec 2.6).

use super::super::diagnostic::Report;
use super::super::model::{Registry, SecretOr};
use super::super::shape::check::{at, join, section};
use super::super::shape::keys;
use super::super::source::Span;
use super::super::yaml::{Kind, Node};
use super::options::text;
use crate::name::ImageRef;

/// Reads a registry. `owner` is where to point when something is missing.
pub(crate) fn registry(node: &Node, owner: Span, path: &str, report: &mut Report<'_>) -> Registry {
    section(node, keys::REGISTRY, path, report);
    if node.map().is_none() {
        return Registry::default();
    }
    // An empty one is none.
    let server = text(node, "server").filter(|server| !server.trim().is_empty());
    if let Some(node) = node.get("server")
        && let Some(Err(error)) = server.as_deref().map(ImageRef::parse)
    {
        report.error(node.span, at(&join(path, "server"), &error.to_string()));
    }
    let local = server.as_deref().is_some_and(is_local);
    let registry = Registry { server, ..Registry::default() };
    if registry.local_port() == Some(0) {
        let help =
            Some(format!("write `{}`, or another port that is free here and on the hosts", Registry::DEFAULT_SERVER));
        let span = node.get("server").map_or(owner, |node| node.span);
        report.error_with(span, at(&join(path, "server"), "localhost needs a port number"), help);
    }
    let mut read = |key| credential(node, key, owner, path, local, report);
    let (username, password) = (read("username"), read("password"));
    Registry { username, password, ..registry }
}

/// A registry that is started on the deploying machine: `localhost:PORT`.
pub(crate) fn is_local(server: &str) -> bool {
    server.starts_with("localhost:")
}

fn credential(
    node: &Node,
    key: &str,
    owner: Span,
    path: &str,
    local: bool,
    report: &mut Report<'_>,
) -> Option<SecretOr> {
    let path = join(path, key);
    let Some(value) = node.get(key).filter(|value| !value.is_blank()) else {
        if !local {
            let span = node.entry(key).map_or(owner, |entry| entry.key);
            report.error(span, at(&path, "is required"));
        }
        return None;
    };
    match &value.kind {
        Kind::Text(text) => return Some(SecretOr::Literal(text.clone())),
        Kind::List(items) => {
            if let [Node { kind: Kind::Text(name), .. }] = items.as_slice() {
                return Some(SecretOr::Secret(name.clone()));
            }
        }
        _ => {}
    }
    // Nobody logs in to a registry of one's own, so Kamal looks no further.
    if !local {
        report.error(value.span, at(&path, "should be a string or an array with one string (for secret lookup)"));
    }
    None
}
