//! An operation of a project, before it is planned or run: what is asked for, and of which hosts.

use std::time::Duration;

use kamal_core::{
    cancel::Cancel,
    engine::Engine,
    event::{EventKind, Outcome},
    name::Version,
    op::Op,
    plan::{Outlook, Plan},
    request::Request,
    targets::{Selection, Targets},
};

use crate::{error::Error, project::Project, run::Run};

/// An operation, as each of the command's is: deploy, rollback, app boot, … It begins when it is planned or run.
///
/// ```
/// # use kamal::{core::testing::SimFleet, prelude::*};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # const DEPLOY: &str = "service: shop\nimage: acme/shop\nservers: [h1, h2]\nbuilder: {arch: amd64}\n\
/// #     registry: {username: me, password: [PASSWORD]}\n";
/// # let fleet = SimFleet::new(["h1", "h2"]);
/// # let project = Project::builder().text(DEPLOY).world(fleet.world()).secret_map([("PASSWORD", "x")]).build().await?;
/// let deploy = project.deploy(&Version::parse("v1")?).hosts(["h1"]).skip_hooks();
/// let plan = deploy.plan().await?;
/// println!("{plan}");
/// // Only what was looked at, by its digest; `Project::apply` takes the plan itself.
/// let report = deploy.expect(plan.digest()).run().await?;
/// println!("it took {:?}", report.took);
/// # Ok(())
/// # }
/// ```
#[must_use = "an operation does nothing until it is planned or run"]
#[derive(Clone, Debug)]
pub struct Operation {
    project: Project,
    request: Request,
    lock: Lock,
    expected: Option<String>,
    cancel: Cancel,
}

/// How it comes to the deploy lock.
#[derive(Clone, Copy, Debug, Default)]
struct Lock {
    held: bool,
    wait: Option<(Duration, Duration)>,
}

impl Operation {
    pub(crate) fn new(project: Project, op: Op) -> Self {
        let request = Request::new(op);
        Self { project, request, lock: Lock::default(), expected: None, cancel: Cancel::never() }
    }

    /// On these hosts alone; patterns as the command's `--hosts` takes them.
    pub fn hosts<H: Into<String>>(mut self, patterns: impl IntoIterator<Item = H>) -> Self {
        self.request.selection.hosts = Some(patterns.into_iter().map(Into::into).collect());
        self
    }

    /// For these roles alone; patterns as the command's `--roles` takes them.
    pub fn roles<R: Into<String>>(mut self, patterns: impl IntoIterator<Item = R>) -> Self {
        self.request.selection.roles = Some(patterns.into_iter().map(Into::into).collect());
        self
    }

    /// On the primary host alone.
    pub fn primary(mut self) -> Self {
        self.request.selection.primary = true;
        self
    }

    /// On a selection of hosts and roles.
    pub fn selection(mut self, selection: Selection) -> Self {
        self.request.selection = selection;
        self
    }

    /// With this version, whole or its beginning, rather than that of the project as it is.
    pub fn version(mut self, version: &Version) -> Self {
        self.request.asked_version = Some(version.clone());
        self
    }

    /// Without the project's hooks.
    pub fn skip_hooks(mut self) -> Self {
        self.request.skip_hooks = true;
        self
    }

    /// Waits for a deploy lock that somebody holds, so long and looking so often, rather than failing at once.
    pub fn wait_for_lock(mut self, at_most: Duration, every: Duration) -> Self {
        self.lock.wait = Some((at_most, every.max(Duration::from_secs(1))));
        self
    }

    /// Under a deploy lock that the caller holds.
    pub fn lock_held(mut self, held: bool) -> Self {
        self.lock.held = held;
        self
    }

    /// Only if the plan has this digest, before the lock is taken and after. [`Project::apply`] knows more: it tells what
    /// differs.
    pub fn expect(mut self, digest: impl Into<String>) -> Self {
        self.expected = Some(digest.into());
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
        &self.request.op
    }

    /// All that is asked for.
    #[must_use]
    pub fn asked(&self) -> &Request {
        &self.request
    }

    /// The hosts it would act on, in order.
    ///
    /// # Errors
    ///
    /// When the selection matches nothing.
    pub fn targets(&self) -> Result<Targets, Error> {
        Ok(Targets::select(self.project.config(), &self.request.selection)?)
    }

    /// Plans it and changes nothing: one reading round trip per host.
    ///
    /// # Errors
    ///
    /// What keeps it from being planned: missing secrets, hosts that cannot be reached, a version that is not there.
    pub async fn plan(&self) -> Result<Plan, Error> {
        let engine = self.engine(self.project.engine());
        let request = self.request(&engine, true).await?;
        let plan = engine.plan(request);
        Ok(self.cancel.guard(plan).await.unwrap_or(Err(kamal_core::error::Error::Cancelled))?)
    }

    /// Plans it, and looks at what runs besides, for whoever reviews the plan: one further round trip per host.
    ///
    /// # Errors
    ///
    /// Those of [`Operation::plan`].
    pub async fn outlook(&self) -> Result<Outlook, Error> {
        let engine = self.engine(self.project.engine());
        let request = self.request(&engine, true).await?;
        let outlook = engine.outlook(request);
        Ok(self.cancel.guard(outlook).await.unwrap_or(Err(kamal_core::error::Error::Cancelled))?)
    }

    /// Begins it, in a task of its own.
    pub fn run(self) -> Run {
        let also = self.cancel.clone();
        Run::begin(&self.project.clone(), also, |engine, cancel| async move {
            let engine = self.engine(engine);
            let request = self.request(&engine, false).await?;
            Ok(engine.run(request, cancel).await?)
        })
    }

    /// Begins what a plan says, in a task of its own: that or nothing, as [`Project::apply`]. It is the plan that says what is
    /// done, where, and about which version; the lock and what stops it are as set here.
    pub fn apply(self, plan: Plan) -> Run {
        let also = self.cancel.clone();
        Run::begin(&self.project.clone(), also, |engine, cancel| async move {
            Ok(self.engine(engine).apply(plan, cancel).await?)
        })
    }

    fn engine(&self, engine: Engine) -> Engine {
        let mut engine = engine;
        if let Some(digest) = &self.expected {
            engine = engine.expecting(digest);
        }
        if let Some((at_most, every)) = self.lock.wait {
            engine = engine.lock_wait(at_most, every);
        }
        if self.lock.held { engine.lock_held() } else { engine }
    }

    /// What is asked for, with the version of the project where an operation is about it or tells somebody of it.
    async fn request(&self, engine: &Engine, dry_run: bool) -> Result<Request, Error> {
        let mut request = self.request.clone();
        if request.asked_version.is_none() {
            match self.project.version().await {
                Ok(version) => request.project_version = Some(version),
                Err(error) if request.op.row().version => {
                    engine.refuse(
                        &request,
                        dry_run,
                        EventKind::Finished {
                            outcome: Outcome::Failed(error.to_string()),
                            kind: Some(error.kind()),
                            hints: error.hints(),
                            took: Duration::ZERO,
                        },
                    );
                    return Err(error);
                }
                // Hooks are told of it, where there is one.
                Err(_) => {}
            }
        }
        Ok(request)
    }
}
