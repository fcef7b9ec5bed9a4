//! What failed deploys leave behind: of several in a row only the last version stays, to be looked into. What was ever
//! switched to stays in any case, to go back to.

use futures_util::{FutureExt, future::join_all};

use super::Runner;
use crate::{
    config::{Config, model::Role},
    error::{Error, HostError},
    fleet::Fleet,
    name::{HostName, Version},
    naming,
    op::prune_images,
    state::HostState,
    step::Step,
    targets::Targets,
};

impl Runner<'_, '_> {
    /// Removes what was left by failures before this one. Where that fails too, the next one does it.
    pub(super) async fn clear_earlier_failures(&self, error: &Error) {
        let cx = self.cx;
        let Some(version) = self.version.as_ref().filter(|_| self.op.surely_changes()) else { return };
        if cx.fleet.cancel.requested() || !self.lock.is_held() {
            return;
        }
        let fleet = cx.fleet.unstoppable();
        let hosts = cx.targets.app_hosts.iter().filter(|host| !is_lost(error, host));
        let clearing = hosts.map(|host| clear(&fleet, cx.targets, host, version).boxed());
        join_all(clearing).await.into_iter().for_each(drop);
    }
}

/// Whether a host cannot be reached, as far as is known.
fn is_lost(error: &Error, host: &HostName) -> bool {
    let Error::Hosts(errors) = error else { return false };
    errors.iter().any(|error| matches!(error, HostError::Transport(_)) && error.host() == host)
}

async fn clear(fleet: &Fleet<'_>, targets: &Targets, host: &HostName, failed: &Version) -> Result<(), HostError> {
    let state = fleet.observe(host).await?;
    let roles = targets.roles_on(host);
    let mut steps: Vec<Step> = roles.flat_map(|(role, _)| leftovers(fleet.config, &state, role, failed)).collect();
    if !steps.is_empty() {
        steps.push(prune_images(fleet.config));
    }
    fleet.run(host, "clear", &steps, &mut |_, _| {}).await
}

/// The steps that remove containers which were made after the one that is live, do not run and never were live.
fn leftovers(config: &Config, state: &HostState, role: &Role, failed: &Version) -> Vec<Step> {
    let Some(current) = state.current(config, &role.name) else { return Vec::new() };
    let was_live = |version: &Version| state.history.iter().any(|deployed| deployed.version == *version);
    // The newest come first.
    let newer = state.of_role(&role.name).take_while(|found| found.id != current.id);
    let never_live = newer.filter(|found| {
        let version = naming::version_of(config, &role.name, &found.name);
        !found.state.holds_resources() && version.is_some_and(|version| version != *failed && !was_live(&version))
    });
    never_live.map(|found| Step::RemoveContainer { container: found.name.clone() }).collect()
}
