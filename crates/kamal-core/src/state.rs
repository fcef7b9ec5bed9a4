//! What one round trip tells about a host: everything a plan is decided by.

use serde::{Deserialize, Serialize};

use crate::{
    cluster::Joined,
    config::Config,
    lock::Held,
    name::{ContainerId, ContainerName, HostName, ImageRef, RoleName, Version},
    naming,
};

/// A host as it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HostState {
    /// The host.
    pub host: HostName,
    /// Who logs in, and what the machine is.
    pub machine: Machine,
    /// Whether docker answers.
    pub docker: bool,
    /// The service's containers, newest first.
    pub containers: Vec<Container>,
    /// Containers of the service's accessories, those among them that deploy.yml has no more, newest first.
    pub accessories: Vec<Container>,
    /// Images of the service's repository and of kamal-proxy.
    pub images: Vec<Image>,
    /// The proxy's container.
    pub proxy: Option<ProxyContainer>,
    /// Where kamal-proxy leads the services it serves, whoever they belong to.
    pub routes: Vec<RouteState>,
    /// Versions of the service that were switched to and tagged as the latest, oldest first, as the audit log tells.
    pub history: Vec<Deployed>,
    /// Names of the apps that have a folder on the host.
    pub apps: Vec<String>,
    /// Whether files of Kamal's legacy `proxy boot_config` are there.
    pub boot_config: bool,
    /// Whether the network `kamal` exists.
    pub network: bool,
    /// Whether the host is a worker of a swarm with a network `kamal` of its own, which hides an overlay network.
    pub hides_overlay: bool,
    /// The deploy lock, when it is held.
    pub lock: Option<Held>,
    /// The rollout that is under way, as it was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// How it stands to the hosts it is to be joined with, where deploy.yml has `x-cluster`; of its addresses also where it
    /// has `x-deliver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<Joined>,
    /// What docker keeps of logins, in words between [`Docker`](crate::ports::Docker) and itself: digests, never
    /// credentials.
    #[serde(default)]
    pub logins: Vec<String>,
}

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Machine {
    /// `uname -m`, in Docker's spelling: `amd64`, `arm64`.
    pub arch: String,
    /// The user logged in.
    pub user: String,
    /// Its home folder.
    pub home: String,
    /// Other architectures it can run programs of, in Docker's spelling.
    #[serde(default)]
    pub emulated: Vec<String>,
    /// Free bytes where docker keeps images, if that can be told.
    #[serde(default)]
    pub free: Option<u64>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Container {
    /// Its id, in full.
    pub id: ContainerId,
    /// Its name.
    pub name: ContainerName,
    /// Its image as docker prints it: a name, or an id once the name has moved on.
    pub image: String,
    /// Its state.
    pub state: ContainerState,
    /// Its state in docker's words, with the exit status and since when.
    pub status: String,
    /// Its label `role`.
    pub role: Option<RoleName>,
    /// The docker networks it is on.
    #[serde(default)]
    pub networks: Vec<String>,
}

impl Container {
    /// A container of nobody's role, of whose state docker has nothing to say.
    #[must_use]
    pub fn new(id: ContainerId, name: ContainerName, image: impl Into<String>, state: ContainerState) -> Self {
        Self { id, name, image: image.into(), state, status: String::new(), role: None, networks: Vec::new() }
    }
}

/// A service of kamal-proxy and the containers it leads to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RouteState {
    /// The service.
    pub service: String,
    /// The hosts it answers for, separated by commas; `*` for all.
    pub hosts: String,
    /// The paths below which it answers, separated by commas.
    pub paths: String,
    /// The label `service` of the container it leads to, whoever's it is.
    pub owner: Option<String>,
    /// What it leads to: ids of containers, as long as kamal-proxy was given them.
    pub targets: Vec<String>,
}

/// A version that was switched to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Deployed {
    /// The version.
    pub version: Version,
    /// When, in RFC 3339.
    pub at: String,
    /// Who was at work.
    pub by: String,
}

impl Deployed {
    /// A version, when it was switched to, and by whom.
    #[must_use]
    pub fn new(version: Version, at: impl Into<String>, by: impl Into<String>) -> Self {
        Self { version, at: at.into(), by: by.into() }
    }
}

/// A version that is there beside the one that is live, for a part of the requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rollout {
    /// The version.
    pub version: Version,
    /// How many of a hundred requests it is to get.
    pub percent: u8,
}

impl Rollout {
    /// A version and its part of the requests, in percent.
    #[must_use]
    pub fn new(version: Version, percent: u8) -> Self {
        Self { version, percent }
    }

    /// Reads a note.
    #[must_use]
    pub fn read(note: &str) -> Option<Self> {
        let (version, percent) = note.trim().split_once(' ')?;
        Some(Self { version: version.parse().ok()?, percent: percent.parse().ok()? })
    }

    /// What is noted.
    #[must_use]
    pub(crate) fn note(&self) -> String {
        format!("{} {}\n", self.version, self.percent)
    }
}

impl std::fmt::Display for Rollout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {} %", self.version, self.percent)
    }
}

