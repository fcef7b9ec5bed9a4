//! `servers`: hosts, their tags, and roles (spec 2.5).

use indexmap::IndexMap;

use super::super::destination::make_way;
use super::super::diagnostic::Report;
use super::super::model::{Env, Logging, Role, TaggedHost};
use super::super::shape::check::{at, hosts as check_hosts, join, section, wrong};
use super::super::shape::keys;
use super::super::source::Span;
use super::super::yaml::{Kind, Node, overlay};
use super::env::{Place, env};
use super::options::{check_labels, count, docker_options, logging, text, text_map};
use super::proxy;
use crate::name::{HostName, RoleName};

/// A role as it stands in the file, checked but not yet merged with the root.
pub(crate) struct RawRole<'a> {
    pub(crate) name: String,
    /// The role's key, or the list of servers.
    pub(crate) span: Span,
    pub(crate) hosts: Vec<TaggedHost>,
    /// The mapping form.
    settings: Option<&'a Node>,
    options: (super::super::model::DockerOptions, String),
    env: Env,
    logging: Option<Logging>,
    /// True when the role's own proxy has errors, so that merging would only repeat them.
    proxy_is_bad: bool,
}

/// Reads and checks every role, in Kamal's base order: by name.
pub(crate) fn roles<'a>(servers: &'a Node, report: &mut Report<'_>) -> Vec<RawRole<'a>> {
    match &servers.kind {
        Kind::List(_) => {
            check_hosts(servers, "servers", report);
            vec![raw("web", servers.span, servers, None, report)]
        }
        Kind::Map(map) => {
            let mut roles: Vec<_> = map.iter().collect();
            roles.sort_by_key(|(name, _)| name.as_str());
            roles
                .into_iter()
                .filter_map(|(name, entry)| {
                    if let Err(error) = RoleName::parse(name.as_str()) {
                        report.error(entry.key, at("servers", &error.to_string()));
                    }
                    role(name, entry.key, &entry.value, report)
                })
                .collect()
        }
        // Said by the check of the root.
        _ => Vec::new(),
    }
}

fn role<'a>(name: &str, span: Span, node: &'a Node, report: &mut Report<'_>) -> Option<RawRole<'a>> {
    let path = join("servers", name);
    match &node.kind {
        Kind::List(_) => {
            check_hosts(node, &path, report);
            Some(raw(name, span, node, None, report))
        }
        Kind::Map(_) => {
            section(node, keys::ROLE, &path, report);
            check_labels(node, &path, report);
            let nothing = Node { span, kind: Kind::Null };
            Some(raw(name, span, node.get("hosts").unwrap_or(&nothing), Some(node), report))
        }
        _ => {
            wrong("an array or a hash", node, &path, report);
            None
        }
    }
}

fn raw<'a>(name: &str, span: Span, hosts: &Node, settings: Option<&'a Node>, report: &mut Report<'_>) -> RawRole<'a> {
    let path = join("servers", name);
    let empty = Node::empty_map(span);
    let owner = settings.unwrap_or(&empty);
    let options = docker_options(owner, &path, report);
    let map_below = |key: &str| owner.get(key).filter(|node| node.map().is_some());
    let env = map_below("env").map(|node| env(node, Place::Inner, &join(&path, "env"), report)).unwrap_or_default();
    let logging = map_below("logging").map(|node| logging(node, &join(&path, "logging"), report));
    let before = report.errors.len();
    if let Some(node) = map_below("proxy") {
        proxy::check(node, &join(&path, "proxy"), report);
    }
    let proxy_is_bad = report.errors.len() > before;
    let hosts = tagged(hosts, &path, report);
    RawRole { name: name.to_owned(), span, hosts, settings, options, env, logging, proxy_is_bad }
}

/// What the root gives to roles.
pub(crate) struct FromRoot<'a> {
    pub(crate) primary: &'a str,
    /// The root's `proxy`, if it is there and sound.
    pub(crate) proxy: Option<&'a Node>,
    pub(crate) logging: &'a Logging,
    pub(crate) stop_timeout: Option<u64>,
    pub(crate) asset_path: Option<&'a String>,
}

