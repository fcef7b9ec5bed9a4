//! From arguments, files and the environment to everything an operation needs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use indexmap::IndexMap;
use kamal_core::{
    cancel::Cancel,
    config::{
        self, Config, Loaded, Source,
        model::{KnownHosts, PinnedKeys, SshConfigFiles},
    },
    fleet::Fleet,
    name::{Destination, HostName, Version},
    ops::{Cx, ProxyImage, RunSettings},
    ports::{BuildOrder, Entropy, Events, Secrets, World},
    redact::{Redacted, Redactor},
    secret::Secret,
    targets::{Selection, Targets},
};

use crate::{
    adapters::{
        chance::SystemEntropy, environment, local::ThisMachine, outside::Asked, person::Person, secrets::FileSecrets,
        time::SystemClock,
    },
    args::Global,
    failure::Failure,
    proxy_image,
    report::Reporter,
    signals,
};

/// Everything a command needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) loaded: Loaded,
    pub(crate) targets: Targets,
    pub(crate) world: World,
    pub(crate) run: RunSettings,
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) connector: Arc<kamal_ssh::Connector>,
    pub(crate) proxy_image: Option<ProxyImage>,
    performer: String,
    cancel: Cancel,
    version: Option<Version>,
    project: PathBuf,
}

/// The project's folder: where the command is run.
pub(crate) fn project() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::User(format!("cannot tell the current folder: {error}")))
}

/// Loads the configuration.
pub(crate) fn load(global: &Global) -> Result<Loaded, Failure> {
    let project = project()?;
    let destination = global.destination.as_deref().map(Destination::new);
    let (base, overlay) = sources(&project, &global.config_file, destination.as_ref())?;
    let asked = Asked::new(project, global.destination.clone());
    config::load(&base, destination.as_ref().zip(overlay.as_ref()), &asked).map_err(Failure::Config)
}

/// The aliases of a configuration, which need not be sound otherwise.
pub(crate) fn aliases(
    config_file: &str,
    destination: Option<&Destination>,
) -> Result<IndexMap<String, String>, Failure> {
    let project = project()?;
    let (base, overlay) = sources(&project, config_file, destination)?;
    let asked = Asked::new(project, destination.map(ToString::to_string));
    config::load_aliases(&base, overlay.as_ref(), &asked).map_err(Failure::Config)
}

/// The configuration's file, and the destination's.
fn sources(
    project: &Path,
    config_file: &str,
    destination: Option<&Destination>,
) -> Result<(Source, Option<Source>), Failure> {
    let base = source(project, config_file)?;
    let path = destination.map(|destination| Path::new(config_file).with_extension(format!("{destination}.yml")));
    let overlay = path.map(|path| source(project, &path.to_string_lossy())).transpose()?;
    Ok((base, overlay))
}

/// The hosts and roles the command line selects.
pub(crate) fn targets(global: &Global, config: &Config) -> Result<Targets, Failure> {
    let split = |text: &Option<String>| text.as_ref().map(|text| text.split(',').map(str::to_owned).collect());
    let selection = Selection { hosts: split(&global.hosts), roles: split(&global.roles), primary: global.primary };
    Ok(Targets::select(config, &selection)?)
}

/// Tells a redactor what is known to be secret without asking anybody.
pub(crate) fn learn(global: &Global, config: &Config, redactor: &Redactor) -> Result<(), Failure> {
    learn_names_and_keys(config, redactor);
    drop(FileSecrets::new(config, Asked::new(project()?, global.destination.clone()), redactor.clone()));
    Ok(())
}

/// Keys written out in `ssh.key_data` (deprecated, but Kamal still takes them) are secrets, names in the file are not.
fn learn_names_and_keys(config: &Config, redactor: &Redactor) {
    let hosts = config.hosts();
    redactor.spare([&*config.service, &config.repository()].into_iter().chain(hosts.iter().map(HostName::as_str)));
    let keys = config.ssh.key_data.iter().filter(|data| data.contains('\n'));
    keys.for_each(|key| redactor.learn(&Secret::new(key)));
}

