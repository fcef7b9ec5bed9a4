//! What `kamal config` prints: the values a configuration comes down to (spec 2.14), in the order and, for YAML, the
//! very form of Ruby, symbols and all, as scripts read it.

mod psych;

use super::load::Loaded;
use super::model::Logging;
use super::source::Span;
use super::yaml::{Entry, Kind, Map, Node};
use crate::name::{HostName, Version};
use crate::shell::escape::value;

/// The document, ready to be printed.
#[derive(Clone, Debug)]
pub struct Effective(Node);

impl Effective {
    /// As Ruby's `to_yaml` prints it, with symbols for keys (`:roles:`).
    #[must_use]
    pub fn to_yaml(&self) -> String {
        psych::print(&self.0)
    }

    /// As JSON, keys without their colons.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        json(&self.0)
    }
}

/// The effective values of a configuration for a version of the app.
#[must_use]
pub fn effective(loaded: &Loaded, version: &Version) -> Effective {
    let config = &loaded.config;
    let raw = |key: &str| loaded.raw.0.get(key).cloned();
    let repository = config.repository();
    let hosts = config.hosts();
    let primary_host = config.primary().and_then(|role| role.hosts.first()).map(|host| host.name.as_str());
    let volumes = config.volumes.iter().flat_map(|volume| ["--volume", volume]);
    let map = [
        (":roles", Some(list(config.roles.iter().map(|role| role.name.as_str())))),
        (":hosts", Some(list(hosts.iter().map(HostName::as_str)))),
        (":primary_host", primary_host.map(text)),
        (":version", Some(text(version))),
        (":repository", Some(text(&repository))),
        (":absolute_image", Some(text(&format!("{repository}:{version}")))),
        (":service_with_version", Some(text(&format!("{}-{version}", config.service)))),
        (":volume_args", Some(list(volumes))),
        (":ssh_options", Some(ssh_options(loaded))),
        (":sshkit", Some(raw("sshkit").unwrap_or(plain(Kind::Map(Map::new()))))),
        (":builder", raw("builder")),
        (":accessories", raw("accessories")),
        (":logging", Some(list(logging_args(&config.logging).iter().map(String::as_str)))),
    ];
    Effective(entries(map))
}

fn ssh_options(loaded: &Loaded) -> Node {
    let ssh = &loaded.config.ssh;
    let raw = |key: &str| loaded.raw.0.get("ssh").and_then(|ssh| ssh.get(key)).cloned();
    let proxy = ssh.proxy.as_deref().or(ssh.proxy_command.as_deref()).map(text);
    entries([
        (":user", Some(text(&ssh.user))),
        (":port", raw("port").or(Some(plain(Kind::Int(ssh.port.into()))))),
        (":proxy", proxy),
        (":keepalive", Some(plain(Kind::Bool(true)))),
        (":keepalive_interval", Some(plain(Kind::Int(30)))),
        (":keys_only", raw("keys_only")),
        (":keys", raw("keys")),
        (":key_data", raw("key_data")),
        (":config", raw("config")),
        (":forward_agent", raw("forward_agent")),
        (":log_level", Some(plain(Kind::Symbol(ssh.log_level.clone())))),
    ])
}

/// Docker's logging options; without any, logs are rotated at 10 MB (spec 2.12).
fn logging_args(logging: &Logging) -> Vec<String> {
    if logging.driver.is_none() && logging.options.is_empty() {
        return vec!["--log-opt".to_owned(), "max-size=\"10m\"".to_owned()];
    }
    let driver = logging.driver.iter().flat_map(|driver| ["--log-driver".to_owned(), value(driver)]);
    let options = logging.options.iter();
    driver.chain(options.flat_map(|(key, text)| ["--log-opt".to_owned(), format!("{key}={}", value(text))])).collect()
}

fn plain(kind: Kind) -> Node {
    Node { span: Span::default(), kind }
}

fn text(text: &str) -> Node {
    plain(Kind::Text(text.to_owned()))
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> Node {
    plain(Kind::List(items.map(text).collect()))
}

/// A mapping of what is there.
fn entries<const N: usize>(map: [(&str, Option<Node>); N]) -> Node {
    let entry =
        |(key, value): (&str, Option<Node>)| Some((key.to_owned(), Entry { key: Span::default(), value: value? }));
    plain(Kind::Map(map.into_iter().filter_map(entry).collect()))
}

fn json(node: &Node) -> serde_json::Value {
    match &node.kind {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool(value) => (*value).into(),
        Kind::Int(value) => i64::try_from(*value).map_or_else(|_| value.to_string().into(), Into::into),
        Kind::Float(value) => (*value).into(),
        Kind::Text(text) | Kind::Symbol(text) | Kind::Date(text) => text.clone().into(),
        Kind::List(items) => items.iter().map(json).collect(),
        Kind::Map(map) => {
            let entry =
                |(key, entry): (&String, &Entry)| (key.strip_prefix(':').unwrap_or(key).to_owned(), json(&entry.value));
            serde_json::Value::Object(map.iter().map(entry).collect())
        }
    }
}
