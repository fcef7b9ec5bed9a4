//! An operation of a project, before it is planned or run: what is asked for, and of which hosts.

use std::{sync::Arc, time::Duration};

use kamal_core::{
    cancel::Cancel,
    fleet::Fleet,
    name::Version,
    op::Op,
    plan::Plan,
    ports::World,
    run::{self, Cx, RunSettings},
    targets::{Selection, Targets},
};

use crate::{
    error::Error,
    events::{Both, EventLog},
    project::Project,
    run::Run,
};

/// An operation, as each of the command's is: deploy, rollback, app boot, … It begins when it is planned or run.
#[must_use = "an operation does nothing until it is planned or run"]
#[derive(Clone, Debug)]
pub struct Operation {
    project: Project,
    op: Op,
    selection: Selection,
    settings: RunSettings,
    cancel: Cancel,
}

impl Operation {
    pub(crate) fn new(project: Project, op: Op) -> Self {
        let settings = project.settings();
        Self { project, op, selection: Selection::default(), settings, cancel: Cancel::never() }
    }

    /// On these hosts alone; patterns as the command's `--hosts` takes them.
    pub fn hosts<H: Into<String>>(mut self, patterns: impl IntoIterator<Item = H>) -> Self {
        self.selection.hosts = Some(patterns.into_iter().map(Into::into).collect());
        self
    }

    /// For these roles alone; patterns as the command's `--roles` takes them.
    pub fn roles<R: Into<String>>(mut self, patterns: impl IntoIterator<Item = R>) -> Self {
        let patterns: Vec<String> = patterns.into_iter().map(Into::into).collect();
        self.settings.roles = Some(patterns.join(","));
        self.selection.roles = Some(patterns);
        self
    }

    /// On the primary host alone.
    pub fn primary(mut self) -> Self {
        self.selection.primary = true;
        self
    }

    /// On a selection of hosts and roles.
    pub fn selection(mut self, selection: Selection) -> Self {
        self.settings.roles = selection.roles.as_ref().map(|roles| roles.join(","));
        self.selection = selection;
        self
    }

    /// With this version, whole or its beginning, rather than that of the project as it is.
    pub fn version(mut self, version: &Version) -> Self {
        self.settings.asked_version = Some(version.clone());
        self
    }

    /// Without the project's hooks.
    pub fn skip_hooks(mut self) -> Self {
        self.settings.skip_hooks = true;
        self
    }

    /// Waits for a deploy lock that somebody holds, so long and looking so often, rather than failing at once.
    pub fn wait_for_lock(mut self, at_most: Duration, every: Duration) -> Self {
        self.settings.lock_wait = Some((at_most, every.max(Duration::from_secs(1))));
        self
    }

    /// Under a deploy lock that the caller holds.
    pub fn lock_held(mut self, held: bool) -> Self {
        self.settings.lock_held = held;
        self
    }

    /// Only if the plan has this digest, before the lock is taken and after.
    pub fn expect(mut self, digest: impl Into<String>) -> Self {
        self.settings.expected_digest = Some(digest.into());
        self
    }

    /// Stopped by this request too.
    pub fn stopped_by(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// What is asked for.
    #[must_use]
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// The hosts it would act on, in order.
    ///
    /// # Errors
    ///
    /// When the selection matches nothing.
    pub fn targets(&self) -> Result<Targets, Error> {
        Ok(Targets::select(self.project.config(), &self.selection)?)
    }

    /// Plans it and changes nothing: one reading round trip per host.
    ///
    /// # Errors
    ///
    /// What keeps it from being planned: missing secrets, hosts that cannot be reached, a version that is not there.
    pub async fn plan(&self) -> Result<Plan, Error> {
        let prepared = self.prepare().await?;
        let world = self.project.world();
        let cx = prepared.cx(&self.project, world, self.cancel.clone(), &self.settings);
        Ok(run::plan(&cx, &self.op).await?)
    }

    /// Begins it, in a task of its own.
    pub fn run(self) -> Run {
        let log = EventLog::new();
        let told = Arc::clone(&log);
        let also = self.cancel.clone();
        Run::begin(log, also, |cancel| async move {
            let prepared = self.prepare().await?;
            let world = self.project.world_told_by(|listener| Arc::new(Both { listener, log: told }));
            let cx = prepared.cx(&self.project, &world, cancel, &self.settings);
            Ok(run::run(&cx, &self.op).await?)
        })
    }

    async fn prepare(&self) -> Result<Prepared, Error> {
        let targets = self.targets()?;
        let version = if self.settings.asked_version.is_some() {
            None
        } else {
            match self.project.version().await {
                Ok(version) => Some(version),
                Err(error) if self.op.row().version => return Err(error),
                // Hooks are told of it, where there is one.
                Err(_) => None,
            }
        };
        Ok(Prepared { targets, version })
    }
}

/// What an operation is about, looked up.
struct Prepared {
    targets: Targets,
    version: Option<Version>,
}

impl Prepared {
    fn cx<'c>(&'c self, project: &'c Project, world: &'c World, cancel: Cancel, run: &'c RunSettings) -> Cx<'c> {
        Cx {
            fleet: Fleet::new(project.config(), world, project.performer(), cancel),
            targets: &self.targets,
            version: self.version.as_ref(),
            run,
            proxy_image: project.proxy_image().cloned(),
        }
    }
}
