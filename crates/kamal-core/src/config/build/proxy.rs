//! `proxy` of the root, of roles and of accessories (spec 2.9, 2.10).

use std::net::IpAddr;

use super::super::diagnostic::Report;
use super::super::model::{Buffering, HealthCheck, Policies, Proxy, ProxyRun, Ssl};
use super::super::shape::check::{at, join, section};
use super::super::shape::keys;
use super::super::yaml::{Kind, Node};
use super::options::{count, plain_options, port, text, text_list};

/// The version of kamal-proxy Kamal 2.12 starts, and the oldest it works with.
pub(crate) const PROXY_VERSION: &str = "v0.9.2";

/// Checks a `proxy` mapping: types, then what belongs together.
pub(crate) fn check(node: &Node, path: &str, report: &mut Report<'_>) {
    section(node, keys::PROXY, path, report);
    if node.map().is_none() {
        return;
    }
    let blank = |key| node.get(key).is_none_or(Node::is_blank);
    if let Some(ssl) = node.get("ssl").filter(|ssl| ssl.is_truthy())
        && blank("host")
        && blank("hosts")
        && blank("tls_on_demand_url")
    {
        report.error(ssl.span, at(path, "Must set a host to enable automatic SSL"));
    }
    if let (Some(host), Some(hosts)) = (node.entry("host"), node.entry("hosts")) {
        let place = |span| format!("{}:{}", report.file(span), report.line(span));
        let help = format!("`host` is given at {}, `hosts` at {}; keep one", place(host.key), place(hosts.key));
        report.error_with(hosts.key, at(path, "Specify one of 'host' or 'hosts', not both"), Some(help));
    }
    if let Some(ssl) = node.get("ssl").filter(|ssl| ssl.map().is_some()) {
        let blank = |key| ssl.get(key).is_none_or(Node::is_blank);
        for (key, other) in [("certificate_pem", "private_key_pem"), ("private_key_pem", "certificate_pem")] {
            if !blank(key) && blank(other) {
                report.error(ssl.span, at(path, &format!("Missing {other} setting (required when {key} is present)")));
            }
        }
    }
    on_demand(node, path, report);
    if let Some(canonical) = node.get("canonical_host").filter(|node| !node.is_blank())
        && let Some(text) = canonical.text().filter(|text| !hosts(node).is_empty() && !hosts(node).contains(text))
    {
        let message = format!("should be one of the hosts ({}), not {text}", hosts(node).join(", "));
        report.error(canonical.span, at(&join(path, "canonical_host"), &message));
    }
    if let Some(run) = node.get("run").filter(|run| run.get("publish").and_then(Node::bool) == Some(false)) {
        for key in ["http_port", "https_port", "bind_ips"] {
            if let Some(entry) = run.entry(key).filter(|entry| !entry.value.is_blank()) {
                let message = "Cannot set http_port, https_port or bind_ips when publish is false";
                report.error(entry.key, at(path, message));
                break;
            }
        }
    }
    // Kamal means to check them, but looks at the wrong key; docker would refuse them, on every host.
    let bind_ips = node.get("run").and_then(|run| run.get("bind_ips")).and_then(Node::list).unwrap_or_default();
    for (index, item) in bind_ips.iter().enumerate() {
        if let Some(ip) = item.text().filter(|ip| ip.parse::<IpAddr>().is_err()) {
            let path = join(path, &format!("run/bind_ips/{index}"));
            report.error(item.span, at(&path, &format!("should be an IP address, not {ip}")));
        }
    }
}

