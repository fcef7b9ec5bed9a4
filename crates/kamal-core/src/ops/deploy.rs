//! Deploy, redeploy, setup, rollback and boot: observe, plan, run (spec 9.6, 9.10).

use std::{borrow::Cow, time::Duration};

use futures_util::{FutureExt, future::try_join};

use super::{
    Cx, Needs, boot, bootstrap,
    hooks::{self, Told},
    lock, proxy_version,
};
use crate::{
    config::{
        Config,
        model::{Accessory, Role},
    },
    error::{Error, HostError},
    event::{EventKind, Outcome, Tone},
    gate::{Keeper, Waiter, gate},
    machine::Phase,
    name::{HostName, Version},
    naming,
    plan::{AccessoryFile, Hooks, Intent, Placement, Plan, Verb, Work, plan},
    ports::BuildOrder,
    secret::Secret,
    state::HostState,
    step::{Blob, Step},
};

/// What a deploy is asked for.
#[derive(Clone, Debug)]
pub struct DeployOptions {
    /// Which of the operations.
    pub verb: Verb,
    /// `--skip-push`: pull what is in the registry.
    pub skip_push: bool,
    /// `--no-cache`.
    pub no_cache: bool,
    /// Runs only if the plan has this digest.
    pub expected_digest: Option<String>,
}

/// How it went.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How long it took.
    pub took: Duration,
    /// What was done.
    pub plan: Plan,
}

/// Makes the plan and changes nothing: one reading round trip per host.
pub async fn dry_run(cx: &Cx<'_>, options: &DeployOptions) -> Result<Plan, Error> {
    let mut operation = Operation::begin(cx, options).await?;
    operation.states = cx.fleet.on(&cx.targets.hosts, |host| cx.fleet.observe(host).boxed()).await?;
    operation.check()?;
    Ok(operation.plan())
}

/// Deploys. Old containers serve until every host has switched; a failure leads hosts back to them, gives the lock
/// back, and is returned. Dropping the future leaves a host as a cut cable would; running it again converges.
pub async fn deploy(cx: &Cx<'_>, options: &DeployOptions) -> Result<Report, Error> {
    let began = cx.fleet.world.clock.elapsed();
    cx.fleet.emit(EventKind::Started {
        operation: options.verb.to_string(),
        service: cx.fleet.config.service.to_string(),
        version: Some(cx.version.clone()),
        hosts: cx.targets.hosts.clone(),
    });
    let result = match Operation::begin(cx, options).await {
        Ok(mut operation) => operation.run(began).await,
        Err(error) => Err(error),
    };
    let took = cx.fleet.world.clock.elapsed().saturating_sub(began);
    let outcome = match &result {
        Ok(_) => Outcome::Ok,
        Err(error) => Outcome::Failed(error.to_string()),
    };
    cx.fleet.emit(EventKind::Finished { outcome, took });
    result.map(|plan| Report { took, plan })
}

struct Operation<'o, 'a> {
    cx: &'o Cx<'a>,
    options: &'o DeployOptions,
    hooks: Hooks,
    error_pages: Vec<(String, Blob)>,
    accessory_files: Vec<AccessoryFile>,
    token: String,
    lock_details: String,
    states: Vec<HostState>,
    phase: Phase,
    locked: bool,
    began: Duration,
}

impl<'o, 'a> Operation<'o, 'a> {
    async fn begin(cx: &'o Cx<'a>, options: &'o DeployOptions) -> Result<Self, Error> {
        let hooks = hooks::present(cx).await;
        look_up_secrets(cx, options, &hooks)?;
        Ok(Self {
            cx,
            options,
            hooks,
            error_pages: error_pages(cx).await?,
            accessory_files: accessory_files(cx, options).await?,
            token: cx.fleet.world.entropy.hex(16),
            lock_details: lock::details(&cx.fleet, &cx.run.user_name, cx.version, lock::AUTOMATIC),
            states: Vec::new(),
            phase: Phase::Planned,
            locked: false,
            began: Duration::ZERO,
        })
    }