impl RawRole<'_> {
    /// The role with the root's settings under it.
    pub(crate) fn merge(&self, root: &FromRoot<'_>, report: &mut Report<'_>) -> Role {
        let path = join("servers", &self.name);
        let empty = Node::empty_map(self.span);
        let owner = self.settings.unwrap_or(&empty);
        let (options, restart) = self.options.clone();
        Role {
            name: RoleName::of_checked(self.name.clone()),
            hosts: self.hosts.clone(),
            cmd: text(owner, "cmd"),
            stop_timeout: count(owner, "stop_timeout", &path, report).or(root.stop_timeout),
            options,
            restart,
            logging: merge_logging(root.logging, self.logging.as_ref()),
            proxy: self.proxied(root.primary).then(|| self.proxy(root, report)),
            labels: text_map(owner.get("labels")),
            env: self.env.clone(),
            // An empty one of the role's own takes the root's away.
            asset_path: text(owner, "asset_path")
                .or_else(|| root.asset_path.cloned())
                .filter(|path| !path.trim().is_empty()),
        }
    }

    /// The primary role unless it says no; the others only when they say so.
    fn proxied(&self, primary: &str) -> bool {
        let own = self.settings.and_then(|settings| settings.get("proxy"));
        if self.name == primary {
            own.is_none_or(|own| own.bool() != Some(false))
        } else {
            own.is_some_and(Node::is_truthy)
        }
    }

    fn proxy(&self, root: &FromRoot<'_>, report: &mut Report<'_>) -> super::super::model::Proxy {
        let own = self.settings.and_then(|settings| settings.get("proxy")).filter(|own| own.map().is_some());
        let merged = match (root.proxy, own) {
            (Some(root), Some(own)) => overlay(make_way(root.clone(), own), own.clone()),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => Node::empty_map(self.span),
        };
        if own.is_some() && root.proxy.is_some() && !self.proxy_is_bad {
            proxy::check(&merged, "proxy", report);
        }
        proxy::read(&merged, "proxy", report)
    }
}

fn merge_logging(root: &Logging, own: Option<&Logging>) -> Logging {
    let mut merged = root.clone();
    if let Some(own) = own {
        merged.driver = own.driver.clone().or(merged.driver);
        merged.options.extend(own.options.clone());
    }
    merged
}

/// Hosts and their tags. A host given twice is one, with the last entry's tags; what is no text is dropped, as Kamal
/// does, but not in silence.
pub(crate) fn tagged(node: &Node, path: &str, report: &mut Report<'_>) -> Vec<TaggedHost> {
    let mut hosts: IndexMap<String, Vec<String>> = IndexMap::new();
    for item in node.list().unwrap_or_default() {
        match &item.kind {
            Kind::Text(host) => {
                name(host, item.span, path, report);
                hosts.insert(host.clone(), Vec::new());
            }
            Kind::Map(map) => {
                for (host, entry) in map {
                    name(host, entry.key, path, report);
                    let tags = match entry.value.list() {
                        Some(tags) => tags.iter().filter_map(Node::text).collect(),
                        None => entry.value.text().into_iter().collect(),
                    };
                    hosts.insert(host.clone(), tags);
                }
            }
            _ => {
                if let Some(text) = item.text() {
                    let help = "put it in quotes if it is a host's name".to_owned();
                    report.warn(item.span, format!("`{text}` is not a text, so it is not taken as a host"), Some(help));
                }
            }
        }
    }
    hosts.into_iter().map(|(host, tags)| TaggedHost { name: HostName::of_checked(host), tags }).collect()
}

/// A host's name; what can be none is reported.
pub(crate) fn name(host: &str, span: Span, path: &str, report: &mut Report<'_>) -> HostName {
    if let Err(error) = HostName::parse(host) {
        report.error(span, at(path, &error.to_string()));
    }
    HostName::of_checked(host)
}
