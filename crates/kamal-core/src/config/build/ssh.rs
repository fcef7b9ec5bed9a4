//! `ssh` and `sshkit` (spec 2.12).

use super::super::diagnostic::Report;
use super::super::model::{Ssh, SshConfigFiles, SshKit};
use super::super::shape::check::{at, section};
use super::super::shape::keys;
use super::super::shape::suggest::did_you_mean;
use super::super::yaml::Node;
use super::options::{count, number, text, text_list};

const LOG_LEVELS: [&str; 6] = ["debug", "info", "warn", "error", "fatal", "unknown"];

/// Reads and checks `ssh`.
pub(crate) fn ssh(node: &Node, report: &mut Report<'_>) -> Ssh {
    section(node, keys::SSH, "ssh", report);
    Ssh {
        user: text(node, "user").unwrap_or_else(|| "root".to_owned()),
        port: port(node, report).unwrap_or(22),
        proxy: text(node, "proxy").map(|proxy| if proxy.contains('@') { proxy } else { format!("root@{proxy}") }),
        proxy_command: text(node, "proxy_command"),
        log_level: log_level(node, report).unwrap_or_else(|| "fatal".to_owned()),
        keys_only: node.get("keys_only").and_then(Node::bool),
        keys: text_list(node.get("keys")),
        key_data: text_list(node.get("key_data")),
        config: config_files(node),
        forward_agent: node.get("forward_agent").and_then(Node::bool),
    }
}

/// Reads and checks `sshkit`.
pub(crate) fn sshkit(node: &Node, report: &mut Report<'_>) -> SshKit {
    section(node, keys::SSHKIT, "sshkit", report);
    let mut small = |key, default| {
        let found = number(node, key, u32::MAX.into(), "sshkit", report);
        found.and_then(|value| u32::try_from(value).ok()).unwrap_or(default)
    };
    let (max_concurrent_starts, dns_retries) = (small("max_concurrent_starts", 30), small("dns_retries", 3));
    let pool_idle_timeout = count(node, "pool_idle_timeout", "sshkit", report).unwrap_or(900);
    SshKit { max_concurrent_starts, pool_idle_timeout, dns_retries }
}

fn port(node: &Node, report: &mut Report<'_>) -> Option<u16> {
    let value = node.get("port")?;
    let text = value.text()?;
    let port = text.trim().parse().ok().filter(|port| *port > 0);
    if port.is_none() {
        report.error(value.span, at("ssh/port", &format!("should be a port number, not {text}")));
    }
    port
}

fn log_level(node: &Node, report: &mut Report<'_>) -> Option<String> {
    let value = node.get("log_level")?;
    let level = value.text()?.to_lowercase();
    if !LOG_LEVELS.contains(&level.as_str()) {
        let help = did_you_mean(&level, LOG_LEVELS).or_else(|| Some(format!("it is one of {}", LOG_LEVELS.join(", "))));
        report.error_with(value.span, format!("invalid log level: {level}"), help);
    }
    Some(level)
}

fn config_files(node: &Node) -> SshConfigFiles {
    let Some(config) = node.get("config") else { return SshConfigFiles::Default };
    match config.bool() {
        Some(true) => SshConfigFiles::Default,
        Some(false) => SshConfigFiles::None,
        None if config.list().is_some() => SshConfigFiles::Files(text_list(Some(config))),
        None => SshConfigFiles::Files(config.text().into_iter().collect()),
    }
}
