//! From arguments, files and the environment to everything a command needs.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use indexmap::IndexMap;
use kamal::{
    Operation, Project, ProjectFiles,
    machine::{self, Environment, FileSecrets, Surroundings, SystemClock, SystemEntropy},
};
use kamal_core::{
    cancel::Cancel,
    config::{Config, Loaded},
    event::{Sequence, Teller},
    name::{Destination, Version},
    op::Op,
    ports::Events,
    redact::Redactor,
    run::hooks::LOCK_HELD,
    targets::{Selection, Targets},
};

use crate::{
    adapters::terminal_attendant::TerminalAttendant,
    args::Global,
    failure::Failure,
    output,
    report::{self, Reporter},
    signals,
};

/// Everything a command needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) project: Project,
    pub(crate) reporter: Arc<Reporter>,
    selection: Selection,
    asked_version: Option<Version>,
    global: Global,
    cancel: Cancel,
}

/// The project's folder: where the command is run.
pub(crate) fn project() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::User(format!("cannot tell the current folder: {error}")))
}

/// The environment, with what deploy.yml changes in it.
pub(crate) fn environment() -> Environment {
    static OF_PROCESS: OnceLock<Environment> = OnceLock::new();
    OF_PROCESS.get_or_init(Environment::of_process).clone()
}

/// This machine, as templates and secrets files see it.
pub(crate) fn surroundings(destination: Option<String>) -> Result<Surroundings, Failure> {
    Ok(Surroundings::new(project()?, destination, environment()))
}

/// The configuration's files.
pub(crate) fn files(config_file: &str, destination: Option<&Destination>) -> Result<ProjectFiles, Failure> {
    let files = ProjectFiles::new(project()?);
    Ok(ProjectFiles { config_file: config_file.to_owned(), destination: destination.cloned(), ..files })
}

/// Loads the configuration.
pub(crate) fn load(global: &Global) -> Result<Loaded, Failure> {
    let destination = destination(global)?;
    Ok(files(&global.config_file, destination.as_ref())?.load(&surroundings(global.destination.clone())?)?)
}

/// The aliases of a configuration, which need not be sound otherwise.
pub(crate) fn aliases(
    config_file: &str,
    destination: Option<&Destination>,
) -> Result<IndexMap<String, String>, Failure> {
    let outside = surroundings(destination.map(ToString::to_string))?;
    Ok(files(config_file, destination)?.aliases(&outside)?)
}

fn destination(global: &Global) -> Result<Option<Destination>, Failure> {
    Ok(global.destination.as_deref().map(Destination::parse).transpose()?)
}

/// What the command line selects; `gone` lets it name roles that the configuration has no more.
fn selection(global: &Global, gone: bool) -> Selection {
    let split = |text: &Option<String>| text.as_ref().map(|text| text.split(',').map(str::to_owned).collect());
    Selection { hosts: split(&global.hosts), roles: split(&global.roles), primary: global.primary, gone }
}

/// The hosts and roles the command line selects.
pub(crate) fn targets(global: &Global, config: &Config) -> Result<Targets, Failure> {
    Ok(Targets::select(config, &selection(global, false))?)
}

/// Tells a redactor what is known to be secret without asking anybody. What is odd about a secret comes back.
pub(crate) fn learn(global: &Global, loaded: &Loaded, redactor: &Redactor) -> Result<Vec<String>, Failure> {
    kamal::first_lessons(loaded, redactor);
    let secrets = FileSecrets::new(&loaded.config, surroundings(global.destination.clone())?, redactor.clone(), None);
    Ok(secrets.plain(&loaded.config))
}

impl Context {
    /// Loads everything. Nothing is connected yet.
    pub(crate) async fn new(global: &Global, redactor: &Redactor, gone: bool) -> Result<Self, Failure> {
        let folder = project()?;
        machine::make_room_on_terminal(|| Box::new(output::Still::keep()));
        let reporter = Arc::new(Reporter::new(global, redactor.clone()));
        let result = Self::told_by(global, redactor, gone, folder, reporter.clone()).await;
        if result.is_err() {
            reporter.finish();
        }
        result
    }