/// A container's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
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
    /// Docker's word for a state, or podman's.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "created" | "configured" | "initialized" => Self::Created,
            "running" | "stopping" => Self::Running,
            "restarting" => Self::Restarting,
            "paused" => Self::Paused,
            "exited" | "stopped" => Self::Exited,
            "removing" => Self::Removing,
            "dead" | "unknown" => Self::Dead,
            _ => return None,
        })
    }

    /// Docker's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Paused => "paused",
            Self::Exited => "exited",
            Self::Removing => "removing",
            Self::Dead => "dead",
        }
    }

    /// True when Kamal counts the container as the one that runs.
    #[must_use]
    pub fn is_current(self) -> bool {
        matches!(self, Self::Running | Self::Restarting)
    }

    /// True when the container has processes, though it may answer nobody.
    #[must_use]
    pub(crate) fn holds_resources(self) -> bool {
        matches!(self, Self::Running | Self::Restarting | Self::Paused)
    }

    /// True when the container has processes, or docker may be about to start it for somebody who was cut off: creating and
    /// starting are two requests to docker.
    #[must_use]
    pub(crate) fn may_run(self) -> bool {
        self.holds_resources() || self == Self::Created
    }
}

/// An image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Image {
    /// Its id, in full.
    pub id: String,
    /// `repository:tag`.
    pub reference: ImageRef,
    /// The digests by which registries know it, `sha256:…`; none of one that came in an archive.
    #[serde(default)]
    pub digests: Vec<String>,
}

impl Image {
    /// An image by its id and its name.
    #[must_use]
    pub fn new(id: impl Into<String>, reference: ImageRef) -> Self {
        Self { id: id.into(), reference, digests: Vec::new() }
    }
}

/// The proxy's container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProxyContainer {
    /// Its image as it was started.
    pub image: ImageRef,
    /// Its state.
    pub state: ContainerState,
    /// The docker networks it is joined to.
    pub networks: Vec<String>,
}

impl ProxyContainer {
    /// A container of the proxy that is joined to no network.
    #[must_use]
    pub fn new(image: ImageRef, state: ContainerState) -> Self {
        Self { image, state, networks: Vec::new() }
    }
}

impl HostState {
    /// A host nothing is known of yet.
    #[must_use]
    pub fn new(host: HostName) -> Self {
        Self {
            host,
            machine: Machine::default(),
            docker: false,
            containers: Vec::new(),
            accessories: Vec::new(),
            images: Vec::new(),
            proxy: None,
            routes: Vec::new(),
            history: Vec::new(),
            apps: Vec::new(),
            boot_config: false,
            network: false,
            hides_overlay: false,
            lock: None,
            rollout: None,
            joined: None,
            logins: Vec::new(),
        }
    }

    /// The container of a role that runs now: the one the proxy leads to, or, of a role that is not proxied, the newest
    /// that runs. Not the one whose image is tagged as the latest, as in Kamal: a deploy that is cut off after its switch
    /// has not tagged its image.
    #[must_use]
    pub fn current<'s>(&'s self, config: &Config, role: &'s RoleName) -> Option<&'s Container> {
        let mut running = self.of_role(role).filter(|container| container.state.is_current());
        let service = naming::container_prefix(config, role);
        let route = self.routes.iter().find(|route| route.service == service);
        let led_to = |container: &&Container| {
            route.is_some_and(|route| route.targets.iter().any(|id| container.id.starts_with(id.as_str())))
        };
        running.clone().find(led_to).or_else(|| running.next())
    }

    /// The version of a role that runs now.
    #[must_use]
    pub fn current_version(&self, config: &Config, role: &RoleName) -> Option<Version> {
        let current = self.current(config, role)?;
        // A service's containers are called otherwise.
        let of_image = || {
            let tag = current.image.strip_prefix(&config.repository())?.strip_prefix(':')?;
            tag.split('@').next().unwrap_or(tag).parse().ok()
        };
        naming::version_of(config, role, &current.name).or_else(of_image)
    }

    /// A role's containers, newest first.
    pub(crate) fn of_role<'a>(&'a self, role: &'a RoleName) -> impl Iterator<Item = &'a Container> + Clone {
        self.containers.iter().filter(move |container| container.role.as_ref() == Some(role))
    }

    /// The container of that name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().chain(&self.accessories).find(|container| container.name == *name)
    }

    /// The container of an accessory.
    #[must_use]
    pub fn accessory(&self, service: &str) -> Option<&Container> {
        self.accessories.iter().find(|container| container.name == *service)
    }

    /// True when the host holds the image.
    #[must_use]
    pub(crate) fn has_image(&self, reference: &ImageRef) -> bool {
        self.images.iter().any(|image| image.reference == *reference)
    }

    /// The id of a container's image, where it can be told.
    #[must_use]
    pub fn image_id(&self, container: &Container) -> Option<&str> {
        let short = container.image.strip_prefix("sha256:").unwrap_or(&container.image);
        let is_its = |image: &&Image| {
            *image.reference == *container.image
                || short.len() >= 12 && image.id.trim_start_matches("sha256:").starts_with(short)
        };
        self.images.iter().find(is_its).map(|image| image.id.as_str())
    }
}
