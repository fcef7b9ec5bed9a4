//! Booting roles on hosts: which container makes way, which one starts, who waits for whom (spec 9.6).

use serde::Serialize;

use super::HostWork;
use crate::{
    config::{
        Config,
        model::{BootLimit, Proxy, Role, Ssl, TaggedHost},
    },
    name::{ContainerName, HostName, ImageRef, RoleName, Version},
    naming,
    state::{Container, HostState},
    step::{Blob, ProxyContainerSpec, Route, RunSpec, Step},
    targets::Targets,
};

/// Hooks that are there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hooks(pub Vec<String>);

impl Hooks {
    /// True when the hook is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|hook| hook == name)
    }
}

/// One role on one host: the container that comes and the one that goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// Further containers of the role that run: leftovers of an operation that was cut off.
    pub stale: Vec<ContainerName>,
    /// How the proxy is led back to the old container; `None` when the role is not proxied.
    pub back: Option<Box<Route>>,
    /// `-t` of a stop.
    pub stop_timeout: Option<u64>,
}

/// What the boot steps are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boot<'a> {
    pub(super) config: &'a Config,
    pub(super) targets: &'a Targets,
    pub(super) version: &'a Version,
    pub(super) token: &'a str,
    pub(super) error_pages: &'a [(String, Blob)],
    pub(super) proxy_image: Option<&'a ImageRef>,
}

/// Groups of app hosts that boot one after another (`boot.limit`).
pub(super) fn groups(config: &Config, targets: &Targets) -> Vec<Vec<HostName>> {
    let hosts = &targets.app_hosts;
    let size = match config.boot.limit {
        None => hosts.len(),
        Some(BootLimit::Count(count)) => count as usize,
        // Of all there are, accessories' hosts and those that are not selected among them (spec 2.12).
        Some(BootLimit::Percent(percent)) => config.hosts().len() * percent as usize / 100,
    };
    hosts.chunks(size.max(1)).map(<[HostName]>::to_vec).collect()
}

/// What comes before a host's containers: the network and the proxy, where they are missing.
pub(super) fn ensure_proxy(boot: &Boot<'_>, state: &HostState) -> Vec<Step> {
    let mut steps = Vec::new();
    if !state.network {
        steps.push(Step::CreateNetwork { name: naming::NETWORK.into() });
    }
    let running = state.proxy.as_ref().is_some_and(|proxy| proxy.state.is_current());
    if boot.targets.proxy_hosts.contains(&state.host) && !running {
        steps.push(Step::EnsureProxy(Box::new(proxy_container(boot.config, &state.host, boot.proxy_image))));
    }
    steps
}

/// The proxy's container as a host is to have it; `image` is used where none is configured.
pub(crate) fn proxy_container(config: &Config, host: &HostName, image: Option<&ImageRef>) -> ProxyContainerSpec {
    let run = proxy_run(config, host);
    let image = image.filter(|_| !run.as_ref().is_some_and(|run| run.image_chosen)).cloned();
    ProxyContainerSpec { run, image }
}

