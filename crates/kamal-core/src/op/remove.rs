//! `remove` (spec 9.11): nothing of the app stays on its hosts, and nothing of others' goes.

use super::{Facts, accessory, app, proxy, registry};
use crate::{
    error::Error,
    naming,
    plan::{Draft, HostWork, Kind, Stage},
    state::HostState,
};

pub(super) fn draft(facts: &Facts<'_>) -> Result<Draft, Error> {
    let own = naming::service_with_destination(facts.config);
    let serves_others = |state: &HostState| state.apps.iter().any(|app| *app != own);
    let proxies: Vec<&HostState> = facts.states_of(&facts.targets.proxy_hosts).collect();
    let kept = proxies.iter().any(|state| serves_others(state));
    let mut stages = app::remove(facts)?.stages;
    let states = facts.states_of(&facts.targets.hosts);
    // While there is a proxy that can be told to forget them.
    let works = states.map(|state| HostWork { host: state.host.clone(), steps: accessory::removal(facts, state) });
    stages.push(Stage::hosts(Kind::Change, works.collect()));
    let works = proxies.iter().filter(|_| !kept);
    let works = works.map(|state| HostWork { host: state.host.clone(), steps: proxy::removal() });
    stages.push(Stage::hosts(Kind::Change, works.collect()));
    let logout = facts.everywhere(&facts.targets.hosts, |_| registry::log_out(facts));
    stages.push(Stage::hosts(Kind::Change, logout));
    let notes = kept.then(|| proxy::OTHERS.to_owned()).into_iter().collect();
    Ok(Draft { notes, ..Draft::of(app::joined(stages)) })
}
