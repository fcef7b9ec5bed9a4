//! Booting roles on hosts: which container makes way, which one starts, who waits for whom (spec 9.6).

use serde::{Deserialize, Serialize};

use super::{HostWork, cluster};
use crate::{
    config::{
        Config,
        model::{BootLimit, Proxy, Role, Ssl, TaggedHost},
    },
    name::{ContainerName, HostName, ImageRef, RoleName, Version},
    naming,
    state::{Container, ContainerState, HostState},
    step::{Blob, ProxyContainerSpec, Route, RunSpec, Step},
    targets::Targets,
};

/// One role on one host: the container that comes and the one that goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Placement {
    /// The host.
    pub host: HostName,
    /// The role.
    pub role: RoleName,
    /// True when it is the one others wait for.
    pub primary: bool,
    /// The new container.
    pub new: ContainerName,
    /// The container that runs now, under the name it has once its successor starts.
    pub old: Option<ContainerName>,
    /// Further containers of the role that run or may come to: leftovers of an operation that was cut off.
    pub stale: Vec<Stale>,
    /// How the proxy is led back to the old container; `None` when the role is not proxied.
    pub back: Option<Box<Route>>,
    /// `-t` of a stop.
    pub stop_timeout: Option<u64>,
}

/// A container of a role that holds on to something, or may come to, though another one answers for the role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stale {
    /// Its name.
    pub name: ContainerName,
    /// True when it is frozen and has to be woken to be stopped.
    pub paused: bool,
}

/// What the boot steps are made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boot<'a> {
    pub(crate) config: &'a Config,
    pub(crate) targets: &'a Targets,
    pub(crate) version: &'a Version,
    pub(crate) error_pages: &'a [(String, Blob)],
    /// Which containers that are there come up in place of new ones.
    pub(crate) reuse: Reuse,
}

/// Which containers that are there come up in place of new ones, with their environment and options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// None.
    #[default]
    Nothing,
    /// All.
    All,
    /// Those that run beside what is live, for a part of the requests.
    Beside,
}

impl Boot<'_> {
    /// True when a role comes up as the container that is there.
    fn reuses(&self, state: &HostState, role: &Role) -> bool {
        match self.reuse {
            Reuse::Nothing => false,
            Reuse::All => true,
            Reuse::Beside => self.runs_beside(state, role),
        }
    }

    /// True when the version's container of a role runs.
    pub(super) fn runs_beside(&self, state: &HostState, role: &Role) -> bool {
        let name = naming::container(self.config, &role.name, self.version);
        state.container(&name).is_some_and(|found| found.state.is_current())
    }
}

/// Groups of app hosts that boot one after another (`boot.limit`).
pub(crate) fn groups(config: &Config, hosts: &[HostName]) -> Vec<Vec<HostName>> {
    let size = match config.boot.limit {
        None => hosts.len(),
        Some(BootLimit::Count(count)) => count as usize,
        // Of all there are, accessories' hosts and those that are not selected among them (spec 2.12).
        Some(BootLimit::Percent(percent)) => config.hosts().len() * percent as usize / 100,
    };
    hosts.chunks(size.max(1)).map(<[HostName]>::to_vec).collect()
}

/// The step that makes the network all containers of a host are on. Hosts that `x-cluster` joins have another one over all
/// of them.
pub(crate) fn create_network(config: &Config) -> Step {
    Step::CreateNetwork { name: naming::NETWORK.into(), local: config.cluster.is_some() }
}

/// What comes before a host's containers: the network and the proxy, where they are missing or apart.
pub(crate) fn ensure_proxy(
    config: &Config,
    targets: &Targets,
    state: &HostState,
    image: Option<&ImageRef>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    if !state.network {
        steps.push(create_network(config));
    }
    if !targets.proxy_hosts.contains(&state.host) {
        return steps;
    }
    match &state.proxy {
        Some(proxy) if proxy.state.is_current() => {
            let joined = |name: &String| name == naming::NETWORK || name == "host";
            if !proxy.networks.iter().any(joined) {
                let container = ContainerName::of_checked(naming::PROXY_CONTAINER);
                let network = naming::NETWORK.to_owned();
                steps.push(Step::ConnectNetwork { network, container, aliases: Vec::new() });
            }
        }
        _ => steps.push(Step::EnsureProxy(Box::new(proxy_container(config, &state.host, image)))),
    }
    steps.extend(cluster::join_proxy(config, state));
    steps
}

