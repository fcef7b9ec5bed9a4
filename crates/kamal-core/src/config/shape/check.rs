//! Kamal's validation engine (spec 2.2): types and unknown keys, in Kamal's words. Unlike Kamal it does not stop at
//! the first finding.

use super::super::diagnostic::Report;
use super::super::yaml::{Kind, Map, Node};
use super::suggest::did_you_mean;
use super::{Apart, Key, Shape};

/// Checks a value against a shape. `path` is Kamal's context: `servers/web/hosts`.
pub(crate) fn check(node: &Node, shape: Shape, path: &str, report: &mut Report<'_>) {
    match shape {
        Shape::Text => text(node, path, report),
        Shape::Int => expect(node.int().is_some(), "an integer", node, path, report),
        Shape::Bool => expect(node.bool().is_some(), "a boolean", node, path, report),
        Shape::TextList => match node.list() {
            Some(items) => texts(items, path, report),
            None => wrong("an array", node, path, report),
        },
        Shape::TextOrList => match node.list() {
            Some(items) => texts(items, path, report),
            None => {
                report.watch(node);
                expect(node.text().is_some(), "an array or a string", node, path, report);
            }
        },
        Shape::AnyMap | Shape::Values => match node.map() {
            Some(map) => values(map, matches!(shape, Shape::Values), report),
            None => wrong("a hash", node, path, report),
        },
        Shape::TextMap => match node.map() {
            Some(map) => text_map(map, path, report),
            None => wrong("a hash", node, path, report),
        },
        Shape::Hosts => hosts(node, path, report),
        Shape::BoolOrMap => {
            expect(node.bool().is_some() || node.map().is_some(), "a boolean or a hash", node, path, report);
        }
        Shape::SshConfig => match node.list() {
            Some(items) => texts(items, path, report),
            None => {
                let fits = node.bool().is_some() || node.string().is_some();
                expect(fits, "a boolean or a string or an array", node, path, report);
            }
        },
        Shape::Paths(keys) => paths(node, keys, path, report),
        Shape::Section(keys) => section(node, keys, path, report),
        Shape::Apart(apart) => opaque(node, apart, path, report),
    }
}

/// Checks a mapping against its table of keys. At the root (`path` empty) keys beginning with `x-` are free.
pub(crate) fn section(node: &Node, keys: &[Key], path: &str, report: &mut Report<'_>) {
    let Some(map) = node.map() else { return wrong("a hash", node, path, report) };
    unknown_keys(map, keys, path, report);
    for (name, entry) in map {
        if let Some(key) = keys.iter().find(|key| key.name == name) {
            check(&entry.value, key.shape, &join(path, name), report);
        }
    }
}

/// The path of something below `path`.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// The message about the thing at `path`; at the root there is no path to say.
pub(crate) fn at(path: &str, text: &str) -> String {
    if path.is_empty() { text.to_owned() } else { format!("{path}: {text}") }
}

/// Says that a value should be something else.
pub(crate) fn wrong(what: &str, node: &Node, path: &str, report: &mut Report<'_>) {
    let help = match &node.kind {
        Kind::Null => Some("remove the key, or give it a value".to_owned()),
        Kind::Date(text) => Some(format!("it is read as a date; write \"{text}\" in quotes")),
        Kind::Text(text) if what == "an integer" && text.trim().parse::<i64>().is_ok() => {
            Some(format!("write {} without quotes", text.trim()))
        }
        Kind::Text(text) if what == "an array" && !text.trim().is_empty() => Some(format!("write [{text}]")),
        _ => None,
    };
    report.error_with(node.span, at(path, &format!("should be {what}")), help);
}

fn expect(fits: bool, what: &str, node: &Node, path: &str, report: &mut Report<'_>) {
    if !fits {
        wrong(what, node, path, report);
    }
}

fn text(node: &Node, path: &str, report: &mut Report<'_>) {
    // A symbol is as good as the word where one of several words is wanted.
    if !matches!(node.kind, Kind::Symbol(_)) {
        report.watch(node);
    }
    expect(node.text().is_some(), "a string", node, path, report);
}

fn texts(items: &[Node], path: &str, report: &mut Report<'_>) {
    for (index, item) in items.iter().enumerate() {
        text(item, &join(path, &index.to_string()), report);
    }
}

fn text_map(map: &Map, path: &str, report: &mut Report<'_>) {
    for (name, entry) in map {
        report.watch(&entry.value);
        text(&entry.value, &join(path, name), report);
    }
}

