//! A simulated host: what is on it, and what each step does to it. Its rules are docker's and kamal-proxy's, as far as
//! deploys notice them.

mod seen;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    container::{SimContainer, SimMade},
    exec::AWAY,
    lock::{self, SimLock},
    swarm::SimSwarm,
};
use crate::{
    diagnosis::Evidence,
    glob,
    name::{ContainerName, ImageRef},
    naming,
    query::Query,
    state::{ContainerState, Rollout},
    step::{Attachment, Route, RunSpec, Step},
    vitals::Vitals,
};

/// A host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimHost {
    /// Whether docker is installed.
    pub docker: bool,
    /// Whether the network `kamal` exists.
    pub network: bool,
    /// Its containers, newest first.
    pub containers: Vec<SimContainer>,
    /// Its images: reference to id.
    pub images: BTreeMap<String, String>,
    /// The state of the proxy's container.
    pub proxy: Option<ContainerState>,
    /// True when the proxy is one that cannot watch what it serves.
    pub proxy_is_blind: bool,
    /// True when the proxy is cut off from the network `kamal`.
    pub proxy_cut_off: bool,
    /// Where the proxy leads: service to container id.
    pub routes: BTreeMap<String, String>,
    /// What the proxy keeps beside these: service to container id, and how many of a hundred requests go there.
    pub beside: BTreeMap<String, (String, Option<u8>)>,
    /// Notes of rollouts that are under way, by their paths.
    pub rollouts: BTreeMap<String, Rollout>,
    /// Other hosts' proxies that serve these services too, as the proxy knows them.
    pub peers: BTreeMap<String, Vec<String>>,
    /// What each of these services answers for; every host where nothing is said.
    pub served: BTreeMap<String, String>,
    /// Its architecture; `None` is `amd64`.
    pub arch: Option<String>,
    /// Other architectures it can run programs of.
    pub emulated: Vec<String>,
    /// Free bytes on its disk, if it tells.
    pub free: Option<u64>,
    /// Whether its SSH server forbids forwarding.
    pub forbids_forwarding: bool,
    /// Whether it hands layers on to other hosts.
    pub relays: bool,
    /// Whether something keeps it from reaching other hosts.
    pub apart: bool,
    /// Archives among its files: the image's name and its id.
    pub archives: BTreeMap<String, (String, String)>,
    /// Files below the login directory, with their modes.
    pub files: BTreeMap<String, u32>,
    /// Names of the secrets in env files.
    pub env_files: BTreeMap<String, Vec<String>>,
    /// Locks that are held, by their folders.
    pub locks: BTreeMap<String, SimLock>,
    /// Lines of the audit log.
    pub audit: Vec<String>,
    /// When each of these lines was written.
    pub audited_at: Vec<String>,
    /// Registries docker is logged in to.
    pub logins: BTreeSet<String>,
    /// Commands of the user's that were run.
    pub ran: Vec<String>,
    /// How it is joined with others.
    pub swarm: SimSwarm,
    /// What it tells of itself besides.
    pub vitals: Vitals,
}

/// What a step may need from outside its host.
#[derive(Clone, Debug)]
pub(super) struct Around<'a> {
    /// Whether the host reaches the registry of the local machine.
    pub(super) reaches: bool,
    /// Whether it is led to another host for layers.
    pub(super) led: bool,
    /// Images of the registry: reference to id.
    pub(super) registry: &'a BTreeMap<String, String>,
    /// Versions that never become healthy.
    pub(super) sick: &'a BTreeMap<String, Evidence>,
    /// Versions that answer badly.
    pub(super) bad: &'a BTreeSet<String>,
    /// An id nobody has.
    pub(super) fresh_id: String,
    /// Now, in RFC 3339.
    pub(super) now: String,
    /// How long everything has been going on.
    pub(super) elapsed: Duration,
    /// Whether docker is away.
    pub(super) away: bool,
}

/// The lowest layer of simulated images, which every host has and which is most of them.
pub(super) const BASE_LAYER: &str = "sha256:base";