/// The proxy's container as a host is to have it; `image` is used where none is configured.
pub(crate) fn proxy_container(config: &Config, host: &HostName, image: Option<&ImageRef>) -> ProxyContainerSpec {
    let run = proxy_run(config, host);
    let image = image.filter(|_| !run.as_ref().is_some_and(|run| run.image_chosen)).cloned();
    ProxyContainerSpec { run, image }
}

/// The `proxy.run` that applies to a host: of any role or accessory on it (they agree, the loader saw to that).
fn proxy_run(config: &Config, host: &HostName) -> Option<crate::config::model::ProxyRun> {
    let roles = config
        .roles
        .iter()
        .filter(|role| role.hosts.iter().any(|tagged| tagged.name == *host))
        .filter_map(|role| role.proxy.as_ref());
    let accessories = config
        .accessories
        .iter()
        .filter(|accessory| accessory.hosts.contains(host))
        .filter_map(|accessory| accessory.proxy.as_ref());
    roles.chain(accessories).find_map(|proxy| proxy.run.clone())
}

/// What brings a host's roles up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Booting {
    /// What its roles have in common, to be done before any of them; empty where they boot one after another.
    pub(crate) common: Vec<Step>,
    /// One list of steps, or one for each role where roles boot side by side.
    pub(crate) works: Vec<HostWork>,
    /// The switches, where hosts switch together.
    pub(crate) switches: Vec<Step>,
    /// What the steps bring up.
    pub(crate) placements: Vec<Placement>,
}

/// The steps that bring a host's roles up, and what they bring up.
pub(crate) fn host(boot: &Boot<'_>, state: &HostState) -> Booting {
    let mut common = if boot.reuse == Reuse::All { Vec::new() } else { error_pages(boot) };
    let roles: Vec<(&Role, &TaggedHost)> = boot.targets.roles_on(&state.host).collect();
    for (role, _) in roles.iter().filter(|(role, _)| role.proxy.is_some() && boot.reuse != Reuse::All) {
        common.extend(assets(boot, state, role));
        let proxy = cluster::proxy(boot.config, role, &state.host);
        common.extend(certificate(boot.config, &proxy, &naming::role_certificate(&role.name)));
    }
    let parallel = boot.config.boot.parallel_roles && roles.len() > 1;
    let has_primary = roles.iter().any(|(role, _)| boot.targets.is_primary(role));
    let (mut works, mut switches, mut placements) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (role, tagged)) in roles.iter().enumerate() {
        let mut steps = Vec::new();
        // Where the primary role boots on the same host it comes first, and its success opens the gate; side by side,
        // every other role waits for itself.
        let waits = if parallel { !boot.targets.is_primary(role) } else { !has_primary && i == 0 };
        if waits && boot.targets.primary_role.is_some() {
            steps.push(Step::AwaitGate { role: role.name.clone() });
        }
        let placement = placement(boot, state, role);
        steps.extend(if boot.reuses(state, role) {
            restart(boot, state, role, &placement)
        } else {
            start(boot, state, role, tagged, &placement)
        });
        steps.push(await_healthy(boot, role, &placement));
        if boot.config.boot.together && role.proxy.is_some() {
            switches.push(switch(boot, role, &placement));
        }
        placements.push(placement);
        match works.last_mut() {
            Some(HostWork { steps: before, .. }) if !parallel => before.extend(steps),
            _ => works.push(HostWork { host: state.host.clone(), steps }),
        }
    }
    if !parallel {
        match works.first_mut() {
            Some(work) => drop(work.steps.splice(0..0, std::mem::take(&mut common))),
            None => works.push(HostWork { host: state.host.clone(), steps: std::mem::take(&mut common) }),
        }
    }
    Booting { common, works, switches, placements }
}

pub(super) fn placement(boot: &Boot<'_>, state: &HostState, role: &Role) -> Placement {
    let new = naming::container(boot.config, &role.name, boot.version);
    let reused = boot.reuses(state, role);
    let makes_way = |container: &&Container| container.name == new && !reused;
    let renamed = |container: &Container| {
        if makes_way(&container) { replaced(container) } else { container.name.clone() }
    };
    let current = state.current(boot.config, &role.name);
    let stays = current.is_some_and(|current| current.name == new && reused);
    let old = current.filter(|_| !stays).map(renamed);
    // They stop with the old container, not before the switch as in Kamal: one of them may be what the proxy leads to.
    let stale = state
        .of_role(&role.name)
        .filter(|container| container.state.may_run())
        .filter(|container| current.is_none_or(|current| current.name != container.name))
        .filter(|container| !(reused && container.name == new))
        .map(|container| Stale { name: renamed(container), paused: container.state == ContainerState::Paused })
        .collect();
    let back = old
        .as_ref()
        .zip(role.proxy.as_ref())
        .map(|(old, _)| Box::new(route(boot.config, role, &state.host, old, None)));
    Placement {
        host: state.host.clone(),
        role: role.name.clone(),
        primary: boot.targets.is_primary(role),
        new,
        old,
        stale,
        back,
        stop_timeout: stop_timeout(boot.config, role),
    }
}

