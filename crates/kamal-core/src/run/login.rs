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

/// Logins that were left out, by host.
pub(super) type Held = BTreeMap<HostName, Vec<Registry>>;

/// Logs hosts in where that has to come before their steps, and takes the logins out of these that are made or held.
pub(super) async fn ahead(cx: &Cx<'_>, states: &[HostState], works: &mut [HostWork]) -> Result<Held, Error> {
    let hosts = works.iter_mut().filter(|work| work.steps.iter().any(|step| matches!(step, Step::Login { .. })));
    let held = gather(join_all(hosts.map(|work| of_host(cx, states, work).boxed())).await)?;
    Ok(held.into_iter().filter(|(_, registries)| !registries.is_empty()).collect())
}

async fn of_host(
    cx: &Cx<'_>,
    states: &[HostState],
    work: &mut HostWork,
) -> Result<(HostName, Vec<Registry>), HostError> {
    let host = work.host.clone();
    let keyring = cx.fleet.keyring();
    let known = states.iter().find(|state| state.host == host).map_or(&[][..], |state| &state.logins);
    let (mut held, mut seen) = (Vec::new(), Vec::new());
    for mut step in std::mem::take(&mut work.steps) {
        if let Step::Login { registry, place } = &mut step {
            if seen.contains(registry) {
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
    Ok((host, held))
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
