//! The typed steps a plan is made of. A step is data: adapters turn it into shell text, the simulated fleet acts it
//! out, `Display` is what a dry run prints.

mod blob;
mod login;
mod route;
mod service;
mod told;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use blob::Blob;
pub use login::{LOGIN_OVERTAKEN, LoginPlace};
pub use route::{Route, Sharing};
pub use service::{Pace, SERVICE_OPTIONS, ServiceMount, ServiceSpec};

use crate::{
    config::model::{DockerOptions, Guard, Registry, SecretName},
    lock::Taking,
    name::{ContainerName, Destination, HostName, ImageRef, RoleName, ServiceName, Version},
    secret::Secret,
    state::Rollout,
};

/// A new container that docker restarted this often is not waited for any longer: docker pauses 3 s in all before the
/// fifth time, so it is none that merely came too early for something it needs.
pub const CRASH_LOOP: u32 = 5;

/// Something done on one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Logs the host's docker in to a registry; the credentials go through standard input.
    Login {
        /// The registry.
        registry: Registry,
        /// Where docker keeps the login, which the runner finds out beforehand.
        #[serde(skip)]
        place: Option<LoginPlace>,
    },
    /// Logs the host's docker out of a registry.
    Logout {
        /// The registry.
        registry: Registry,
    },
    /// Installs Docker where it is missing, as root or through sudo, with the script Docker publishes.
    InstallDocker,
    /// Pulls an image and checks that it belongs to the service.
    Pull {
        /// The image.
        image: ImageRef,
        /// What its label `service` must say; `None` when this very run built it with that label.
        service: Option<ServiceName>,
        /// True when the host holds an image of that name, which must not be taken for the new one.
        held: bool,
        /// The digest it must have, where it is known by then: `sha256:…`.
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
    /// Hands layers of images on to other hosts, for as long as the host reaches the registry on the deploying machine.
    RelayLayers {
        /// Where the others find it.
        at: SocketAddr,
        /// kamal-proxy's image, whose program does it.
        image: ImageRef,
        /// What they have to know, which the runner makes up.
        #[serde(skip)]
        token: Option<Secret>,
    },
    /// Reads an image out of an archive on the host, which is removed then.
    LoadImage {
        /// The archive's path below the login directory.
        archive: String,
    },
    /// Removes an image by its name; one that is not there counts as removed.
    RemoveImage {
        /// The image.
        image: ImageRef,
    },
    /// Removes the images of a service that no container was made from.
    RemoveUnusedImages {
        /// The service.
        service: ServiceName,
    },
    /// Creates a docker network, if it is not there.
    CreateNetwork {
        /// Its name.
        name: String,
        /// Whether it is this host's alone. Else a worker of a swarm makes none, as it would hide one of that name over all
        /// hosts.
        local: bool,
    },
    /// Joins a container to a docker network it has lost, or is not on yet.
    ConnectNetwork {
        /// The network.
        network: String,
        /// The container.
        container: ContainerName,
        /// Names it answers to there, besides its own.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        aliases: Vec<String>,
    },
    /// Takes a container off a docker network; one that is not on it counts as taken off.
    DisconnectNetwork {
        /// The network.
        network: String,
        /// The container.
        container: ContainerName,
    },
    /// Makes the host the first manager of a new swarm.
    InitSwarm {
        /// The address the others are to know it by.
        address: String,
    },
    /// Joins the host to a swarm.
    JoinSwarm {
        /// The host that manages it.
        through: HostName,
        /// The address that one is known by.
        at: String,
        /// The address the others are to know this one by.
        address: String,
        /// Whether it becomes a manager as well.
        manager: bool,
        /// What lets it in, which the runner asks the manager for beforehand.
        #[serde(skip)]
        token: Option<Secret>,
    },
    /// Makes a network over all hosts of a swarm, on a manager, if it is not there.
    CreateOverlay {
        /// Its name.
        name: String,
        /// Whether hosts encrypt what goes over it.
        encrypted: bool,
    },
    /// Makes a manager of a swarm a worker, on another manager.
    DemoteNode {
        /// Its node.
        node: String,
    },
    /// Takes the host out of its swarm, unless that runs services on it.
    LeaveSwarm {
        /// Whether the swarm ends with it.
        last: bool,
    },
    /// Removes a host that has left from the swarm's list, on a manager.
    RemoveNode {
        /// Its node.
        node: String,
    },
    /// Says of a host, on a manager, which roles' containers may be on it.
    LabelNode {
        /// The host.
        host: HostName,
        /// The address the others know it by.
        address: String,
        /// Labels it is to have.
        add: Vec<String>,
        /// Labels it is not to have.
        remove: Vec<String>,
    },
    /// Makes a service of the swarm, on a manager, or has it become this one, and waits until it is; one that does not
    /// come up goes back to what it was.
    DeployService(Box<ServiceSpec>),
    /// Has a service be what it was before, on a manager.
    RollBackService {
        /// The service.
        service: ContainerName,
        /// How many seconds that may take.
        timeout: u64,
    },
    /// Has a service have so many containers, on a manager, and waits until they run.
    ScaleService {
        /// The service.
        service: ContainerName,
        /// How many.
        replicas: u32,
        /// How many seconds that may take.
        timeout: u64,
    },
    /// Removes a service, on a manager; one that is not there counts as removed.
    RemoveService {
        /// The service.
        service: ContainerName,
    },
    /// Starts the proxy's container, creating it if needed.
    EnsureProxy(Box<ProxyContainerSpec>),
    /// Starts the proxy's container, which must be there.
    StartProxy,
    /// Stops the proxy's container; one that is not there counts as stopped.
    StopProxy,
    /// Removes the proxy's container, which must have been stopped.
    RemoveProxy,
    /// Removes the images of the proxy.
    RemoveProxyImage,
    /// Fails unless the proxy runs and is where it reaches the containers it leads to.
    CheckProxy,
    /// Stops and removes the Traefik of Kamal 1, container and image.
    RemoveTraefik,
    /// Puts a new container in the place of the proxy's: one takes over from the other where they can share a network,
    /// else the old one goes first.
    ReplaceProxy(Box<ProxyContainerSpec>),
    /// Takes the deploy lock; fails when it is held.
    AcquireLock {
        /// Its folder.
        directory: String,
        /// By whom and how. Who applies a plan and when is no part of what is reviewed.
        #[serde(skip)]
        taking: Box<Taking>,
    },
    /// Lets the holder of the deploy lock be heard of; fails when it is not the holder.
    RenewLock {
        /// Its folder.
        directory: String,
        /// The holder's lease.
        #[serde(skip)]
        id: String,
    },
    /// Gives the deploy lock back.
    ReleaseLock {
        /// Its folder.
        directory: String,
        /// The lease whose it must be; `None` gives it back whoever holds it.
        #[serde(skip)]
        id: Option<String>,
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
        /// The id of the user of a container that is to read it, whose it becomes with a mode of 0600; where the login
        /// user may not give files away, everybody can read it.
        reader: Option<u32>,
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
    /// Changes the mode of a file, in words or octal digits.
    ChangeMode {
        /// Its path below the login directory.
        path: String,
        /// What `chmod` is told.
        mode: String,
    },
    /// Gives a file to another owner.
    ChangeOwner {
        /// Its path below the login directory.
        path: String,
        /// What `chown` is told.
        owner: String,
    },
    /// Removes a file or a folder with all that is in it; one that is not there counts as removed.
    Remove {
        /// Its path below the login directory.
        path: String,
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
    /// Runs a container to its end, which must be a good one, and removes it. One of its name that was left is stopped.
    RunOnce {
        /// The container.
        run: Box<RunSpec>,
        /// How many seconds it may take.
        timeout: u64,
    },
    /// Starts a container that is there.
    StartExisting {
        /// The container.
        container: ContainerName,
        /// True when a failure is of no matter.
        tolerant: bool,
    },
    /// Wakes a container that was frozen, so that it can be stopped; tolerates failure.
    Unpause {
        /// The container.
        container: ContainerName,
    },
    /// Waits until a container would be taken by kamal-proxy, which leads nobody to it.
    AwaitHealthy(Box<Route>),
    /// Makes sure that kamal-proxy can watch what it serves.
    CheckWatch,
    /// Watches through kamal-proxy how a container answers; fails with the numbers where it does not do so well enough.
    Watch {
        /// The name of the service.
        service: String,
        /// The container it leads to.
        container: ContainerName,
        /// What it must keep to.
        guard: Guard,
    },
    /// Removes a container that does not run; one that is not there counts as removed.
    RemoveContainer {
        /// The container.
        container: ContainerName,
    },
    /// Removes containers that do not run.
    RemoveStopped {
        /// The labels that say whose they are, in order.
        labels: Vec<(String, String)>,
    },
    /// Lets kamal-proxy check a container's health and move traffic to it, draining the one before.
    SwitchTraffic(Box<Route>),
    /// Notes on the host that a rollout is under way, and how far it is.
    NoteRollout {
        /// The note's path below the login directory.
        path: String,
        /// What is noted.
        rollout: Rollout,
    },
    /// Lets kamal-proxy check a container's health and keep it beside the one it leads a service to; what was beside that
    /// before is drained.
    StartRollout(Box<Route>),
    /// Leads a part of the requests to a service to what is beside its container.
    SplitRollout {
        /// The service in kamal-proxy.
        service: String,
        /// How many of a hundred.
        percent: u8,
    },
    /// Leads all requests to a service to its container; a service kamal-proxy does not know, or a proxy that does not run,
    /// counts as done.
    StopRollout {
        /// The service in kamal-proxy.
        service: String,
    },
    /// Takes a service out of kamal-proxy; one it does not know, or a proxy that does not run, counts as done.
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
    /// Stops a container.
    Stop {
        /// The container.
        container: ContainerName,
        /// `-t`, in seconds.
        timeout: Option<u64>,
        /// Whether it may go on running.
        #[serde(default)]
        tolerant: bool,
    },
    /// Tags the version as the latest image.
    TagLatest {
        /// The version's image.
        image: ImageRef,
        /// The latest image.
        latest: ImageRef,
    },
    /// Removes stopped containers of a service at a destination but the newest few.
    PruneContainers {
        /// The service.
        service: ServiceName,
        /// The destination.
        destination: Option<Destination>,
        /// How many stay.
        retain: u32,
    },
    /// Removes images of a service that no container uses, but the latest of every destination.
    PruneImages {
        /// The service.
        service: ServiceName,
        /// The image tagged `latest`: it stays, and so do those tagged `latest-` and a destination.
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
}

/// A container to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The network over all hosts it is on as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<Attachment>,
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

/// A container's place on a network besides its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The network.
    pub network: String,
    /// Names it answers to there, besides its own.
    pub aliases: Vec<String>,
}

/// The proxy's container (spec 2.10, 9.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        matches!(self, Self::AwaitGate { .. } | Self::AwaitReady { .. } | Self::CheckProxy)
    }

    /// True when what it prints is the user's, to be shown and not only kept.
    #[must_use]
    pub fn speaks(&self) -> bool {
        matches!(self, Self::RunOnce { .. } | Self::Watch { .. })
    }

    /// True for what a person wants to read in a plan; the rest is bookkeeping that goes with it.
    #[must_use]
    pub fn is_headline(&self) -> bool {
        !matches!(self, Self::Audit { .. } | Self::NoteRollout { .. } | Self::CheckProxy | Self::CheckWatch)
    }

    /// True when the step waits until something is healthy.
    #[must_use]
    pub(crate) fn awaits_health(&self) -> bool {
        matches!(
            self,
            Self::SwitchTraffic(_)
                | Self::AwaitHealthy(_)
                | Self::StartRollout(_)
                | Self::AwaitReady { .. }
                | Self::Watch { .. }
        )
    }

    /// True when a failure of the step is of no matter.
    #[must_use]
    pub(crate) fn is_tolerant(&self) -> bool {
        match self {
            Self::Unpause { .. } | Self::KeepOnly { .. } => true,
            Self::StartExisting { tolerant, .. } | Self::Stop { tolerant, .. } => *tolerant,
            _ => false,
        }
    }
}
