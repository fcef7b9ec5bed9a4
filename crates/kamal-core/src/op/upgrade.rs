//! `upgrade` and `proxy upgrade` (spec 9.5, 9.11): from Kamal 1, whose apps Traefik served, to Kamal 2.

use super::{
    Accessory, AccessoryTask, Facts, app,
    boot::{self, Extras},
    facts::audit,
    proxy,
};
use crate::{
    error::Error,
    name::HostName,
    plan::{Draft, HostWork, Kind, Stage},
    state::HostState,
    step::Step,
};

/// The proxy and the accessories, of all hosts at once or of one after another.
pub(super) fn draft(rolling: bool, facts: &Facts<'_>) -> Result<Draft, Error> {
    let all = Accessory::new(facts.config, "all", AccessoryTask::Upgrade { rolling })?;
    let version = app::latest(facts);
    let hosts = &facts.targets.hosts;
    let mut stages = Vec::new();
    for group in hosts.chunks(if rolling { 1 } else { hosts.len().max(1) }) {
        let mut of_group = of_hosts(facts, group)?;
        let here = Facts { targets: &facts.targets.on(group), ..*facts };
        of_group.extend(all.upgrade(&here, rolling));
        let names = if rolling { group.iter().map(ToString::to_string).collect() } else { "all hosts".to_owned() };
        if let Some(first) = of_group.first_mut() {
            first.say.insert(0, format!("Upgrading {names}..."));
        }
        stages.extend(of_group);
    }
    Ok(Draft { version: Some(version), ..Draft::of(stages) })
}

/// The proxy, and the app with it.
pub(super) fn proxy(facts: &Facts<'_>, rolling: bool) -> Result<Draft, Error> {
    let hosts = &facts.targets.hosts;
    let mut stages = Vec::new();
    for group in hosts.chunks(if rolling { 1 } else { hosts.len().max(1) }) {
        stages.extend(of_hosts(facts, group)?);
    }
    Ok(Draft { version: Some(app::latest(facts)), ..Draft::of(stages) })
}

fn of_hosts(facts: &Facts<'_>, group: &[HostName]) -> Result<Vec<Stage>, Error> {
    if super::services::are_wanted(facts.config) {
        let text =
            "what is upgraded are containers; upgrade without `run: services` in x-cluster, and deploy with it then";
        return Err(Error::Usage(text.to_owned()));
    }
    let targets = facts.targets.on(group);
    let mut stages: Vec<Stage> = facts.hook("pre-proxy-reboot", Some(group)).into_iter().collect();
    let works = facts.states_of(&targets.hosts).map(|state| HostWork {
        host: state.host.clone(),
        steps: swap(facts, targets.proxy_hosts.contains(&state.host), state),
    });
    let on = group.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
    stages.push(Stage::hosts(Kind::Change, works.collect()).saying(format!("Upgrading proxy on {on}...")));
    let version = app::latest(facts);
    if !targets.app_hosts.is_empty() {
        stages.extend(boot::stages(facts, &targets, &version, Extras { prunes: true, ..Extras::default() })?);
    }
    stages.extend(facts.hook("post-proxy-reboot", Some(group)));
    Ok(stages)
}

/// Traefik makes way, and the proxy comes; one that is there is replaced.
fn swap(facts: &Facts<'_>, is_proxy_host: bool, state: &HostState) -> Vec<Step> {
    if !is_proxy_host {
        let missing = (!state.network).then(|| crate::plan::create_network(facts.config));
        return missing.into_iter().chain([Step::RemoveTraefik]).collect();
    }
    let mut steps = facts.login();
    steps.push(Step::RemoveTraefik);
    if state.proxy.is_some() {
        steps.extend(proxy::replace(facts, state));
    } else {
        steps.push(audit("Rebooted proxy", None));
        steps.extend(crate::plan::ensure_proxy(facts.config, facts.targets, state, facts.proxy_image(state)));
    }
    steps
}
