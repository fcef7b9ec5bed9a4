//! What `kamal config` prints: the values a configuration comes down to (spec 2.14), in the order and, for YAML, the
//! very form of Ruby, symbols, objects and all, as scripts read it.

mod emitter;
pub(in crate::config) mod psych;
pub(in crate::config) mod value;

use super::load::Loaded;
use super::ruby;
use super::yaml::{Entry, Kind, Node};
use crate::name::{HostName, Version};
use crate::redact::Redactor;
use crate::shell::escape;
use value::Value;

/// The document, ready to be printed.
#[derive(Clone, Debug)]
pub struct Effective(Value);

impl Effective {
    /// As Ruby's `to_yaml` prints it, with symbols for keys (`:roles:`).
    #[must_use]
    pub fn to_yaml(&self) -> String {
        psych::print(&self.0)
    }

    /// Without secrets: a value that holds one is covered as a whole, so that the document stays one.
    #[must_use]
    pub fn redacted(self, redactor: &Redactor) -> Self {
        Self(self.0.redacted(redactor))
    }

    /// As JSON, keys without their colons.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        self.0.json()
    }
}

/// The effective values of a configuration for a version of the app.
#[must_use]
pub fn effective(loaded: &Loaded, version: &Version) -> Effective {
    let config = &loaded.config;
    let root = &loaded.raw.0;
    let raw = |key: &str| root.get(key).map(Value::from);
    let repository = config.repository();
    let hosts = config.hosts();
    let primary_host = config.primary().and_then(|role| role.hosts.first()).map(|host| host.name.as_str());
    let volumes = root.get("volumes").and_then(Node::list).unwrap_or_default();
    let volumes = volumes.iter().flat_map(|volume| [Value::text("--volume"), Value::from(volume)]);
    let map = [
        ("roles", Some(Value::texts(config.roles.iter().map(|role| role.name.as_str())))),
        ("hosts", Some(Value::texts(hosts.iter().map(HostName::as_str)))),
        ("primary_host", primary_host.map(Value::text)),
        ("version", Some(Value::text(version))),
        ("repository", Some(Value::text(&repository))),
        ("absolute_image", Some(Value::text(&format!("{repository}:{version}")))),
        ("service_with_version", Some(Value::text(&format!("{}-{version}", config.service)))),
        ("volume_args", Some(Value::List(volumes.collect()))),
        ("ssh_options", Some(ssh_options(loaded))),
        ("sshkit", Some(raw("sshkit").unwrap_or(Value::Map { tag: None, entries: Vec::new() }))),
        ("builder", raw("builder")),
        ("accessories", raw("accessories")),
        ("logging", Some(Value::texts(logging_args(root.get("logging")).iter().map(String::as_str)))),
    ];
    Effective(Value::symbols(map))
}

fn ssh_options(loaded: &Loaded) -> Value {
    let ssh = &loaded.config.ssh;
    let raw = |key: &str| loaded.raw.0.get("ssh").and_then(|ssh| ssh.get(key)).map(Value::from);
    let proxy = match (ssh.proxy.as_deref(), ssh.proxy_command.as_deref()) {
        (Some(jump), _) => {
            Some(Value::object("!ruby/object:Net::SSH::Proxy::Jump", [("jump_proxies", Value::text(jump))]))
        }
        (None, Some(command)) => Some(Value::object(
            "!ruby/object:Net::SSH::Proxy::Command",
            [
                ("command_line_template", Value::text(command)),
                ("command_line", Value::Scalar(Kind::Null)),
                ("timeout", Value::Scalar(Kind::Int(60))),
            ],
        )),
        (None, None) => None,
    };
    Value::symbols([
        ("user", raw("user").or_else(|| Some(Value::text(&ssh.user)))),
        ("port", raw("port").or(Some(Value::Scalar(Kind::Int(ssh.port.into()))))),
        ("proxy", proxy),
        ("keepalive", Some(Value::Scalar(Kind::Bool(true)))),
        ("keepalive_interval", Some(Value::Scalar(Kind::Int(30)))),
        ("keys_only", raw("keys_only")),
        ("keys", raw("keys")),
        ("key_data", raw("key_data")),
        ("config", raw("config")),
        ("forward_agent", raw("forward_agent")),
        ("log_level", raw("log_level").or_else(|| Some(Value::Scalar(Kind::Symbol(ssh.log_level.clone()))))),
    ])
}

/// Docker's logging options; without any, logs are rotated at 10 MB (spec 2.12).
fn logging_args(logging: Option<&Node>) -> Vec<String> {
    let given = |key: &str| logging.and_then(|logging| logging.get(key)).filter(|node| !node.is_blank());
    let (driver, options) = (given("driver"), given("options"));
    if driver.is_none() && options.is_none() {
        return vec!["--log-opt".to_owned(), "max-size=\"10m\"".to_owned()];
    }
    let driver = driver.into_iter().flat_map(|node| ["--log-driver".to_owned(), escape::value(&ruby::text(node))]);
    let option = |(key, Entry { value, .. }): (&String, &Entry)| match &value.kind {
        Kind::Bool(false) => format!("{key}=false"),
        _ if value.is_blank() => key.clone(),
        _ => format!("{key}={}", escape::value(&ruby::text(value))),
    };
    let options = options.and_then(Node::map).into_iter().flatten();
    driver.chain(options.flat_map(|entry| ["--log-opt".to_owned(), option(entry)])).collect()
}
