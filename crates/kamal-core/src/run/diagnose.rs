//! A container that did not come up is looked into, and what it comes to goes into the error.

use super::ask;
use crate::{
    diagnosis::{Diagnosis, Expectation},
    error::HostError,
    fleet::Fleet,
    name::ContainerName,
    plan::{HostWork, Question},
    query::{Query, Stop},
    step::Step,
};

/// The container a step starts or waits for.
pub(super) fn container_of(step: &Step) -> Option<&ContainerName> {
    match step {
        Step::Start(spec) => Some(&spec.name),
        Step::SwitchTraffic(route) | Step::AwaitHealthy(route) | Step::StartRollout(route) => {
            (!route.tasks).then_some(&route.container)
        }
        Step::AwaitReady { container, .. } | Step::StartExisting { container, .. } => Some(container),
        _ => None,
    }
}

/// Runs steps on a host. A container that they were to bring up and that does not come up is looked into.
pub(super) async fn watched(fleet: &Fleet<'_>, label: &str, work: &HostWork) -> Result<(), HostError> {
    let HostWork { host, steps } = work;
    let mut last = 0;
    let result = fleet.run(host, label, steps, &mut |step, _| last = step).await;
    match (result, steps.get(last).and_then(container_of)) {
        (Err(error), Some(container)) => Err(diagnosed(fleet, steps, container, None, error).await),
        (result, _) => result,
    }
}

/// Finds out why a container did not come up that these steps were to bring up, stops it if it is to be stopped, and adds
/// what was found to the error.
pub(super) async fn diagnosed(
    fleet: &Fleet<'_>,
    steps: &[Step],
    container: &ContainerName,
    stop: Option<Stop>,
    error: HostError,
) -> HostError {
    let HostError::Step { host, step, status, output, fault, .. } = error else { return error };
    let expected = Expectation::of(container, steps, &fleet.config.builder.arches);
    let query = Query::PostMortem { container: container.clone(), probe: expected.probe.clone(), stop };
    let question = Question { host: host.clone(), heading: String::new(), query };
    let answer = ask(&fleet.unstoppable(), std::slice::from_ref(&question)).await.pop();
    let diagnosis = match answer.map(|answer| answer.outcome) {
        Some(Ok(captured)) => Diagnosis::of(&fleet.world.docker.evidence(&captured.stdout), &expected),
        Some(Err(error)) => Diagnosis::impossible(&error.to_string()),
        None => Diagnosis::impossible("nobody was asked"),
    };
    HostError::Step { host, step, status, output, diagnosis: Some(Box::new(diagnosis)), fault }
}
