//! Values that stand in a host's shell text by themselves, as in Kamal: no blank and no syntax of a shell may be in them.

use super::super::diagnostic::Report;
use super::super::shape::check::{at, join};
use super::super::yaml::{Map, Node};

/// Checks them all.
pub(crate) fn check(root: &Node, report: &mut Report<'_>) {
    word(root, "asset_path", "", report);
    let below = |section: &str| -> Vec<(String, &Node)> {
        let entries = root.get(section).and_then(Node::map).into_iter().flat_map(Map::iter);
        entries.map(|(name, entry)| (format!("{section}/{name}"), &entry.value)).collect()
    };
    let mut proxies: Vec<(String, &Node)> =
        root.get("proxy").map(|proxy| ("proxy".to_owned(), proxy)).into_iter().collect();
    for (path, role) in below("servers") {
        word(role, "asset_path", &path, report);
        proxies.extend(role.get("proxy").map(|proxy| (join(&path, "proxy"), proxy)));
    }
    for (path, accessory) in below("accessories") {
        for key in ["port", "network"] {
            word(accessory, key, &path, report);
        }
        proxies.extend(accessory.get("proxy").map(|proxy| (join(&path, "proxy"), proxy)));
    }
    for (path, proxy) in proxies {
        if let Some(run) = proxy.get("run") {
            for key in ["registry", "repository", "version", "log_max_size"] {
                word(run, key, &join(&path, "run"), report);
            }
        }
    }
    user(root, report);
}

fn word(owner: &Node, key: &str, path: &str, report: &mut Report<'_>) {
    let Some(node) = owner.get(key) else { return };
    let strange = |c: char| c.is_whitespace() || c.is_control() || ";&|<>()$`\\\"'*?!#{}".contains(c);
    if let Some(found) = node.text().and_then(|text| text.trim().chars().find(|c| strange(*c))) {
        report.error(
            node.span,
            at(&join(path, key), &format!("should hold no blanks and nothing of a shell, but holds {found:?}")),
        );
    }
}

/// A `ProxyCommand` runs with the user's name in it on this machine. What OpenSSH refuses there is refused here.
fn user(root: &Node, report: &mut Report<'_>) {
    let Some(node) = root.get("ssh").and_then(|ssh| ssh.get("user")) else { return };
    let Some(user) = node.text() else { return };
    let strange = |c: char| c.is_whitespace() || c.is_control() || "'`\"$;&<>|(){}".contains(c);
    if user.starts_with('-') || user.ends_with('\\') || user.contains(strange) {
        report.error(node.span, at("ssh/user", &format!("should be the name of a user, not {user:?}")));
    }
}
