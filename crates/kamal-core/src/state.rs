//! What one round trip tells about a host: everything a plan is decided by.

use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    name::{ContainerId, ContainerName, HostName, ImageRef, RoleName, Version},
    naming,
};

/// A host as it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostState {
    /// The host.
    pub host: HostName,
    /// Who logs in, and what the machine is.
    pub machine: Machine,
    /// Whether docker answers.
    pub docker: bool,
    /// The service's containers, newest first.
    pub containers: Vec<Container>,
    /// The service's accessory containers and other names that matter, newest first.
    pub accessories: Vec<Container>,
    /// Images of the service's repository and of kamal-proxy.
    pub images: Vec<Image>,
    /// The proxy's container.
    pub proxy: Option<ProxyContainer>,
    /// Files of Kamal's legacy `proxy boot_config` that are there.
    pub boot_config: bool,
    /// Whether the network `kamal` exists.
    pub network: bool,
    /// The deploy lock's details, when it is held.
    pub lock: Option<String>,
}

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// `uname -m`, in Docker's spelling: `amd64`, `arm64`.
    pub arch: String,
    /// The user logged in.
    pub user: String,
    /// Its home folder.
    pub home: String,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Its id, in full.
    pub id: ContainerId,
    /// Its name.
    pub name: ContainerName,
    /// Its image as docker prints it: a name, or an id once the name has moved on.
    pub image: String,
    /// Its state.
    pub state: ContainerState,
    /// Its label `role`.
    pub role: Option<RoleName>,
}

/// A container's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// Created, never started.
    Created,
    /// Running.
    Running,
    /// Between two starts.
    Restarting,
    /// Frozen.
    Paused,
    /// Ended.
    Exited,
    /// Being removed.
    Removing,
    /// Broken.
    Dead,
}

impl ContainerState {
    /// Docker's word for a state.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "created" => Self::Created,
            "running" => Self::Running,
            "restarting" => Self::Restarting,
            "paused" => Self::Paused,
            "exited" => Self::Exited,
            "removing" => Self::Removing,
            "dead" => Self::Dead,
            _ => return None,
        })
    }

    /// True when Kamal counts the container as the one that runs.
    #[must_use]
    pub fn is_current(self) -> bool {
        matches!(self, Self::Running | Self::Restarting)
    }
}

/// An image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Its id, in full.
    pub id: String,
    /// `repository:tag`.
    pub reference: ImageRef,
}

/// The proxy's container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyContainer {
    /// Its image as it was started.
    pub image: ImageRef,
    /// Its state.
    pub state: ContainerState,
}

impl HostState {
    /// The container of a role that runs now: the newest of the image tagged latest, else the newest at all
    /// (spec chapter 9, CURID).
    #[must_use]
    pub fn current<'s>(&'s self, config: &Config, role: &'s RoleName) -> Option<&'s Container> {
        let latest = naming::latest_image(config);
        let latest = self.images.iter().find(|image| image.reference == latest);
        let mut running = self.of_role(role).filter(|container| container.state.is_current());
        latest
            .and_then(|latest| running.clone().find(|container| self.is_of(container, latest)))
            .or_else(|| running.next())
    }

    /// The version of a role that runs now.
    #[must_use]
    pub fn current_version(&self, config: &Config, role: &RoleName) -> Option<Version> {
        naming::version_of(config, role, &self.current(config, role)?.name)
    }

    /// A role's containers, newest first.
    pub fn of_role<'a>(&'a self, role: &'a RoleName) -> impl Iterator<Item = &'a Container> + Clone {
        self.containers.iter().filter(move |container| container.role.as_ref() == Some(role))
    }

    /// The container of that name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().chain(&self.accessories).find(|container| container.name == *name)
    }

    /// True when the host holds the image.
    #[must_use]
    pub fn has_image(&self, reference: &ImageRef) -> bool {
        self.images.iter().any(|image| image.reference == *reference)
    }

    fn is_of(&self, container: &Container, image: &Image) -> bool {
        let named = self.images.iter().find(|known| *known.reference == *container.image);
        let short = container.image.strip_prefix("sha256:").unwrap_or(&container.image);
        named.map_or_else(
            || short.len() >= 12 && image.id.trim_start_matches("sha256:").starts_with(short),
            |known| known.id == image.id,
        )
    }
}
