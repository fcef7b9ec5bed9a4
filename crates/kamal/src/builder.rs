//! A project in parts: each is the command's own unless another is given.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use kamal_core::{
    config::{self, Loaded, Source},
    event::{Event, Sequence, Teller},
    name::{Destination, HostName},
    ports::{
        Builder, Clock, Docker, Entropy, Events, Hooks, Interceptor, Local, LocalRegistry, Nothing, Proxy, Secrets,
        Ssh, Templates, World,
    },
    redact::Redactor,
    run::ProxyImage,
    secret::Secret,
};
use kamal_ssh::{Attendant, Connector};
use tokio::runtime::Handle;

use crate::{
    error::Error,
    events::Callback,
    files::{CONFIG_FILE, ProjectFiles},
    git::Identity,
    machine::{
        Environment, FileSecrets, FolderRegistry, ProjectTemplates, Surroundings, SystemClock, SystemEntropy,
        ThisMachine,
    },
    nowhere::Nowhere,
    project::{Parts, Project},
    proxy_image,
    secret_map::SecretMap,
    ssh_options,
    work::blocking,
};

/// Where the proxy's image comes from, where deploy.yml names none.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ProxySource {
    /// Of the `kamal-proxy` for Linux that lies beside this program, for hosts of its architecture; else as
    /// [`ProxySource::DockerHub`].
    #[default]
    BesideThisProgram,
    /// Of this static binary; hosts are handed the image through their connection.
    Binary(PathBuf),
    /// This image, which hosts are handed through their connection.
    Image(ProxyImage),
    /// Kamal's image, which hosts fetch from Docker Hub.
    DockerHub,
}

/// The parts of a [`Project`]. What is not given is the command's own: files of the folder, this process's environment,
/// SSH as deploy.yml has it, Docker, the proxy beside this program.
///
/// ```no_run
/// # async fn build() -> Result<(), Box<dyn std::error::Error>> {
/// use kamal::{ProxySource, prelude::*};
///
/// let project = Project::builder()
///     .text("service: shop\nimage: shop\nservers: [10.0.0.1]\nbuilder: {arch: amd64}\nenv: {secret: [API_KEY]}\n")
///     .folder("/srv/shop") // where the Dockerfile is
///     .destination_text(Destination::parse("staging")?, "servers: [10.0.0.9]\n")
///     .secret_map([("API_KEY", "hunter2")])
///     .proxy_image(ProxySource::Binary("/opt/kamal-proxy-linux-amd64".into()))
///     .performer("deploy-bot")
///     .on_event(|event| {
///         if let EventKind::Say { text, .. } = event.kind {
///             println!("{text}");
///         }
///     })
///     .build()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// Any port can be another, one's own: [`ssh`](Self::ssh) is how hosts are reached, [`secrets`](Self::secrets) where
/// secrets are, [`image_builder`](Self::image_builder) who builds, [`hooks`](Self::hooks) and
/// [`interceptor`](Self::interceptor) what is done besides. [`world`](Self::world) is all of them at once, such as simulated
/// hosts for tests (`testing::SimFleet` of [`core`](crate::core), with the feature `testing`).
#[derive(Clone, Debug, Default)]
#[must_use = "it makes a project with `build`"]
pub struct ProjectBuilder {
    folder: Option<PathBuf>,
    config_file: Option<String>,
    text: Option<Source>,
    destination: Option<Destination>,
    destination_text: Option<(Destination, Source)>,
    environment: Option<Environment>,
    home: Option<PathBuf>,
    secrets: Option<Arc<dyn Secrets>>,
    redactor: Option<Redactor>,
    proxy_image: ProxySource,
    performer: Option<String>,
    user_name: Option<String>,
    events: Option<Arc<dyn Events>>,
    attendant: Option<Arc<dyn Attendant>>,
    ssh: Option<Arc<dyn Ssh>>,
    docker: Option<Arc<dyn Docker>>,
    image_builder: Option<Arc<dyn Builder>>,
    hooks: Option<Arc<dyn Hooks>>,
    interceptor: Option<Arc<dyn Interceptor>>,
    proxy: Option<Arc<dyn Proxy>>,
    local: Option<Arc<dyn Local>>,
    clock: Option<Arc<dyn Clock>>,
    entropy: Option<Arc<dyn Entropy>>,
    templates: Option<Arc<dyn Templates>>,
    registry: Option<Arc<dyn LocalRegistry>>,
    sequence: Option<Sequence>,
}