/// `tls_on_demand_url` stands for hosts that nobody knows yet.
fn on_demand(node: &Node, path: &str, report: &mut Report<'_>) {
    let Some(url) = node.get("tls_on_demand_url").filter(|node| !node.is_blank()) else { return };
    let path = join(path, "tls_on_demand_url");
    let text = url.text().unwrap_or_default();
    let absolute = ["http://", "https://"].iter().filter_map(|scheme| text.strip_prefix(scheme));
    let has_host = absolute.into_iter().any(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']));
    if !(has_host || text.starts_with('/') && !text.starts_with("//")) {
        report.error(url.span, at(&path, &format!("should be a path or a URL, not {text}")));
    }
    match node.get("ssl") {
        Some(ssl) if ssl.bool() == Some(true) => {}
        _ => report.error(url.span, at(&path, "needs ssl: true")),
    }
    for key in ["host", "hosts", "canonical_host"] {
        if let Some(entry) = node.entry(key).filter(|entry| !entry.value.is_blank()) {
            report.error(entry.key, at(&path, &format!("excludes {key}: hosts are found on demand")));
        }
    }
}

/// Reads a checked `proxy` mapping. Only what cannot be represented is said here.
pub(crate) fn read(node: &Node, path: &str, report: &mut Report<'_>) -> Proxy {
    let health = node.get("healthcheck");
    let buffering = node.get("buffering");
    let logging = node.get("logging");
    let empty = Node::empty_map(node.span);
    let (health, buffering) = (health.unwrap_or(&empty), buffering.unwrap_or(&empty));
    let (health_path, buffering_path) = (join(path, "healthcheck"), join(path, "buffering"));
    Proxy {
        hosts: hosts(node),
        app_port: port(node, "app_port", path, report).unwrap_or(80),
        ssl: ssl(node),
        ssl_redirect: node.get("ssl_redirect").and_then(Node::bool),
        forward_headers: node.get("forward_headers").and_then(Node::bool),
        response_timeout: count(node, "response_timeout", path, report),
        path_prefixes: path_prefixes(node),
        strip_path_prefix: node.get("strip_path_prefix").and_then(Node::bool),
        healthcheck: HealthCheck {
            interval: count(health, "interval", &health_path, report),
            path: text(health, "path"),
            timeout: count(health, "timeout", &health_path, report),
        },
        buffering: Buffering {
            requests: buffering.get("requests").and_then(Node::bool),
            responses: buffering.get("responses").and_then(Node::bool),
            max_request_body: count(buffering, "max_request_body", &buffering_path, report),
            max_response_body: count(buffering, "max_response_body", &buffering_path, report),
            memory: count(buffering, "memory", &buffering_path, report),
        },
        log_request_headers: logging
            .and_then(|logging| logging.get("request_headers"))
            .map(|headers| text_list(Some(headers))),
        log_response_headers: text_list(logging.and_then(|logging| logging.get("response_headers"))),
        client_ip_header: text(node, "client_ip_header").filter(|header| !header.trim().is_empty()),
        exclude_metrics_paths: text_list(node.get("exclude_metrics_paths")),
        canonical_host: text(node, "canonical_host").filter(|host| !host.trim().is_empty()),
        tls_on_demand_url: text(node, "tls_on_demand_url").filter(|url| !url.trim().is_empty()),
        policies: Policies::default(),
        run: node
            .get("run")
            .filter(|run| run.map().is_some() && !run.is_blank())
            .map(|run| read_run(run, &join(path, "run"), report)),
    }
}

fn hosts(node: &Node) -> Vec<String> {
    match node.get("hosts").and_then(Node::list) {
        Some(hosts) => hosts.iter().filter_map(host_name).collect(),
        None => commas(node, "host"),
    }
}

fn host_name(node: &Node) -> Option<String> {
    node.text().or_else(|| node.map().and_then(|map| map.keys().next().cloned()))
}

fn path_prefixes(node: &Node) -> Vec<String> {
    match node.get("path_prefixes") {
        Some(prefixes) => text_list(Some(prefixes)),
        None => commas(node, "path_prefix"),
    }
}

fn commas(node: &Node, key: &str) -> Vec<String> {
    let all = text(node, key).unwrap_or_default();
    all.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn ssl(node: &Node) -> Ssl {
    let Some(ssl) = node.get("ssl").filter(|ssl| ssl.is_truthy()) else { return Ssl::Off };
    match (text(ssl, "certificate_pem"), text(ssl, "private_key_pem")) {
        (Some(certificate_pem), Some(private_key_pem))
            if !certificate_pem.trim().is_empty() && !private_key_pem.trim().is_empty() =>
        {
            Ssl::Custom { certificate_pem, private_key_pem }
        }
        _ => Ssl::Automatic,
    }
}

fn read_run(node: &Node, path: &str, report: &mut Report<'_>) -> ProxyRun {
    ProxyRun {
        http_port: port(node, "http_port", path, report).unwrap_or(80),
        https_port: port(node, "https_port", path, report).unwrap_or(443),
        bind_ips: text_list(node.get("bind_ips")),
        publish: node.get("publish").and_then(Node::bool).unwrap_or(true),
        metrics_port: port(node, "metrics_port", path, report),
        debug: node.get("debug").and_then(Node::bool).unwrap_or(false),
        http3: node.get("http3").and_then(Node::bool).unwrap_or(false),
        log_max_size: match node.get("log_max_size") {
            None | Some(Node { kind: Kind::Null, .. }) => Some("10m".to_owned()),
            Some(size) => size.text().filter(|size| !size.trim().is_empty()),
        },
        registry: text(node, "registry").filter(|registry| !registry.trim().is_empty()),
        repository: text(node, "repository").unwrap_or_else(|| "basecamp/kamal-proxy".to_owned()),
        version: text(node, "version").unwrap_or_else(|| PROXY_VERSION.to_owned()),
        image_chosen: ["registry", "repository", "version"].iter().any(|key| node.get(key).is_some()),
        options: plain_options(node.get("options"), &join(path, "options"), report),
    }
}
