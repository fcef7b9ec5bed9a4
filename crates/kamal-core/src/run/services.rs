//! Services of the swarm that are brought up, and those that go back when something fails after them. Each goes back by
//! itself where it does not come up.

use futures_util::FutureExt;

use super::{Cx, Runner, login};
use crate::{
    error::{Error, HostError},
    event::{EventKind, Tone},
    machine::Phase,
    name::HostName,
    naming,
    plan::{self, HostWork, Stage},
    step::Step,
};

/// A service that came up, and what has it be what it was before.
#[derive(Debug)]
pub(super) struct Risen {
    manager: HostName,
    back: Vec<(HostName, Step)>,
}

impl Runner<'_, '_> {
    /// Brings services up, one after another; notes each that is up.
    pub(super) async fn bring_up(&mut self, stage: &Stage, works: &[HostWork]) -> Result<(), Error> {
        let cx = self.cx;
        self.enter(Phase::Booting)?;
        let mut works = works.to_vec();
        login::ahead(cx, &self.states, &mut self.logged_in, &mut works).await?;
        for HostWork { host, steps } in &mut works {
            for step in steps.iter_mut() {
                if let Step::DeployService(spec) = step {
                    spec.digest.clone_from(&self.built);
                }
            }
            let mut up = Vec::new();
            let mut progress = |index: usize, status: Option<i32>| {
                if let (Some(Step::DeployService(_)), Some(0)) = (steps.get(index), status) {
                    up.push(index);
                }
            };
            let fleet = cx.fleet.unstoppable();
            let result = fleet.run(host, stage.kind.title(), steps, &mut progress).boxed().await;
            for index in up {
                let back = self.way_back(host, &steps[index]);
                self.risen.push(Risen { manager: host.clone(), back });
            }
            result.map_err(|error| Error::Hosts(vec![error]))?;
        }
        Ok(())
    }

    /// What has a service be what it was: its earlier self, or the containers that it replaced.
    fn way_back(&self, manager: &HostName, step: &Step) -> Vec<(HostName, Step)> {
        let Step::DeployService(spec) = step else { return Vec::new() };
        let config = self.cx.fleet.config;
        let managed = self.states.iter().find_map(|state| state.joined.as_ref()?.managed.as_ref());
        let service = spec.service.clone();
        if managed.is_some_and(|managed| managed.service(&service).is_some()) {
            let back = Step::RollBackService { service, timeout: spec.limit() };
            return vec![(manager.clone(), back)];
        }
        let Some(role) = config.role(&spec.role) else { return Vec::new() };
        let prefix = naming::container_prefix(config, &role.name);
        let mut back = Vec::new();
        for state in self.states.iter().filter(|_| role.proxy.is_some()) {
            let here = state.routes.iter().any(|route| route.service == prefix);
            let container = state.current(config, &role.name).filter(|_| here);
            back.extend(container.map(|container| {
                let route = plan::route_to(config, role, &state.host, &container.name);
                (state.host.clone(), Step::SwitchTraffic(Box::new(route)))
            }));
        }
        back.push((manager.clone(), Step::RemoveService { service }));
        back
    }

    /// Has services that came up be what they were.
    pub(super) async fn lower(&mut self) {
        let cx = self.cx;
        for Risen { manager, back } in std::mem::take(&mut self.risen).into_iter().rev() {
            let said = match go_back(cx, &back).await {
                Ok(()) => back.last().map(|(_, step)| format!("{manager}: {step}: done")),
                Err(error) => Some(format!("a service could not go back to what it was: {error}")),
            };
            said.into_iter().for_each(|line| cx.fleet.emit(EventKind::tell(Tone::Warning, line)));
        }
    }
}

async fn go_back(cx: &Cx<'_>, back: &[(HostName, Step)]) -> Result<(), HostError> {
    let fleet = cx.fleet.unstoppable();
    for (host, step) in back {
        fleet.run(host, "roll back", std::slice::from_ref(step), &mut |_, _| {}).boxed().await?;
    }
    Ok(())
}