    async fn told_by(
        global: &Global,
        redactor: &Redactor,
        gone: bool,
        folder: PathBuf,
        reporter: Arc<Reporter>,
    ) -> Result<Self, Failure> {
        let events: Arc<dyn Events> = reporter.clone();
        // All of the command is one sequence of events.
        let sequence = Sequence::begin(&SystemEntropy::default());
        let clock = Arc::new(SystemClock::default());
        let teller = Teller::new(sequence.clone(), clock.clone(), events.clone(), redactor.clone());
        let person = TerminalAttendant::new(teller.clone());
        let builder = Project::builder()
            .folder(folder.clone())
            .config_file(global.config_file.clone())
            .environment(environment())
            .redactor(redactor.clone())
            .attendant(Arc::new(person))
            .clock(clock)
            .told_in(sequence)
            .events(events);
        let builder = match destination(global)? {
            Some(destination) => builder.destination(destination),
            None => builder,
        };
        let project = builder.build().await?;
        for warning in project.warnings() {
            teller.emit(report::warning(warning.to_string()));
        }
        reporter.obey(global, project.config(), &folder);
        let selection = selection(global, gone);
        Targets::select(project.config(), &selection)?;
        Ok(Self {
            selection,
            asked_version: asked_version(global)?,
            project,
            reporter,
            global: global.clone(),
            cancel: signals::cancel(),
        })
    }

    /// A context on simulated hosts.
    #[cfg(test)]
    pub(crate) async fn simulated(
        global: &Global,
        fleet: &kamal_core::testing::SimFleet,
        deploy: &str,
        gone: bool,
    ) -> Self {
        let reporter = Arc::new(Reporter::new(global, Redactor::new()));
        let project =
            Project::builder().text(deploy).world(fleet.world()).events(reporter.clone()).build().await.unwrap();
        reporter.obey(global, project.config(), std::path::Path::new("/nonexistent"));
        let asked_version = asked_version(global).unwrap();
        let (selection, cancel) = (selection(global, gone), Cancel::never());
        Self { project, reporter, selection, asked_version, global: global.clone(), cancel }
    }

    pub(crate) fn config(&self) -> &Config {
        self.project.config()
    }

    /// A path that was named on the command line.
    pub(crate) fn project_path(&self, path: &str) -> PathBuf {
        project().map_or_else(|_| PathBuf::from(path), |folder| folder.join(path))
    }

    /// An operation as the command line's options have it.
    pub(crate) fn operation(&self, op: Op) -> Operation {
        let global = &self.global;
        let mut operation = self
            .project
            .operation(op)
            .selection(self.selection.clone())
            .lock_held(
                ["KAMAL_LOCK", LOCK_HELD].iter().any(|name| std::env::var(name).is_ok_and(|held| held == "true")),
            )
            .stopped_by(self.cancel.clone());
        if let Some(version) = &self.asked_version {
            operation = operation.version(version);
        }
        if global.skip_hooks {
            operation = operation.skip_hooks();
        }
        if global.lock_wait {
            operation = operation.wait_for_lock(global.lock_wait_timeout, global.lock_wait_interval);
        }
        operation
    }

    /// The hosts and roles the command line selects.
    pub(crate) fn targets(&self) -> Result<Targets, Failure> {
        Ok(Targets::select(self.config(), &self.selection)?)
    }

    /// The request to stop.
    pub(crate) fn cancelled(&self) -> &Cancel {
        &self.cancel
    }
}

/// The version a command acts on: what was asked for, else that of the project.
pub(crate) fn version(global: &Global, config: &Config) -> Result<Version, Failure> {
    let of_project = || Ok(kamal::version_of(config, &project()?, &environment())?);
    asked_version(global)?.map_or_else(of_project, Ok)
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
