//! The runner: the one way every operation goes. Secrets are looked up, the hook `pre-connect` runs, the hosts are
//! observed, a plan is made, the lock is taken and what was decided before is decided again on what is there then; the
//! stages follow, the lock is given back on every way out. Where there is something to do in any case, and nobody reviews
//! what, the lock comes first.

mod aftermath;
mod answer;
mod boot;
mod company;
mod diagnose;
mod fit;
pub mod hooks;
mod images;
pub(crate) mod inputs;
mod local;
pub mod lock;
mod login;
mod made;
mod needs;
mod outlook;
mod own_step;
mod panics;
mod partial;
mod pin;
mod planning;
mod relay;
mod review;
mod rollback;
mod room;
mod services;
mod settings;
mod ship;
mod survey;
mod swarm;
mod told;

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, join_all, select, try_join_all},
};

pub(crate) use answer::ask;
pub use answer::{Answer, Report, script};
pub(crate) use fit::runs as fits;
pub use inputs::AccessoryFile;
pub(crate) use made::same_image;
pub use needs::Needs;
pub use settings::{Cx, RunSettings};
pub use ship::{Archive, ArchiveError, ProxyImage, ProxyImages};

use crate::{
    error::{Cover as _, Error, HostError},
    event::{EventKind, Tone},
    fleet::{Fleet, gather},
    gate::{Keeper, Waiter, gate},
    machine::{Machine, Phase},
    name::{HostName, Version},
    op::{Op, Policy},
    plan::{HostWork, Kind, KnownAnswer, Outlook, Placement, Plan, Question, Stage, Work},
    ports::Built,
    state::HostState,
    step::Step,
    targets::Targets,
};
use company::Company;
use inputs::Inputs;
use local::Local;
use lock::DeployLock;
use own_step::Side;
use pin::Delivered;
use review::Reviewed;
use told::{finish, looking, planned, start};

/// Makes the plan and changes nothing: one reading round trip per host.
///
/// # Errors
///
/// What keeps the operation from being planned: missing secrets, hosts that cannot be reached, a version that is not there.
pub async fn plan(cx: &Cx<'_>, op: &Op) -> Result<Plan, Error> {
    looking(cx, op, look_ahead(cx, op)).await.map(|(plan, _)| plan)
}

/// Makes the plan, and looks at what runs besides, for whoever reviews it. Changes nothing: one further round trip per
/// host where something runs.
///
/// # Errors
///
/// Those of [`plan`].
pub async fn outlook(cx: &Cx<'_>, op: &Op) -> Result<Outlook, Error> {
    let look = async {
        let (plan, states) = look_ahead(cx, op).await?;
        Ok(outlook::of(cx, op, &states, plan).await)
    };
    looking(cx, op, look).await
}

async fn look_ahead(cx: &Cx<'_>, op: &Op) -> Result<(Plan, Vec<HostState>), Error> {
    let mut runner = Runner::begin(cx, op, None).await?;
    runner.pre_connect().await?;
    runner.states = runner.observe_those_there(&runner.hosts_of()).await?;
    let mut plan = runner.plan()?;
    plan.notes.extend(runner.differences(&plan).await?);
    cx.fleet.emit(planned(&plan));
    Ok((plan, runner.states))
}

/// Runs an operation. Old containers serve until every host has switched; a failure leads hosts back to them, gives the
/// lock back, and is returned. Dropping the future leaves a host as a cut cable would; running it again converges.
///
/// # Errors
///
/// What went wrong; hosts were led back and the lock was given back by then.
pub async fn run(cx: &Cx<'_>, op: &Op) -> Result<Report, Error> {
    perform(cx, op, cx.run.expected_digest.as_deref().map(Reviewed::digest)).await
}

/// Does what a plan says, or nothing: what it asks for is planned again on what the hosts tell now, before anything is
/// built or changed, and once more when the lock is held. What is done is what was reviewed; [`Report::plan`] equals it.
/// The plan says what is asked for, where, and about which version; the selection, the version and the settings of the
/// context that are about these are not looked at.
///
/// # Errors
///
/// [`Error::PlanChanged`] where the plan is not what would be done now, and those of [`run`].
pub async fn apply(cx: &Cx<'_>, reviewed: &Plan) -> Result<Report, Error> {
    let asked = &reviewed.asked;
    let targets = Targets::select(cx.fleet.config, &asked.selection)?;
    let of_plan = Cx {
        fleet: Fleet::new(cx.fleet.config, cx.fleet.world, cx.fleet.performer, cx.fleet.cancel.clone())
            .told_in(cx.fleet.teller().sequence().clone()),
        targets: &targets,
        version: asked.project_version.as_ref(),
        run: &cx.run.of(asked),
        proxy_images: cx.proxy_images.clone(),
    };
    perform(&of_plan, &asked.op, Some(Reviewed::plan(reviewed))).await
}

