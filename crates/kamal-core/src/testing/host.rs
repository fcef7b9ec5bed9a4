//! A simulated host: what is on it, and what each step does to it. Its rules are docker's and kamal-proxy's, as far as
//! deploys notice them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    glob,
    name::{ContainerId, ContainerName, HostName, ImageRef, RoleName, Version},
    naming,
    render::LOCK_HELD,
    state::{Container, ContainerState, HostState, Image, Machine, ProxyContainer},
    step::{Route, RunSpec, Step},
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
    /// Where the proxy leads: service to container id.
    pub routes: BTreeMap<String, String>,
    /// Files below the login directory, with their modes.
    pub files: BTreeMap<String, u32>,
    /// Locks that are held: folder to details.
    pub locks: BTreeMap<String, String>,
    /// Lines of the audit log.
    pub audit: Vec<String>,
}

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
}

/// What a step may need from outside its host.
#[derive(Clone, Debug)]
pub(super) struct Around<'a> {
    /// Images of the registry: reference to id.
    pub(super) registry: &'a BTreeMap<String, String>,
    /// Versions that never become healthy.
    pub(super) sick: &'a BTreeSet<String>,
    /// An id nobody has.
    pub(super) fresh_id: String,
}

/// How a step ended: its exit status and what it printed.
pub(super) type Ended = Result<String, (i32, String)>;

impl SimContainer {
    /// Its label `role`.
    #[must_use]
    pub fn role(&self) -> Option<RoleName> {
        self.labels.get("role")?.parse().ok()
    }

