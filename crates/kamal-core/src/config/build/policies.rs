//! `x-proxy`: what the proxy does beyond Kamal's settings, for all proxied roles, for one, or for an accessory.

use std::net::IpAddr;

use super::super::diagnostic::Report;
use super::super::model::{Config, Policies};
use super::super::shape::check::{at, join, section, wrong};
use super::super::shape::keys;
use super::super::shape::suggest::did_you_mean;
use super::super::source::Span;
use super::super::yaml::{Kind, Node, overlay};
use super::options::{count, text, text_list};

/// The key in the root.
const KEY: &str = "x-proxy";
/// Keys of [`KEY`] that hold the same for single ones.
const BY_NAME: [&str; 2] = ["roles", "accessories"];

/// Reads and checks `x-proxy` into the proxies of a configuration.
pub(crate) fn fill(root: &Node, config: &mut Config, report: &mut Report<'_>) {
    let Some(node) = root.get(KEY).filter(|node| !is_an_anchor(node)) else { return };
    section(node, keys::X_PROXY, KEY, report);
    if node.map().is_none() {
        return;
    }
    let all = without(node.clone(), &BY_NAME);
    let everywhere = read(&all, KEY, report);
    for role in &mut config.roles {
        if let Some(proxy) = &mut role.proxy {
            proxy.policies = everywhere.clone();
        }
    }
    each(node, "roles", report, |name, own, path, report| {
        let role = config.roles.iter_mut().find(|role| role.name == name);
        let Some(role) = role else { return Some(config.roles.iter().map(|role| role.name.to_string()).collect()) };
        let policies = read(&overlay(all.clone(), own.clone()), path, report);
        match &mut role.proxy {
            Some(proxy) => proxy.policies = policies,
            None => report.warn(own.span, format!("{path} is ignored: the role is not proxied"), None),
        }
        None
    });
    each(node, "accessories", report, |name, own, path, report| {
        let accessory = config.accessories.iter_mut().find(|accessory| accessory.name == name);
        let Some(accessory) = accessory else {
            return Some(config.accessories.iter().map(|accessory| accessory.name.clone()).collect());
        };
        let policies = read(own, path, report);
        match &mut accessory.proxy {
            Some(proxy) => proxy.policies = policies,
            None => report.warn(own.span, format!("{path} is ignored: the accessory is not proxied"), None),
        }
        None
    });
}

/// Whether somebody keeps an anchor of their own there: a `proxy` to refer to, or anything that is no mapping.
fn is_an_anchor(node: &Node) -> bool {
    let known = |keys: &[super::super::shape::Key], name: &str| keys.iter().any(|key| key.name == name);
    node.map().is_none_or(|map| map.keys().all(|name| known(keys::PROXY, name) && !known(keys::X_PROXY, name)))
}

fn without(mut node: Node, keys: &[&str]) -> Node {
    if let Kind::Map(map) = &mut node.kind {
        map.retain(|name, _| !keys.contains(&name.as_str()));
    }
    node
}

/// Checks each entry of a section by name and hands it on; names come back where there is none of that name.
fn each(
    node: &Node,
    kind: &str,
    report: &mut Report<'_>,
    mut take: impl FnMut(&str, &Node, &str, &mut Report<'_>) -> Option<Vec<String>>,
) {
    for (name, entry) in node.get(kind).and_then(Node::map).into_iter().flatten() {
        let path = join(&join(KEY, kind), name);
        if entry.value.map().is_none() {
            wrong("a hash", &entry.value, &path, report);
            continue;
        }
        section(&entry.value, keys::POLICIES, &path, report);
        if let Some(known) = take(name, &entry.value, &path, report) {
            let help = did_you_mean(name, known.iter().map(String::as_str));
            report.error_with(entry.key, format!("{}: there is no {name}", join(KEY, kind)), help);
        }
    }
}

fn read(node: &Node, path: &str, report: &mut Report<'_>) -> Policies {
    let flag = |key: &str| node.get(key).and_then(Node::bool);
    networks(node, path, report);
    rate(node, path, report);
    together(node, path, report);
    Policies {
        compress: flag("compress"),
        compress_min_size: count(node, "compress_min_size", path, report),
        compress_types: types(node, path, report),
        basic_auth: text(node, "basic_auth"),
        allow_addresses: text_list(node.get("allow_addresses")),
        deny_addresses: text_list(node.get("deny_addresses")),
        trusted_proxies: text_list(node.get("trusted_proxies")),
        rate_limit: text(node, "rate_limit"),
        rate_limit_burst: count(node, "rate_limit_burst", path, report),
        redirects: redirects(node, path, report),
        sticky: flag("sticky"),
        eject_after: count(node, "eject_after", path, report),
        target_h2c: flag("target_h2c"),
        acme_directory: text(node, "acme_directory"),
        acme_email: text(node, "acme_email"),
        acme_eab_kid: text(node, "acme_eab_kid"),
        acme_eab_key: text(node, "acme_eab_key"),
        acme_dns_hook: text(node, "acme_dns_hook"),
    }
}

fn networks(node: &Node, path: &str, report: &mut Report<'_>) {
    for key in ["allow_addresses", "deny_addresses", "trusted_proxies"] {
        for (index, item) in node.get(key).and_then(Node::list).unwrap_or_default().iter().enumerate() {
            if let Some(text) = item.text().filter(|text| !is_network(text)) {
                let path = join(&join(path, key), &index.to_string());
                report.error(item.span, at(&path, &format!("should be an address or a network, not {text}")));
            }
        }
    }
}

/// `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`.
pub(super) fn is_network(text: &str) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| length.parse().is_ok_and(|length: u8| length <= most))
}