async fn perform(cx: &Cx<'_>, op: &Op, reviewed: Option<Reviewed<'_>>) -> Result<Report, Error> {
    let began = start(cx, op, false);
    let result = match Runner::begin(cx, op, reviewed).await {
        Ok(mut runner) => runner.run(began).await,
        Err(error) => Err(error),
    };
    let result = result.map_err(|error| cx.covered(error)).map(|mut report| {
        report.cover(&cx.fleet.world.redactor);
        report
    });
    let answers = result.iter().flat_map(|report| &report.answers);
    answers.for_each(|answer| cx.fleet.emit(answer.event()));
    let took = finish(cx, result.as_ref().err(), began);
    result.map(|report| Report { took, ..report })
}

struct Runner<'r, 'a> {
    cx: &'r Cx<'a>,
    op: &'r Op,
    reviewed: Option<Reviewed<'r>>,
    inputs: Inputs,
    states: Vec<HostState>,
    machine: Machine,
    lock: Arc<DeployLock>,
    /// The group that was booted last, until what it replaced is retired.
    booted: Option<boot::Group>,
    began: Duration,
    /// The version hooks are told of.
    version: Option<Version>,
    gate: (Option<Keeper>, Waiter),
    /// The digest of the image that was built.
    built: Option<String>,
    /// What hosts have pulled.
    delivered: Option<Delivered>,
    /// Where hosts are logged in by now.
    logged_in: login::Registries,
    /// The registry on this machine, where that is the one images go through.
    registry: Local,
    answers: Vec<Answer>,
    attach: Option<Question>,
    found: survey::Found,
    /// What hosts failed with that are told of beside the others.
    missed: Vec<HostError>,
    /// Hosts that cannot be reached, and need not be.
    left_out: Vec<HostName>,
    /// Services that came up, until what they replaced is gone.
    risen: Vec<services::Risen>,
}

impl<'r, 'a> Runner<'r, 'a> {
    async fn begin(cx: &'r Cx<'a>, op: &'r Op, reviewed: Option<Reviewed<'r>>) -> Result<Self, Error> {
        op.check(cx.fleet.config)?;
        let inputs = Inputs::gather(cx, op).await?;
        let (keeper, waiter) = gate();
        Ok(Self {
            cx,
            op,
            reviewed,
            inputs,
            states: Vec::new(),
            machine: Machine::default(),
            lock: Arc::new(DeployLock::new(cx.fleet.world.entropy.hex(16))),
            booted: None,
            began: Duration::ZERO,
            version: cx.run.asked_version.as_ref().or(cx.version).cloned(),
            gate: (Some(keeper), waiter),
            built: None,
            delivered: None,
            logged_in: login::Registries::new(),
            registry: Local::default(),
            answers: Vec::new(),
            attach: None,
            found: survey::Found::default(),
            missed: Vec::new(),
            left_out: Vec::new(),
            risen: Vec::new(),
        })
    }

    async fn run(&mut self, began: Duration) -> Result<Report, Error> {
        self.began = began;
        match self.stages_while_held().await {
            Ok(plan) => Ok(Report {
                took: Duration::ZERO,
                plan,
                answers: std::mem::take(&mut self.answers),
                attach: self.attach.take(),
                status: self.found.status.take(),
                checkup: self.found.checkup.take(),
            }),
            Err(error) if self.cx.fleet.cancel.insisted() => {
                self.lock.release_at_once(self.cx).await;
                self.enter(Phase::Failed)?;
                Err(error)
            }
            Err(error) => {
                // Where the lock is somebody else's by now, the hosts are his too.
                let group = self.booted.take().filter(|_| !matches!(error, Error::LockLost { .. }));
                if let Some(group) = group {
                    self.enter(Phase::RollingBack)?;
                    boot::roll_back(self.cx, &group).await;
                    self.enter(Phase::RolledBack)?;
                }
                let lost = matches!(error, Error::LockLost { .. });
                if !self.risen.is_empty() && !lost {
                    self.enter(Phase::RollingBack)?;
                    self.lower().await;
                    self.enter(Phase::RolledBack)?;
                }
                self.clear_earlier_failures(&error).await;
                self.lock.release_after_failure(self.cx).await;
                self.enter(Phase::Failed)?;
                Err(error)
            }
        }
    }