    /// The version of the image it was started from.
    #[must_use]
    pub fn version(&self) -> Version {
        self.image.rsplit_once(':').and_then(|(_, tag)| tag.parse().ok()).unwrap_or_else(Version::unknown)
    }

    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.state == ContainerState::Running
    }
}

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

    /// The host as it would be observed for a service.
    pub(super) fn observed(&self, host: &HostName, service: &str, lock_directory: &str) -> HostState {
        let container = |container: &SimContainer| {
            let named = self.images.get(container.image.as_str()) == Some(&container.image_id);
            let image = if named { container.image.to_string() } else { container.image_id[7..19].to_owned() };
            let (id, name) =
                (ContainerId::parse(container.id.as_str()).expect("ids are digits"), container.name.clone());
            Container { id, name, image, state: container.state, role: container.role() }
        };
        let of_service =
            |container: &&SimContainer| container.labels.get("service").is_some_and(|label| label == service);
        let image = |(reference, id): (&String, &String)| Image {
            id: id.clone(),
            reference: ImageRef::of_checked(reference.as_str()),
        };
        HostState {
            host: host.clone(),
            machine: Machine { arch: "amd64".into(), user: "root".into(), home: "/root".into() },
            docker: self.docker,
            containers: self.containers.iter().filter(of_service).map(container).collect(),
            accessories: Vec::new(),
            images: self.images.iter().map(image).collect(),
            proxy: self
                .proxy
                .map(|state| ProxyContainer { image: ImageRef::of_checked("basecamp/kamal-proxy:v0.9.2"), state }),
            boot_config: false,
            network: self.network,
            lock: self.locks.get(lock_directory).cloned(),
        }
    }

    /// Acts a step out.
    pub(super) fn act(&mut self, step: &Step, around: &Around<'_>) -> Ended {
        match step {
            Step::AcquireLock { directory, details } => {
                if let Some(held) = self.locks.get(directory) {
                    return Err((LOCK_HELD, held.clone()));
                }
                self.locks.insert(directory.clone(), format!("{details}\n"));
            }
            Step::ReleaseLock { directory } => {
                self.locks.remove(directory).ok_or((1, format!("rmdir: failed to remove '{directory}'")))?;
            }
            Step::WriteEnv { path, .. } => self.write(path, 0o600),
            Step::WriteSecret { path, mode, .. } | Step::WriteFile { path, mode, .. } => self.write(path, *mode),
            Step::KeepOnly { directory, pattern, keep } => self.keep_only(directory, pattern.as_deref(), keep),
            Step::Audit { text, .. } => self.audit.push(text.clone()),
            Step::MakeDirectory { .. } | Step::AwaitGate { .. } | Step::Run { .. } => {}
            _ if !self.docker => return Err((127, "sh: 1: docker: not found".to_owned())),
            Step::Login { .. } => {}
            Step::Pull { image, .. } => self.pull(image, around)?,
            Step::CreateNetwork { .. } => self.network = true,
            Step::EnsureProxy(_) | Step::ReplaceProxy(_) if self.proxy.is_none() && !self.network => {
                return Err((125, "docker: Error response from daemon: network kamal not found.".to_owned()));
            }
            Step::EnsureProxy(_) | Step::ReplaceProxy(_) => self.proxy = Some(ContainerState::Running),
            Step::RemoveProxy => self.proxy = None,
            Step::SyncAssets { image, .. } => drop(self.image(image)?),
            Step::Rename { from, to } => self.rename(from, to)?,
            Step::Start(spec) => return self.start(spec, around),
            Step::StartExisting { container } => self.named(container)?.state = ContainerState::Running,
            Step::Stop { container, .. } => self.named(container)?.state = ContainerState::Exited,
            Step::SwitchTraffic(route) => self.switch(route, around)?,
            Step::StopRoute { service, .. } | Step::ResumeRoute { service } => {
                self.routes.get(service).map(drop).ok_or((1, "Error: service not found".to_owned()))?;
            }
            Step::RemoveRoute { service } => {
                self.routes.remove(service).ok_or((1, "Error: service not found".to_owned()))?;
            }
            Step::AwaitReady { container, timeout, .. } => {
                let found = self.named(container)?.clone();
                if !found.runs() {
                    return Err((1, "container stopped (exited)".to_owned()));
                }
                if around.sick.contains(found.version().as_str()) {
                    return Err((1, format!("container not ready after {timeout} seconds (unhealthy)")));
                }
            }
            Step::TagLatest { image, latest } => {
                let id = self.image(image)?;
                self.images.insert(latest.to_string(), id);
            }
            Step::PruneContainers { service, retain } => self.prune_containers(service, *retain as usize),
            Step::PruneImages { latest, .. } => {
                let repository = latest.rsplit_once(':').map_or(latest.as_str(), |(repository, _)| repository);
                self.prune_images(repository, latest);
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

    fn pull(&mut self, image: &ImageRef, around: &Around<'_>) -> Result<(), (i32, String)> {
        self.images.remove(image.as_str());
        let missing = || (1, format!("Error response from daemon: manifest for {image} not found: manifest unknown"));
        let id = around.registry.get(image.as_str()).ok_or_else(missing)?;
        self.images.insert(image.to_string(), id.clone());
        Ok(())
    }

    fn named(&mut self, name: &str) -> Result<&mut SimContainer, (i32, String)> {
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
            self.pull(&spec.image, around)?;
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
        };
        self.containers.insert(0, container);
        Ok(format!("{id}\n"))
    }

    fn switch(&mut self, route: &Route, around: &Around<'_>) -> Result<(), (i32, String)> {
        if self.proxy != Some(ContainerState::Running) {
            return Err((1, "Error response from daemon: Container kamal-proxy is not running".to_owned()));
        }
        let found = self.named(&route.container)?.clone();
        if !found.runs() {
            return Err((1, format!("{} is not running, did the container boot?", route.container)));
        }
        if around.sick.contains(found.version().as_str()) {
            return Err((1, "Error: target failed to become healthy".to_owned()));
        }
        self.routes.insert(route.service.clone(), found.id);
        Ok(())
    }

    fn prune_containers(&mut self, service: &str, retain: usize) {
        let mut kept = 0;
        self.containers.retain(|container| {
            let over =
                matches!(container.state, ContainerState::Created | ContainerState::Exited | ContainerState::Dead)
                    && container.labels.get("service").is_some_and(|label| label == service);
            kept += usize::from(over);
            !over || kept <= retain
        });
    }

    fn prune_images(&mut self, repository: &str, latest: &ImageRef) {
        let prefix = format!("{repository}:");
        let used: BTreeSet<&str> = self.containers.iter().map(|container| container.image.as_str()).collect();
        self.images.retain(|reference, _| {
            !reference.starts_with(&prefix) || *latest == *reference.as_str() || used.contains(reference.as_str())
        });
    }

    /// Whether a step waits for something that never becomes healthy.
    pub(super) fn waits_in_vain(&self, step: &Step, sick: &BTreeSet<String>) -> bool {
        let (Step::SwitchTraffic(_) | Step::AwaitReady { .. }) = step else { return false };
        let name = match step {
            Step::SwitchTraffic(route) => &route.container,
            Step::AwaitReady { container, .. } => container,
            _ => return false,
        };
        self.container(name).is_some_and(|found| found.runs() && sick.contains(found.version().as_str()))
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
