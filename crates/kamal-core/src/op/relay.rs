//! One host that hands layers on to the others that pull the same image.

use super::Facts;
use crate::{cluster::private_address, config::model::PrivateAddress, name::HostName, state::HostState, step::Step};

/// The first of the app hosts that can, and the step it does it by; `None` where deploy.yml does not ask for it, or there is
/// nobody to hand them on to.
///
/// # Errors
///
/// Why the first of them cannot, where none can.
pub(super) fn relay(facts: &Facts<'_>) -> Result<Option<(HostName, Step)>, String> {
    let (Some(by), Some(port)) = (&facts.config.between_hosts, facts.config.registry.local_port()) else {
        return Ok(None);
    };
    let mut first = None;
    for state in facts.states_of(&facts.targets.app_hosts).filter(|_| facts.targets.app_hosts.len() > 1) {
        match on(facts, state, by, port) {
            Ok(step) => return Ok(Some((state.host.clone(), step))),
            Err(why) => drop(first.get_or_insert(why)),
        }
    }
    first.map_or(Ok(None), Err)
}

/// What a reader of the plan should know, where no host hands layers on that was to.
pub(super) fn note(facts: &Facts<'_>) -> Option<String> {
    let why = relay(facts).err()?;
    Some(format!("Hosts do not get layers from each other, but all from this machine: {why}"))
}

fn on(facts: &Facts<'_>, state: &HostState, by: &PrivateAddress, port: u16) -> Result<Step, String> {
    let host = &state.host;
    let addresses = state.joined.as_ref().map_or(&[][..], |joined| &joined.addresses);
    let address = private_address(addresses, by).map_err(|why| {
        format!(
            "{host} has {why}. `x-deliver: {{address: 10.0.0.0/16}}` or `{{interface: eth1}}` says by which address hosts \
             reach each other."
        )
    })?;
    let image = facts.proxy_image(state).ok_or_else(|| {
        format!("there is no kamal-proxy for {host} ({}) beside this program, which would do it.", state.machine.arch)
    })?;
    Ok(Step::RelayLayers { at: (address, port).into(), image: image.clone(), token: None })
}