fn rate(node: &Node, path: &str, report: &mut Report<'_>) {
    let Some(value) = node.get("rate_limit") else { return };
    let Some(text) = value.text() else { return };
    let fits = text.split_once('/').is_some_and(|(count, unit)| {
        count.parse::<u32>().is_ok_and(|count| count > 0) && matches!(unit, "s" | "m" | "h")
    });
    if !fits {
        let message = format!("should be a number of requests such as 10/s, 100/m or 1000/h, not {text}");
        report.error(value.span, at(&join(path, "rate_limit"), &message));
    }
}

fn types(node: &Node, path: &str, report: &mut Report<'_>) -> Vec<String> {
    let token =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c));
    for (index, item) in node.get("compress_types").and_then(Node::list).unwrap_or_default().iter().enumerate() {
        let fits = |text: &String| text.split_once('/').is_some_and(|(kind, of)| token(kind) && token(of));
        if let Some(text) = item.text().filter(|text| !fits(text)) {
            let path = join(&join(path, "compress_types"), &index.to_string());
            report.error(item.span, at(&path, &format!("should be a media type such as application/json, not {text}")));
        }
    }
    text_list(node.get("compress_types"))
}

fn redirects(node: &Node, path: &str, report: &mut Report<'_>) -> Vec<(String, String)> {
    let path = join(path, "redirects");
    let mut found = Vec::new();
    for (from, entry) in node.get("redirects").and_then(Node::map).into_iter().flatten() {
        let Some(to) = entry.value.text() else { continue };
        if let Some(why) = redirect_fault(from, &to) {
            report.error(entry.key, at(&join(&path, from), why));
        }
        found.push((from.clone(), to));
    }
    found
}

/// Why the proxy would not take a redirect. The target of a wildcard has its own only behind a slash: what a client asks
/// for must not become part of a host's name.
fn redirect_fault(from: &str, to: &str) -> Option<&'static str> {
    let is_url = to.starts_with("http://") || to.starts_with("https://");
    let is_path = to.starts_with('/') && !to.starts_with("//");
    if to.chars().any(|c| c.is_control() || c.is_whitespace()) || !(is_url || is_path) {
        return Some("should lead to a path that begins with / or to a URL");
    }
    if from.contains(['=', ',']) || to.contains(',') {
        return Some("should hold no comma, and no = before the target");
    }
    if from.starts_with('/') {
        let open = from.ends_with('*') && to.ends_with('*') && !to.ends_with("/*");
        return open.then_some("should have a / before the * of its target");
    }
    (from.contains(['/', '*']) || !is_url).then_some("should begin with / for a path, or be a host that leads to a URL")
}

/// Keys that say nothing without another.
fn together(node: &Node, path: &str, report: &mut Report<'_>) {
    let pairs = [
        ("compress_min_size", "compress"),
        ("compress_types", "compress"),
        ("rate_limit_burst", "rate_limit"),
        ("acme_eab_kid", "acme_eab_key"),
        ("acme_eab_key", "acme_eab_kid"),
    ];
    for (key, needed) in pairs {
        if let Some(span) = lacks(node, key, needed) {
            let help = format!("give {needed} as well");
            report.error_with(span, format!("{} does nothing without {needed}", join(path, key)), Some(help));
        }
    }
}

fn lacks(node: &Node, key: &str, needed: &str) -> Option<Span> {
    let entry = node.entry(key)?;
    node.get(needed).is_none_or(Node::is_blank).then_some(entry.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_what_the_proxy_takes() {
        for (from, to) in
            [("/a", "/b"), ("/a/*", "/b/*"), ("/a*", "https://b.example/*"), ("old.example", "https://b.example/x")]
        {
            assert_eq!(redirect_fault(from, to), None, "{from} {to}");
        }
        for (from, to) in [
            ("/a", "b"),
            ("/a", "//b"),
            ("a.example", "/b"),
            ("a*", "https://b"),
            ("/a*", "https://b*"),
            ("/a", "/b c"),
            ("a/b", "https://c"),
            ("/a=b", "/c"),
            ("/a", "/b,c"),
            ("/a*", "/b*"),
        ] {
            assert!(redirect_fault(from, to).is_some(), "{from} {to}");
        }
    }

    #[test]
    fn networks_are_addresses_with_a_length_or_without() {
        assert!(["10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "0.0.0.0/0"].into_iter().all(is_network));
        assert!(!["10.0.0", "10.0.0.0/33", "x", "::/129", "10.0.0.0/", "1.1.1.1/8/8"].into_iter().any(is_network));
    }
}
