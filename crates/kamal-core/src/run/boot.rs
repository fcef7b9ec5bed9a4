//! The boot stage: new containers on all hosts of a group, or on none. Hosts that had switched go back to the container
//! they still have when another host fails.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, join_all, select},
};

use super::{
    Cx,
    company::{Company, GRACE},
    diagnose,
};
use crate::{
    error::{Error, ErrorKind, HostError, StepFault},
    event::{EventKind, Tone},
    fleet::{Fleet, Progress, gather},
    gate::{Keeper, Waiter},
    name::{ContainerName, HostName},
    plan::{HostWork, Placement},
    query::Stop,
    state::HostState,
    step::Step,
};

/// How long a docker that went away while hosts go back is waited for: restarting takes it seconds.
const RESTART: Duration = Duration::from_secs(30);

/// What exit statuses of programs that a signal ended are above of.
const BY_SIGNAL: i32 = 128;

/// Which placements answer from their new container, and which perhaps do.
#[derive(Debug, Default)]
pub(super) struct Switched(Mutex<Vec<(HostName, ContainerName, Certainty)>>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Certainty {
    Known,
    /// It is healthy, and nobody is led to it yet.
    Waiting,
    /// The connection broke, or the user asked to stop, while the new container was on its way.
    Doubtful,
}

impl Switched {
    fn note(&self, placement: &Placement, certainty: Certainty) {
        let entry = (placement.host.clone(), placement.new.clone(), certainty);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    fn of(&self, placement: &Placement) -> Option<Certainty> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found =
            all.iter().rev().find(|(host, container, _)| *host == placement.host && *container == placement.new);
        found.map(|(_, _, certainty)| *certainty)
    }
}

/// A group that was booted, in whole or in part.
#[derive(Debug)]
pub(super) struct Group {
    works: Vec<HostWork>,
    placements: Vec<Placement>,
    switched: Switched,
}

impl Group {
    /// Whether this is what was booted.
    pub(super) fn is_of(&self, placements: &[Placement]) -> bool {
        self.placements == placements
    }
}

/// Boots a group, or goes on booting it. `keeper` is dropped with the last host that could open the gate.
pub(super) async fn group(
    cx: &Cx<'_>,
    works: &[HostWork],
    placements: &[Placement],
    keeper: Option<Keeper>,
    waiter: &Waiter,
    begun: Option<Group>,
) -> (Result<(), Error>, Group) {
    let (mut all, switched) = begun.map_or_else(Default::default, |group| (group.works, group.switched));
    all.extend_from_slice(works);
    let keeper = keeper.map(Arc::new);
    // Keepers are handed out before anything is awaited: a host that cannot even be reached still closes the gate.
    let hosts: Vec<_> = works
        .iter()
        .map(|work| {
            let keeper = keeper.clone().filter(|_| brings_up_primary(work, placements));
            (work, keeper)
        })
        .collect();
    drop(keeper);
    let company = Company::new(cx.fleet.world.clock.clone());
    let at = Stretch { cx, placements, switched: &switched, company: &company };
    let futures = hosts.into_iter().map(|(work, keeper)| host(at, work, keeper, waiter).boxed());
    let result = gather(join_all(futures).await).map(drop);
    (result, Group { works: all, placements: placements.to_vec(), switched })
}

/// What the hosts of a group have in common while they boot.
#[derive(Clone, Copy)]
struct Stretch<'s> {
    cx: &'s Cx<'s>,
    placements: &'s [Placement],
    switched: &'s Switched,
    company: &'s Company,
}

async fn host(at: Stretch<'_>, work: &HostWork, keeper: Option<Arc<Keeper>>, waiter: &Waiter) -> Result<(), HostError> {
    let cx = at.cx;
    let held = work.steps.iter().position(|step| matches!(step, Step::AwaitGate { .. }));
    let (before, after) = work.steps.split_at(held.unwrap_or(work.steps.len()));
    let result = async {
        steps(at, work, before, keeper.as_deref()).await?;
        if let Some(Step::AwaitGate { role }) = after.first() {
            let host = &work.host;
            let primary = cx.targets.primary_role.as_deref().unwrap_or_default();
            tell(cx, format!("Waiting for the first healthy {primary} container before booting {role} on {host}..."));
            let open = cx.fleet.cancel.guard(waiter.clone().open()).await;
            if !open.ok_or_else(|| HostError::Cancelled { host: host.clone() })? {
                tell(cx, format!("First {primary} container is unhealthy, not booting {role} on {host}"));
                return Err(HostError::Halted { host: host.clone() });
            }
            tell(cx, format!("First {primary} container is healthy, booting {role} on {host}..."));
            steps(at, work, &after[1..], keeper.as_deref()).await?;
        }
        Ok(())
    }
    .await;
    let result = at.company.heed(result);
    if result.is_err() && keeper.is_some_and(|keeper| keeper.decide(false)) {
        tell(cx, format!("First container is unhealthy on {}, not booting any other roles", work.host));
    }
    result
}

