//! Accessories as `setup` boots them (spec 9.8): databases and the like, one container each, left alone when there.

use super::boot::{certificate, certificate_paths, logging};
use crate::{
    config::{
        Config,
        model::{Accessory, AccessoryPath},
    },
    name::{ContainerName, HostName, ImageRef},
    naming,
    state::HostState,
    step::{Blob, Route, RunSpec, Step},
};

/// A file of an accessory's, read from the project.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessoryFile {
    /// The accessory.
    pub accessory: String,
    /// Its path in the project.
    pub local: String,
    /// Its content.
    pub content: Blob,
}

/// The steps that boot a host's accessories; none for those that have a container already.
pub(super) fn boot(config: &Config, state: &HostState, files: &[AccessoryFile]) -> Vec<Step> {
    let there =
        |accessory: &&Accessory| accessory.hosts.contains(&state.host) && state.container(&accessory.service).is_none();
    config.accessories.iter().filter(there).flat_map(|accessory| one(config, accessory, &state.host, files)).collect()
}

fn one(config: &Config, accessory: &Accessory, host: &HostName, files: &[AccessoryFile]) -> Vec<Step> {
    let mut steps = Vec::new();
    let registry = accessory.registry.as_ref().unwrap_or(&config.registry);
    if registry.username.is_some() && registry.password.is_some() {
        steps.push(Step::Login { registry: registry.clone() });
    }
    for directory in &accessory.directories {
        let (path, mode, owner) = (on_host(accessory, directory), directory.mode.clone(), directory.owner.clone());
        steps.push(Step::MakeDirectory { path, mode, owner });
    }
    for file in &accessory.files {
        let content = files.iter().find(|known| known.accessory == accessory.name && known.local == file.local);
        let path = format!("{}{}", accessory.service, file.remote);
        let octal = file.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok());
        let mode = octal.unwrap_or(0o755);
        let content = content.map(|file| file.content.clone()).unwrap_or_default();
        steps.push(Step::WriteFile { path: path.clone(), content, mode });
        if let (None, Some(mode)) = (octal, &file.mode) {
            // `u=rw,go=` and its like.
            let shell = format!("chmod {} {}", crate::shell::escape::word(mode), crate::shell::escape::word(&path));
            steps.push(Step::Run { title: format!("change {path} to mode {mode}"), shell, tolerant: false });
        }
        if let Some(owner) = &file.owner {
            let shell = format!("chown {} {}", crate::shell::escape::word(owner), crate::shell::escape::word(&path));
            steps.push(Step::Run { title: format!("give {path} to {owner}"), shell, tolerant: false });
        }
    }
    steps.push(Step::Audit { text: format!("Booted {} accessory", accessory.name), role: None });
    let env_file = naming::accessory_env_file(config, &accessory.name);
    steps.push(Step::WriteEnv { path: env_file.clone(), secrets: accessory.env.secret.clone() });
    let mut env = vec![("KAMAL_HOST".to_owned(), host.to_string())];
    env.extend(accessory.env.clear.clone());
    let mount = |path: &AccessoryPath, from: String| {
        let options = path.options.iter().map(|options| format!(":{options}")).collect::<String>();
        format!("{from}:{}{options}", path.remote)
    };
    let mut volumes = accessory.volumes.clone();
    volumes
        .extend(accessory.files.iter().map(|file| mount(file, format!("$PWD/{}{}", accessory.service, file.remote))));
    volumes.extend(accessory.directories.iter().map(|directory| mount(directory, on_host(accessory, directory))));
    let mut labels = vec![("service".to_owned(), accessory.service.clone())];
    labels.extend(accessory.labels.clone());
    let name = ContainerName::of_checked(accessory.service.as_str());
    steps.push(Step::Start(Box::new(RunSpec {
        name: name.clone(),
        role: None,
        version: None,
        image: ImageRef::of_checked(accessory.image.as_str()),
        restart: accessory.restart.clone(),
        network: accessory.network.clone(),
        hostname_stem: None,
        publish: accessory.port.clone(),
        env,
        env_file,
        logging: logging(&config.logging),
        volumes,
        labels,
        options: accessory.options.clone(),
        cmd: accessory.cmd.clone(),
    })));
    if let Some(proxy) = &accessory.proxy {
        steps.extend(certificate(config, proxy, None));
        steps.push(Step::SwitchTraffic(Box::new(Route {
            service: accessory.service.clone(),
            container: name,
            proxy: proxy.clone(),
            certificate: certificate_paths(config, proxy, None),
            error_pages: None,
            deploy_timeout: config.deploy_timeout.as_secs(),
            drain_timeout: config.drain_timeout.as_secs(),
        })));
    }
    steps
}

/// A directory's path on the host, as shell text.
fn on_host(accessory: &Accessory, directory: &AccessoryPath) -> String {
    if directory.local.starts_with('/') {
        directory.local.clone()
    } else {
        format!("$PWD/{}/{}", accessory.service, directory.local)
    }
}
