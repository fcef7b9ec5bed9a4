//! What a container was made with, and in what it would be made otherwise now. Values of variables are never told: they
//! may be secrets.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    name::ContainerName,
    plan::{Aspect, Change},
    step::RunSpec,
};

/// A container as docker tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Made {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Config")]
    config: MadeConfig,
    #[serde(rename = "HostConfig")]
    host: HostConfig,
}

#[derive(Debug, Deserialize)]
struct MadeConfig {
    #[serde(rename = "Image", default)]
    image: Option<String>,
    #[serde(rename = "Env", default)]
    env: Option<Vec<String>>,
    #[serde(rename = "Cmd", default)]
    cmd: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct HostConfig {
    #[serde(rename = "Binds", default)]
    binds: Option<Vec<String>>,
    #[serde(rename = "Memory", default)]
    memory: u64,
    #[serde(rename = "PortBindings", default)]
    ports: Option<BTreeMap<String, Option<Vec<Binding>>>>,
}

#[derive(Debug, Deserialize)]
struct Binding {
    #[serde(rename = "HostIp", default)]
    ip: String,
    #[serde(rename = "HostPort", default)]
    port: String,
}

impl Made {
    /// Reads docker's answer. A container that is there under another name tells nothing.
    pub(super) fn read(printed: &str) -> Option<Self> {
        serde_json::from_str(printed.trim()).ok()
    }

    /// Whether it is this container.
    pub(super) fn is(&self, container: &ContainerName) -> bool {
        self.name.trim_start_matches('/') == container.as_str()
    }

    /// In what a container would be made otherwise; `secrets` are the names of those it is given.
    pub(super) fn changes(&self, spec: &RunSpec, secrets: &[String]) -> Vec<Change> {
        let mut found = Vec::new();
        let image = self.config.image.as_deref().unwrap_or_default();
        if !same_image(image, &spec.image) {
            found.push(Change::from_to(Aspect::Image, image, &spec.image));
        }
        found.extend(self.env(spec, secrets));
        let (was, is) = (self.published(), published(spec));
        if was != is {
            found.push(Change::from_to(Aspect::Ports, &was.join(", "), &is.join(", ")));
        }
        if let Some(cmd) = &spec.cmd {
            let plain = |text: &str| {
                text.chars().filter(|sign| !sign.is_whitespace() && !"'\"".contains(*sign)).collect::<String>()
            };
            let before = self.config.cmd.clone().unwrap_or_default().concat();
            if plain(cmd) != plain(&before) {
                found.push(Change::of(Aspect::Command));
            }
        }
        if spec.volumes.len() != self.host.binds.as_ref().map_or(0, Vec::len) {
            found.push(Change::of(Aspect::Volumes));
        }
        let memory = spec.options.iter().any(|(name, _)| name == "memory");
        if memory != (self.host.memory > 0) {
            found.push(Change { name: Some("memory".to_owned()), ..Change::of(Aspect::Option) });
        }
        found
    }

    fn env(&self, spec: &RunSpec, secrets: &[String]) -> Vec<Change> {
        let lines = self.config.env.iter().flatten();
        let was: BTreeMap<&str, &str> = lines.filter_map(|line| line.split_once('=')).collect();
        let is: BTreeMap<&str, &str> = spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // Those every container has of its own.
        let named = is.keys().filter(|name| !name.starts_with("KAMAL_"));
        let mut found = Vec::new();
        for name in named {
            match was.get(name) {
                None => found.push(Change::variable(name, true)),
                // A `$` is the host's to fill in.
                Some(value) if *value != is[name] && !is[name].contains('$') => {
                    found.push(Change::variable(name, false));
                }
                Some(_) => {}
            }
        }
        let missing = secrets.iter().filter(|name| !was.contains_key(name.as_str()));
        found.extend(missing.map(|name| Change::variable(name, true)));
        found
    }

    /// What is published, as docker was told: `127.0.0.1:5432:5432`.
    fn published(&self) -> Vec<String> {
        let bindings = |(inside, bindings): (&String, &Option<Vec<Binding>>)| {
            let inside = inside.strip_suffix("/tcp").unwrap_or(inside).to_owned();
            let one = |binding: &Binding| {
                let parts = [&binding.ip, &binding.port, &inside];
                parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(":")
            };
            bindings.iter().flatten().map(one).collect::<Vec<_>>()
        };
        self.host.ports.iter().flatten().flat_map(bindings).collect()
    }
}

/// What would be published. Shell text: a variable is the host's to fill in, and tells nothing.
fn published(spec: &RunSpec) -> Vec<String> {
    spec.publish.iter().map(|port| port.strip_suffix("/tcp").unwrap_or(port).to_owned()).collect()
}

/// Whether two names are of the same image, as far as names can tell.
pub(crate) fn same_image(found: &str, wanted: &str) -> bool {
    let full = |name: &str| {
        if name.rsplit('/').next().is_some_and(|last| last.contains([':', '@'])) {
            name.to_owned()
        } else {
            format!("{name}:latest")
        }
    };
    // An id: its name has moved on.
    let is_id = found.starts_with("sha256:") || found.len() == 12 && found.bytes().all(|byte| byte.is_ascii_hexdigit());
    !is_id && full(found) == full(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: &str = r#"{"Config": {"Image": "postgres:16", "Env": ["A=1", "PW=x", "PATH=/bin"], "Cmd": ["postgres", "-c", "x=1"]},
        "HostConfig": {"Binds": ["/a:/b"], "Memory": 0, "PortBindings": {"5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5432"}]}}}"#;

    fn spec() -> RunSpec {
        RunSpec {
            name: "app-db".parse().unwrap(),
            role: None,
            version: None,
            image: "postgres:16".parse().unwrap(),
            restart: "unless-stopped".into(),
            network: "kamal".into(),
            overlay: None,
            hostname_stem: None,
            publish: Some("127.0.0.1:5432:5432".into()),
            env: vec![("KAMAL_HOST".into(), "h1".into()), ("A".into(), "1".into())],
            env_file: String::new(),
            logging: Vec::new(),
            volumes: vec!["/a:/b".into()],
            labels: Vec::new(),
            options: Vec::new(),
            cmd: Some("postgres -c 'x=1'".into()),
        }
    }

    fn told(spec: &RunSpec, secrets: &[&str]) -> Vec<String> {
        let secrets: Vec<String> = secrets.iter().map(|name| (*name).to_owned()).collect();
        Made::read(MADE).unwrap().changes(spec, &secrets).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_as_it_would_be_made_differs_in_nothing() {
        assert_eq!(told(&spec(), &["PW"]), [""; 0]);
    }

    #[test]
    fn each_aspect_is_told_and_no_value_of_a_variable() {
        let env = vec![("A".to_owned(), "2".to_owned()), ("B".to_owned(), "secret".to_owned())];
        let memory = crate::config::model::OptionValue::One("1g".into());
        let spec = RunSpec {
            image: "postgres:17".parse().unwrap(),
            publish: Some("5432:5432".into()),
            env,
            volumes: Vec::new(),
            options: vec![("memory".into(), memory)],
            cmd: Some("postgres".into()),
            ..spec()
        };
        assert_eq!(
            told(&spec, &["PW", "TOKEN"]),
            [
                "the image: postgres:16 -> postgres:17",
                "A has another value",
                "B is new",
                "TOKEN is new",
                "the ports: 127.0.0.1:5432:5432 -> 5432:5432",
                "the command",
                "the volumes",
                "the limit of memory",
            ]
        );
    }
}
