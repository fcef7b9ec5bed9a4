//! A project: its configuration, and everything it takes to act on it.

use std::{path::PathBuf, sync::Arc};

use kamal_core::{
    cancel::Cancel,
    config::{Config, Diagnostic},
    engine::Engine,
    event::Sequence,
    fleet::Fleet,
    name::Version,
    op::{Accessory, App, Build, Deploy, Lock, Op, Proxy, Prune, Registry, Rollback, Rollout, Server},
    plan::Plan,
    ports::{Events, World},
    redact::Redactor,
    run::ProxyImage,
};
use kamal_ssh::Connector;

use crate::{
    builder::ProjectBuilder,
    error::{Error, NoVersion},
    git::{self, Identity},
    machine::Environment,
    operation::Operation,
    run::Run,
    work::blocking,
};

/// A `deploy.yml`, and everything it takes to act on it. Clones are the same project; connections are shared.
///
/// ```
/// # use kamal::{core::testing::SimFleet, prelude::*};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # const DEPLOY: &str = "service: shop\nimage: acme/shop\nservers: [h1, h2]\nbuilder: {arch: amd64}\n\
/// #     registry: {username: me, password: [PASSWORD]}\n";
/// # let fleet = SimFleet::new(["h1", "h2"]);
/// # let project = Project::builder().text(DEPLOY).world(fleet.world()).secret_map([("PASSWORD", "x")]).build().await?;
/// let v1 = Version::parse("v1")?;
/// project.deploy(&v1).run().await?;
/// project.deploy(&Version::parse("v2")?).run().await?;
/// let back = project.rollback(None).run().await?;
/// assert_eq!(back.plan.version, Some(v1));
/// // Whatever else the command does is an operation too.
/// for answer in project.details().run().await?.answers {
///     println!("{}", answer.outcome?.stdout);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Project(Arc<Parts>);

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) config: Arc<Config>,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) world: World,
    pub(crate) connector: Option<Arc<Connector>>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) environment: Environment,
    pub(crate) identity: Identity,
    pub(crate) proxy_images: Vec<ProxyImage>,
    pub(crate) sequence: Option<Sequence>,
}

impl Project {
    /// A project in parts; see [`ProjectBuilder`].
    pub fn builder() -> ProjectBuilder {
        ProjectBuilder::default()
    }

    /// The project in a folder: `config/deploy.yml`, the secrets and hooks in `.kamal`, this process's environment and the
    /// user's keys, as the command has it. Templates in its files are rendered, for which they may run programs.
    ///
    /// ```no_run
    /// # async fn open() -> Result<(), kamal::Error> {
    /// let project = kamal::Project::open("/srv/my-app").await?;
    /// for warning in project.warnings() {
    ///     eprintln!("{warning}");
    /// }
    /// println!("{} goes to {} hosts", project.config().service, project.config().hosts().len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Files that are not there, and everything that is wrong with the configuration.
    pub async fn open(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        Self::builder().folder(folder).build().await
    }

    pub(crate) fn of(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// What the configuration's author should know.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.0.warnings
    }

