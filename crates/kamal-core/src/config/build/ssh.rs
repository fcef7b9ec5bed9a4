//! `ssh` and `sshkit` (spec 2.12).

use super::super::diagnostic::Report;
use super::super::model::{KnownHosts, PinnedKeys, Ssh, SshConfigFiles, SshKit};
use super::super::shape::check::{at, section};
use super::super::shape::keys;
use super::super::shape::suggest::did_you_mean;
use super::super::yaml::Node;
use super::options::{count, number, text, text_list};

const LOG_LEVELS: [&str; 6] = ["debug", "info", "warn", "error", "fatal", "unknown"];

/// The key that says by which keys hosts are known.
const KNOWN_HOSTS: &str = "known_hosts";

/// Reads and checks `ssh`, and `x-ssh`, which is somebody's own without [`KNOWN_HOSTS`].
pub(crate) fn ssh(node: &Node, beyond: Option<&Node>, report: &mut Report<'_>) -> Ssh {
    section(node, keys::SSH, "ssh", report);
    let beyond = beyond.filter(|node| node.get(KNOWN_HOSTS).is_some());
    if let Some(beyond) = beyond {
        section(beyond, keys::X_SSH, "x-ssh", report);
    }
    if let Some(entry) = node.entry(KNOWN_HOSTS) {
        let message = match beyond {
            Some(_) => "ssh/known_hosts is ignored beside x-ssh/known_hosts",
            None => "ssh/known_hosts is refused by Kamal, which passes over x-ssh/known_hosts",
        };
        let help = "move it: `x-ssh: {known_hosts: …}` beside `ssh`".to_owned();
        report.warn(entry.key, message, Some(help));
    }
    let (from, path) = beyond.map_or((node, "ssh/known_hosts"), |beyond| (beyond, "x-ssh/known_hosts"));
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
        known_hosts: known_hosts(from, path, report),
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

fn known_hosts(node: &Node, path: &str, report: &mut Report<'_>) -> KnownHosts {
    let Some(value) = node.get(KNOWN_HOSTS) else { return KnownHosts::Ask };
    if value.text().as_deref() == Some("accept-new") {
        return KnownHosts::AcceptNew;
    }
    let items: Vec<&Node> = value.list().map_or_else(|| vec![value], |list| list.iter().collect());
    let (mut pinned, mut wrong) = (Vec::new(), false);
    for item in items {
        // Of another type than text: said where types are checked.
        let Some(text) = item.text() else { continue };
        match pinned_keys(&text) {
            Ok(mut found) => pinned.append(&mut found),
            Err(why) => {
                wrong = true;
                report.error(item.span, at(path, &why));
            }
        }
    }
    if pinned.is_empty() && !wrong {
        report.error_with(
            value.span,
            at(path, "should name a key, a file or accept-new"),
            Some("`ssh-keyscan HOST` prints lines to compare with the host's own and to put here".to_owned()),
        );
    }
    KnownHosts::Pinned(pinned)
}

/// Lines when there is white space in it, else the path of a file.
fn pinned_keys(text: &str) -> Result<Vec<PinnedKeys>, String> {
    let text = text.trim();
    if text == "accept-new" {
        return Err("accept-new stands alone, since other keys would not count beside it".to_owned());
    }
    if !text.is_empty() && !text.contains(char::is_whitespace) {
        return Ok(vec![PinnedKeys::File(text.to_owned())]);
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().skip(usize::from(line.starts_with('@'))).collect();
            let looks_right = matches!(words.as_slice(), [_, kind, key, ..]
                if key.starts_with("AAAA") && (kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-")));
            if looks_right {
                Ok(PinnedKeys::Line(line.to_owned()))
            } else {
                Err(format!("should be a path or a line of known_hosts (NAMES TYPE KEY), not {line}"))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_keys_are_lines_or_files() {
        let line = "web ssh-ed25519 AAAAC3Nz";
        let authority = "@cert-authority *.example.com ecdsa-sha2-nistp256 AAAAE2Vj comment";
        let both = format!("# ours\n{line}\n\n{authority}\n");
        let lines = [PinnedKeys::Line(line.to_owned()), PinnedKeys::Line(authority.to_owned())];
        assert_eq!(pinned_keys(&both).unwrap(), lines);
        assert_eq!(pinned_keys("config/known_hosts").unwrap(), [PinnedKeys::File("config/known_hosts".to_owned())]);
        for wrong in ["web ssh-ed25519", "web AAAAC3Nz ssh-ed25519", "accept-new", "a b c"] {
            assert!(pinned_keys(wrong).is_err(), "{wrong}");
        }
        assert!(pinned_keys("").unwrap().is_empty());
    }

    #[test]
    fn keys_of_hosts_have_a_place_that_kamal_passes_over() {
        use crate::config::{Source, load};
        use crate::testing::NoTemplateWorld;
        let of = |text: &str| {
            let file = format!(
                "service: app\nimage: acme/app\nservers: [h]\nregistry: {{username: u, password: [P]}}\n\
                 builder: {{arch: amd64}}\n{text}"
            );
            load(&Source::new("config/deploy.yml", file), None, &NoTemplateWorld).map(|loaded| {
                let warnings: Vec<String> = loaded.warnings.iter().map(|warning| warning.message.clone()).collect();
                (loaded.config.ssh.known_hosts, warnings)
            })
        };
        let file = |name: &str| KnownHosts::Pinned(vec![PinnedKeys::File(name.to_owned())]);
        assert_eq!(of("x-ssh: {known_hosts: [a]}\n").unwrap(), (file("a"), Vec::new()));
        let (old, warnings) = of("ssh: {known_hosts: [b]}\n").unwrap();
        assert!(old == file("b") && warnings.len() == 1 && warnings[0].contains("x-ssh/known_hosts"), "{warnings:?}");
        let (both, warnings) = of("ssh: {known_hosts: [b]}\nx-ssh: {known_hosts: accept-new}\n").unwrap();
        assert!(
            both == KnownHosts::AcceptNew && warnings.len() == 1 && warnings[0].contains("is ignored"),
            "{warnings:?}"
        );
        let own = of("x-ssh: &mine {user: deploy}\nssh: {<<: *mine}\n").unwrap();
        assert_eq!(own, (KnownHosts::Ask, Vec::new()));
        let wrong = of("x-ssh: {known_hosts: [a], known_host: b}\n").unwrap_err().to_string();
        assert!(wrong.contains("x-ssh: unknown key: known_host"), "{wrong}");
    }
}
