//! What lets hosts into a swarm. It is asked for when it is needed, and goes from the manager to the hosts alone.

use super::{Cx, script};
use crate::{
    error::{Error, HostError, StepFault},
    name::HostName,
    plan::HostWork,
    query::Query,
    secret::Secret,
    step::Step,
};

/// Gives the steps that join hosts to a swarm what lets them in.
pub(super) async fn tokens(cx: &Cx<'_>, works: &mut [HostWork]) -> Result<(), Error> {
    let mut known: Vec<((HostName, bool), Secret)> = Vec::new();
    for work in works {
        for step in &mut work.steps {
            let about = step.to_string();
            let Step::JoinSwarm { through, manager, token, .. } = step else { continue };
            let of = (through.clone(), *manager);
            if let Some((_, found)) = known.iter().find(|(asked, _)| *asked == of) {
                *token = Some(found.clone());
                continue;
            }
            let found = ask(cx, through, *manager, about).await.map_err(|error| Error::Hosts(vec![error]))?;
            cx.fleet.world.redactor.learn(&found);
            *token = Some(found.clone());
            known.push((of, found));
        }
    }
    Ok(())
}

async fn ask(cx: &Cx<'_>, host: &HostName, manager: bool, step: String) -> Result<Secret, HostError> {
    let told = cx.fleet.capture(host, &script(&cx.fleet, &Query::SwarmToken { manager })).await?;
    if told.status == 0 {
        return Ok(Secret::new(told.stdout.trim().to_owned()));
    }
    let (host, fault) = (host.clone(), StepFault::Other);
    Err(HostError::Step { host, step, status: told.status, output: told.stderr, diagnosis: None, fault })
}
