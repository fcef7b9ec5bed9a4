//! The typed steps a plan is made of. A step is data: adapters turn it into shell text, the simulated fleet acts it
//! out, `Display` is what a dry run prints.

use serde::Serialize;

use crate::{
    config::model::{DockerOptions, Proxy, Registry, SecretName},
    name::{ContainerName, ImageRef, RoleName, ServiceName, Version},
};

/// A new container that docker restarted this often is not waited for any longer: docker pauses 3 s in all before the
/// fifth time, so it is none that merely came too early for something it needs.
pub const CRASH_LOOP: u32 = 5;

/// Something done on one host.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Logs the host's docker in to a registry; the password goes through standard input.
    Login {
        /// The registry.
        registry: Registry,
    },
    /// Pulls an image and checks that it belongs to the service.
    Pull {
        /// The image.
        image: ImageRef,
        /// What its label `service` must say; `None` when this very run built it with that label.
        service: Option<ServiceName>,
        /// True when the host holds an image of that name, which must not be taken for the new one.
        held: bool,
    },
    /// Creates a docker network, if it is not there.
    CreateNetwork {
        /// Its name.
        name: String,
    },
    /// Starts the proxy's container, creating it if needed.
    EnsureProxy(Box<ProxyContainerSpec>),
    /// Stops and removes the proxy's container, to be created anew.
    RemoveProxy,
    /// Puts a new container in the place of the proxy's: one takes over from the other where they can share a network,
    /// else the old one goes first.
    ReplaceProxy(Box<ProxyContainerSpec>),
    /// Takes the deploy lock; fails when it is held.
    AcquireLock {
        /// Its folder.
        directory: String,
        /// What is said of its holder, Kamal's three lines. Who applies a plan and when is no part of what is reviewed.
        #[serde(skip)]
        details: String,
    },
    /// Gives the deploy lock back.
    ReleaseLock {
        /// Its folder.
        directory: String,
    },
    /// Writes an env file of secrets, mode 0600.
    WriteEnv {
        /// Its path below the login directory.
        path: String,
        /// The secrets in order.
        secrets: Vec<SecretName>,
    },
    /// Writes a file whose content is a secret.
    WriteSecret {
        /// Its path below the login directory.
        path: String,
        /// The secret's key.
        key: String,
        /// Its mode.
        mode: u32,
    },
    /// Writes a file of clear text.
    WriteFile {
        /// Its path below the login directory.
        path: String,
        /// The content.
        content: Blob,
        /// Its mode.
        mode: u32,
    },
    /// Creates a folder, owned and moded as told.
    MakeDirectory {
        /// Shell text of the path, `$PWD` allowed.
        path: String,
        /// `chmod`.
        mode: Option<String>,
        /// `chown`.
        owner: Option<String>,
    },
    /// Copies assets out of an image and joins them with those of the running version (spec 9.6, step A).
    SyncAssets {
        /// The role's container prefix.
        prefix: String,
        /// The image.
        image: ImageRef,
        /// The path inside the image.
        path: String,
        /// Folder of what was extracted for this version.
        extracted: String,
        /// Folder mounted into this version's container.
        volume: String,
        /// The same two of the version that runs now.
        current: Option<(String, String)>,
    },
    /// Removes all entries of folders but the ones named.
    KeepOnly {
        /// The folder.
        directory: String,
        /// A `find -name` pattern of what may go; `None` is everything.
        pattern: Option<String>,
        /// The name that stays.
        keep: String,
    },
    /// Renames a container out of the way.
    Rename {
        /// Its name.
        from: ContainerName,
        /// Its new name.
        to: ContainerName,
    },
    /// Starts a new container.
    Start(Box<RunSpec>),
    /// Starts a container that is there; tolerates failure.
    StartExisting {
        /// The container.
        container: ContainerName,
    },
    /// Lets kamal-proxy check a container's health and move traffic to it, draining the one before.
    SwitchTraffic(Box<Route>),
    /// Takes a service out of kamal-proxy; tolerates failure.
    RemoveRoute {
        /// The service in kamal-proxy.
        service: String,
    },
    /// Answers every request to a service with a maintenance page.
    StopRoute {
        /// The service in kamal-proxy.
        service: String,
        /// How long requests under way may take, in seconds.
        drain_timeout: u64,
        /// What the page says.
        message: Option<String>,
    },
    /// Lets requests through again.
    ResumeRoute {
        /// The service in kamal-proxy.
        service: String,
    },
    /// Waits until a container that is not proxied is ready (spec 9.6, poller).
    AwaitReady {
        /// The container.
        container: ContainerName,
        /// How long, in seconds.
        timeout: u64,
        /// How long it must have run when it has no health check, in seconds.
        delay: u64,
    },
    /// Stops a container; tolerates failure.
    Stop {
        /// The container.
        container: ContainerName,
        /// `-t`, in seconds.
        timeout: Option<u64>,
    },
    /// Tags the version as the latest image.
    TagLatest {
        /// The version's image.
        image: ImageRef,
        /// The latest image.
        latest: ImageRef,
    },
    /// Removes stopped containers but the newest few.
    PruneContainers {
        /// The service.
        service: ServiceName,
        /// How many stay.
        retain: u32,
    },
    /// Removes images no container uses, but the latest.
    PruneImages {
        /// The service.
        service: ServiceName,
        /// The latest image, which stays.
        latest: ImageRef,
    },
    /// Writes a line to the audit log.
    Audit {
        /// What happened.
        text: String,
        /// The role it happened to.
        role: Option<RoleName>,
    },
    /// Holds the host's further steps until the first container of the primary role is healthy somewhere.
    AwaitGate {
        /// The role that waits.
        role: RoleName,
    },
    /// Runs a shell text of the caller's making.
    Run {
        /// What people see it called.
        title: String,
        /// The shell text.
        shell: String,
        /// True when a failure is of no matter.
        tolerant: bool,
    },
}