/// The name of a container once it made way for a successor of the same name. Kamal's ends in random digits; those of the
/// container's own id make the plan the same each time it is made.
fn replaced(container: &Container) -> ContainerName {
    let digits: String = container.id.chars().take(16).collect();
    ContainerName::of_checked(format!("{}_replaced_{digits}", container.name))
}

/// Starts the container of a version again as it was deployed.
fn restart(boot: &Boot<'_>, state: &HostState, role: &Role, placement: &Placement) -> Vec<Step> {
    let text = format!("Booted app version {}", boot.version);
    let mut steps = vec![Step::Audit { text, role: Some(role.name.clone()) }];
    if state.container(&placement.new).is_none() {
        let before = format!("{}_replaced_", placement.new);
        let there = state.of_role(&role.name).find(|container| container.name.starts_with(&before));
        steps.extend(there.map(|container| Step::Rename { from: container.name.clone(), to: placement.new.clone() }));
    }
    steps.push(Step::StartExisting { container: placement.new.clone(), tolerant: false });
    steps
}

/// The step that leads the proxy to the new container once that is healthy.
pub(super) fn switch(boot: &Boot<'_>, role: &Role, placement: &Placement) -> Step {
    Step::SwitchTraffic(Box::new(route(boot.config, role, &placement.host, &placement.new, Some(boot))))
}

/// The step that ends when the new container answers for its role, or could.
fn await_healthy(boot: &Boot<'_>, role: &Role, placement: &Placement) -> Step {
    if role.proxy.is_some() {
        return match switch(boot, role, placement) {
            Step::SwitchTraffic(route) if boot.config.boot.together => Step::AwaitHealthy(route),
            switch => switch,
        };
    }
    Step::AwaitReady {
        container: placement.new.clone(),
        timeout: boot.config.deploy_timeout.as_secs(),
        delay: boot.config.readiness_delay.as_secs(),
    }
}

pub(super) fn start(
    boot: &Boot<'_>,
    state: &HostState,
    role: &Role,
    tagged: &TaggedHost,
    placement: &Placement,
) -> Vec<Step> {
    let (config, version) = (boot.config, boot.version);
    let mut steps = vec![write_env(config, role, tagged)];
    if let Some(there) = state.container(&placement.new) {
        let to = replaced(there);
        let named = naming::version_of(config, &role.name, &to).map(|version| version.to_string()).unwrap_or_default();
        let text = format!("Renaming container {version} to {named}");
        steps.push(Step::Audit { text, role: Some(role.name.clone()) });
        steps.push(Step::Rename { from: placement.new.clone(), to });
    }
    steps.push(Step::Audit { text: format!("Booted app version {version}"), role: Some(role.name.clone()) });
    steps.push(Step::Start(Box::new(run_spec(boot, role, tagged, &placement.new))));
    steps
}

fn write_env(config: &Config, role: &Role, tagged: &TaggedHost) -> Step {
    Step::WriteEnv { path: naming::role_env_file(config, &role.name), secrets: config.env_for(role, tagged).secret }
}

/// A role's container as it is started on a host.
fn run_spec(boot: &Boot<'_>, role: &Role, tagged: &TaggedHost, name: &ContainerName) -> RunSpec {
    let (config, version) = (boot.config, boot.version);
    let mut clear = vec![
        ("KAMAL_CONTAINER_NAME".to_owned(), name.to_string()),
        ("KAMAL_VERSION".to_owned(), version.to_string()),
        ("KAMAL_HOST".to_owned(), tagged.name.to_string()),
    ];
    if let Some(destination) = &config.destination {
        clear.push(("KAMAL_DESTINATION".to_owned(), destination.to_string()));
    }
    clear.extend(cluster::facts(config, role));
    clear.extend(config.env_for(role, tagged).clear);
    RunSpec {
        name: name.clone(),
        role: Some(role.name.clone()),
        version: Some(version.clone()),
        image: naming::image(config, version),
        restart: role.restart.clone(),
        network: naming::NETWORK.into(),
        overlay: cluster::of_role(config, role, &tagged.name),
        hostname_stem: Some(naming::hostname_stem(&tagged.name)),
        publish: None,
        env: clear,
        env_file: naming::role_env_file(config, &role.name),
        logging: logging(&role.logging),
        volumes: volumes(config, role, version),
        labels: config.labels_for(role).into_iter().collect(),
        options: role.options.clone(),
        cmd: role.cmd.clone(),
    }
}