/// True when one of the steps brings up a container others wait for.
fn brings_up_primary(work: &HostWork, placements: &[Placement]) -> bool {
    let of = |step: &Step, placement: &Placement| match step {
        Step::SwitchTraffic(route) | Step::AwaitHealthy(route) => route.container == placement.new,
        Step::AwaitReady { container, .. } => *container == placement.new,
        _ => false,
    };
    let primary = |placement: &&Placement| placement.primary && placement.host == work.host;
    placements.iter().filter(primary).any(|placement| work.steps.iter().any(|step| of(step, placement)))
}

/// Runs a host's steps, notes each placement that is up, and looks into the one that fails.
async fn steps(at: Stretch<'_>, work: &HostWork, steps: &[Step], keeper: Option<&Keeper>) -> Result<(), HostError> {
    let Stretch { cx, placements, switched, company } = at;
    let of = |step: &Step| {
        let name = diagnose::container_of(step)?;
        placements.iter().find(|placement| placement.host == work.host && placement.new == *name)
    };
    let mut failed = None;
    let mut progress = |index: usize, status: Option<i32>| {
        let Some((step, status)) = steps.get(index).zip(status) else { return };
        let Some(placement) = of(step) else { return };
        match (step, status) {
            (Step::Start(_) | Step::StartExisting { .. }, 0) => {}
            (step, 0) => {
                let waits = matches!(step, Step::AwaitHealthy(_));
                switched.note(placement, if waits { Certainty::Waiting } else { Certainty::Known });
                if placement.primary && keeper.is_some_and(|keeper| keeper.decide(true)) {
                    let role = &placement.role;
                    tell(cx, format!("First {role} container is healthy on {}, booting any other roles", work.host));
                }
            }
            _ => failed = Some(placement),
        }
    };
    let result = patiently(cx, company, &work.host, steps, &mut progress).await;
    let Err(error) = result else { return Ok(()) };
    match failed {
        // What docker's client cannot tell, because the daemon went away or made an end of it, may have been done.
        Some(placement) if matches!(&error, HostError::Step { .. }) && !docker_went_away(&error) => {
            let problem = format!("Failed to boot {} on {}", placement.role, work.host);
            cx.fleet.emit(EventKind::tell(Tone::Problem, problem));
            let stop = Some(Stop { timeout: placement.stop_timeout });
            Err(diagnose::diagnosed(&cx.fleet, steps, &placement.new, stop, error).await)
        }
        _ => {
            let unknown = match &error {
                HostError::Cancelled { .. } | HostError::Abandoned { .. } => true,
                HostError::Transport(error) => error.outcome_unknown(),
                _ => docker_went_away(&error),
            };
            let open = |placement: &&Placement| switched.of(placement) != Some(Certainty::Known);
            for placement in steps.iter().filter_map(of).filter(|placement| unknown && open(placement)) {
                switched.note(placement, Certainty::Doubtful);
            }
            Err(error)
        }
    }
}

/// True when a step failed by what became of docker, not by what it does.
fn docker_went_away(error: &HostError) -> bool {
    let HostError::Step { status, fault, .. } = error else { return false };
    *fault == StepFault::DockerMissing || *status > BY_SIGNAL
}

/// Runs steps. A request to stop, or another host that fails, lets those under way come to their end for a while: then it
/// is known whether the proxy was switched. After that the container is hardly going to become healthy, and the host is led
/// back without knowing.
async fn patiently(
    cx: &Cx<'_>,
    company: &Company,
    host: &HostName,
    steps: &[Step],
    progress: Progress<'_>,
) -> Result<(), HostError> {
    let (fleet, cancel) = (cx.fleet.unstoppable(), &cx.fleet.cancel);
    let stopped = || HostError::Cancelled { host: host.clone() };
    let abandoned = || HostError::Abandoned { host: host.clone() };
    if cancel.requested() {
        return Err(stopped());
    }
    if company.known.requested() {
        return Err(abandoned());
    }
    let out_of_patience = async {
        cancel.wait().await;
        cx.fleet.world.clock.sleep(GRACE).await;
    };
    let (out_of_patience, over) = (pin!(out_of_patience), pin!(company.over.wait()));
    let run = fleet.run(host, "boot", steps, progress);
    match select(pin!(run), select(out_of_patience, over)).await {
        Either::Left((Ok(()), _)) if cancel.requested() => Err(stopped()),
        Either::Left((result, _)) => result,
        Either::Right((Either::Left(_), _)) => Err(stopped()),
        Either::Right((Either::Right(_), _)) => Err(abandoned()),
    }
}

