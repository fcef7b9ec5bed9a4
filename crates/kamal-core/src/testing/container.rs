//! A container of a simulated host, and what it was made with.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    name::{ContainerName, ImageRef, RoleName, Version},
    state::ContainerState,
};

/// A container.
#[derive(Clone, Debug, PartialEq)]
pub struct SimContainer {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: ContainerName,
    /// The image it was started from.
    pub image: ImageRef,
    /// The id of that image.
    pub image_id: String,
    /// Its state.
    pub state: ContainerState,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its clear environment.
    pub env: Vec<(String, String)>,
    /// What else it was made with.
    pub made: SimMade,
}

/// What a container was made with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimMade {
    /// The names of its secrets.
    pub secrets: Vec<String>,
    /// The port it publishes.
    pub publish: Option<String>,
    /// Its volumes.
    pub volumes: Vec<String>,
    /// What it runs.
    pub cmd: Option<String>,
    /// Whether its memory is limited.
    pub memory: bool,
}

impl SimContainer {
    /// Its label `role`.
    #[must_use]
    pub fn role(&self) -> Option<RoleName> {
        self.labels.get("role")?.parse().ok()
    }

    /// The version of the image it was started from.
    #[must_use]
    pub fn version(&self) -> Version {
        self.image
            .rsplit_once(':')
            .and_then(|(_, tag)| tag.parse().ok())
            .unwrap_or_else(|| Version::of_checked("untagged"))
    }

    /// As docker would tell it.
    pub(super) fn inspected(&self) -> Value {
        let secrets = self.made.secrets.iter().map(|name| (name.clone(), "hidden".to_owned()));
        let env: Vec<String> =
            self.env.iter().cloned().chain(secrets).map(|(name, value)| format!("{name}={value}")).collect();
        let ports: serde_json::Map<String, Value> = self
            .made
            .publish
            .iter()
            .map(|port| {
                let mut parts = port.rsplit(':');
                let (inside, port) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                let ip = parts.next().unwrap_or_default();
                (format!("{inside}/tcp"), serde_json::json!([{"HostIp": ip, "HostPort": port}]))
            })
            .collect();
        let cmd: Vec<String> = self.made.cmd.iter().flat_map(|cmd| cmd.split(' ')).map(str::to_owned).collect();
        serde_json::json!({
            "Name": format!("/{}", self.name),
            "Config": {"Image": self.image, "Env": env, "Cmd": cmd},
            "HostConfig": {"Memory": u64::from(self.made.memory), "Binds": self.made.volumes, "PortBindings": ports},
        })
    }

    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.state == ContainerState::Running
    }
}
