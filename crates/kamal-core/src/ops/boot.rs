//! The boot stage: new containers on all hosts of a group, or on none. Hosts that had switched go back to the container
//! they still have when another host fails.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt, future::join_all};

use crate::{
    error::{Error, HostError},
    event::{EventKind, Tone},
    fleet::gather,
    gate::{Keeper, Waiter},
    name::{ContainerName, HostName},
    ops::Cx,
    plan::{HostWork, Placement},
    shell::{Script, escape::word},
    step::Step,
};

/// Which placements answer from their new container.
#[derive(Debug, Default)]
pub(super) struct Switched(Mutex<Vec<(HostName, ContainerName)>>);

impl Switched {
    fn note(&self, host: &HostName, container: &ContainerName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((host.clone(), container.clone()));
    }

    fn has(&self, placement: &Placement) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().any(|(host, container)| *host == placement.host && *container == placement.new)
    }
}

/// Boots a group. `keeper` is dropped with the last host that could open the gate.
pub(super) async fn group(
    cx: &Cx<'_>,
    works: &[HostWork],
    placements: &[Placement],
    keeper: Option<Keeper>,
    waiter: &Waiter,
) -> Result<Switched, (Error, Switched)> {
    let switched = Switched::default();
    let keeper = keeper.map(Arc::new);
    // Keepers are handed out before anything is awaited: a host that cannot even be reached still closes the gate.
    let hosts: Vec<_> = works
        .iter()
        .map(|work| {
            let keeper = keeper.clone().filter(|_| placements.iter().any(|p| p.primary && p.host == work.host));
            (work, keeper)
        })
        .collect();
    drop(keeper);
    let futures = hosts.into_iter().map(|(work, keeper)| host(cx, work, placements, keeper, waiter, &switched).boxed());
    match gather(join_all(futures).await) {
        Ok(_) => Ok(switched),
        Err(error) => Err((error, switched)),
    }
}

async fn host(
    cx: &Cx<'_>,
    work: &HostWork,
    placements: &[Placement],
    keeper: Option<Arc<Keeper>>,
    waiter: &Waiter,
    switched: &Switched,
) -> Result<(), HostError> {
    let held = work.steps.iter().position(|step| matches!(step, Step::AwaitGate { .. }));
    let (before, after) = work.steps.split_at(held.unwrap_or(work.steps.len()));
    let result = async {
        steps(cx, work, before, placements, keeper.as_deref(), switched).await?;
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
            steps(cx, work, &after[1..], placements, keeper.as_deref(), switched).await?;
        }
        Ok(())
    }
    .await;
    if let (Err(_), Some(keeper)) = (&result, keeper) {
        if keeper.decide(false) {
            tell(cx, format!("First container is unhealthy on {}, not booting any other roles", work.host));
        }
    }
    result
}

/// Runs a host's steps, notes each placement that is up, and looks into the one that fails.
async fn steps(
    cx: &Cx<'_>,
    work: &HostWork,
    steps: &[Step],
    placements: &[Placement],
    keeper: Option<&Keeper>,
    switched: &Switched,
) -> Result<(), HostError> {
    let of = |step: &Step| {
        let name = match step {
            Step::Start(spec) => &spec.name,
            Step::SwitchTraffic(route) => &route.container,
            Step::AwaitReady { container, .. } => container,
            _ => return None,
        };
        placements.iter().find(|placement| placement.host == work.host && placement.new == *name)
    };
    let mut failed = None;
    let mut progress = |index: usize, status: Option<i32>| {
        let Some((step, status)) = steps.get(index).zip(status) else { return };
        let Some(placement) = of(step) else { return };
        match (step, status) {
            (Step::Start(_), 0) => {}
            (_, 0) => {
                switched.note(&placement.host, &placement.new);
                if placement.primary && keeper.is_some_and(|keeper| keeper.decide(true)) {
                    let role = &placement.role;
                    tell(cx, format!("First {role} container is healthy on {}, booting any other roles", work.host));
                }
            }
            _ => failed = Some(placement),
        }
    };
    let result = cx.fleet.run(&work.host, "boot", steps, &mut progress).await;
    let Err(error) = result else { return Ok(()) };
    match failed {
        Some(placement) => Err(post_mortem(cx, placement, error).await),
        None => {
            // The connection broke or the user stopped it while a new container may have been starting: it must not
            // be left running beside the old one.
            if matches!(error, HostError::Cancelled { .. }) {
                for placement in steps.iter().filter_map(of).filter(|placement| !switched.has(placement)) {
                    stop_new(cx, placement).await;
                }
            }
            Err(error)
        }
    }
}

