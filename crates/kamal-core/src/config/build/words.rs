//! Values that stand in a host's shell text by themselves, as in Kamal: no blank and no syntax of a shell may be in them.

use super::super::diagnostic::Report;
use super::super::shape::check::at;
use super::super::yaml::Node;
use super::places::{Places, values};

/// They stand bare in commands.
const BARE: &Places = &[
    (&[], &["asset_path"]),
    (&["servers", "*"], &["asset_path"]),
    (&["accessories", "*"], &["port", "network"]),
    (&["proxy", "run"], RUN),
    (&["servers", "*", "proxy", "run"], RUN),
    (&["accessories", "*", "proxy", "run"], RUN),
];
const RUN: &[&str] = &["registry", "repository", "version", "log_max_size"];

/// Checks them all.
pub(crate) fn check(root: &Node, report: &mut Report<'_>) {
    for (path, node) in values(root, BARE) {
        let strange = |c: char| c.is_whitespace() || c.is_control() || ";&|<>()$`\\\"'*?!#{}".contains(c);
        if let Some(found) = node.text().and_then(|text| text.trim().chars().find(|c| strange(*c))) {
            let message = format!("should hold no blanks and nothing of a shell, but holds {found:?}");
            report.error(node.span, at(&path, &message));
        }
    }
    user(root, report);
}

/// A `ProxyCommand` runs with the user's name in it on this machine. What OpenSSH refuses there is refused here.
fn user(root: &Node, report: &mut Report<'_>) {
    let Some(node) = root.get("ssh").and_then(|ssh| ssh.get("user")) else { return };
    let Some(user) = node.text().filter(|user| !user.trim().is_empty()) else { return };
    let strange = |c: char| c.is_whitespace() || c.is_control() || "'`\"$;&<>|(){}".contains(c);
    if user.starts_with('-') || user.ends_with('\\') || user.contains(strange) {
        report.error(node.span, at("ssh/user", &format!("should be the name of a user, not {user:?}")));
    }
}