    fn plan(&self) -> Plan {
        let intent = Intent {
            verb: self.options.verb,
            version: self.cx.version,
            skip_push: self.options.skip_push,
            hooks: &self.hooks,
            error_pages: &self.error_pages,
            accessory_files: &self.accessory_files,
            proxy_image: self.cx.proxy_image.as_ref().map(|image| &image.reference),
            lock_held: self.cx.run.lock_held,
            lock_details: &self.lock_details,
            token: &self.token,
        };
        plan(self.cx.fleet.config, self.cx.targets, &self.states, &intent)
    }

    async fn run(&mut self, began: Duration) -> Result<Plan, Error> {
        self.began = began;
        let result = self.stages().await;
        if result.is_err() {
            if self.locked {
                lock::release_after_failure(self.cx).await;
            }
            self.enter(Phase::Failed);
        }
        result
    }

    async fn stages(&mut self) -> Result<Plan, Error> {
        let cx = self.cx;
        hooks::run(cx, &self.hooks, "pre-connect", self.told()).await?;
        let observe = cx.fleet.on(&cx.targets.hosts, |host| cx.fleet.observe(host).boxed());
        let builds_first = matches!(self.options.verb, Verb::Deploy | Verb::Redeploy) && !self.options.skip_push;
        if builds_first {
            // Building does not depend on the hosts, so they are connected and observed meanwhile; a host that
            // cannot be reached ends the build at once. The build goes first: it is what takes longest.
            self.states = try_join(self.build(), observe).await?.1;
        } else {
            self.states = observe.await?;
        }
        self.check_hosts()?;
        if builds_first {
            self.enter(Phase::Built);
        }
        let reviewed = self.plan();
        if let Some(expected) = self.options.expected_digest.as_ref().filter(|expected| **expected != reviewed.digest())
        {
            let found = reviewed.digest();
            return Err(Error::Usage(format!(
                "the plan is not the one reviewed: its digest is {found}, not {expected}; see it with --dry-run"
            )));
        }
        let mut plan = reviewed;
        if plan.position_of_lock().is_none() {
            // The lock is held for us, or there is no host to hold it; what else it stands for is due now.
            if self.options.verb == Verb::Setup {
                self.bootstrap().await?;
                plan = self.plan();
            }
            self.check()?;
        }
        let (keeper, waiter) = gate();
        let mut keeper = Some(keeper);
        let mut next = 0;
        while let Some(stage) = plan.stages.get(next).cloned() {
            next += 1;
            match &stage.work {
                Work::Build if builds_first => {}
                Work::Build => self.build().await?,
                Work::Hook { name, .. } if name == "pre-build" && builds_first => {}
                Work::Hook { name, hosts } => self.hook(name, hosts.as_deref()).await?,
                Work::Wait { seconds } => self.wait(*seconds).await?,
                Work::Boot { hosts, placements } => {
                    self.ship_proxy(hosts).await?;
                    self.enter(Phase::Booting);
                    let last = !plan.stages[next..].iter().any(|stage| matches!(stage.work, Work::Boot { .. }));
                    self.boot(hosts, placements, &mut keeper, &waiter, last).await?;
                }
                Work::Hosts(works) => {
                    if let [(host, step @ Step::AcquireLock { .. })] = &steps(works)[..] {
                        self.lock(host, step).await?;
                        // What was decided before the lock was ours is decided again on what is there now.
                        plan = self.plan();
                        next = plan.position_of_lock().map_or(next, |lock| lock + 1);
                    } else {
                        self.narrate(stage.title);
                        self.ship_proxy(works).await?;
                        let run = |work: &'_ crate::plan::HostWork| {
                            let (host, steps) = (work.host.clone(), work.steps.clone());
                            async move { cx.fleet.run(&host, stage.title, &steps, &mut |_, _| {}).await }.boxed()
                        };
                        let results = futures_util::future::join_all(works.iter().map(run)).await;
                        crate::fleet::gather(results)?;
                        if steps(works).iter().any(|(_, step)| matches!(step, Step::ReleaseLock { .. })) {
                            self.locked = false;
                        }
                    }
                }
            }
            if stage.phase == Phase::Pruned && self.phase == Phase::Switched {
                // One script stopped what was old and pruned.
                self.enter(Phase::Drained);
            }
            // A hook belongs to the phase it runs in.
            if stage.phase != Phase::Done && !matches!(stage.work, Work::Hook { .. }) {
                self.enter(stage.phase);
            }
        }
        self.enter(Phase::Done);
        Ok(plan)
    }

    fn narrate(&self, title: &str) {
        match title {
            "deliver" if self.options.skip_push => self.cx.say("Pull app image..."),
            "prepare" => self.cx.say("Ensure kamal-proxy is running..."),
            "finish" if matches!(self.options.verb, Verb::Setup | Verb::Deploy) => {
                self.cx.say("Prune old containers and images...");
            }
            _ => {}
        }
    }

    fn told(&self) -> Told<'static> {
        Told { locked: self.locked, ..Told::default() }
    }

    async fn hook(&self, name: &str, hosts: Option<&[HostName]>) -> Result<(), Error> {
        let runtime = self.cx.fleet.world.clock.elapsed().saturating_sub(self.began).as_secs_f64().round() as u64;
        let runtime = (name == "post-deploy").then_some(runtime);
        hooks::run(self.cx, &self.hooks, name, Told { hosts, locked: self.locked, runtime }).await
    }

    async fn wait(&self, seconds: u64) -> Result<(), Error> {
        let sleep = self.cx.fleet.world.clock.sleep(Duration::from_secs(seconds));
        self.cx.fleet.cancel.guard(sleep).await.ok_or(Error::Cancelled)
    }

    async fn build(&self) -> Result<(), Error> {
        let (cx, world) = (self.cx, self.cx.fleet.world);
        cx.say("Build and push app image...");
        if matches!(self.options.verb, Verb::Deploy | Verb::Redeploy) {
            hooks::run(cx, &self.hooks, "pre-build", self.told()).await?;
        }
        let order = BuildOrder {
            config: cx.fleet.config,
            version: cx.version,
            local: &*world.local,
            secrets: &*world.secrets,
            events: &*world.events,
            no_cache: self.options.no_cache,
            output: "registry",
        };
        let built = cx.fleet.cancel.guard(world.docker.build(&order)).await;
        Ok(built.ok_or(Error::Cancelled)??)
    }

    async fn lock(&mut self, host: &HostName, step: &Step) -> Result<(), Error> {
        let cx = self.cx;
        let state = lock::acquire(cx, host, step).await?;
        self.locked = true;
        if self.options.verb == Verb::Setup {
            self.bootstrap().await?;
        } else {
            let others: Vec<HostName> = cx.targets.hosts.iter().filter(|other| *other != host).cloned().collect();
            self.states = cx.fleet.on(&others, |host| cx.fleet.observe(host).boxed()).await?;
            self.states.push(state);
        }
        for state in &mut self.states {
            state.lock = None;
        }
        self.check()?;
        if matches!(self.options.verb, Verb::Deploy | Verb::Setup) {
            cx.say("Ensure kamal-proxy is running...");
        }
        let version = cx.version;
        cx.say(format!("Start container with version {version} (or reboot if already running)..."));
        Ok(())
    }

    async fn bootstrap(&mut self) -> Result<(), Error> {
        let cx = self.cx;
        cx.say("Ensure Docker is installed...");
        bootstrap::bootstrap(cx).await?;
        self.states = cx.fleet.on(&cx.targets.hosts, |host| cx.fleet.observe(host).boxed()).await?;
        Ok(())
    }

    async fn boot(
        &mut self,
        works: &[crate::plan::HostWork],
        placements: &[Placement],
        keeper: &mut Option<Keeper>,
        waiter: &Waiter,
        last: bool,
    ) -> Result<(), Error> {
        // The keeper goes to the group that holds the primary role; later groups find the verdict.
        let keeps = placements.iter().any(|placement| placement.primary) || last;
        let keeper = if keeps { keeper.take() } else { None };
        match boot::group(self.cx, works, placements, keeper, waiter).await {
            Ok(_) => Ok(()),
            Err((error, switched)) => {
                self.enter(Phase::RollingBack);
                boot::roll_back(self.cx, placements, &switched).await;
                self.enter(Phase::RolledBack);
                Err(error)
            }
        }
    }

    /// Hands the proxy's image to hosts that are about to start it and lack it.
    async fn ship_proxy(&self, works: &[crate::plan::HostWork]) -> Result<(), Error> {
        let Some(image) = &self.cx.proxy_image else { return Ok(()) };
        let mut hosts = Vec::new();
        for (host, step) in steps(works) {
            let wanted = matches!(step, Step::EnsureProxy(spec) if spec.image.as_ref() == Some(&image.reference));
            let state = self.states.iter().find(|state| state.host == *host);
            let fits =
                state.is_some_and(|state| state.machine.arch == image.arch && !state.has_image(&image.reference));
            if wanted && fits {
                hosts.push(host.clone());
            }
        }
        let ship = |host| super::ship_image(&self.cx.fleet, host, image).boxed();
        self.cx.fleet.on(&hosts, ship).await.map(drop)
    }

    fn check_hosts(&self) -> Result<(), Error> {
        // `setup` installs Docker itself.
        if self.options.verb == Verb::Setup {
            return Ok(());
        }
        let missing: Vec<HostError> = self
            .states
            .iter()
            .filter(|state| !state.docker)
            .map(|state| HostError::Unfit {
                host: state.host.clone(),
                message: "Docker does not answer; run `kamal server bootstrap` to install it, or start it".to_owned(),
            })
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(Error::Hosts(missing)) }
    }

    /// What the operation asks of the hosts as they are.
    fn check(&self) -> Result<(), Error> {
        match self.options.verb {
            Verb::Rollback => self.check_available(),
            Verb::Deploy | Verb::Setup => proxy_version::check(self.cx, &self.states),
            Verb::Redeploy | Verb::Boot => Ok(()),
        }
    }

    fn check_available(&self) -> Result<(), Error> {
        let (config, version) = (self.cx.fleet.config, self.cx.version);
        let missing: Vec<&str> = self
            .states
            .iter()
            .filter(|state| {
                self.cx.targets.roles_on(&state.host).any(|(role, _)| !has_version(config, state, role, version))
            })
            .map(|state| state.host.as_str())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::VersionUnavailable { version: version.clone(), hosts: missing.join(", ") })
    }

    fn enter(&mut self, phase: Phase) {
        if phase == self.phase {
            return;
        }
        debug_assert!(self.phase.may_become(phase), "{:?} -> {phase:?}", self.phase);
        self.phase = phase;
        let elapsed = self.cx.fleet.world.clock.elapsed().saturating_sub(self.began);
        self.cx.fleet.emit(EventKind::Phase { phase, elapsed });
    }
}