/// A port is replaced.
macro_rules! port {
    ($(#[doc = $doc:literal])+ $name:ident: $port:ident) => {
        $(#[doc = $doc])+
        pub fn $name(mut self, $name: Arc<dyn $port>) -> Self {
            self.$name = Some($name);
            self
        }
    };
}

impl ProjectBuilder {
    /// The folder it lies in: deploy.yml, secrets, hooks, what is built. Without one there are none of these, and what is
    /// relative to it is not there.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Another path of the configuration than `config/deploy.yml`, relative to the folder. Where there is a
    /// [`ProjectBuilder::text`], only the destination's file is looked for beside it.
    pub fn config_file(mut self, path: impl Into<String>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// The configuration as a text, rather than from a file. What is wrong with it is told as of `config/deploy.yml`.
    ///
    /// A deploy.yml is code: its templates read files and variables and run programs, and so does `ssh/proxy_command`. Take
    /// texts only from people who may do that here. Somebody else's can be looked at with
    /// [`config::load`](kamal_core::config::load) and [`NoTemplateWorld`](kamal_core::config::NoTemplateWorld), which makes
    /// it a function of its text.
    pub fn text(mut self, deploy: impl Into<String>) -> Self {
        self.text = Some(Source::new(CONFIG_FILE, deploy));
        self
    }

    /// A destination: its file is laid over the configuration. It is that of [`ProjectBuilder::destination_text`], or lies in
    /// the folder.
    pub fn destination(mut self, destination: Destination) -> Self {
        self.destination = Some(destination);
        self
    }

    /// A destination whose file is this text; goes with [`ProjectBuilder::text`].
    pub fn destination_text(mut self, destination: Destination, over: impl Into<String>) -> Self {
        let over = Source::new(format!("config/deploy.{destination}.yml"), over);
        self.destination_text = Some((destination.clone(), over));
        self.destination = Some(destination);
        self
    }

    /// Another environment than the process's, for templates, secrets, SSH, and the programs that are run.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Another home folder than `HOME` says.
    pub fn home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// These secrets, by name, rather than those of the project's files.
    pub fn secret_map<N: Into<String>, V: AsRef<str>>(self, secrets: impl IntoIterator<Item = (N, V)>) -> Self {
        self.secrets(Arc::new(secrets.into_iter().collect::<SecretMap>()))
    }

    port! {
        /// Secrets from elsewhere.
        secrets: Secrets
    }

    /// What covers secrets, where somebody else has to know of it or has taught it something.
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = Some(redactor);
        self
    }

    /// Where the proxy's image comes from.
    pub fn proxy_image(mut self, source: ProxySource) -> Self {
        self.proxy_image = source;
        self
    }

    /// Who is at work, for the audit log and hooks; else git's `user.email`, or the system's user.
    pub fn performer(mut self, performer: impl Into<String>) -> Self {
        self.performer = Some(performer.into());
        self
    }

    /// Who is at work, for the deploy lock; else git's `user.name`.
    pub fn user_name(mut self, name: impl Into<String>) -> Self {
        self.user_name = Some(name.into());
        self
    }

    /// Is told what happens in every run, secrets covered. It must not block.
    pub fn on_event(self, listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        self.events(Arc::new(Callback(listener)))
    }

    /// Tells all that happens as one sequence, rather than each operation as one of its own: for a program that does one
    /// thing and ends.
    pub fn told_in(mut self, sequence: Sequence) -> Self {
        self.sequence = Some(sequence);
        self
    }

    port! {
        /// As [`ProjectBuilder::on_event`], by the port.
        events: Events
    }
    port! {
        /// Answers SSH's questions: passphrases, passwords, keys of new hosts. Without one nobody does.
        attendant: Attendant
    }
    port! {
        /// Another transport than SSH.
        ssh: Ssh
    }
    port! {
        /// Another dialect of Docker.
        docker: Docker
    }
    port! {
        /// Another builder of images.
        image_builder: Builder
    }
    port! {
        /// Other hooks than the files in the project's folder of hooks.
        hooks: Hooks
    }
    port! {
        /// Own steps between the stages of an operation.
        interceptor: Interceptor
    }
    port! {
        /// Another dialect of the proxy.
        proxy: Proxy
    }
    port! {
        /// Another local machine.
        local: Local
    }
    port! {
        /// Another clock.
        clock: Clock
    }
    port! {
        /// Other chance.
        entropy: Entropy
    }
    port! {
        /// Other templates among accessories' files.
        templates: Templates
    }
    port! {
        /// Another registry on this machine, for projects that name none.
        registry: LocalRegistry
    }

    /// Everything outside the engine at once: a simulated fleet, for one. Parts that are given by themselves, before or
    /// after, are kept.
    pub fn world(mut self, world: World) -> Self {
        let World {
            ssh,
            docker,
            builder,
            hooks,
            interceptor,
            proxy,
            local,
            clock,
            entropy,
            events,
            secrets,
            templates,
            registry,
            redactor,
            ..
        } = world;
        self.ssh.get_or_insert(ssh);
        self.docker.get_or_insert(docker);
        self.image_builder.get_or_insert(builder);
        self.hooks.get_or_insert(hooks);
        self.interceptor = self.interceptor.or(interceptor);
        self.proxy.get_or_insert(proxy);
        self.local.get_or_insert(local);
        self.clock.get_or_insert(clock);
        self.entropy.get_or_insert(entropy);
        self.events.get_or_insert(events);
        self.secrets.get_or_insert(secrets);
        self.templates.get_or_insert(templates);
        self.registry.get_or_insert(registry);
        self.redactor.get_or_insert(redactor);
        self
    }

    /// Loads the configuration and puts everything together. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// Files that are not there, and everything that is wrong with the configuration.
    pub async fn build(self) -> Result<Project, Error> {
        // Templates may run programs, and secrets for SSH may come from some.
        blocking(|| self.put_together()).await
    }

    fn put_together(self) -> Result<Project, Error> {
        let environment = self.environment.clone().unwrap_or_default();
        let home = self.home.clone().unwrap_or_else(|| environment.home());
        // What is relative to a folder that is not there is relative to one that holds nothing.
        let folder = self.folder.clone();
        let place = folder.clone().unwrap_or_else(|| PathBuf::from("/nonexistent"));
        let destination = self.destination.as_ref().map(ToString::to_string);
        let surroundings = || Surroundings::new(&place, destination.clone(), environment.clone());

        let loaded = self.load(&place, &surroundings())?;
        let config = &loaded.config;
        let redactor = self.redactor.unwrap_or_default();
        first_lessons(&loaded, &redactor);
        let listener = self.events.unwrap_or_else(|| Arc::new(Nothing));
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::default()));
        let entropy = self.entropy.unwrap_or_else(|| Arc::new(SystemEntropy::default()));
        // What is told beside the operations.
        let sequence = self.sequence.clone().unwrap_or_else(|| Sequence::begin(&*entropy));
        let aside = Teller::new(sequence, clock.clone(), listener.clone(), redactor.clone());
        let secrets = self
            .secrets
            .unwrap_or_else(|| Arc::new(FileSecrets::new(config, surroundings(), redactor.clone(), Some(aside))));
        let mut connector = None;
        let ssh = match self.ssh {
            Some(ssh) => ssh,
            None => {
                // This thread may wait for a secret; the runtime goes on meanwhile.
                let options = ssh_options::of(config, &place, &home, &environment, &*secrets);
                let options = Handle::current().block_on(options)?;
                let own = Arc::new(Connector::new(kamal_ssh::Options { attendant: self.attendant, ..options }));
                connector = Some(own.clone());
                own
            }
        };
        let own_local = || -> Arc<dyn Local> {
            match &folder {
                Some(folder) => Arc::new(ThisMachine::new(folder, &home, environment.clone())),
                None => Arc::new(Nowhere(environment.clone())),
            }
        };
        let own_registry = || -> Arc<dyn LocalRegistry> {
            Arc::new(FolderRegistry::new(FolderRegistry::folder_of(&environment, &home), connector.clone()))
        };
        let mut world = World::new(
            ssh,
            self.docker.unwrap_or_else(|| Arc::new(kamal_docker::DockerCli)),
            self.image_builder.unwrap_or_else(|| Arc::new(kamal_docker::DockerCli)),
            self.proxy.unwrap_or_else(|| Arc::new(kamal_proxy::KamalProxyCli)),
            clock,
            entropy,
        );
        world.registry = self.registry.unwrap_or_else(own_registry);
        world.hooks = self.hooks.unwrap_or(world.hooks);
        world.interceptor = self.interceptor;
        world.local = self.local.unwrap_or_else(own_local);
        world.events = listener;
        world.secrets = secrets;
        world.templates = self.templates.unwrap_or_else(|| Arc::new(ProjectTemplates::new(surroundings())));
        world.redactor = redactor;
        let known = if self.performer.is_some() && self.user_name.is_some() {
            Identity::default()
        } else {
            Identity::of(folder.as_deref(), &environment)
        };
        let identity = Identity {
            name: self.user_name.unwrap_or(known.name),
            performer: self.performer.unwrap_or(known.performer),
        };
        let proxy_images = match self.proxy_image {
            ProxySource::BesideThisProgram => proxy_image::beside_this_program(),
            ProxySource::Binary(path) => vec![proxy_image::of(&path).ok_or(Error::ProxyBinary { path })?],
            ProxySource::Image(image) => vec![image],
            ProxySource::DockerHub => Vec::new(),
        };
        let (config, warnings) = (Arc::new(loaded.config), loaded.warnings);
        Ok(Project::of(Parts {
            config,
            warnings,
            world,
            connector,
            folder,
            environment,
            identity,
            proxy_images,
            sequence: self.sequence,
        }))
    }

    fn load(&self, place: &Path, outside: &Surroundings) -> Result<Loaded, Error> {
        let files = ProjectFiles::new(place);
        let config_file = self.config_file.clone().unwrap_or(files.config_file);
        let files = ProjectFiles { config_file, destination: self.destination.clone(), ..files };
        match &self.text {
            Some(base) => {
                let over = self.destination.as_ref().map(|destination| self.over(destination, &files)).transpose()?;
                config::load(base, self.destination.as_ref().zip(over.as_ref()), outside).map_err(Error::Config)
            }
            None => files.load(outside),
        }
    }

    /// What is laid over a configuration given as a text.
    fn over(&self, destination: &Destination, files: &ProjectFiles) -> Result<Source, Error> {
        match &self.destination_text {
            Some((of, text)) if of == destination => Ok(text.clone()),
            _ => files.over(destination),
        }
    }
}

/// Tells a redactor what is known without asking anybody, as [`ProjectBuilder::build`] does. Keys written out in `ssh.key_data` (deprecated, but Kamal still
/// takes them) are secrets; names in the file, and whatever else stands in it in clear, are not.
pub fn first_lessons(loaded: &Loaded, redactor: &Redactor) {
    let config = &loaded.config;
    redactor.spare(loaded.sources.iter().map(|source| source.text.as_str()));
    let hosts = config.hosts();
    redactor.spare([&*config.service, &config.repository()].into_iter().chain(hosts.iter().map(HostName::as_str)));
    let keys = config.ssh.key_data.iter().filter(|data| data.contains('\n'));
    keys.for_each(|key| redactor.learn(&Secret::new(key)));
}
