//! Accessories (spec 9.8): databases and the like, one container each.

use super::{
    boot::{certificate, certificate_paths, logging},
    cluster,
};
use crate::{
    config::{
        Config,
        model::{Accessory, AccessoryPath},
    },
    name::{ContainerName, HostName, ImageRef},
    naming,
    run::inputs::{AccessoryFile, octal},
    shell::escape::{self, word},
    step::{Route, RunSpec, Step},
};

/// The steps of one accessory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessorySteps<'a> {
    pub(crate) config: &'a Config,
    pub(crate) accessory: &'a Accessory,
    pub(crate) files: &'a [AccessoryFile],
}

impl AccessorySteps<'_> {
    /// The name of its container.
    pub(crate) fn container(&self) -> ContainerName {
        ContainerName::of_checked(self.accessory.service.as_str())
    }

    /// Its image.
    pub(crate) fn image(&self) -> ImageRef {
        ImageRef::of_checked(self.accessory.image.as_str())
    }

    /// A login to the registry its image comes from.
    pub(crate) fn login(&self) -> Option<Step> {
        let registry = self.accessory.registry.as_ref().unwrap_or(&self.config.registry);
        registry.needs_login().then(|| Step::Login { registry: registry.clone(), place: None })
    }

    /// A note in the audit log.
    pub(crate) fn audit(&self, text: &str) -> Step {
        Step::Audit { text: text.replace("NAME", &self.accessory.name), role: None }
    }

    /// Makes its folders.
    pub(crate) fn directories(&self) -> Vec<Step> {
        let made = |directory: &AccessoryPath| {
            let (path, mode, owner) = (self.on_host(directory), directory.mode.clone(), directory.owner.clone());
            Step::MakeDirectory { path, mode, owner }
        };
        self.accessory.directories.iter().map(made).collect()
    }

    /// Writes its files.
    pub(crate) fn uploads(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for file in &self.accessory.files {
            let octal = octal(file);
            let root = format!("{}{}", self.accessory.service, file.remote);
            let of_it = |known: &&AccessoryFile| known.accessory == self.accessory.name && known.local == file.local;
            for AccessoryFile { below, content, mode, .. } in self.files.iter().filter(of_it) {
                let path = below.as_ref().map_or_else(|| root.clone(), |below| format!("{root}/{below}"));
                steps.push(Step::WriteFile { path, content: content.clone(), mode: octal.unwrap_or(*mode) });
            }
            if let (None, Some(mode)) = (octal, &file.mode) {
                // `u=rw,go=` and its like.
                steps.push(Step::ChangeMode { path: root.clone(), mode: mode.clone() });
            }
            steps.extend(file.owner.iter().map(|owner| Step::ChangeOwner { path: root.clone(), owner: owner.clone() }));
        }
        steps
    }

    /// Writes its env file, starts its container, and leads the proxy to it if it is served by one.
    pub(crate) fn start(&self, host: &HostName) -> Vec<Step> {
        let spec = self.run_spec(host);
        let mut steps = vec![
            self.audit("Booted NAME accessory"),
            Step::WriteEnv { path: spec.env_file.clone(), secrets: self.accessory.env.secret.clone() },
            Step::Start(Box::new(spec)),
        ];
        steps.extend(self.route());
        steps
    }

    /// Its container, as a host is to have it.
    pub(crate) fn run_spec(&self, host: &HostName) -> RunSpec {
        let (config, accessory) = (self.config, self.accessory);
        let mut env = vec![("KAMAL_HOST".to_owned(), host.to_string())];
        env.extend(accessory.env.clear.clone());
        let mut labels = vec![("service".to_owned(), accessory.service.clone())];
        labels.extend(accessory.labels.clone());
        RunSpec {
            name: self.container(),
            role: None,
            version: None,
            image: self.image(),
            restart: accessory.restart.clone(),
            network: accessory.network.clone(),
            overlay: cluster::of_accessory(config, accessory),
            hostname_stem: None,
            publish: accessory.port.clone(),
            env,
            env_file: naming::accessory_env_file(config, &accessory.name),
            logging: logging(&config.logging),
            volumes: self.volumes(),
            labels,
            options: accessory.options.clone(),
            cmd: accessory.cmd.clone(),
        }
    }

    /// Leads the proxy to its container, if it is served by one.
    pub(crate) fn route(&self) -> Vec<Step> {
        let Some(proxy) = &self.accessory.proxy else { return Vec::new() };
        let owner = &naming::accessory_certificate(&self.accessory.name);
        let mut steps = certificate(self.config, proxy, owner);
        steps.push(Step::SwitchTraffic(Box::new(Route {
            service: self.accessory.service.clone(),
            container: self.container(),
            tasks: false,
            network: cluster::own_network(self.config).filter(|own| *own == self.accessory.network),
            peers: Vec::new(),
            sharing: None,
            proxy: proxy.clone(),
            certificate: certificate_paths(self.config, proxy, owner),
            error_pages: None,
            deploy_timeout: self.config.deploy_timeout.as_secs(),
            drain_timeout: self.config.drain_timeout.as_secs(),
        })));
        steps
    }

    /// Stops its container, out of the proxy first.
    pub(crate) fn stop(&self) -> Vec<Step> {
        let mut steps = vec![self.audit("Stopped NAME accessory")];
        let service = self.accessory.service.clone();
        steps.extend(self.accessory.proxy.as_ref().map(|_| Step::RemoveRoute { service }));
        steps.push(Step::Stop { container: self.container(), timeout: None, tolerant: true });
        steps
    }

    /// Removes its stopped container.
    pub(crate) fn remove_container(&self) -> Vec<Step> {
        let labels = vec![("service".to_owned(), self.accessory.service.clone())];
        vec![self.audit("Remove NAME accessory container"), Step::RemoveStopped { labels }]
    }

    /// Removes its image.
    pub(crate) fn remove_image(&self) -> Vec<Step> {
        vec![self.audit("Removed NAME accessory image"), Step::RemoveImage { image: self.image() }]
    }

    /// Pulls its image.
    pub(crate) fn pull(&self) -> Vec<Step> {
        let pull = Step::Pull { image: self.image(), service: None, held: false, digest: None };
        vec![self.audit("Pull NAME accessory image"), pull]
    }

    /// `--volume`, shell text.
    pub(crate) fn volumes(&self) -> Vec<String> {
        let accessory = self.accessory;
        // Each part is quoted by itself, so that one that needs no quotes has none.
        let mount = |path: &AccessoryPath, from: String| {
            let options = path.options.iter().map(|options| format!(":{}", word(options))).collect::<String>();
            format!("{from}:{}{options}", escape::path(&path.remote))
        };
        // The file was put there by its name, in which nothing is filled in.
        let on_host = |file: &AccessoryPath| word(&format!("{}{}", accessory.service, file.remote));
        let of_file = |file: &AccessoryPath| mount(file, format!("$PWD/{}", on_host(file)));
        let files = accessory.files.iter().map(of_file);
        let directories =
            accessory.directories.iter().map(|directory| mount(directory, escape::path(&self.on_host(directory))));
        accessory.volumes.iter().cloned().chain(files).chain(directories).collect()
    }

    /// A directory's path on the host; what the host's shell knows is filled in.
    fn on_host(&self, directory: &AccessoryPath) -> String {
        if directory.local.starts_with('/') {
            directory.local.clone()
        } else {
            format!("$PWD/{}/{}", self.accessory.service, directory.local)
        }
    }
}