fn steps(works: &[crate::plan::HostWork]) -> Vec<(&HostName, &Step)> {
    works.iter().flat_map(|work| work.steps.iter().map(|step| (&work.host, step))).collect()
}

/// True when the host has a container of the role in that version, even one that made way for a successor which was cut
/// off before it started.
fn has_version(config: &Config, state: &HostState, role: &Role, version: &Version) -> bool {
    let name = naming::container(config, &role.name, version);
    let replaced = format!("{name}_replaced_");
    state.of_role(&role.name).any(|container| container.name == name || container.name.starts_with(&replaced))
}

/// The version to go back to: the newest one that has a stopped container of every role on every host.
pub async fn previous_version(cx: &Cx<'_>) -> Result<Version, Error> {
    let config = cx.fleet.config;
    let states = cx.fleet.on(&cx.targets.app_hosts, |host| cx.fleet.observe(host).boxed()).await?;
    let (Some(first), Some(role)) = (states.first(), cx.targets.roles.first()) else {
        return Err(Error::Usage("there is no role to roll back".to_owned()));
    };
    let current = first.current_version(config, &role.name);
    let candidates =
        first.of_role(&role.name).filter_map(|container| naming::version_of(config, &role.name, &container.name));
    let everywhere = |version: &Version| {
        states
            .iter()
            .all(|state| cx.targets.roles_on(&state.host).all(|(role, _)| has_version(config, state, role, version)))
    };
    candidates
        .filter(|version| !version.contains("_replaced_") && current.as_ref() != Some(version))
        .find(everywhere)
        .ok_or_else(|| Error::Usage("there is no earlier version to roll back to on every host (use 'kamal app containers' to see what there is)".to_owned()))
}

