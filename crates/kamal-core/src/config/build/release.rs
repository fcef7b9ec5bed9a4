//! `x-release`: a command that runs once before a version serves.

use std::time::Duration;

use super::super::diagnostic::Report;
use super::super::model::{Config, Release};
use super::super::shape::check::{at, section};
use super::super::shape::keys;
use super::super::shape::suggest::did_you_mean;
use super::super::yaml::Node;
use super::options::{count, text};

/// The key in the root.
const KEY: &str = "x-release";
/// How long it may take where nothing is said.
const TIMEOUT: u64 = 600;

/// Reads and checks it. What is no mapping was refused already.
pub(crate) fn release(root: &Node, config: &Config, report: &mut Report<'_>) -> Option<Release> {
    let entry = root.entry(KEY).filter(|entry| entry.value.map().is_some())?;
    let node = &entry.value;
    section(node, keys::X_RELEASE, KEY, report);
    let timeout = count(node, "timeout", KEY, report).unwrap_or(TIMEOUT);
    if let Some(zero) = node.get("timeout").filter(|_| timeout == 0) {
        report.error(zero.span, at("x-release/timeout", "should be at least 1 second"));
    }
    let name = text(node, "role").unwrap_or_else(|| config.primary_role.to_string());
    let role = config.roles.iter().find(|role| role.name == *name.as_str());
    if let (None, Some(node)) = (role, node.get("role")) {
        let known: Vec<&str> = config.roles.iter().map(|role| role.name.as_str()).collect();
        let help =
            did_you_mean(&name, known.iter().copied()).or_else(|| Some(format!("the roles are {}", known.join(", "))));
        report.error_with(node.span, at("x-release/role", &format!("there is no role {name}")), help);
    }
    let Some(cmd) = text(node, "cmd").filter(|cmd| !cmd.trim().is_empty()) else {
        report.error(
            node.get("cmd").map_or(entry.key, |cmd| cmd.span),
            at("x-release/cmd", "is required: the command to run"),
        );
        return None;
    };
    Some(Release { cmd, role: role?.name.clone(), timeout: Duration::from_secs(timeout) })
}