    /// Goes through the stages for as long as the lock that was taken is ours, and nobody insists on an end.
    async fn stages_while_held(&mut self) -> Result<Plan, Error> {
        let (cx, lock) = (self.cx, Arc::clone(&self.lock));
        let (insisted, lost) = (pin!(cx.fleet.cancel.wait_for_insistence()), pin!(lock.keep(cx)));
        let stages = self.stages().boxed();
        match select(stages, select(insisted, lost)).await {
            Either::Left((done, _)) => done,
            Either::Right((Either::Left(_), _)) => Err(Error::Cancelled),
            Either::Right((Either::Right((lost, _)), _)) => Err(lost),
        }
    }

    /// The hosts the operation is about.
    fn hosts_of(&self) -> Vec<HostName> {
        self.op.hosts(self.cx.fleet.config, self.cx.targets)
    }

    /// True when what is done need not be compared with anything, nor told to anybody beforehand.
    fn is_alone(&self) -> bool {
        self.reviewed.is_none() && self.cx.fleet.world.interceptor.is_none()
    }

    async fn stages(&mut self) -> Result<Plan, Error> {
        let cx = self.cx;
        self.pre_connect().await?;
        match cx.lock_host().filter(|_| self.op.surely_changes() && self.is_alone()) {
            Some(host) => self.lock(host).await?,
            None => self.look().await?,
        }
        let mut plan = self.plan_of_the_rest()?;
        if let Some(reviewed) = &self.reviewed {
            reviewed.compare(&plan)?;
        }
        let differences = self.differences(&plan).await?;
        plan.notes.extend(differences);
        cx.fleet.emit(planned(&plan));
        for note in &plan.notes {
            cx.fleet.emit(EventKind::tell(Tone::Warning, note.clone()));
        }
        let mut next = 0;
        while let Some(stage) = plan.stages.get(next).cloned() {
            next += 1;
            let stage = self.rest_of(stage);
            self.lock.confirm(cx).await?;
            self.intercept(&plan, &stage, Side::Before).await?;
            stage.say.iter().for_each(|text| cx.say(text.clone()));
            match &stage.work {
                Work::Lock { message: None, .. } if self.lock.is_held() => {}
                Work::Lock { host, message: None } => {
                    self.lock(host).await?;
                    (plan, next) = self.plan_again(&plan, Kind::Lock)?;
                }
                Work::Unlock { host } if self.op.row().policy == Policy::Alone => {
                    lock::release_any(&cx.fleet.unstoppable(), host)
                        .await
                        .map_err(|error| Error::Hosts(vec![error]))?;
                }
                Work::Unlock { .. } => self.unlock().await?,
                Work::Hosts(works) if stage.steps().any(|(_, step)| matches!(step, Step::DeployService(_))) => {
                    self.bring_up(&stage, works).await?;
                }
                Work::Hosts(works) => {
                    let rest = &plan.stages[next..];
                    self.hosts(&stage, works, rest).await?;
                }
                Work::Boot { hosts, placements } => {
                    let last = !plan.stages[next..].iter().any(|stage| matches!(stage.work, Work::Boot { .. }));
                    self.boot(hosts, placements, last).await?;
                }
                _ => self.other(&stage).await?,
            }
            self.intercept(&plan, &stage, Side::After).await?;
            self.after(&stage, &plan.stages[next..])?;
            if stage.kind == Kind::Deliver && self.op.decides_on_delivery() {
                self.look_again().await?;
                (plan, next) = self.plan_again(&plan, Kind::Deliver)?;
            }
        }
        self.tell_missed();
        // There may have been nothing left to do once the lock was held.
        self.unlock().await?;
        self.enter(Phase::Done)?;
        Ok(plan)
    }

    /// Lets an own step of the caller's come before or after a stage.
    async fn intercept(&self, plan: &Plan, stage: &Stage, side: Side) -> Result<(), Error> {
        own_step::call(&self.cx.fleet, plan, stage, side, self.lock.is_held()).await
    }

