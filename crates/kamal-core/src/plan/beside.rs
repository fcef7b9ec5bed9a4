//! New containers beside those that are live, which nobody is led to yet (`rollout deploy`).

use super::{
    Boot, Booting, HostWork,
    boot::{assets, placement, start, stop_stale, switch},
};
use crate::{
    config::model::{Role, TaggedHost},
    state::HostState,
    step::Step,
};

/// The steps that bring a host's proxied roles up beside what is live, and what they bring up. What runs there already, from
/// an earlier run, stays as it is: requests may be led to it.
pub(crate) fn beside(boot: &Boot<'_>, state: &HostState) -> Booting {
    let is_due = |(role, _): &(&Role, &TaggedHost)| role.proxy.is_some() && !boot.runs_beside(state, role);
    let (mut steps, mut placements) = (Vec::new(), Vec::new());
    for (role, tagged) in boot.targets.roles_on(&state.host).filter(is_due) {
        steps.extend(assets(boot, state, role));
        let placement = placement(boot, state, role);
        steps.extend(start(boot, state, role, tagged, &placement));
        // What was cut off before came up beside it as well, and nobody is led to it.
        steps.extend(placement.stale.iter().flat_map(|stale| stop_stale(stale, &placement)));
        if let Step::SwitchTraffic(route) = switch(boot, role, &placement) {
            steps.push(Step::AwaitHealthy(route));
        }
        placements.push(placement);
    }
    let works = if steps.is_empty() { Vec::new() } else { vec![HostWork { host: state.host.clone(), steps }] };
    Booting { works, placements, ..Booting::default() }
}
