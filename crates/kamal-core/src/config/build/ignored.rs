//! Keys that are sound and say nothing, because another takes their place or something is missing beside them. Kamal
//! takes them in silence.

use super::super::diagnostic::Report;
use super::super::shape::check::{at, join};
use super::super::shape::suggest::did_you_mean;
use super::super::yaml::{Map, Node};

/// Warns of them all.
pub(crate) fn check(root: &Node, report: &mut Report<'_>) {
    if let Some(entry) = root.entry("run_directory") {
        let help = "remove it".to_owned();
        report.warn(entry.key, "run_directory is ignored: files on the hosts are always below .kamal", Some(help));
    }
    if let Some(ssh) = root.get("ssh") {
        beaten(ssh, "ssh", "proxy_command", "proxy", report);
    }
    let cache = root.get("builder").and_then(|builder| builder.entry("cache"));
    if let Some(cache) = cache.filter(|cache| cache.value.get("type").is_none_or(Node::is_blank)) {
        let help = "add `type: registry` or `type: gha`".to_owned();
        report.warn(cache.key, "builder/cache is ignored: it has no type", Some(help));
    }
    for (path, proxy) in proxies(root) {
        beaten(proxy, &path, "path_prefix", "path_prefixes", report);
        unknown_of_ssl(proxy, &path, report);
    }
}

/// Of two keys for one thing, the one that does not count.
fn beaten(node: &Node, path: &str, loser: &str, winner: &str, report: &mut Report<'_>) {
    if let (Some(entry), Some(_)) = (node.entry(loser), node.get(winner).filter(|node| node.is_truthy())) {
        let message = format!("{} is ignored: {winner} counts", join(path, loser));
        report.warn(entry.key, message, Some("remove one of them".to_owned()));
    }
}

/// Every `proxy` that is a mapping, with its path.
fn proxies(root: &Node) -> Vec<(String, &Node)> {
    let below = |section: &'static str| {
        let entries = root.get(section).and_then(Node::map).into_iter().flat_map(Map::iter);
        entries.filter_map(move |(name, entry)| Some((format!("{section}/{name}/proxy"), entry.value.get("proxy")?)))
    };
    let own = root.get("proxy").map(|proxy| ("proxy".to_owned(), proxy));
    let all = own.into_iter().chain(below("servers")).chain(below("accessories"));
    all.filter(|(_, proxy)| proxy.map().is_some()).collect()
}

fn unknown_of_ssl(proxy: &Node, path: &str, report: &mut Report<'_>) {
    const KEYS: [&str; 2] = ["certificate_pem", "private_key_pem"];
    for (name, entry) in proxy.get("ssl").and_then(Node::map).into_iter().flatten() {
        if !KEYS.contains(&name.as_str()) {
            let help = did_you_mean(name, KEYS).or_else(|| Some(format!("it is {}", KEYS.join(" or "))));
            report.warn(entry.key, at(&join(path, "ssl"), &format!("{name} is ignored")), help);
        }
    }
}
