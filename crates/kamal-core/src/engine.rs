//! The engine as a value that owns what it needs: its futures borrow nothing, so that any runtime can spawn them.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    cancel::Cancel,
    config::Config,
    error::Error,
    event::{EventKind, Sequence, Teller},
    fleet::Fleet,
    plan::{Outlook, Plan},
    ports::World,
    request::Request,
    run::{self, Cx, ProxyImage, ProxyImages, Report, RunSettings},
    targets::Targets,
};

/// A configuration and the world it is put into practice in. Clones share both.
///
/// ```
/// use kamal_core::{
///     cancel::Cancel, config::{load, Source}, engine::Engine, op::{Deploy, Op}, request::Request,
///     testing::{NoTemplateWorld, SimFleet},
/// };
///
/// let text = "service: app\nimage: acme/app\nservers: [h1]\nregistry: {username: u, password: [PASSWORD]}\n\
///     builder: {arch: amd64}\n";
/// let config = load(&Source::new("config/deploy.yml", text), None, &NoTemplateWorld).unwrap().config;
/// let fleet = SimFleet::new(["h1"]);
/// fleet.secrets().put("PASSWORD", "hunter2");
/// let engine = Engine::new(config, fleet.world()).performer("ann@example.com");
/// let request = Request::new(Op::Deploy(Deploy::default())).version("v1".parse().unwrap());
///
/// let plan = fleet.drive(engine.plan(request)).unwrap().unwrap();
/// // Shown, kept, reviewed …
/// let report = fleet.drive(engine.apply(plan.clone(), Cancel::never())).unwrap().unwrap();
/// assert_eq!(report.plan, plan);
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    config: Arc<Config>,
    world: World,
    performer: Arc<str>,
    settings: RunSettings,
    proxy_images: ProxyImages,
    sequence: Option<Sequence>,
}

impl Engine {
    /// An engine for a configuration.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>, world: World) -> Self {
        Self {
            config: config.into(),
            world,
            performer: "unknown".into(),
            settings: RunSettings::default(),
            proxy_images: ProxyImages::default(),
            sequence: None,
        }
    }

    /// Who is at work, for the audit log, hooks and the lock.
    #[must_use]
    pub fn performer(mut self, performer: impl Into<Arc<str>>) -> Self {
        self.performer = performer.into();
        self
    }

    /// The name of who is at work, for the lock, where it is another than the performer.
    #[must_use]
    pub fn user_name(mut self, name: impl Into<String>) -> Self {
        self.settings.user_name = name.into();
        self
    }

    /// The proxy's image where none is configured, for hosts of its architecture; for others it is Kamal's default.
    #[must_use]
    pub fn proxy_image(mut self, image: ProxyImage) -> Self {
        self.proxy_images.add(image);
        self
    }

    /// Waits for a lock that is held, so long at most and with so much time between looks.
    #[must_use]
    pub fn lock_wait(mut self, limit: Duration, interval: Duration) -> Self {
        self.settings.lock_wait = Some((limit, interval));
        self
    }

    /// Takes no lock, since a parent process holds it for us.
    #[must_use]
    pub fn lock_held(mut self) -> Self {
        self.settings.lock_held = true;
        self
    }

    /// Runs an operation only if its plan has this digest, before the lock is taken and after.
    #[must_use]
    pub fn expecting(mut self, digest: impl Into<String>) -> Self {
        self.settings.expected_digest = Some(digest.into());
        self
    }

    /// Tells what happens in its operations as part of a sequence that has begun, rather than each in one of its own.
    #[must_use]
    pub fn told_in(mut self, sequence: Sequence) -> Self {
        self.sequence = Some(sequence);
        self
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its ports.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Makes the plan and changes nothing, as [`run::plan`].
    ///
    /// # Errors
    ///
    /// Those of [`run::plan`], and [`Error::Selection`] where the selection matches nothing.
    #[must_use]
    pub fn plan(&self, request: Request) -> BoxFuture<'static, Result<Plan, Error>> {
        let engine = self.clone();
        async move {
            let (targets, settings) = engine.prepared(&request, true)?;
            run::plan(&engine.cx(&request, &targets, &settings, Cancel::never()), &request.op).await
        }
        .boxed()
    }

    /// Makes the plan and looks at what runs besides, as [`run::outlook`].
    ///
    /// # Errors
    ///
    /// Those of [`Engine::plan`].
    #[must_use]
    pub fn outlook(&self, request: Request) -> BoxFuture<'static, Result<Outlook, Error>> {
        let engine = self.clone();
        async move {
            let (targets, settings) = engine.prepared(&request, true)?;
            run::outlook(&engine.cx(&request, &targets, &settings, Cancel::never()), &request.op).await
        }
        .boxed()
    }

    /// Runs an operation, as [`run::run`]. The way to end it before its end is the request to stop, after which the
    /// future is to be polled until it is ready: a future that is dropped can put nothing right any more.
    ///
    /// # Errors
    ///
    /// Those of [`run::run`], and [`Error::Selection`] where the selection matches nothing.
    #[must_use]
    pub fn run(&self, request: Request, cancel: Cancel) -> BoxFuture<'static, Result<Report, Error>> {
        let engine = self.clone();
        async move {
            let (targets, settings) = engine.prepared(&request, false)?;
            run::run(&engine.cx(&request, &targets, &settings, cancel), &request.op).await
        }
        .boxed()
    }

    /// Does what a plan says, or nothing where the hosts have moved on since it was made, as [`run::apply`].
    ///
    /// # Errors
    ///
    /// Those of [`run::apply`], and [`Error::Selection`] where the selection matches nothing.
    #[must_use]
    pub fn apply(&self, plan: Plan, cancel: Cancel) -> BoxFuture<'static, Result<Report, Error>> {
        let engine = self.clone();
        async move {
            let (targets, settings) = engine.prepared(&plan.asked, false)?;
            run::apply(&engine.cx(&plan.asked, &targets, &settings, cancel), &plan).await
        }
        .boxed()
    }

    /// Tells of an operation that ends before it begins: whoever listens to a run hears its beginning and its end.
    pub fn refuse(&self, request: &Request, dry_run: bool, end: EventKind) {
        let sequence = self.sequence.clone().unwrap_or_else(|| Sequence::begin(&*self.world.entropy));
        let teller = Teller::of(&self.world, sequence);
        teller.emit(EventKind::Started {
            operation: request.op.row().name(),
            changes: request.op.row().changes,
            dry_run,
            service: self.config.service.to_string(),
            destination: self.config.destination.clone(),
            performer: self.performer.to_string(),
            version: request.asked_version.clone(),
            hosts: Vec::new(),
        });
        teller.emit(end);
    }

    fn prepared(&self, request: &Request, dry_run: bool) -> Result<(Targets, RunSettings), Error> {
        let targets = Targets::select(&self.config, &request.selection).map_err(Error::from);
        let targets = targets.inspect_err(|error| {
            self.refuse(request, dry_run, EventKind::ended(Some(error), Duration::ZERO));
        })?;
        Ok((targets, self.settings.of(request)))
    }

    fn cx<'c>(
        &'c self,
        request: &'c Request,
        targets: &'c Targets,
        settings: &'c RunSettings,
        cancel: Cancel,
    ) -> Cx<'c> {
        let fleet = Fleet::new(&self.config, &self.world, &self.performer, cancel);
        Cx {
            fleet: match &self.sequence {
                Some(sequence) => fleet.told_in(sequence.clone()),
                None => fleet,
            },
            targets,
            version: request.project_version.as_ref(),
            run: settings,
            proxy_images: self.proxy_images.clone(),
        }
    }
}