/// A file's content. Plans show its size and a digest.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Blob(pub std::sync::Arc<[u8]>);

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{self:?}"))
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes, {:016x}", self.0.len(), crate::plan::fnv1a(&self.0))
    }
}

/// A container to run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSpec {
    /// Its name.
    pub name: ContainerName,
    /// Its role, for messages; `None` for accessories.
    pub role: Option<RoleName>,
    /// The version, for messages.
    pub version: Option<Version>,
    /// Its image.
    pub image: ImageRef,
    /// The restart policy.
    pub restart: String,
    /// The docker network.
    pub network: String,
    /// What its hostname begins with; twelve random digits follow. `None` leaves it to docker.
    pub hostname_stem: Option<String>,
    /// `--publish`.
    pub publish: Option<String>,
    /// Clear environment in order.
    pub env: Vec<(String, String)>,
    /// The env file on the host.
    pub env_file: String,
    /// Logging, as docker arguments.
    pub logging: Vec<String>,
    /// `--volume`, shell text.
    pub volumes: Vec<String>,
    /// Labels in order.
    pub labels: Vec<(String, String)>,
    /// Further options.
    pub options: DockerOptions,
    /// Shell text appended after the image.
    pub cmd: Option<String>,
}

/// A route of kamal-proxy to a container.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Route {
    /// The service in kamal-proxy.
    pub service: String,
    /// The container it leads to.
    pub container: ContainerName,
    /// How the proxy treats it.
    pub proxy: Proxy,
    /// Paths of a certificate and its key inside the proxy's container.
    pub certificate: Option<(String, String)>,
    /// Folder of error pages inside the proxy's container.
    pub error_pages: Option<String>,
    /// How long the container may take to become healthy, in seconds.
    pub deploy_timeout: u64,
    /// How long old requests may take, in seconds.
    pub drain_timeout: u64,
}

/// The proxy's container (spec 2.10, 9.5).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProxyContainerSpec {
    /// How `proxy.run` wants it; `None` starts it from Kamal's legacy files on the host, or its defaults.
    pub run: Option<crate::config::model::ProxyRun>,
    /// The image, when the tool chose it.
    pub image: Option<ImageRef>,
}

impl Step {
    /// True for what does not change a host.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::AwaitGate { .. } | Self::AwaitReady { .. })
    }

    /// True for what a person wants to read in a plan; the rest is bookkeeping that goes with it.
    #[must_use]
    pub fn is_headline(&self) -> bool {
        !matches!(self, Self::Audit { .. })
    }
}

/// In a few words, as a dry run prints it.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Login { registry } => write!(f, "log in to {}", registry.server.as_deref().unwrap_or("Docker Hub")),
            Self::Pull { image, .. } => write!(f, "pull {image}"),
            Self::CreateNetwork { name } => write!(f, "create network {name}"),
            Self::EnsureProxy(_) => f.write_str("start kamal-proxy"),
            Self::RemoveProxy => f.write_str("remove kamal-proxy"),
            Self::ReplaceProxy(_) => f.write_str("replace kamal-proxy"),
            Self::AcquireLock { .. } => f.write_str("take the deploy lock"),
            Self::ReleaseLock { .. } => f.write_str("release the deploy lock"),
            Self::WriteEnv { path, secrets } => write!(f, "write {path} ({} secrets, mode 0600)", secrets.len()),
            Self::WriteSecret { path, mode, .. } | Self::WriteFile { path, mode, .. } => {
                write!(f, "write {path} (mode {mode:04o})")
            }
            Self::MakeDirectory { path, .. } => write!(f, "make directory {path}"),
            Self::SyncAssets { path, .. } => write!(f, "copy assets {path} out of the image"),
            Self::KeepOnly { directory, keep, .. } => write!(f, "clean {directory}, keeping {keep}"),
            Self::Rename { from, to } => write!(f, "rename {from} to {to}"),
            Self::Start(spec) => write!(f, "start {}", spec.name),
            Self::StartExisting { container } => write!(f, "start {container} again"),
            Self::SwitchTraffic(route) => {
                let Route { service, container, deploy_timeout, error_pages, .. } = &**route;
                let pages = if error_pages.is_some() { ", with error pages" } else { "" };
                write!(f, "switch {service} to {container} when healthy (within {deploy_timeout} s){pages}")
            }
            Self::RemoveRoute { service } => write!(f, "take {service} out of kamal-proxy"),
            Self::StopRoute { service, .. } => write!(f, "put {service} into maintenance"),
            Self::ResumeRoute { service } => write!(f, "take {service} out of maintenance"),
            Self::AwaitReady { container, timeout, .. } => {
                write!(f, "wait until {container} is ready (within {timeout} s)")
            }
            Self::Stop { container, .. } => write!(f, "stop {container}"),
            Self::TagLatest { latest, .. } => write!(f, "tag as {latest}"),
            Self::PruneContainers { retain, .. } => write!(f, "remove stopped containers but the newest {retain}"),
            Self::PruneImages { .. } => f.write_str("remove images no container uses"),
            Self::Audit { text, .. } => write!(f, "note in the audit log: {text}"),
            Self::AwaitGate { role } => write!(f, "hold {role} until the primary role is healthy"),
            Self::Run { title, .. } => f.write_str(title),
        }
    }
}