fn source(project: &Path, path: &str) -> Result<Source, Failure> {
    let absolute = project.join(path);
    match std::fs::read_to_string(&absolute) {
        Ok(text) => Ok(Source::new(path, text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::User(format!(
            "Configuration file not found in {}\nhelp: `kamal init` creates one; -c names another",
            absolute.display()
        ))),
        Err(error) => Err(Failure::User(format!("cannot read {}: {error}", absolute.display()))),
    }
}

impl Context {
    /// Loads everything. Nothing is connected yet.
    pub(crate) fn new(
        global: &Global,
        command: &str,
        subcommand: Option<&str>,
        redactor: &Redactor,
    ) -> Result<Self, Failure> {
        let project = project()?;
        let reporter = Arc::new(Reporter::new(global, redactor.clone()));
        let loaded = load(global)?;
        learn_names_and_keys(&loaded.config, redactor);
        for warning in &loaded.warnings {
            reporter.warn(&warning.to_string());
        }
        let config = &loaded.config;
        let targets = targets(global, config)?;
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
        let asked = || Asked::new(project.clone(), global.destination.clone());
        let secrets = Arc::new(FileSecrets::new(config, asked(), redactor.clone()));
        let events: Arc<dyn Events> = Arc::new(Redacted::new(reporter.clone(), redactor.clone()));
        let connector = Arc::new(kamal_ssh::Connector::new(kamal_ssh::Options {
            attendant: Some(Arc::new(Person::new(events.clone()))),
            ..ssh_options(config, &project, &home, &*secrets)?
        }));
        let identity = Identity::of_git(&project);
        let world = World {
            ssh: connector.clone(),
            docker: Arc::new(kamal_docker::DockerCli),
            proxy: Arc::new(kamal_proxy::KamalProxyCli),
            local: Arc::new(ThisMachine { project: project.clone(), home }),
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(SystemEntropy::default()),
            events,
            secrets,
            templates: Arc::new(asked()),
        };
        let run = RunSettings {
            skip_hooks: global.skip_hooks,
            lock_held: std::env::var("KAMAL_LOCK").is_ok_and(|held| held == "true"),
            lock_wait: global.lock_wait.then(|| {
                (Duration::from_secs(global.lock_wait_timeout), Duration::from_secs(global.lock_wait_interval.max(1)))
            }),
            command: command.to_owned(),
            subcommand: subcommand.map(str::to_owned),
            user_name: identity.name,
            roles: global.roles.clone(),
        };
        Ok(Self {
            proxy_image: proxy_image::beside_this_program(),
            loaded,
            targets,
            world,
            run,
            reporter,
            connector,
            performer: identity.performer,
            cancel: signals::cancel(),
            version: asked_version(global),
            project,
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// What operations take, for a version.
    pub(crate) fn cx<'c>(&'c self, version: &'c Version) -> Cx<'c> {
        Cx {
            fleet: Fleet::new(&self.loaded.config, &self.world, &self.performer, self.cancel.clone()),
            targets: &self.targets,
            version,
            run: &self.run,
            proxy_image: self.proxy_image.clone(),
        }
    }

    /// A build of a version.
    pub(crate) fn order<'c>(&'c self, version: &'c Version) -> BuildOrder<'c> {
        BuildOrder {
            config: self.config(),
            version,
            local: &*self.world.local,
            secrets: &*self.world.secrets,
            events: &*self.world.events,
            no_cache: false,
            output: "registry",
        }
    }

    /// The request to stop.
    pub(crate) fn cancelled(&self) -> &Cancel {
        &self.cancel
    }

    /// The version as `--version` says it, if it does.
    pub(crate) fn asked_version(&self) -> Option<Version> {
        self.version.clone()
    }

    /// The version to act on.
    pub(crate) fn version(&self) -> Result<Version, Failure> {
        version_of(self.version.clone(), self.config(), &self.project)
    }

    /// The version, or a stand-in where none can be told and none is needed.
    pub(crate) fn version_or_unknown(&self) -> Version {
        self.version().unwrap_or_else(|_| Version::new("unknown"))
    }
}

/// The version a command acts on.
pub(crate) fn version(global: &Global, config: &Config) -> Result<Version, Failure> {
    version_of(asked_version(global), config, &project()?)
}

fn asked_version(global: &Global) -> Option<Version> {
    global.version.clone().filter(|version| !version.trim().is_empty()).map(Version::new)
}

/// `--version`, `VERSION`, the git commit (spec 2.13).
fn version_of(asked: Option<Version>, config: &Config, project: &Path) -> Result<Version, Failure> {
    if let Some(version) = asked.or_else(|| environment::get("VERSION").map(Version::new)) {
        return Ok(version);
    }
    let revision = git(project, &["rev-parse", "HEAD"]).ok_or_else(|| {
        Failure::User(format!(
            "Can't use commit hash as version, no git repository found in {}\n\
             help: commit the project to git, or give --version (or the variable VERSION)",
            project.display()
        ))
    })?;
    let dirty = config.builder.context.is_some()
        && git(project, &["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    let suffix = if dirty { format!("_uncommitted_{}", SystemEntropy::default().hex(16)) } else { String::new() };
    Ok(Version::new(format!("{revision}{suffix}")))
}

/// Who is at work.
struct Identity {
    /// For the lock.
    name: String,
    /// For the audit log and hooks: the e-mail address, else the system's user.
    performer: String,
}

impl Identity {
    fn of_git(project: &Path) -> Self {
        let told = git(project, &["config", "--get-regexp", "^user\\.(name|email)$"]).unwrap_or_default();
        let get = |key: &str| {
            told.lines().rev().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).map(str::to_owned)
        };
        let user =
            || std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned());
        Self { name: get("user.name").unwrap_or_default(), performer: get("user.email").unwrap_or_else(user) }
    }
}

fn git(project: &Path, args: &[&str]) -> Option<String> {
    let output = std::process::Command::new("git").args(args).current_dir(project).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// SSH as deploy.yml and the environment have it (spec 2.12, 5.5).
fn ssh_options(
    config: &Config,
    project: &Path,
    home: &Path,
    secrets: &dyn Secrets,
) -> Result<kamal_ssh::Options, Failure> {
    let ssh = &config.ssh;
    let expand = |path: &String| match path.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => PathBuf::from(path),
    };
    let mut options = kamal_ssh::Options::new(home);
    options.user = Some(ssh.user.clone());
    options.port = Some(ssh.port);
    options.keys = ssh.keys.iter().map(expand).collect();
    options.key_data = ssh
        .key_data
        .iter()
        // A name of a secret, or a key in full (deprecated, but Kamal still takes it).
        .map(|name| if name.contains('\n') { Ok(Secret::new(name.as_str())) } else { secrets.get(name) })
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::User(format!("ssh/key_data: {error}")))?;
    options.keys_only = ssh.keys_only;
    options.agent = environment::get("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
    options.config_files = match &ssh.config {
        SshConfigFiles::Default => vec![home.join(".ssh/config"), PathBuf::from("/etc/ssh/ssh_config")],
        SshConfigFiles::None => Vec::new(),
        SshConfigFiles::Files(files) => files.iter().map(expand).collect(),
    };
    let jump = |jump: &String| if jump.contains('@') { jump.clone() } else { format!("root@{jump}") };
    options.proxy_jump = ssh.proxy.as_ref().map(jump);
    options.proxy_command.clone_from(&ssh.proxy_command);
    options.max_concurrent_starts = config.sshkit.max_concurrent_starts as usize;
    options.dns_retries = config.sshkit.dns_retries;
    options.local_user = std::env::var("USER").unwrap_or_default();
    options.environment = kamal_ssh::Environment::new(environment::get);
    options.accept_new = ssh.known_hosts == KnownHosts::AcceptNew;
    if let KnownHosts::Pinned(pinned) = &ssh.known_hosts {
        let pin = |keys: &PinnedKeys| match keys {
            PinnedKeys::Line(line) => kamal_ssh::Pin::Line(line.clone()),
            PinnedKeys::File(path) => kamal_ssh::Pin::File(project.join(expand(path))),
        };
        options.pins = pinned.iter().map(pin).collect();
    }
    options.forward_agent = ssh.forward_agent.unwrap_or(false);
    Ok(options)
}