/// Looks up every secret the operation needs, side by side, before anything is changed.
fn look_up_secrets(cx: &Cx<'_>, options: &DeployOptions, hooks: &Hooks) -> Result<(), Error> {
    let (config, mut needs) = (cx.fleet.config, Needs::new());
    needs.registry(config);
    for role in &cx.targets.roles {
        needs.role(config, role, &role.hosts);
    }
    if !options.skip_push && !matches!(options.verb, Verb::Rollback | Verb::Boot) {
        needs.build(config);
    }
    for accessory in config.accessories.iter().filter(|_| options.verb == Verb::Setup) {
        needs.accessory(accessory);
    }
    let secrets = &*cx.fleet.world.secrets;
    let run = if options.verb == Verb::Boot { &hooks::TRUSTED[..1] } else { &hooks::TRUSTED };
    if run.iter().any(|name| hooks.has(name)) {
        // Hooks will ask for all of them; what cannot be had is told then.
        drop(secrets.all());
    }
    needs.look_up(secrets)
}

/// The error pages of the project, name and content.
pub(super) async fn error_pages(cx: &Cx<'_>) -> Result<Vec<(String, Blob)>, Error> {
    let Some(folder) = &cx.fleet.config.error_pages_path else { return Ok(Vec::new()) };
    let mut pages = Vec::new();
    for name in cx.fleet.world.local.list(folder).await {
        let bytes = name.as_bytes();
        let is_page = bytes.len() == 8 && matches!(bytes[0], b'4' | b'5') && name.ends_with(".html");
        if is_page {
            let content = cx.fleet.world.local.read(&format!("{folder}/{name}")).await?;
            pages.push((name, content.into()));
        }
    }
    Ok(pages)
}

