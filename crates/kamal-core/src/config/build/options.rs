//! Docker options, restart policies, labels: what roles and accessories have in common (spec 2.5, 4.2).

use indexmap::IndexMap;

use super::super::diagnostic::Report;
use super::super::model::{DockerOptions, Logging, OptionValue};
use super::super::ruby;
use super::super::shape::check::{at, join, section, wrong};
use super::super::shape::keys;
use super::super::yaml::{Entry, Kind, Node};

const RESERVED: [&str; 3] = ["destination", "role", "service"];

/// Says which labels are Kamal's own.
pub(crate) fn check_labels(owner: &Node, path: &str, report: &mut Report<'_>) {
    let Some(map) = owner.get("labels").and_then(Node::map) else { return };
    for (name, entry) in map {
        if RESERVED.contains(&name.as_str()) {
            let path = join(&join(path, "labels"), name);
            report.error(entry.key, at(&path, "invalid label. destination, role, and service are reserved labels"));
        }
    }
}

/// A mapping of texts.
pub(crate) fn text_map(node: Option<&Node>) -> IndexMap<String, String> {
    let Some(map) = node.and_then(Node::map) else { return IndexMap::new() };
    map.iter().map(|(name, entry)| (name.clone(), ruby::text(&entry.value))).collect()
}

/// A list of texts.
pub(crate) fn text_list(node: Option<&Node>) -> Vec<String> {
    node.and_then(Node::list).unwrap_or_default().iter().filter_map(Node::text).collect()
}

/// The text below a key.
pub(crate) fn text(owner: &Node, key: &str) -> Option<String> {
    owner.get(key).and_then(Node::text)
}

/// A number that must not be negative, below a key; negative ones are an error of ours, as nothing below would work.
pub(crate) fn count(owner: &Node, key: &str, path: &str, report: &mut Report<'_>) -> Option<u64> {
    number(owner, key, u64::MAX, path, report)
}

/// A whole number of at most `max` below a key.
pub(crate) fn number(owner: &Node, key: &str, max: u64, path: &str, report: &mut Report<'_>) -> Option<u64> {
    let node = owner.get(key)?;
    let value = node.int()?;
    let fits = u64::try_from(value).ok().filter(|value| *value <= max);
    if fits.is_none() {
        let message = if value < 0 { "should not be negative".to_owned() } else { format!("should be at most {max}") };
        report.error(node.span, at(&join(path, key), &message));
    }
    fits
}

/// A port number below a key.
pub(crate) fn port(owner: &Node, key: &str, path: &str, report: &mut Report<'_>) -> Option<u16> {
    number(owner, key, u16::MAX.into(), path, report).and_then(|value| u16::try_from(value).ok())
}

/// Docker options and the restart policy taken out of them. `path` is that of the owner.
pub(crate) fn docker_options(owner: &Node, path: &str, report: &mut Report<'_>) -> (DockerOptions, String) {
    let path = join(path, "options");
    let mut restart = "unless-stopped".to_owned();
    let mut options = DockerOptions::new();
    for (name, entry) in owner.get("options").and_then(Node::map).into_iter().flatten() {
        if name == "restart" {
            restart = restart_policy(&entry.value, &join(&path, "restart"), report).unwrap_or(restart);
        } else {
            options.extend(option(name, entry, &path, report));
        }
    }
    (options, restart)
}

/// Options that know no restart policy (the proxy's container).
pub(crate) fn plain_options(node: Option<&Node>, path: &str, report: &mut Report<'_>) -> DockerOptions {
    let map = node.and_then(Node::map);
    map.into_iter().flatten().flat_map(|(name, entry)| option(name, entry, path, report)).collect()
}

/// One option. In Kamal one without a value takes the next word for it.
fn option(name: &str, entry: &Entry, path: &str, report: &mut Report<'_>) -> DockerOptions {
    if matches!(entry.value.kind, Kind::Null) && !SWITCHES.contains(&name) {
        let help = "give it one, or `true` if it takes none".to_owned();
        report.warn(entry.key, at(&join(path, name), "has no value, so docker gets an empty one"), Some(help));
    }
    option_values(name, &entry.value)
}

/// `logging`, checked.
pub(crate) fn logging(node: &Node, path: &str, report: &mut Report<'_>) -> Logging {
    section(node, keys::LOGGING, path, report);
    Logging {
        driver: text(node, "driver").filter(|driver| !driver.trim().is_empty()),
        options: text_map(node.get("options")),
    }
}

fn restart_policy(node: &Node, path: &str, report: &mut Report<'_>) -> Option<String> {
    let (Kind::Text(policy) | Kind::Symbol(policy)) = &node.kind else {
        wrong("a string. Use \"no\" to disable restarts", node, path, report);
        return None;
    };
    let counted =
        policy.strip_prefix("on-failure:").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    if counted || matches!(policy.as_str(), "no" | "always" | "unless-stopped" | "on-failure") {
        return Some(policy.clone());
    }
    report.error(node.span, at(path, "should be no, always, unless-stopped, on-failure, or on-failure:N"));
    None
}

/// Options of `docker run` that take no word for a value: it would be taken for the image.
const SWITCHES: [&str; 12] = [
    "detach",
    "disable-content-trust",
    "init",
    "interactive",
    "no-healthcheck",
    "oom-kill-disable",
    "privileged",
    "publish-all",
    "quiet",
    "read-only",
    "rm",
    "tty",
];

/// `true` is a flag without a value, also as one of several.
fn option_values(name: &str, node: &Node) -> DockerOptions {
    let value = |node: &Node| match &node.kind {
        Kind::Bool(true) => OptionValue::Flag,
        _ => OptionValue::One(ruby::text(node)),
    };
    if SWITCHES.contains(&name) && node.list().is_none() {
        return match ruby::text(node).trim() {
            "" | "true" => vec![(name.to_owned(), OptionValue::Flag)],
            off => vec![(format!("{name}={off}"), OptionValue::Flag)],
        };
    }
    match &node.kind {
        Kind::List(items) if items.iter().any(|item| item.bool() == Some(true)) => {
            items.iter().map(|item| (name.to_owned(), value(item))).collect()
        }
        Kind::List(items) => vec![(name.to_owned(), OptionValue::Many(items.iter().map(ruby::text).collect()))],
        _ => vec![(name.to_owned(), value(node))],
    }
}