    /// Work that is neither the lock's nor the hosts'.
    async fn other(&mut self, stage: &Stage) -> Result<(), Error> {
        let cx = self.cx;
        match &stage.work {
            Work::Lock { host, message: Some(message) } => self.lock.acquire_by_hand(cx, host, message).await,
            Work::Build(task) => {
                let Built { told: text, digest, .. } = self.order(task).await?;
                self.built = digest.or(self.built.take());
                let told = KnownAnswer { host: None, heading: String::new(), text };
                self.answers.extend(Some(told).filter(|told| !told.text.is_empty()).map(Answer::from));
                Ok(())
            }
            Work::Hook { name, hosts } => self.hook(name, hosts.as_deref()).await,
            Work::Wait { seconds } => self.wait(*seconds).await,
            Work::Ask(questions) => {
                let answers = ask(&cx.fleet, questions).await;
                let cancelled = |answer: &Answer| matches!(answer.outcome, Err(HostError::Cancelled { .. }));
                if !answers.is_empty() && answers.iter().all(cancelled) {
                    return Err(Error::Cancelled);
                }
                self.answers.extend(answers);
                Ok(())
            }
            Work::Attach(question) => self.attach(question),
            Work::Survey { hosts, survey } => {
                self.found = survey::perform(cx, hosts, *survey).await?;
                Ok(())
            }
            Work::Tell(told) => {
                self.answers.extend(told.iter().cloned().map(Answer::from));
                Ok(())
            }
            Work::Lock { message: None, .. } | Work::Unlock { .. } | Work::Hosts(_) | Work::Boot { .. } => Ok(()),
        }
    }

    /// Moves on, and stops where somebody asked for that meanwhile.
    fn after(&mut self, stage: &Stage, rest: &[Stage]) -> Result<(), Error> {
        if let Some(phase) = stage.phase() {
            self.enter(phase)?;
        }
        if stage.steps().any(|(_, step)| matches!(step, Step::PruneContainers { .. })) && stage.kind == Kind::Finish {
            self.enter(Phase::Pruned)?;
        }
        let only_unlock = rest.iter().all(|stage| matches!(stage.work, Work::Unlock { .. }));
        let seen = !matches!(stage.work, Work::Unlock { .. }) && self.cx.fleet.cancel.requested();
        if seen && only_unlock && self.op.row().changes {
            self.cx.say("What was asked for was done before it stopped.");
        }
        if seen && (self.lock.is_held() || !rest.is_empty() || stage.kind == Kind::Finish) {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }

    async fn pre_connect(&self) -> Result<(), Error> {
        if self.hosts_of().is_empty() && !self.op.row().scope.contacts() {
            return Ok(());
        }
        self.hook("pre-connect", None).await
    }

    /// Observes hosts, if the operation depends on how they are.
    async fn observe(&self, hosts: &[HostName]) -> Result<Vec<HostState>, Error> {
        if !self.op.row().observes {
            return Ok(Vec::new());
        }
        let states = self.cx.fleet.on(hosts, |host| self.cx.fleet.observe(host).boxed()).await?;
        self.check_docker(&states)?;
        if self.op.delivers() {
            fit::processors(self.cx.fleet.config, self.cx.targets, &states)?;
        }
        Ok(states)
    }

    fn check_docker(&self, states: &[HostState]) -> Result<(), Error> {
        if !self.op.row().docker {
            return Ok(());
        }
        let unfit = |state: &HostState| HostError::DockerMissing { host: state.host.clone() };
        let missing: Vec<HostError> = states.iter().filter(|state| !state.docker).map(unfit).collect();
        if missing.is_empty() { Ok(()) } else { Err(Error::Hosts(missing)) }
    }

    /// Steps on hosts. What changes them goes on to its end when somebody asks to stop: the lock must not be given back
    /// while a script still runs.
    async fn hosts(&mut self, stage: &Stage, works: &[HostWork], rest: &[Stage]) -> Result<(), Error> {
        let cx = self.cx;
        ship::proxy(self.cx, &self.states, works).await?;
        let mut works = works.to_vec();
        if stage.kind == Kind::Deliver {
            pin::pulls(&mut works, self.built.as_deref());
            self.check_room(&works).await?;
        }
        let held = match login::ahead(cx, &self.states, &mut self.logged_in, &mut works).await {
            Err(Error::Hosts(errors)) => {
                self.miss(errors, works.len())?;
                works.retain(|work| !self.misses(&work.host));
                login::Registries::new()
            }
            held => held?,
        };
        swarm::tokens(cx, &mut works).await?;
        let ways = self.registry.open(cx, &self.states, &mut works).await?;
        let unlocks = self.unlocks_along(&works, rest);
        if let Some((host, step)) = &unlocks {
            cx.say("Releasing the deploy lock...");
            match works.iter_mut().find(|work| work.host == *host) {
                Some(work) => work.steps.push(step.clone()),
                None => works.push(HostWork { host: host.clone(), steps: vec![step.clone()] }),
            }
        }
        let looks = matches!(stage.kind, Kind::Deliver | Kind::Fetch | Kind::Look | Kind::Guard);
        let stoppable = looks || !self.op.row().changes;
        let unstoppable = cx.fleet.unstoppable();
        let fleet = if stoppable { &cx.fleet } else { &unstoppable };
        if !stoppable && cx.fleet.cancel.requested() {
            return Err(Error::Cancelled);
        }
        // What came up is there to stay.
        if matches!(stage.kind, Kind::Split | Kind::Retire | Kind::Finish) {
            self.booted = None;
            self.risen.clear();
        }
        let label = stage.kind.title();
        let (held, ways) = (&held, &ways);
        let (unlocking, lock) = (unlocks.as_ref().map(|(host, _)| host), &self.lock);
        let one = |work: &HostWork| -> BoxFuture<'_, Result<(), HostError>> {
            let work = work.clone();
            async move {
                let mut result = diagnose::watched(fleet, label, &work).await;
                if ways.turns_back(&work, &result) {
                    result = diagnose::watched(fleet, label, &work).await;
                }
                if let Some(registries) = held.get(&work.host).filter(|_| login::refused(&result)) {
                    login::anew(cx, &work.host, registries).await?;
                    result = diagnose::watched(fleet, label, &work).await;
                }
                if unlocking == Some(&work.host) { lock.released(cx, result) } else { result }
            }
            .boxed()
        };
        match stage.kind {
            // One that answers badly takes all back, without waiting for what the others answer.
            Kind::Guard => {
                try_join_all(works.iter().map(one)).await.map_err(|error| Error::Hosts(vec![error]))?;
            }
            // Images take as long as they take.
            Kind::Deliver | Kind::Fetch => {
                let company = Company::new(cx.fleet.world.clock.clone());
                gather(join_all(works.iter().map(|work| company.run(&work.host, one(work)).boxed())).await)?;
            }
            _ => self.settle(join_all(works.iter().map(one)).await)?,
        }
        ways.tell(cx);
        if stage.kind == Kind::Deliver {
            self.note_delivery(&works).await?;
        }
        for (host, _) in stage.steps().filter(|(_, step)| matches!(step, Step::InstallDocker)) {
            // A group one was just put into counts from the next login on.
            cx.fleet.world.ssh.forget(host).await;
        }
        Ok(())
    }