/// Values nobody looks into, lists of them too. Flags are as good as written in any way, unless `flags_too`.
fn values(map: &Map, flags_too: bool, report: &mut Report<'_>) {
    for (_, entry) in map {
        let one = std::slice::from_ref(&entry.value);
        for value in entry.value.list().unwrap_or(one) {
            if flags_too || value.bool().is_none() {
                report.watch(value);
            }
        }
    }
}

fn unknown_keys(map: &Map, keys: &[Key], path: &str, report: &mut Report<'_>) {
    let known = |name: &str| keys.iter().any(|key| key.name == name) || path.is_empty() && name.starts_with("x-");
    if path.is_empty() {
        nearly_ours(map, keys, report);
    }
    let unknown: Vec<_> = map.iter().filter(|(name, _)| !known(name)).collect();
    let Some((first, entry)) = unknown.first() else { return };
    let names: Vec<&str> = unknown.iter().map(|(name, _)| name.as_str()).collect();
    let plural = if names.len() > 1 { "s" } else { "" };
    let known = || keys.iter().map(|key| key.name);
    let help = if names.len() == 1 {
        elsewhere(path, first).or_else(|| did_you_mean(first, known()))
    } else {
        let hints: Vec<String> =
            names.iter().filter_map(|name| did_you_mean(name, known()).map(|hint| format!("{name}: {hint}"))).collect();
        (!hints.is_empty()).then(|| hints.join(" "))
    };
    report.error_with(entry.key, at(path, &format!("unknown key{plural}: {}", names.join(", "))), help);
}

/// Keys of the root that begin with `x-` may be anybody's, who refers to them. One that is nearly ours is told of.
fn nearly_ours(map: &Map, keys: &[Key], report: &mut Report<'_>) {
    let ours = || keys.iter().map(|key| key.name).filter(|name| name.starts_with("x-"));
    let others = map.iter().filter(|(name, _)| name.starts_with("x-") && !ours().any(|own| own == name.as_str()));
    for (name, entry) in others {
        if let Some(help) = did_you_mean(name, ours()) {
            report.warn(entry.key, format!("{name} has no effect"), Some(help));
        }
    }
}

/// What a key is called that others proposed for Kamal, which does not know it.
fn elsewhere(path: &str, key: &str) -> Option<String> {
    let proposed = matches!(path, "" | "proxy") && key == "loadbalancer";
    proposed.then(|| "it is `x-loadbalancer: HOST` in the root, which Kamal passes over".to_owned())
}

/// The host list rule: texts, or mappings of one host to its tag or tags.
pub(crate) fn hosts(node: &Node, path: &str, report: &mut Report<'_>) {
    let Some(items) = node.list() else { return wrong("an array", node, path, report) };
    for (index, item) in items.iter().enumerate() {
        let path = join(path, &index.to_string());
        let Some(map) = item.map() else {
            expect(item.text().is_some(), "a string or a hash", item, &path, report);
            continue;
        };
        if map.len() != 1 {
            report.error(item.span, at(&path, "multiple hosts found"));
            continue;
        }
        for (host, entry) in map {
            let path = join(&path, host);
            match entry.value.list() {
                Some(tags) => texts(tags, &path, report),
                None => expect(entry.value.text().is_some(), "a string or an array", &entry.value, &path, report),
            }
        }
    }
}

fn paths(node: &Node, keys: &[Key], path: &str, report: &mut Report<'_>) {
    let Some(items) = node.list() else { return wrong("an array", node, path, report) };
    for (index, item) in items.iter().enumerate() {
        let path = join(path, &index.to_string());
        let Some(map) = item.map() else {
            expect(item.text().is_some(), "a string or a hash", item, &path, report);
            continue;
        };
        for (name, entry) in map {
            if keys.iter().any(|key| key.name == name) {
                text(&entry.value, &join(&path, name), report);
            } else {
                let help = did_you_mean(name, keys.iter().map(|key| key.name)).or_else(|| Some("remove it".to_owned()));
                report.warn(entry.key, at(&path, &format!("{name} is ignored")), help);
            }
        }
    }
}

/// Only the outermost type; the rest is checked where the section is read.
fn opaque(node: &Node, apart: Apart, path: &str, report: &mut Report<'_>) {
    let map = node.map().is_some();
    match apart {
        Apart::Servers => expect(map || node.list().is_some(), "an array or a hash", node, path, report),
        Apart::RoleProxy => expect(map || node.bool().is_some(), "a hash", node, path, report),
        Apart::HooksOutput => {
            expect(map || node.text().is_some(), "a string or a symbol", node, path, report);
        }
        Apart::Credential | Apart::XProxy | Apart::XSsh => {}
        _ => expect(map, "a hash", node, path, report),
    }
}