/// The files of the accessories that `setup` boots.
async fn accessory_files(cx: &Cx<'_>, options: &DeployOptions) -> Result<Vec<AccessoryFile>, Error> {
    let mut files = Vec::new();
    for accessory in cx.fleet.config.accessories.iter().filter(|_| options.verb == Verb::Setup) {
        for file in &accessory.files {
            let mut content = cx.fleet.world.local.read(&file.local).await?;
            // Kamal takes any name that ends so for a template (spec 2.11).
            if file.local.ends_with("erb") {
                let text = rendered(cx, accessory, &file.local, &content)?;
                warn_of_readers(cx, &file.local, file.mode.as_deref(), &text);
                content = text.into_bytes();
            }
            let content = content.into();
            files.push(AccessoryFile { accessory: accessory.name.clone(), local: file.local.clone(), content });
        }
    }
    Ok(files)
}

/// Kamal makes an accessory's files readable to all of the host unless told otherwise, since the container's user has to
/// read them; who puts a secret into one should know.
fn warn_of_readers(cx: &Cx<'_>, path: &str, mode: Option<&str>, text: &str) {
    let closed = mode.and_then(|mode| u32::from_str_radix(mode, 8).ok()).is_some_and(|mode| mode & 0o007 == 0);
    if !closed && matches!(cx.fleet.world.secrets.redactor().text(text), Cow::Owned(_)) {
        let text = format!(
            "{path} holds a secret and every user of the host can read it; give it a `mode`, 0600 if it can be"
        );
        cx.fleet.emit(EventKind::tell(Tone::Warning, text));
    }
}

/// A template among an accessory's files, rendered with the accessory's environment.
fn rendered(cx: &Cx<'_>, accessory: &Accessory, path: &str, template: &[u8]) -> Result<String, Error> {
    let world = cx.fleet.world;
    let clear = accessory.env.clear.iter().map(|(name, value)| Ok((name.clone(), Secret::new(value.as_str()))));
    let secret = accessory.env.secret.iter().map(|secret| Ok((secret.name.clone(), world.secrets.get(&secret.key)?)));
    let variables: Result<Vec<(String, Secret)>, String> = clear.chain(secret).collect();
    let variables = variables.map_err(|error| Error::Secrets(vec![error]))?;
    let usage = |error| Error::Usage(format!("accessories/{}/files: {path}: {error}", accessory.name));
    world.templates.render(path, &String::from_utf8_lossy(template), &variables).map_err(usage)
}
