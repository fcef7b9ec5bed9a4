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
        self, Config, Loaded, Source, did_you_mean,
        model::{KnownHosts, PinnedKeys, SshConfigFiles},
    },
    fleet::Fleet,
    name::{Destination, HostName, Version},
    op::Row,
    ports::{Entropy, Events, Secrets, World},
    redact::{Redacted, Redactor},
    run::{Cx, ProxyImage, RunSettings},
    secret::Secret,
    targets::{Selection, Targets},
};

use crate::{
    adapters::{
        chance::SystemEntropy,
        environment,
        local::ThisMachine,
        outside::{Asked, ProjectTemplates},
        person::Person,
        secrets::FileSecrets,
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
    project: PathBuf,
}

/// The project's folder: where the command is run.
pub(crate) fn project() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::User(format!("cannot tell the current folder: {error}")))
}

/// Loads the configuration.
pub(crate) fn load(global: &Global) -> Result<Loaded, Failure> {
    let project = project()?;
    let destination = global.destination.as_deref().map(Destination::parse).transpose()?;
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
pub(crate) fn sources(
    project: &Path,
    config_file: &str,
    destination: Option<&Destination>,
) -> Result<(Source, Option<Source>), Failure> {
    let base = source(project, config_file)?;
    let overlay = destination.map(|destination| destination_source(project, config_file, destination)).transpose()?;
    Ok((base, overlay))
}

/// The hosts and roles the command line selects; `gone` lets it name roles that the configuration has no more.
pub(crate) fn targets(global: &Global, config: &Config, gone: bool) -> Result<Targets, Failure> {
    let split = |text: &Option<String>| text.as_ref().map(|text| text.split(',').map(str::to_owned).collect());
    let selection =
        Selection { hosts: split(&global.hosts), roles: split(&global.roles), primary: global.primary, gone };
    Ok(Targets::select(config, &selection)?)
}

/// Tells a redactor what is known to be secret without asking anybody. What is odd about a secret comes back.
pub(crate) fn learn(global: &Global, loaded: &Loaded, redactor: &Redactor) -> Result<Vec<String>, Failure> {
    learn_names_and_keys(loaded, redactor);
    let asked = Asked::new(project()?, global.destination.clone());
    Ok(FileSecrets::new(&loaded.config, asked, redactor.clone(), None).plain(&loaded.config))
}

/// Keys written out in `ssh.key_data` (deprecated, but Kamal still takes them) are secrets, names in the file are not.
fn learn_names_and_keys(loaded: &Loaded, redactor: &Redactor) {
    let config = &loaded.config;
    // What stands in clear in the files is no secret.
    redactor.spare(loaded.sources.iter().map(|source| source.text.as_str()));
    let hosts = config.hosts();
    redactor.spare([&*config.service, &config.repository()].into_iter().chain(hosts.iter().map(HostName::as_str)));
    let keys = config.ssh.key_data.iter().filter(|data| data.contains('\n'));
    keys.for_each(|key| redactor.learn(&Secret::new(key)));
}

/// A destination's file, beside the configuration's: as Kamal names it, or ending in `.yaml`.
fn destination_source(project: &Path, config_file: &str, destination: &Destination) -> Result<Source, Failure> {
    let base = Path::new(config_file);
    let path = |ending: &str| base.with_extension(format!("{destination}.{ending}")).to_string_lossy().into_owned();
    for ending in ["yml", "yaml"] {
        if let Some(found) = read(project, &path(ending))? {
            return Ok(found);
        }
    }
    let known = destinations(&project.join(base));
    let help = match did_you_mean(destination, known.iter().map(String::as_str)) {
        Some(help) => help,
        None if known.is_empty() => "a destination's file lies beside the configuration's".to_owned(),
        None => format!("there is {}", known.join(", ")),
    };
    let absolute = project.join(path("yml"));
    Err(Failure::User(format!("Configuration file not found in {}\nhelp: {help}", absolute.display())))
}

/// The destinations that have a file.
pub(crate) fn destinations(base: &Path) -> Vec<String> {
    let stem = base.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let entries = base.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let destination = |name: String| {
        let rest = name.strip_prefix(&stem)?.strip_prefix('.')?;
        let destination = rest.strip_suffix(".yml").or_else(|| rest.strip_suffix(".yaml"))?;
        Some(destination.to_owned())
    };
    let mut found: Vec<String> = names.filter_map(destination).collect();
    found.sort();
    found.dedup();
    found
}

fn source(project: &Path, path: &str) -> Result<Source, Failure> {
    read(project, path)?.ok_or_else(|| {
        Failure::User(format!(
            "Configuration file not found in {}\nhelp: `kamal init` creates one; -c names another",
            project.join(path).display()
        ))
    })
}

/// A file, if it is there.
fn read(project: &Path, path: &str) -> Result<Option<Source>, Failure> {
    let absolute = project.join(path);
    match std::fs::read_to_string(&absolute) {
        Ok(text) => Ok(Some(Source::new(path, text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::User(format!("cannot read {}: {error}", absolute.display()))),
    }
}

impl Context {
    /// Loads everything. Nothing is connected yet.
    pub(crate) async fn new(global: &Global, redactor: &Redactor, gone: bool) -> Result<Self, Failure> {
        let project = project()?;
        let reporter = Arc::new(Reporter::new(global, redactor.clone()));
        let loaded = load(global)?.supported().map_err(Failure::Config)?;
        learn_names_and_keys(&loaded, redactor);
        for warning in &loaded.warnings {
            reporter.warn(&warning.to_string());
        }
        let config = &loaded.config;
        reporter.obey(config, &project);
        let targets = targets(global, config, gone)?;
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
        let asked = || Asked::new(project.clone(), global.destination.clone());
        let secrets = Arc::new(FileSecrets::new(config, asked(), redactor.clone(), Some(reporter.clone())));
        let events: Arc<dyn Events> = Arc::new(Redacted::new(reporter.clone(), redactor.clone()));
        let connector = Arc::new(kamal_ssh::Connector::new(kamal_ssh::Options {
            attendant: Some(Arc::new(Person::new(events.clone()))),
            ..ssh_options(config, &project, &home, &*secrets).await?
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
            templates: Arc::new(ProjectTemplates(Arc::new(asked()))),
            redactor: redactor.clone(),
        };
        let run = RunSettings {
            asked_version: asked_version(global)?,
            skip_hooks: global.skip_hooks,
            lock_held: std::env::var("KAMAL_LOCK").is_ok_and(|held| held == "true"),
            lock_wait: global
                .lock_wait
                .then(|| (global.lock_wait_timeout, global.lock_wait_interval.max(Duration::from_secs(1)))),
            user_name: identity.name,
            roles: global.roles.clone(),
            expected_digest: None,
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
            project,
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// What operations take.
    pub(crate) fn cx<'c>(&'c self, version: Option<&'c Version>, run: &'c RunSettings) -> Cx<'c> {
        Cx {
            fleet: Fleet::new(&self.loaded.config, &self.world, &self.performer, self.cancel.clone()),
            targets: &self.targets,
            version,
            run,
            proxy_image: self.proxy_image.clone(),
        }
    }

    /// The request to stop.
    pub(crate) fn cancelled(&self) -> &Cancel {
        &self.cancel
    }

    /// The version of the project, where an operation is about it or tells somebody of it.
    pub(crate) fn version_for(&self, row: &Row) -> Result<Option<Version>, Failure> {
        if self.run.asked_version.is_some() {
            return Ok(None);
        }
        match project_version(self.config(), &self.project) {
            Ok(version) => Ok(Some(version)),
            Err(failure) if row.version => Err(failure),
            Err(_) => Ok(None),
        }
    }
}

/// The version a command acts on: what was asked for, else that of the project.
pub(crate) fn version(global: &Global, config: &Config) -> Result<Version, Failure> {
    asked_version(global)?.map_or_else(|| project_version(config, &project()?), Ok)
}

/// `--version`; inside a hook, the version the hook was told of.
fn asked_version(global: &Global) -> Result<Option<Version>, Failure> {
    let of_hook = || {
        let inside = std::env::var_os("KAMAL_RECORDED_AT").is_some();
        inside.then(|| std::env::var("KAMAL_VERSION").ok()).flatten()
    };
    let asked = global.version.clone().filter(|version| !version.trim().is_empty()).or_else(of_hook);
    Ok(asked.filter(|version| !version.is_empty()).map(Version::parse).transpose()?)
}

/// `VERSION`, the git commit (spec 2.13).
fn project_version(config: &Config, project: &Path) -> Result<Version, Failure> {
    if let Some(version) = environment::get("VERSION") {
        return Version::parse(version).map_err(|error| Failure::User(format!("VERSION: {error}")));
    }
    let revision = revision(project)?;
    let dirty = config.builder.context.is_some()
        && git(project, &["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    let suffix = if dirty { format!("_uncommitted_{}", SystemEntropy::default().hex(16)) } else { String::new() };
    Ok(Version::parse(format!("{revision}{suffix}"))?)
}

/// The commit of the project, or why there is none.
fn revision(project: &Path) -> Result<String, Failure> {
    let place = project.display();
    let fail = |why: String, fix: &str| {
        Failure::User(format!(
            "Can't use commit hash as version, {why}\nhelp: {fix}, or give --version (or the variable VERSION)"
        ))
    };
    let asked = std::process::Command::new("git").args(["rev-parse", "--verify", "HEAD"]).current_dir(project).output();
    let output = match asked {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(fail("git is not installed".to_owned(), "install git"));
        }
        Err(error) => return Err(fail(format!("git cannot be run: {error}"), "see why")),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(if said.contains("dubious ownership") {
        let fix = format!("`git config --global --add safe.directory {place}` if you trust it");
        fail(format!("the repository in {place} belongs to somebody else"), &fix)
    } else if said.contains("not a git repository") || said.contains("Not a git repository") {
        fail(format!("no git repository found in {place}"), "commit the project to git")
    } else if said.contains("Needed a single revision") {
        fail(format!("the repository in {place} has no commits yet"), "commit the project")
    } else {
        fail(format!("git says: {}", said.trim()), "see to that")
    })
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
async fn ssh_options(
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
    // Names of secrets, and keys in full (deprecated, but Kamal still takes them).
    for name in &ssh.key_data {
        let key = if name.contains('\n') { Ok(Secret::new(name.as_str())) } else { secrets.get(name).await };
        options.key_data.push(key.map_err(|mut error| {
            error.message.insert_str(0, "ssh/key_data: ");
            error
        })?);
    }
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
    options.idle_timeout = Some(Duration::from_secs(config.sshkit.pool_idle_timeout));
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