/// The steps of `x-release` and their host: the first one of its role that is selected.
pub(crate) fn release(boot: &Boot<'_>) -> Option<HostWork> {
    let config = boot.config;
    let release = config.release.as_ref()?;
    let (host, (role, tagged)) = boot.targets.app_hosts.iter().find_map(|host| {
        let mut roles = boot.targets.roles_on(host);
        Some((host, roles.find(|(role, _)| role.name == release.role)?))
    })?;
    let name = naming::release_container(config, &role.name);
    let run = RunSpec {
        restart: "no".to_owned(),
        // Its output is read back, which not every driver can do.
        logging: vec!["--log-driver json-file".to_owned(), "--log-opt max-size=\"10m\"".to_owned()],
        volumes: config.volumes.clone(),
        // It is none of those that answer for the role.
        overlay: cluster::nameless(config),
        labels: Vec::new(),
        cmd: Some(release.cmd.clone()),
        ..run_spec(boot, role, tagged, &name)
    };
    let text = format!("Running the release command of version {}", boot.version);
    let audit = Step::Audit { text, role: Some(role.name.clone()) };
    let run = Step::RunOnce { run: Box::new(run), timeout: release.timeout.as_secs() };
    Some(HostWork { host: host.clone(), steps: vec![write_env(config, role, tagged), audit, run] })
}

/// `--log-driver` and `--log-opt` arguments (spec 2.12).
#[must_use]
pub fn logging(logging: &crate::config::model::Logging) -> Vec<String> {
    use crate::shell::escape::{pairs, value};
    if logging.driver.is_none() && logging.options.is_empty() {
        return vec!["--log-opt max-size=\"10m\"".to_owned()];
    }
    let driver = logging.driver.iter().map(|driver| format!("--log-driver {}", value(driver)));
    driver.chain(pairs("--log-opt", logging.options.iter().map(|(key, text)| (key.as_str(), text.as_str())))).collect()
}

fn volumes(config: &Config, role: &Role, version: &Version) -> Vec<String> {
    let mut volumes = config.volumes.clone();
    if let (Some(path), true) = (&role.asset_path, role.proxy.is_some()) {
        volumes.push(format!("$PWD/{}:{path}", naming::assets(config, "volumes", &role.name, version)));
    }
    volumes
}

/// `-t` of a stop: the role's, the root's, nothing for proxied roles, else the drain timeout (spec 2.5).
pub(crate) fn stop_timeout(config: &Config, role: &Role) -> Option<u64> {
    role.stop_timeout.or_else(|| role.proxy.is_none().then_some(config.drain_timeout.as_secs()))
}

/// A role's route to a container that is there already.
pub(crate) fn route_to(config: &Config, role: &Role, host: &HostName, container: &ContainerName) -> Route {
    route(config, role, host, container, None)
}

/// A role's route to a container. Error pages belong to the version booted; going back leaves them out of it.
pub(super) fn route(
    config: &Config,
    role: &Role,
    host: &HostName,
    container: &ContainerName,
    boot: Option<&Boot<'_>>,
) -> Route {
    let proxy = cluster::proxy(config, role, host);
    let certificate = certificate_paths(config, &proxy, &naming::role_certificate(&role.name));
    let error_pages =
        boot.filter(|boot| !boot.error_pages.is_empty()).map(|boot| naming::error_pages_inside(config, boot.version));
    Route {
        service: naming::container_prefix(config, &role.name),
        container: container.clone(),
        tasks: false,
        network: cluster::own_network(config),
        peers: cluster::peers(config, role, host),
        sharing: cluster::sharing(config, role, host),
        proxy,
        certificate,
        error_pages,
        deploy_timeout: config.deploy_timeout.as_secs(),
        drain_timeout: config.drain_timeout.as_secs(),
    }
}

/// Where the proxy finds a certificate of the user's own and its key, which are in a folder of their own.
pub(super) fn certificate_paths(config: &Config, proxy: &Proxy, folder: &str) -> Option<(String, String)> {
    let folder = format!("{}/{}", naming::apps_config_inside(config), folder);
    matches!(proxy.ssl, Ssl::Custom { .. }).then(|| (format!("{folder}/cert.pem"), format!("{folder}/key.pem")))
}

