//! What must hold at every moment, whatever goes wrong.

use super::{SimHost, sim::State};
use crate::{
    name::{HostName, RoleName},
    step::Step,
};

/// A container that served when the operation began.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Old {
    pub(super) host: HostName,
    pub(super) role: RoleName,
    pub(super) service: Option<String>,
    pub(super) id: String,
}

/// What serves now: for each role on each host the container the proxy leads to, or the newest that runs.
pub(super) fn serving(state: &State) -> Vec<Old> {
    let mut all: Vec<Old> = Vec::new();
    for (name, host) in &state.hosts {
        for (service, id) in &host.routes {
            let role = host.routed(service).and_then(super::SimContainer::role);
            if let Some(role) = role {
                all.push(Old { host: name.clone(), role, service: Some(service.clone()), id: id.clone() });
            }
        }
        for container in host.containers.iter().filter(|container| container.runs()) {
            let Some(role) = container.role() else { continue };
            if !all.iter().any(|known| known.host == *name && known.role == role) {
                all.push(Old { host: name.clone(), role, service: None, id: container.id.clone() });
            }
        }
    }
    all
}

/// Looks before a step is acted out.
pub(super) fn before(state: &mut State, host: &HostName, step: &Step) {
    let Step::Stop { container, .. } = step else { return };
    let Some(stopped) = state.hosts.get(host).and_then(|machine| machine.container(container)).cloned() else { return };
    let is_old = |old: &Old| old.host == *host && old.id == stopped.id;
    if !stopped.runs() || !state.old.iter().any(is_old) {
        return;
    }
    let group = state.groups.iter().find(|group| group.contains(host)).cloned().unwrap_or_default();
    let behind: Vec<String> = state
        .old
        .iter()
        .filter(|old| group.contains(&old.host) && !moved(&state.hosts[&old.host], old))
        .map(|old| format!("{} on {}", old.role, old.host))
        .collect();
    if !behind.is_empty() {
        state.violation(&format!("{host}: {container} was stopped before {} had switched", behind.join(", ")));
    }
}

/// Looks after an effect.
pub(super) fn after(state: &mut State, host: &HostName) {
    let Some(machine) = state.hosts.get(host) else { return };
    let mut found = Vec::new();
    let led = machine.routes.keys().filter(|service| machine.proxy_runs() && !machine.is_led_to_tasks(service));
    for service in led {
        match machine.routed(service) {
            Some(target) if target.runs() => {}
            Some(target) => {
                found.push(format!(
                    "{host}: kamal-proxy leads {service} to {}, which is {:?}",
                    target.name, target.state
                ));
            }
            None => found.push(format!("{host}: kamal-proxy leads {service} to a container that is gone")),
        }
    }
    let split = machine.beside.iter().filter(|(_, (_, split))| split.is_some_and(|percent| percent > 0));
    for (service, (id, _)) in split.filter(|_| machine.proxy_runs()) {
        if !machine.containers.iter().any(|found| found.id == *id && found.runs()) {
            found.push(format!("{host}: kamal-proxy leads a part of {service} to a container that does not run"));
        }
    }
    for old in state.old.iter().filter(|old| old.host == *host) {
        if old.service.as_ref().is_some_and(|service| !machine.routes.contains_key(service)) {
            found.push(format!("{host}: {} is served no more", old.role));
        }
        let elsewhere = old.service.as_ref().is_some_and(|service| machine.is_led_to_tasks(service));
        if machine.running(&old.role).next().is_none() && !elsewhere {
            found.push(format!("{host}: no container of {} runs any more", old.role));
        }
    }
    for violation in found {
        state.violation(&violation);
    }
}

/// Whether a role answers from another container than it did.
fn moved(machine: &SimHost, old: &Old) -> bool {
    match &old.service {
        Some(service) if machine.is_led_to_tasks(service) => true,
        Some(service) => machine.routed(service).is_some_and(|now| now.id != old.id && now.runs()),
        None => machine.running(&old.role).any(|now| now.id != old.id),
    }
}