/// How a step ended: its exit status and what it printed.
pub(super) type Ended = Result<String, (i32, String)>;

impl SimHost {
    /// A host that has docker and nothing else.
    #[must_use]
    pub fn bare() -> Self {
        Self { docker: true, ..Self::default() }
    }

    /// The container of that name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&SimContainer> {
        self.containers.iter().find(|container| container.name == *name)
    }

    /// Whether a service is led to all containers of a service of the swarm.
    #[must_use]
    pub fn is_led_to_tasks(&self, service: &str) -> bool {
        self.routes.get(service).is_some_and(|to| to.starts_with("tasks."))
    }

    /// The container a service is led to.
    #[must_use]
    pub fn routed(&self, service: &str) -> Option<&SimContainer> {
        let id = self.routes.get(service)?;
        self.containers.iter().find(|container| container.id == *id)
    }

    /// A role's containers that run, newest first.
    pub fn running<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a SimContainer> {
        let of_role = move |container: &&SimContainer| container.labels.get("role").is_some_and(|known| known == role);
        self.containers.iter().filter(|container| container.runs()).filter(of_role)
    }

    /// Answers a question as docker would, as far as anybody looks at the answer.
    pub(super) fn answer(&mut self, query: &Query) -> Ended {
        if let Query::Shell { command } = query {
            self.ran.extend(command.iter().map(ToString::to_string));
            return Ok(String::new());
        }
        if !self.docker {
            return Err((127, "sh: 1: docker: not found".to_owned()));
        }
        match query {
            Query::ExecNew(exec) => {
                let image = ImageRef::of_checked(format!("acme/app:{}", exec.version));
                self.image(&image)?;
                self.ran.push(exec.command.to_string());
            }
            Query::ExecReuse { container, command, .. } => {
                if !self.named(container)?.runs() {
                    return Err((1, format!("Error response from daemon: Container {container} is not running")));
                }
                self.ran.push(command.to_string());
            }
            Query::ExecAccessory { command, .. } => self.ran.push(command.to_string()),
            Query::Inspect { container } => {
                return Ok(self.named(container)?.inspected().to_string());
            }
            Query::DockerConfig => return Ok(String::new()),
            Query::SwarmToken { manager } => return self.swarm.token(*manager),
            // It has the lowest layer of every image.
            Query::HeldLayers => return Ok(format!("[{BASE_LAYER:?}]\n")),
            Query::Logs { container, .. } if container == naming::PROXY_CONTAINER => {}
            Query::Logs { container, .. } => {
                let known = |found: &&SimContainer| found.id == *container || found.name == *container.as_str();
                let found = self.containers.iter().find(known);
                found.ok_or_else(|| (1, format!("Error response from daemon: No such container: {container}")))?;
            }
            Query::Details { .. }
            | Query::Orphans { .. }
            | Query::Containers
            | Query::Images
            | Query::ProxyDetails
            | Query::ProxyRoutes
            | Query::ProxyBootConfig
            | Query::AccessoryDetails { .. }
            | Query::Survey
            | Query::ProbeHosts { .. }
            | Query::PostMortem { .. }
            | Query::Shell { .. }
            | Query::Audit => {}
        }
        Ok("as asked\n".to_owned())
    }

    /// Whether docker has a part in a step.
    pub(super) fn needs_docker(step: &Step) -> bool {
        !matches!(
            step,
            Step::AcquireLock { .. }
                | Step::RenewLock { .. }
                | Step::ReleaseLock { .. }
                | Step::WriteEnv { .. }
                | Step::WriteSecret { .. }
                | Step::WriteFile { .. }
                | Step::NoteRollout { .. }
                | Step::KeepOnly { .. }
                | Step::Remove { .. }
                | Step::Audit { .. }
                | Step::MakeDirectory { .. }
                | Step::AwaitGate { .. }
                | Step::ChangeMode { .. }
                | Step::ChangeOwner { .. }
                | Step::InstallDocker
        )
    }

    /// Acts a step out.
    pub(super) fn act(&mut self, step: &Step, around: &Around<'_>) -> Ended {
        match step {
            Step::AcquireLock { directory, taking } => {
                return lock::acquire(&mut self.locks, directory, taking, around.elapsed);
            }
            Step::RenewLock { directory, id } => return lock::renew(&mut self.locks, directory, id, around.elapsed),
            Step::ReleaseLock { directory, id } => return lock::release(&mut self.locks, directory, id.as_deref()),
            Step::WriteEnv { path, secrets } => {
                self.env_files.insert(path.clone(), secrets.iter().map(|secret| secret.name.clone()).collect());
                self.write(path, 0o600);
            }
            Step::WriteSecret { path, mode, .. } | Step::WriteFile { path, mode, .. } => self.write(path, *mode),
            Step::KeepOnly { directory, pattern, keep } => self.keep_only(directory, pattern.as_deref(), keep),
            Step::Remove { path } => {
                let below = format!("{path}/");
                self.files.retain(|file, _| file != path && !file.starts_with(&below));
                self.rollouts.retain(|file, _| file != path && !file.starts_with(&below));
            }
            Step::NoteRollout { path, rollout } => drop(self.rollouts.insert(path.clone(), rollout.clone())),
            Step::Audit { text, .. } => {
                self.audit.push(text.clone());
                self.audited_at.push(around.now.clone());
            }
            Step::MakeDirectory { .. } | Step::AwaitGate { .. } => {}
            Step::ChangeMode { path, .. } | Step::ChangeOwner { path, .. } => {
                let below = format!("{path}/");
                let there = self.files.keys().any(|file| file == path || file.starts_with(&below));
                there.then_some(()).ok_or_else(|| (1, format!("cannot access '{path}': No such file or directory")))?;
            }
            Step::InstallDocker => self.docker = true,
            _ if !self.docker => return Err((127, "sh: 1: docker: not found".to_owned())),
            _ if around.away => return Err((1, AWAY.to_owned())),
            Step::Login { registry, .. } => {
                self.logins.insert(registry.server.clone().unwrap_or_default());
            }
            Step::Logout { registry } => {
                self.logins.remove(registry.server.as_deref().unwrap_or_default());
            }
            Step::LoadImage { archive } => {
                self.files.remove(archive).ok_or_else(|| (1, format!("open {archive}: no such file or directory")))?;
                if let Some((image, id)) = self.archives.remove(archive) {
                    self.images.insert(image, id);
                }
            }
            _ => return self.act_in_docker(step, around),
        }
        Ok(String::new())
    }

    fn act_in_docker(&mut self, step: &Step, around: &Around<'_>) -> Ended {
        match step {
            Step::Pull { image, digest, .. } => self.pull(image, digest.as_deref(), around)?,
            // Without the registry it ends at once.
            Step::RelayLayers { image, .. } => {
                self.image(image)?;
                self.relays = around.reaches;
            }
            Step::RemoveImage { image } => drop(self.images.remove(image.as_str())),
            Step::RemoveUnusedImages { .. } => {
                let used: BTreeSet<&str> = self.containers.iter().map(|container| container.image.as_str()).collect();
                self.images.retain(|reference, _| used.contains(reference.as_str()));
            }
            Step::CreateNetwork { .. } => self.network = true,
            Step::ConnectNetwork { network, .. } if network == naming::NETWORK => self.proxy_cut_off = false,
            Step::EnsureProxy(_) | Step::ReplaceProxy(_) if self.proxy.is_none() && !self.network => {
                return Err((125, "docker: Error response from daemon: network kamal not found.".to_owned()));
            }
            Step::EnsureProxy(_) | Step::ReplaceProxy(_) => {
                (self.proxy, self.proxy_cut_off) = (Some(ContainerState::Running), false);
            }
            Step::StartProxy => {
                let missing = || (1, "Error: No such container: kamal-proxy".to_owned());
                self.proxy = Some(self.proxy.map(|_| ContainerState::Running).ok_or_else(missing)?);
            }
            Step::StopProxy => self.proxy = self.proxy.map(|_| ContainerState::Exited),
            Step::RemoveProxy => self.proxy = self.proxy.filter(|state| state.is_current()),
            Step::RemoveProxyImage | Step::RemoveTraefik => {}
            Step::CheckProxy if !self.proxy_runs() || self.proxy_cut_off => {
                return Err((1, "kamal-proxy does not serve".to_owned()));
            }
            Step::CheckProxy => {}
            Step::CheckWatch if !self.proxy_runs() || self.proxy_is_blind => {
                return Err((1, "x-guard needs this project's kamal-proxy".to_owned()));
            }
            Step::CheckWatch => {}
            Step::Watch { service, .. } => return self.watched(service, around),
            Step::AwaitHealthy(route) => drop(self.healthy(route, around)?),
            Step::SyncAssets { image, .. } => drop(self.image(image)?),
            Step::Rename { from, to } => self.rename(from, to)?,
            Step::Start(spec) => return self.start(spec, around),
            Step::RunOnce { run, .. } => {
                self.image(&run.image)?;
                self.ran.extend(run.cmd.clone());
            }
            Step::StartExisting { container, .. } => self.named(container)?.state = ContainerState::Running,
            Step::Unpause { container } => {
                let found = self.named(container)?;
                if found.state != ContainerState::Paused {
                    return Err((1, format!("Error response from daemon: Container {container} is not paused")));
                }
                found.state = ContainerState::Running;
            }
            Step::Stop { container, tolerant: false, .. } if self.container(container).is_none() => {}
            Step::Stop { container, .. } => {
                let found = self.named(container)?;
                if found.state.holds_resources() {
                    found.state = ContainerState::Exited;
                }
            }
            Step::RemoveContainer { container } => {
                if self.container(container).is_some_and(SimContainer::runs) {
                    return Err((1, "You cannot remove a running container".to_owned()));
                }
                self.containers.retain(|found| found.name != *container);
            }
            Step::RemoveStopped { labels } => {
                let is_its = |found: &SimContainer| {
                    labels.iter().all(|(name, value)| found.labels.get(name).map_or("", String::as_str) == value)
                };
                self.containers.retain(|found| found.state.holds_resources() || !is_its(found));
            }
            Step::SwitchTraffic(route) => self.switch(route, around)?,
            Step::StopRoute { service, .. } | Step::ResumeRoute { service } => {
                self.routes.get(service).map(drop).ok_or((1, "Error: service not found".to_owned()))?;
            }
            Step::StartRollout(route) => {
                let found = self.healthy(route, around)?;
                self.routes.get(&route.service).ok_or((1, "Error: service not found".to_owned()))?;
                let split = self.beside.get(&route.service).and_then(|(_, split)| *split);
                self.beside.insert(route.service.clone(), (found.id, split));
            }
            Step::SplitRollout { service, percent } => {
                let beside = self.beside.get_mut(service).ok_or((1, "Error: rollout target not set".to_owned()))?;
                beside.1 = Some(*percent);
            }
            Step::StopRollout { service } => {
                self.beside.get_mut(service).into_iter().for_each(|(_, split)| *split = None);
            }
            Step::RemoveRoute { service } if self.proxy_runs() => {
                self.routes.remove(service);
                self.beside.remove(service);
            }
            Step::RemoveRoute { .. } => {}
            Step::AwaitReady { container, timeout, .. } => {
                let found = self.named(container)?.clone();
                if !found.runs() {
                    return Err((1, "container stopped (exited)".to_owned()));
                }
                if around.sick.contains_key(found.version().as_str()) {
                    return Err((1, format!("container not ready after {timeout} seconds (unhealthy)")));
                }
            }
            Step::TagLatest { image, latest } => {
                let id = self.image(image)?;
                self.images.insert(latest.to_string(), id);
            }
            Step::PruneContainers { service, destination, retain } => {
                self.prune_containers(service, destination.as_deref().unwrap_or_default(), *retain as usize);
            }
            Step::PruneImages { latest, .. } => self.prune_images(latest),
            _ => {
                let unknown = || (126, format!("no simulated host can {step}"));
                return self.swarm.act(step, around.sick).unwrap_or_else(|| Err(unknown()));
            }
        }
        Ok(String::new())
    }

    fn write(&mut self, path: &str, mode: u32) {
        self.files.insert(path.to_owned(), mode);
    }

    fn keep_only(&mut self, directory: &str, pattern: Option<&str>, keep: &str) {
        let goes = |path: &str| {
            let Some(rest) = path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')) else { return false };
            let entry = rest.split('/').next().unwrap_or(rest);
            entry != keep && pattern.is_none_or(|pattern| glob::matches(pattern, entry))
        };
        self.files.retain(|path, _| !goes(path));
    }

    fn image(&self, image: &ImageRef) -> Result<String, (i32, String)> {
        self.images.get(image.as_str()).cloned().ok_or_else(|| (1, format!("Error: No such image: {image}")))
    }

    fn pull(&mut self, image: &ImageRef, digest: Option<&str>, around: &Around<'_>) -> Result<(), (i32, String)> {
        self.images.remove(image.as_str());
        let missing = || (1, format!("Error response from daemon: manifest for {image} not found: manifest unknown"));
        if image.starts_with("localhost:") && !around.reaches {
            return Err((1, "Error response from daemon: dial tcp 127.0.0.1: connect: connection refused".to_owned()));
        }
        if around.led && self.apart {
            return Err((1, "Error response from daemon: dial tcp 10.0.0.1:5555: i/o timeout".to_owned()));
        }
        let id = around.registry.get(image.as_str()).ok_or_else(missing)?;
        // A registry keeps what was pushed, wherever the tag moves.
        self.images.insert(image.to_string(), digest.unwrap_or(id).to_owned());
        Ok(())
    }

    pub(super) fn named(&mut self, name: &str) -> Result<&mut SimContainer, (i32, String)> {
        let found = self.containers.iter_mut().find(|container| container.name == *name);
        found.ok_or_else(|| (1, format!("Error response from daemon: No such container: {name}")))
    }

    fn rename(&mut self, from: &ContainerName, to: &ContainerName) -> Result<(), (i32, String)> {
        if self.container(to).is_some() {
            return Err((1, format!("Error response from daemon: Conflict. The container name \"/{to}\" is in use")));
        }
        self.named(from)?.name = to.clone();
        Ok(())
    }

    fn start(&mut self, spec: &RunSpec, around: &Around<'_>) -> Ended {
        let problem = |text: String| Err((125, format!("docker: Error response from daemon: {text}.")));
        if self.container(&spec.name).is_some() {
            return problem(format!("Conflict. The container name \"/{}\" is already in use", spec.name));
        }
        if !self.network {
            return problem(format!("network {} not found", spec.network));
        }
        if !self.files.contains_key(&spec.env_file) {
            return Err((125, format!("docker: open {}: no such file or directory.", spec.env_file)));
        }
        if !self.images.contains_key(spec.image.as_str()) {
            self.pull(&spec.image, None, around)?;
        }
        let image_id = self.image(&spec.image)?;
        let id = around.fresh_id.clone();
        let container = SimContainer {
            id: id.clone(),
            name: spec.name.clone(),
            image: spec.image.clone(),
            image_id,
            state: ContainerState::Running,
            labels: spec.labels.iter().cloned().collect(),
            env: spec.env.clone(),
            made: SimMade {
                secrets: self.env_files.get(&spec.env_file).cloned().unwrap_or_default(),
                publish: spec.publish.clone(),
                volumes: spec.volumes.clone(),
                cmd: spec.cmd.clone(),
                memory: spec.options.iter().any(|(name, _)| name == "memory"),
            },
        };
        self.containers.insert(0, container);
        if let Some(Attachment { network, aliases }) = &spec.overlay {
            self.swarm.connect(network, &spec.name, aliases)?;
        }
        Ok(format!("{id}\n"))
    }

    /// What is seen of a service.
    fn watched(&self, service: &str, around: &Around<'_>) -> Ended {
        let found = self.routed(service).filter(|_| self.proxy_runs());
        let version = found.ok_or_else(|| (1, "Error: service not found".to_owned()))?.version();
        if around.bad.contains(version.as_str()) {
            return Err((1, "Error: 5 of 100 requests (5.0 %) were answered with a 5xx".to_owned()));
        }
        Ok("100 requests, 0 of them answered with a 5xx\n".to_owned())
    }

    /// The container of a route, if the proxy would take it.
    fn healthy(&mut self, route: &Route, around: &Around<'_>) -> Result<SimContainer, (i32, String)> {
        if self.proxy != Some(ContainerState::Running) {
            return Err((1, "Error response from daemon: Container kamal-proxy is not running".to_owned()));
        }
        let found = self.named(&route.container)?.clone();
        if !found.runs() {
            return Err((1, format!("{} is not running, did the container boot?", route.container)));
        }
        if around.sick.contains_key(found.version().as_str()) {
            return Err((1, "Error: target failed to become healthy".to_owned()));
        }
        Ok(found)
    }

    fn switch(&mut self, route: &Route, around: &Around<'_>) -> Result<(), (i32, String)> {
        let to = if route.tasks {
            if !self.proxy_runs() {
                return Err((1, "Error: No such container: kamal-proxy".to_owned()));
            }
            naming::tasks_of(&route.container)
        } else {
            self.healthy(route, around)?.id
        };
        self.routes.insert(route.service.clone(), to);
        self.peers.insert(route.service.clone(), route.peers.clone());
        match &route.proxy.hosts[..] {
            [] => drop(self.served.remove(&route.service)),
            hosts => drop(self.served.insert(route.service.clone(), hosts.join(","))),
        }
        Ok(())
    }

    fn prune_containers(&mut self, service: &str, destination: &str, retain: usize) {
        let label = |container: &SimContainer, name: &str| container.labels.get(name).cloned().unwrap_or_default();
        let mut kept = 0;
        self.containers.retain(|container| {
            let over =
                matches!(container.state, ContainerState::Created | ContainerState::Exited | ContainerState::Dead)
                    && label(container, "service") == service
                    && label(container, "destination") == destination;
            kept += usize::from(over);
            !over || kept <= retain
        });
    }

    fn prune_images(&mut self, latest: &ImageRef) {
        let repository = latest.rsplit_once(':').map_or(latest.as_str(), |(repository, _)| repository);
        let prefix = format!("{repository}:");
        let used: BTreeSet<&str> = self.containers.iter().map(|container| container.image.as_str()).collect();
        let is_latest = |reference: &str| *latest == *reference || reference.starts_with(&format!("{latest}-"));
        self.images.retain(|reference, _| {
            !reference.starts_with(&prefix) || is_latest(reference) || used.contains(reference.as_str())
        });
    }

    /// Whether a step waits for something that never becomes healthy.
    pub(super) fn waits_in_vain(&self, step: &Step, sick: &BTreeMap<String, Evidence>) -> bool {
        let name = match step {
            Step::SwitchTraffic(route) | Step::AwaitHealthy(route) | Step::StartRollout(route) => &route.container,
            Step::AwaitReady { container, .. } => container,
            _ => return false,
        };
        self.container(name).is_some_and(|found| found.runs() && sick.contains_key(found.version().as_str()))
    }

    /// Whether the proxy runs.
    pub(super) fn proxy_runs(&self) -> bool {
        self.proxy == Some(ContainerState::Running)
    }

    /// Whether the lock of any service is held.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.locks.keys().any(|directory| directory.starts_with(naming::RUN_DIRECTORY))
    }
}