    /// Everything outside the engine.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.0.world
    }

    /// What covers the secrets that are known so far.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.0.world.redactor
    }

    /// The connections to hosts; `None` where the project has another transport.
    #[must_use]
    pub fn connector(&self) -> Option<&Arc<Connector>> {
        self.0.connector.as_ref()
    }

    /// Who is at work, for the audit log and hooks.
    #[must_use]
    pub fn performer(&self) -> &str {
        &self.0.identity.performer
    }

    /// The proxy's images that hosts are handed through their connection, one for each architecture at most.
    #[must_use]
    pub fn proxy_images(&self) -> &[ProxyImage] {
        &self.0.proxy_images
    }

    /// The hosts, to talk to them by other means than an operation.
    #[must_use]
    pub fn fleet(&self, cancel: Cancel) -> Fleet<'_> {
        Fleet::new(self.config(), self.world(), self.performer(), cancel)
    }

    /// The version of the project as it is: the variable `VERSION`, else the commit that is checked out.
    ///
    /// # Errors
    ///
    /// When it is in no git repository, or there is no commit yet.
    pub async fn version(&self) -> Result<Version, Error> {
        let project = self.clone();
        let look = move || {
            let Parts { folder, environment, .. } = &*project.0;
            match (folder, git::version_wanted(environment)?) {
                (_, Some(version)) => Ok(version),
                (Some(folder), None) => git::version_of(project.config(), folder, environment),
                (None, None) => Err(NoVersion::NoFolder.into()),
            }
        };
        blocking(look).await
    }

    /// Builds the image of a version, brings it to the hosts and boots it: `kamal deploy`.
    pub fn deploy(&self, version: &Version) -> Operation {
        self.operation(Op::Deploy(Deploy::default())).version(version)
    }

    /// Deploys a version whose image is in the registry already: `kamal deploy --skip-push`.
    pub fn deploy_built(&self, version: &Version) -> Operation {
        self.operation(Op::Deploy(Deploy { skip_push: true, ..Deploy::default() })).version(version)
    }

    /// Prepares hosts and deploys a version to them: `kamal setup`.
    pub fn setup(&self, version: &Version) -> Operation {
        self.operation(Op::Setup(Deploy::default())).version(version)
    }

    /// Deploys without preparing or pruning hosts: `kamal redeploy`.
    pub fn redeploy(&self, version: &Version) -> Operation {
        self.operation(Op::Redeploy(Deploy::default())).version(version)
    }

    /// Goes back to a version, or to the one before: `kamal rollback`.
    pub fn rollback(&self, to: Option<&Version>) -> Operation {
        self.operation(Op::Rollback(Rollback { to: to.cloned(), ..Rollback::default() }))
    }

    /// Something about a version beside the one that is live: `kamal rollout …`.
    pub fn rollout(&self, rollout: Rollout) -> Operation {
        self.operation(Op::Rollout(rollout))
    }

    /// Something about the app's containers: `kamal app …`.
    pub fn app(&self, app: App) -> Operation {
        self.operation(Op::App(app))
    }

    /// Something about accessories: `kamal accessory …`.
    pub fn accessory(&self, accessory: Accessory) -> Operation {
        self.operation(Op::Accessory(accessory))
    }

    /// Something about images: `kamal build …`.
    pub fn build(&self, build: Build) -> Operation {
        self.operation(Op::Build(build))
    }

    /// Something about the proxy: `kamal proxy …`.
    pub fn proxy(&self, proxy: Proxy) -> Operation {
        self.operation(Op::Proxy(proxy))
    }

    /// Something about logins: `kamal registry …`.
    pub fn registry(&self, registry: Registry) -> Operation {
        self.operation(Op::Registry(registry))
    }

    /// Something about the hosts themselves: `kamal server …`.
    pub fn server(&self, server: Server) -> Operation {
        self.operation(Op::Server(server))
    }

    /// Takes away what is old: `kamal prune …`.
    pub fn prune(&self, prune: Prune) -> Operation {
        self.operation(Op::Prune(prune))
    }

    /// Something about the deploy lock: `kamal lock …`.
    pub fn lock(&self, lock: Lock) -> Operation {
        self.operation(Op::Lock(lock))
    }

    /// The containers of all there is: `kamal details`.
    pub fn details(&self) -> Operation {
        self.operation(Op::Details)
    }

    /// The audit log: `kamal audit`.
    pub fn audit(&self) -> Operation {
        self.operation(Op::Audit)
    }

    /// How the fleet is: `kamal status`. The report has it in [`status`](kamal_core::run::Report::status).
    pub fn status(&self) -> Operation {
        self.operation(Op::Status)
    }

    /// Whether all is there that a deploy relies on: `kamal doctor`. The report has what was found in
    /// [`checkup`](kamal_core::run::Report::checkup).
    pub fn doctor(&self) -> Operation {
        self.operation(Op::Doctor)
    }

    /// Takes everything off the hosts: `kamal remove`.
    pub fn remove(&self) -> Operation {
        self.operation(Op::Remove)
    }

    /// Any operation of the table: what methods of this type begin, and what has none, by [`Op`].
    pub fn operation(&self, op: Op) -> Operation {
        Operation::new(self.clone(), op)
    }

    /// Does what a plan says, or nothing where the hosts have moved on since it was made
    /// ([`PlanChanged`](kamal_core::error::Error::PlanChanged)). The plan may be one that was kept and read back.
    ///
    /// ```
    /// # use kamal::{core::testing::SimFleet, prelude::*};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # const DEPLOY: &str = "service: shop\nimage: acme/shop\nservers: [h1, h2]\nbuilder: {arch: amd64}\n\
    /// #     registry: {username: me, password: [PASSWORD]}\n";
    /// # let fleet = SimFleet::new(["h1", "h2"]);
    /// # let project = Project::builder().text(DEPLOY).world(fleet.world()).secret_map([("PASSWORD", "x")]).build().await?;
    /// let version = Version::parse("v1")?;
    /// let plan = project.deploy(&version).plan().await?;
    /// let kept = plan.to_json();
    /// // Somebody reads it, in another process perhaps, and some time later …
    /// let report = project.apply(Plan::from_json(&kept)?).await?;
    /// assert_eq!(report.plan, plan);
    /// // The hosts are no longer as they were, so that the same plan is not done again.
    /// let error = project.apply(plan).await.expect_err("another plan by now");
    /// assert_eq!(error.kind(), ErrorKind::PlanChanged);
    /// # Ok(())
    /// # }
    /// ```
    pub fn apply(&self, plan: Plan) -> Run {
        Run::begin(self, Cancel::never(), |engine, cancel| async move { Ok(engine.apply(plan, cancel).await?) })
    }

    /// The engine that does the work.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine_in(self.world().clone())
    }

    /// The same, telling somebody besides the project's listener what happens.
    pub(crate) fn engine_told_by(&self, listener: impl FnOnce(Arc<dyn Events>) -> Arc<dyn Events>) -> Engine {
        let mut world = self.world().clone();
        world.events = listener(world.events);
        self.engine_in(world)
    }

    fn engine_in(&self, world: World) -> Engine {
        let engine = Engine::new(self.0.config.clone(), world)
            .performer(self.performer())
            .user_name(self.0.identity.name.clone());
        let engine = match &self.0.sequence {
            Some(sequence) => engine.told_in(sequence.clone()),
            None => engine,
        };
        self.proxy_images().iter().cloned().fold(engine, Engine::proxy_image)
    }
}