/// The `proxy.run` that applies to a host: of any role or accessory on it (they agree, the loader saw to that).
pub(super) fn proxy_run(config: &Config, host: &HostName) -> Option<crate::config::model::ProxyRun> {
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

/// The steps that bring a host's roles up, and what they bring up.
pub(super) fn host(boot: &Boot<'_>, state: &HostState) -> (HostWork, Vec<Placement>) {
    let (mut steps, mut placements) = (error_pages(boot), Vec::new());
    let roles: Vec<(&Role, &TaggedHost)> = boot.targets.roles_on(&state.host).collect();
    for (role, _) in roles.iter().filter(|(role, _)| role.proxy.is_some()) {
        steps.extend(assets(boot, state, role));
        steps.extend(role.proxy.iter().flat_map(|proxy| certificate(boot.config, proxy, Some(&role.name))));
    }
    let has_primary = roles.iter().any(|(role, _)| boot.targets.is_primary(role));
    for (i, (role, tagged)) in roles.iter().enumerate() {
        // Where the primary role boots on the same host it comes first, and its success opens the gate.
        if !has_primary && i == 0 && boot.targets.primary_role.is_some() {
            steps.push(Step::AwaitGate { role: role.name.clone() });
        }
        let placement = placement(boot, state, role);
        steps.extend(start(boot, state, role, tagged, &placement));
        placements.push(placement);
    }
    (HostWork { host: state.host.clone(), steps }, placements)
}

fn placement(boot: &Boot<'_>, state: &HostState, role: &Role) -> Placement {
    let new = naming::container(boot.config, &role.name, boot.version);
    let replaced = ContainerName::of_checked(format!("{new}_replaced_{}", boot.token));
    let renamed = |container: &Container| if container.name == new { replaced.clone() } else { container.name.clone() };
    let current = state.current(boot.config, &role.name);
    let old = current.map(renamed);
    // They stop with the old container, not before the switch as in Kamal: one of them may be what the proxy leads to.
    let stale = state
        .of_role(&role.name)
        .filter(|container| {
            container.state.is_current() && current.is_none_or(|current| current.name != container.name)
        })
        .map(renamed)
        .collect();
    let back = old.as_ref().zip(role.proxy.as_ref()).map(|(old, _)| Box::new(route(boot.config, role, old, None)));
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

fn start(boot: &Boot<'_>, state: &HostState, role: &Role, tagged: &TaggedHost, placement: &Placement) -> Vec<Step> {
    let (config, version) = (boot.config, boot.version);
    let env = config.env_for(role, tagged);
    let path = naming::role_env_file(config, &role.name);
    let mut steps = vec![Step::WriteEnv { path: path.clone(), secrets: env.secret.clone() }];
    if state.container(&placement.new).is_some() {
        let to = ContainerName::of_checked(format!("{}_replaced_{}", placement.new, boot.token));
        let text = format!("Renaming container {version} to {version}_replaced_{}", boot.token);
        steps.push(Step::Audit { text, role: Some(role.name.clone()) });
        steps.push(Step::Rename { from: placement.new.clone(), to });
    }
    steps.push(Step::Audit { text: format!("Booted app version {version}"), role: Some(role.name.clone()) });
    let mut clear = vec![
        ("KAMAL_CONTAINER_NAME".to_owned(), placement.new.to_string()),
        ("KAMAL_VERSION".to_owned(), version.to_string()),
        ("KAMAL_HOST".to_owned(), tagged.name.to_string()),
    ];
    if let Some(destination) = &config.destination {
        clear.push(("KAMAL_DESTINATION".to_owned(), destination.to_string()));
    }
    clear.extend(env.clear);
    steps.push(Step::Start(Box::new(RunSpec {
        name: placement.new.clone(),
        role: Some(role.name.clone()),
        version: Some(version.clone()),
        image: naming::image(config, version),
        restart: role.restart.clone(),
        network: naming::NETWORK.into(),
        hostname_stem: Some(naming::hostname_stem(&tagged.name)),
        publish: None,
        env: clear,
        env_file: path,
        logging: logging(&role.logging),
        volumes: volumes(config, role, version),
        labels: config.labels_for(role).into_iter().collect(),
        options: role.options.clone(),
        cmd: role.cmd.clone(),
    })));
    steps.push(if role.proxy.is_some() {
        Step::SwitchTraffic(Box::new(route(config, role, &placement.new, Some(boot))))
    } else {
        Step::AwaitReady {
            container: placement.new.clone(),
            timeout: config.deploy_timeout.as_secs(),
            delay: config.readiness_delay.as_secs(),
        }
    });
    steps
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
pub(crate) fn route_to(config: &Config, role: &Role, container: &ContainerName) -> Route {
    route(config, role, container, None)
}

/// A role's route to a container. Error pages belong to the version booted; going back leaves them out of it.
fn route(config: &Config, role: &Role, container: &ContainerName, boot: Option<&Boot<'_>>) -> Route {
    let proxy = role.proxy.clone().unwrap_or_default();
    let certificate = certificate_paths(config, &proxy, Some(&role.name));
    let error_pages =
        boot.filter(|boot| !boot.error_pages.is_empty()).map(|boot| naming::error_pages_inside(config, boot.version));
    Route {
        service: naming::container_prefix(config, &role.name),
        container: container.clone(),
        proxy,
        certificate,
        error_pages,
        deploy_timeout: config.deploy_timeout.as_secs(),
        drain_timeout: config.drain_timeout.as_secs(),
    }
}

/// Where the proxy finds a certificate of the user's own and its key.
pub(super) fn certificate_paths(config: &Config, proxy: &Proxy, role: Option<&RoleName>) -> Option<(String, String)> {
    let role = role.map(|role| format!("/{role}")).unwrap_or_default();
    let folder = format!("{}/tls{role}", naming::apps_config_inside(config));
    matches!(proxy.ssl, Ssl::Custom { .. }).then(|| (format!("{folder}/cert.pem"), format!("{folder}/key.pem")))
}

fn error_pages(boot: &Boot<'_>) -> Vec<Step> {
    let folder = format!("{}/error_pages/{}", naming::apps_config(boot.config), boot.version);
    let write = |(name, content): &(String, Blob)| Step::WriteFile {
        path: format!("{folder}/{name}"),
        content: content.clone(),
        mode: 0o644,
    };
    boot.error_pages.iter().map(write).collect()
}

fn assets(boot: &Boot<'_>, state: &HostState, role: &Role) -> Option<Step> {
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
pub(super) fn certificate(config: &Config, proxy: &Proxy, role: Option<&RoleName>) -> Vec<Step> {
    let Ssl::Custom { certificate_pem, private_key_pem } = &proxy.ssl else { return Vec::new() };
    let role = role.map(|role| format!("/{role}")).unwrap_or_default();
    let folder = format!("{}/tls{role}", naming::apps_config(config));
    // 0644 is Kamal's mode, and the proxy's unprivileged user has to read them.
    [("cert.pem", certificate_pem), ("key.pem", private_key_pem)]
        .map(|(name, key)| Step::WriteSecret { path: format!("{folder}/{name}"), key: key.clone(), mode: 0o644 })
        .into()
}

/// What goes once every host has switched: old containers, and the leftovers of old versions.
pub(super) fn retire(boot: &Boot<'_>, placements: &[Placement]) -> Vec<HostWork> {
    let mut hosts: Vec<HostWork> = Vec::new();
    for placement in placements {
        if placement.old.is_none() {
            continue;
        }
        let stop =
            |container: &ContainerName| Step::Stop { container: container.clone(), timeout: placement.stop_timeout };
        let mut steps: Vec<Step> = placement.old.iter().chain(&placement.stale).map(stop).collect();
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