pub(super) fn error_pages(boot: &Boot<'_>) -> Vec<Step> {
    let folder = format!("{}/error_pages/{}", naming::apps_config(boot.config), boot.version);
    let write = |(name, content): &(String, Blob)| Step::WriteFile {
        path: format!("{folder}/{name}"),
        content: content.clone(),
        mode: 0o644,
    };
    boot.error_pages.iter().map(write).collect()
}

pub(super) fn assets(boot: &Boot<'_>, state: &HostState, role: &Role) -> Option<Step> {
    let path = role.asset_path.as_ref()?;
    let folders = |version: &Version| {
        (
            naming::assets(boot.config, "extracted", &role.name, version),
            naming::assets(boot.config, "volumes", &role.name, version),
        )
    };
    let (extracted, volume) = folders(boot.version);
    let current = state.current_version(boot.config, &role.name).filter(|version| version != boot.version);
    Some(Step::SyncAssets {
        prefix: naming::container_prefix(boot.config, &role.name),
        image: naming::image(boot.config, boot.version),
        path: path.split(':').next().unwrap_or(path).to_owned(),
        extracted,
        volume,
        current: current.as_ref().map(folders),
    })
}

/// The steps that write a certificate of the user's own and its key.
pub(super) fn certificate(config: &Config, proxy: &Proxy, folder: &str) -> Vec<Step> {
    let Ssl::Custom { certificate_pem, private_key_pem } = &proxy.ssl else { return Vec::new() };
    let folder = format!("{}/{}", naming::apps_config(config), folder);
    let write = |name: &str, key: &String, reader| Step::WriteSecret {
        path: format!("{folder}/{name}"),
        key: key.clone(),
        mode: 0o644,
        reader,
    };
    vec![write("cert.pem", certificate_pem, None), write("key.pem", private_key_pem, Some(naming::PROXY_USER))]
}

/// How the new containers that replaced others are watched, by `x-guard`.
pub(crate) fn guard(config: &Config, placements: &[Placement]) -> Vec<HostWork> {
    let Some(guard) = &config.guard else { return Vec::new() };
    // Where there was nothing before, there is nothing to go back to.
    let watched = placements.iter().filter(|placement| placement.back.is_some());
    let watch = |placement: &Placement| HostWork {
        host: placement.host.clone(),
        steps: vec![Step::Watch {
            service: naming::container_prefix(config, &placement.role),
            container: placement.new.clone(),
            guard: guard.clone(),
        }],
    };
    watched.map(watch).collect()
}

/// The steps that stop a leftover.
pub(super) fn stop_stale(stale: &Stale, placement: &Placement) -> Vec<Step> {
    let Stale { name, paused } = stale;
    let wake = paused.then(|| Step::Unpause { container: name.clone() });
    let stop = Step::Stop { container: name.clone(), timeout: placement.stop_timeout, tolerant: false };
    wake.into_iter().chain([stop]).collect()
}

/// What goes once every host has switched: old containers, and the leftovers of old versions.
pub(crate) fn retire(boot: &Boot<'_>, placements: &[Placement]) -> Vec<HostWork> {
    let mut hosts: Vec<HostWork> = Vec::new();
    for placement in placements {
        if placement.old.is_none() && placement.stale.is_empty() && boot.reuse == Reuse::Nothing {
            continue;
        }
        // One that goes on running, a worker for instance, is no old version that has gone.
        let stop = |container: &ContainerName| Step::Stop {
            container: container.clone(),
            timeout: placement.stop_timeout,
            tolerant: false,
        };
        let mut steps: Vec<Step> = placement.old.iter().map(stop).collect();
        steps.extend(placement.stale.iter().flat_map(|stale| stop_stale(stale, placement)));
        let role = boot.config.role(&placement.role);
        if role.is_some_and(|role| role.asset_path.is_some() && role.proxy.is_some()) {
            for kind in ["extracted", "volumes"] {
                let kept = naming::assets(boot.config, kind, &placement.role, boot.version);
                let (directory, keep) = kept.rsplit_once('/').unwrap_or(("", &kept));
                steps.push(Step::KeepOnly {
                    directory: directory.to_owned(),
                    pattern: Some(format!("{}-*", placement.role)),
                    keep: keep.to_owned(),
                });
            }
        }
        if boot.config.error_pages_path.is_some() {
            steps.push(Step::KeepOnly {
                directory: format!("{}/error_pages", naming::apps_config(boot.config)),
                pattern: None,
                keep: boot.version.to_string(),
            });
        }
        match hosts.iter_mut().find(|work| work.host == placement.host) {
            Some(work) => work.steps.extend(steps),
            None => hosts.push(HostWork { host: placement.host.clone(), steps }),
        }
    }
    hosts
}