/// Leads every host that switched, or perhaps did, back to the container it still has, and gives those that made way for a
/// successor of their name this name back.
pub(super) async fn roll_back(cx: &Cx<'_>, group: &Group) {
    let Group { works, placements, switched } = group;
    let fleet = cx.fleet.unstoppable();
    let touched = placements.iter().filter_map(|placement| Some((placement, switched.of(placement)?)));
    let done = join_all(touched.map(|(placement, certainty)| go_back(&fleet, placement, certainty).boxed())).await;
    let renamed = join_all(works.iter().map(|work| name_back(&fleet, work).boxed())).await;
    for line in done.into_iter().chain(renamed.into_iter().flatten()) {
        cx.fleet.emit(EventKind::tell(Tone::Warning, line));
    }
}

/// Gives containers that were renamed out of the way their names back, where their successors do not run. Says what could
/// not be done.
async fn name_back(fleet: &Fleet<'_>, work: &HostWork) -> Option<String> {
    let made_way = |step: &Step| match step {
        Step::Rename { from, to } if to.starts_with(&format!("{from}_replaced_")) => Some((from.clone(), to.clone())),
        _ => None,
    };
    let renamed: Vec<_> = work.steps.iter().filter_map(made_way).collect();
    if renamed.is_empty() {
        return None;
    }
    let named = || async {
        let state = observe(fleet, &work.host).await?;
        let runs = |name: &ContainerName| state.container(name).is_some_and(|found| found.state.is_current());
        let due = renamed.iter().filter(|(from, to)| state.container(to).is_some() && !runs(from));
        let steps: Vec<Step> = due
            .flat_map(|(from, to)| {
                let successor = Step::RemoveContainer { container: from.clone() };
                [successor, Step::Rename { from: to.clone(), to: from.clone() }]
            })
            .collect();
        fleet.run(&work.host, "roll back", &steps, &mut |_, _| {}).await
    };
    let error = persistently(fleet, || named().boxed()).await.err()?;
    Some(format!("what was renamed on {} keeps its new name: {error}", work.host))
}

async fn go_back(fleet: &Fleet<'_>, placement: &Placement, certainty: Certainty) -> String {
    let Placement { role, host, new, .. } = placement;
    let stop = Step::Stop { container: new.clone(), timeout: placement.stop_timeout, tolerant: true };
    if certainty == Certainty::Waiting {
        let stopped = || async {
            observe(fleet, host).await?;
            fleet.run(host, "roll back", std::slice::from_ref(&stop), &mut |_, _| {}).await
        };
        return match persistently(fleet, || stopped().boxed()).await {
            Ok(()) => format!("{new} on {host} was stopped before anybody was led to it"),
            Err(error) => format!("{new} on {host} could not be stopped: {error}"),
        };
    }
    let Some(old) = &placement.old else {
        return format!("{role} on {host} keeps {new}: there was nothing to go back to");
    };
    let went = || async {
        let state = observe(fleet, host).await?;
        // Until the old container made way the name of the new one is its own.
        if certainty == Certainty::Doubtful && state.container(old).is_none() {
            return Ok(());
        }
        let back = placement.back.clone().map(Step::SwitchTraffic);
        let mut steps: Vec<Step> = back.clone().into_iter().chain([stop.clone()]).collect();
        if certainty == Certainty::Doubtful {
            // What nobody listens to any more may lead the proxy to the new container once again, until that stops.
            steps.extend(back);
        }
        fleet.run(host, "roll back", &steps, &mut |_, _| {}).await
    };
    match persistently(fleet, || went().boxed()).await {
        Ok(()) => format!("{role} on {host} went back to {old}"),
        Err(error) => format!("{role} on {host} could not go back to {old}: {error}"),
    }
}

/// Observes a host that is to have docker: a container that cannot be stopped because docker is away counts as stopped.
async fn observe(fleet: &Fleet<'_>, host: &HostName) -> Result<HostState, HostError> {
    let state = fleet.observe(host).await?;
    if state.docker { Ok(state) } else { Err(HostError::DockerMissing { host: host.clone() }) }
}

/// Tries again for as long as docker may be on its way back.
async fn persistently<'f>(
    fleet: &Fleet<'_>,
    attempt: impl Fn() -> BoxFuture<'f, Result<(), HostError>> + Send,
) -> Result<(), HostError> {
    let clock = &fleet.world.clock;
    let began = clock.elapsed();
    loop {
        match attempt().await {
            Err(error)
                if error.kind() == ErrorKind::DockerMissing && clock.elapsed().saturating_sub(began) < RESTART =>
            {
                clock.sleep(Duration::from_secs(1)).await;
            }
            done => return done,
        }
    }
}

fn tell(cx: &Cx<'_>, text: String) {
    cx.fleet.emit(EventKind::tell(Tone::Info, text));
}
