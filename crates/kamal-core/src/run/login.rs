//! Logins of hosts' docker. One whose credentials the host holds already is left out; others are made before the steps
//! that need them: docker's configuration is read, and written with the login in it.

use std::collections::BTreeMap;

use futures_util::{FutureExt, future::join_all};

use super::{Cx, script};
use crate::{
    config::model::Registry,
    error::{Error, HostError, StepFault},
    fleet::gather,
    name::HostName,
    plan::HostWork,
    ports::{Login, RenderError},
    query::Query,
    secret::Secret,
    state::HostState,
    step::{LOGIN_OVERTAKEN, LoginPlace, Step},
};

/// How often a login is tried when others change docker's configuration at the same time.
const TRIES: usize = 5;

/// Registries, by host.
pub(super) type Registries = BTreeMap<HostName, Vec<Registry>>;

/// Logs hosts in where that has to come before their steps, and takes the logins out of these that are made or held, now or
/// `before` in the same run. Returns those that were left out because hosts held them.
pub(super) async fn ahead(
    cx: &Cx<'_>,
    states: &[HostState],
    before: &mut Registries,
    works: &mut [HostWork],
) -> Result<Registries, Error> {
    let hosts = works.iter_mut().filter(|work| work.steps.iter().any(|step| matches!(step, Step::Login { .. })));
    let done = &*before;
    let seen = gather(join_all(hosts.map(|work| of_host(cx, states, done, work).boxed())).await)?;
    let mut held = Registries::new();
    for Seen { host, registries, held: left_out } in seen {
        before.entry(host.clone()).or_default().extend(registries);
        if !left_out.is_empty() {
            held.insert(host, left_out);
        }
    }
    Ok(held)
}

/// The logins of a host's steps.
struct Seen {
    host: HostName,
    registries: Vec<Registry>,
    /// Those it held.
    held: Vec<Registry>,
}

async fn of_host(
    cx: &Cx<'_>,
    states: &[HostState],
    before: &Registries,
    work: &mut HostWork,
) -> Result<Seen, HostError> {
    let host = work.host.clone();
    let done = before.get(&host).map_or(&[][..], Vec::as_slice);
    let keyring = cx.fleet.keyring();
    let known = states.iter().find(|state| state.host == host).map_or(&[][..], |state| &state.logins);
    let (mut held, mut seen) = (Vec::new(), Vec::new());
    for mut step in std::mem::take(&mut work.steps) {
        if let Step::Login { registry, place } = &mut step {
            if done.contains(registry) || seen.contains(registry) {
                continue;
            }
            seen.push(registry.clone());
            let missing = |source| {
                let source = RenderError::Secret { source, needed_by: "registry".to_owned() };
                HostError::Render { host: host.clone(), source }
            };
            match cx.fleet.world.docker.login(registry, &keyring, known).map_err(missing)? {
                Login::Held => {
                    held.push(registry.clone());
                    continue;
                }
                Login::Unread => {
                    log_in(cx, &host, registry).await?;
                    continue;
                }
                Login::At(found) => *place = Some(found),
            }
        }
        work.steps.push(step);
    }
    Ok(Seen { host, registries: seen, held })
}

/// Logs a host in, whatever it holds: two round trips.
async fn log_in(cx: &Cx<'_>, host: &HostName, registry: &Registry) -> Result<(), HostError> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let found = cx.fleet.capture(host, &script(&cx.fleet, &Query::DockerConfig)).await?;
        let mut step = Step::Login { registry: registry.clone(), place: None };
        if found.status != 0 {
            let (step, status, output) = (step.to_string(), found.status, found.stderr);
            let (host, fault) = (host.clone(), StepFault::Other);
            return Err(HostError::Step { host, step, status, output, diagnosis: None, fault });
        }
        if let Step::Login { place, .. } = &mut step {
            *place = Some(LoginPlace::File(Secret::new(found.stdout)));
        }
        match cx.fleet.run(host, "login", &[step], &mut |_, _| {}).await {
            Err(HostError::Step { status: LOGIN_OVERTAKEN, .. }) if tries > 0 => {}
            ended => return ended,
        }
    }
}

/// True for a step a registry refused.
pub(super) fn refused(ended: &Result<(), HostError>) -> bool {
    matches!(ended, Err(HostError::Step { fault: StepFault::RegistryRefused, .. }))
}

/// Logs a host in anew to registries that refused what it holds.
pub(super) async fn anew(cx: &Cx<'_>, host: &HostName, registries: &[Registry]) -> Result<(), HostError> {
    for registry in registries {
        log_in(cx, host, registry).await?;
    }
    Ok(())
}