    async fn hook(&self, name: &str, hosts: Option<&[HostName]>) -> Result<(), Error> {
        let runtime = self.cx.fleet.world.clock.elapsed().saturating_sub(self.began).as_secs_f64().round() as u64;
        let told = hooks::Facts {
            row: self.op.row(),
            version: self.version.as_ref(),
            hosts,
            locked: self.lock.is_held(),
            runtime: (name == "post-deploy").then_some(runtime),
        };
        hooks::run(self.cx, &self.inputs.hooks, name, told).await
    }

    async fn wait(&self, seconds: u64) -> Result<(), Error> {
        let sleep = self.cx.fleet.world.clock.sleep(Duration::from_secs(seconds));
        self.cx.fleet.cancel.guard(sleep).await.ok_or(Error::Cancelled)
    }

    async fn boot(&mut self, works: &[HostWork], placements: &[Placement], last: bool) -> Result<(), Error> {
        ship::proxy(self.cx, &self.states, works).await?;
        let mut works = works.to_vec();
        login::ahead(self.cx, &self.states, &mut self.logged_in, &mut works).await?;
        self.enter(Phase::Booting)?;
        // The keeper goes to the group that holds the primary role; later groups find the verdict.
        let keeps = placements.iter().any(|placement| placement.primary) || last;
        let keeper = if keeps { self.gate.0.take() } else { None };
        let begun = self.booted.take().filter(|group| group.is_of(placements));
        let (result, group) = boot::group(self.cx, &works, placements, keeper, &self.gate.1, begun).await;
        self.booted = Some(group);
        result
    }

    fn enter(&mut self, phase: Phase) -> Result<(), Error> {
        if self.machine.enter(phase)? {
            let elapsed = self.cx.fleet.world.clock.elapsed().saturating_sub(self.began);
            self.cx.fleet.emit(EventKind::Phase { phase, elapsed });
        }
        Ok(())
    }
}