/// Finds out why a new container did not come up, stops it, and adds what was found to the error.
async fn post_mortem(cx: &Cx<'_>, placement: &Placement, error: HostError) -> HostError {
    let HostError::Step { host, step, status, output, .. } = error else { return error };
    let problem = format!("Failed to boot {} on {host}", placement.role);
    cx.fleet.emit(EventKind::tell(Tone::Problem, problem));
    let name = word(&placement.new);
    let script = format!(
        "docker inspect --format 'container: {{{{.State.Status}}}}, exit code {{{{.State.ExitCode}}}}{{{{if .State.OOMKilled}}}}, \
         killed for lack of memory{{{{end}}}}{{{{if .State.Error}}}}, {{{{.State.Error}}}}{{{{end}}}}{{{{if .State.Health}}}}, health \
         {{{{.State.Health.Status}}}}{{{{end}}}}' {name} 2>/dev/null\n\
         echo 'last log lines:'; docker logs --timestamps --tail 30 {name} 2>&1 | sed 's/^/  /'\n{}",
        stop_text(placement)
    );
    let found = cx.fleet.unstoppable().capture(&host, &Script::write("post-mortem", script)).await;
    let post_mortem = match found {
        Ok(captured) => captured.stdout,
        Err(error) => format!("and what happened could not be found out: {error}"),
    };
    HostError::Step { host, step, status, output, post_mortem }
}

fn stop_text(placement: &Placement) -> String {
    let timeout = placement.stop_timeout.map(|seconds| format!(" -t {seconds}")).unwrap_or_default();
    format!("docker stop{timeout} {} >/dev/null 2>&1 || true", word(&placement.new))
}

async fn stop_new(cx: &Cx<'_>, placement: &Placement) {
    let script = Script::write("stop the new container", stop_text(placement));
    if let Err(error) = cx.fleet.unstoppable().capture(&placement.host, &script).await {
        cx.fleet.emit(EventKind::tell(Tone::Problem, format!("Could not stop {}: {error}", placement.new)));
    }
}

/// Leads every host that had switched back to the container it still has. Returns what became of each.
pub(super) async fn roll_back(cx: &Cx<'_>, placements: &[Placement], switched: &Switched) -> Vec<String> {
    let fleet = cx.fleet.unstoppable();
    let undo = |placement: &Placement| -> Option<Vec<Step>> {
        placement.old.as_ref()?;
        let stop = Step::Stop { container: placement.new.clone(), timeout: placement.stop_timeout };
        Some(placement.back.clone().map(Step::SwitchTraffic).into_iter().chain([stop]).collect())
    };
    let done = join_all(placements.iter().filter(|placement| switched.has(placement)).map(|placement| {
        let fleet = &fleet;
        async move {
            let (role, host) = (&placement.role, &placement.host);
            let (Some(steps), Some(old)) = (undo(placement), &placement.old) else {
                return format!("{role} on {host} keeps {}: there was nothing to go back to", placement.new);
            };
            match fleet.run(host, "roll back", &steps, &mut |_, _| {}).await {
                Ok(()) => format!("{role} on {host} went back to {old}"),
                Err(error) => format!("{role} on {host} could not go back to {old}: {error}"),
            }
        }
        .boxed()
    }))
    .await;
    for line in &done {
        cx.fleet.emit(EventKind::tell(Tone::Warning, line.clone()));
    }
    done
}

fn tell(cx: &Cx<'_>, text: String) {
    cx.fleet.emit(EventKind::tell(Tone::Info, text));
}
