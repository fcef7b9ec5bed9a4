//! `env` of the root, of roles, accessories and tags (spec 2.8).

use indexmap::IndexMap;

use super::super::diagnostic::Report;
use super::super::model::{Env, SecretName};
use super::super::shape::check::{at, check, join, section, wrong};
use super::super::shape::{Shape, keys};
use super::super::yaml::Node;
use super::options::{text_list, text_map};
use crate::shell::escape;

/// Where an `env` stands decides whether it may have tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The root's.
    Root,
    /// A role's, an accessory's, or a tag's.
    Inner,
}

/// Reads an `env`.
pub(crate) fn env(node: &Node, place: Place, path: &str, report: &mut Report<'_>) -> Env {
    let Some(map) = node.map() else {
        wrong("a hash", node, path, report);
        return Env::default();
    };
    let complex = ["clear", "secret", "tags"].iter().any(|key| map.contains_key(*key));
    if !complex {
        check(node, Shape::TextMap, path, report);
        warn_of_control(Some(node), path, report);
        return Env { clear: text_map(Some(node)), secret: Vec::new() };
    }
    section(node, keys::ENV, path, report);
    if let Some(entry) = node.entry("tags").filter(|_| place == Place::Inner) {
        report.error(entry.key, at(path, "tags are only allowed in the root env"));
    }
    warn_of_control(node.get("clear"), &join(path, "clear"), report);
    Env { clear: text_map(node.get("clear")), secret: secrets(node) }
}

/// Kamal spells line breaks and other control characters out, so the container gets a backslash and a letter.
fn warn_of_control(clear: Option<&Node>, path: &str, report: &mut Report<'_>) {
    for (name, entry) in clear.and_then(Node::map).into_iter().flatten() {
        if let Some(text) = entry.value.text().filter(|text| text.chars().any(char::is_control)) {
            let first = text.chars().find(|c| c.is_control()).unwrap_or_default();
            let what = if first == '\n' { "a line break".to_owned() } else { format!("the character {first:?}") };
            let spelled = escape::env_file_value(&first.to_string());
            let message = format!("{what} in it reaches the container as {spelled}");
            let help = "put the value into a file, or undo the spelling where it is read".to_owned();
            report.warn(entry.value.span, at(&join(path, name), &message), Some(help));
        }
    }
}

/// The root's `env.tags`.
pub(crate) fn tags(node: &Node, report: &mut Report<'_>) -> IndexMap<String, Env> {
    let mut tags = IndexMap::new();
    for (name, entry) in node.get("tags").and_then(Node::map).into_iter().flatten() {
        tags.insert(name.clone(), env(&entry.value, Place::Inner, &join("env/tags", name), report));
    }
    tags
}

fn secrets(node: &Node) -> Vec<SecretName> {
    let names = text_list(node.get("secret"));
    let mut secrets: Vec<SecretName> = Vec::new();
    for text in names {
        let (name, key) = text.split_once(':').unwrap_or((&text, &text));
        let secret = SecretName { name: name.to_owned(), key: key.to_owned() };
        if !secrets.contains(&secret) {
            secrets.push(secret);
        }
    }
    secrets
}
