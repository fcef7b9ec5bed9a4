//! The stages that bring a version up on hosts: what comes before its containers, group after group of them, and what
//! goes once they serve (spec 9.6).

use super::{Facts, facts::audit, services};
use crate::{
    config::model::Role,
    error::Error,
    name::{HostName, Version},
    naming,
    plan::{
        Boot, Booting, HostWork, Kind, Placement, Reuse, Stage, Work, beside, ensure_proxy, groups, guard, host,
        release, retire,
    },
    state::HostState,
    step::Step,
    targets::Targets,
};

/// What is done besides starting containers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extras {
    /// The proxy is started where it is missing.
    pub(super) proxy: bool,
    /// Accessories that are missing are started.
    pub(super) accessories: bool,
    /// What is old is pruned.
    pub(super) prunes: bool,
    /// Which containers that are there come up in place of new ones.
    pub(super) reuse: Reuse,
    /// The release command runs before anything is switched.
    pub(super) releases: bool,
    /// What was switched to is watched.
    pub(super) guards: bool,
}

/// The stages that bring a version up on the selected hosts, as services or as containers of theirs.
pub(super) fn stages(
    facts: &Facts<'_>,
    targets: &Targets,
    version: &Version,
    extras: Extras,
) -> Result<Vec<Stage>, Error> {
    if services::are_wanted(facts.config) {
        return services::stages(facts, targets, version, extras);
    }
    Ok(of_containers(facts, targets, version, extras))
}

fn of_containers(facts: &Facts<'_>, targets: &Targets, version: &Version, extras: Extras) -> Vec<Stage> {
    let boot = boot(facts, targets, version, extras.reuse);
    let mut prepare = before(facts, targets, extras);
    let groups = groups(facts.config, &targets.app_hosts);
    let release = if extras.releases { release(&boot) } else { None };
    let (mut stages, mut booted) = (Vec::new(), Vec::new());
    for (i, group) in groups.iter().enumerate() {
        let (mut works, mut switches, mut placements) = (Vec::new(), Vec::new(), Vec::new());
        for state in group.iter().filter_map(|host| facts.state(host)) {
            let Booting { common, works: of_host, switches: later, placements: placed } = host(&boot, state);
            join(&mut prepare, &state.host, common);
            works.extend(of_host);
            join(&mut switches, &state.host, later);
            placements.extend(placed);
        }
        let guard = if extras.guards { guard(facts.config, &placements) } else { Vec::new() };
        for work in &guard {
            if !prepare.iter().any(|known| known.host == work.host && known.steps.contains(&Step::CheckWatch)) {
                join(&mut prepare, &work.host, vec![Step::CheckWatch]);
            }
        }
        // Steps that come before go along with the first script of the host; a hook between the two, hosts that boot
        // nothing yet, or roles side by side make them a stage of their own.
        let own_stage = i > 0
            || release.is_some()
            // Hosts that go back are to lead nobody to what stops then.
            || extras.reuse == Reuse::Beside
            || facts.inputs.hooks.has("pre-app-boot")
            || facts.config.boot.parallel_roles
            || prepare.iter().any(|work| !group.contains(&work.host));
        if own_stage {
            stages.push(Stage::hosts(Kind::Prepare, std::mem::take(&mut prepare)));
        } else {
            for work in std::mem::take(&mut prepare) {
                if let Some(own) = works.iter_mut().find(|own: &&mut HostWork| own.host == work.host) {
                    own.steps.splice(0..0, work.steps);
                }
            }
        }
        stages.extend(release.as_ref().filter(|_| i == 0).map(release_stage));
        stages.extend(facts.hook("pre-app-boot", Some(group)));
        let retired = retire(&boot, &placements);
        let kind = if switches.is_empty() { Kind::Boot } else { Kind::Start };
        let mut stage = Stage::new(kind, Work::Boot { hosts: works, placements: placements.clone() });
        if i == 0 {
            if extras.proxy {
                stage = stage.saying("Ensure kamal-proxy is running...");
            }
            stage = stage.saying(format!("Start container with version {version} (or reboot if already running)..."));
        }
        stages.push(stage);
        if !switches.is_empty() {
            let work = Work::Boot { hosts: switches, placements: placements.clone() };
            stages.push(Stage::new(Kind::Boot, work).saying("Switching all hosts to it..."));
        }
        if !guard.is_empty() {
            stages.push(Stage::hosts(Kind::Guard, guard).saying("Watching how it answers..."));
        }
        // A hook that fails ends it all; what it comes after is done then.
        let hook = facts.hook("post-app-boot", Some(group));
        if groups.len() > 1 || facts.config.boot.wait.is_some() || hook.is_some() {
            stages.push(Stage::hosts(Kind::Retire, retired));
            stages.extend(hook);
            let wait = facts.config.boot.wait.map(|seconds| Work::Wait { seconds });
            stages.extend(wait.map(|work| Stage::new(Kind::Wait, work)));
        } else {
            booted = placements;
        }
    }
    if groups.is_empty() {
        stages.push(Stage::hosts(Kind::Prepare, prepare));
    }
    stages.push(finish(facts, &boot, &booted, extras));
    stages
}

pub(super) fn boot<'b>(facts: &Facts<'b>, targets: &'b Targets, version: &'b Version, reuse: Reuse) -> Boot<'b> {
    Boot { config: facts.config, targets, version, error_pages: &facts.inputs.error_pages, reuse }
}

pub(super) fn release_stage(work: &HostWork) -> Stage {
    let stage = Stage::hosts(Kind::Release, vec![work.clone()]);
    stage.saying(format!("Running the release command on {}...", work.host))
}

/// The stages that bring a version up beside what is live on some hosts, where nobody is led to it yet.
pub(super) fn beside_stages(facts: &Facts<'_>, version: &Version, on: &[HostName]) -> Vec<Stage> {
    let boot = boot(facts, facts.targets, version, Reuse::Nothing);
    let prepare = before(facts, facts.targets, Extras { proxy: true, ..Extras::default() });
    let mut stages = vec![Stage::hosts(Kind::Prepare, prepare)];
    stages.extend(release(&boot).as_ref().map(release_stage));
    stages.extend(facts.hook("pre-app-boot", Some(on)));
    let (mut hosts, mut placements) = (Vec::new(), Vec::new());
    for booting in facts.states_of(on).map(|state| beside(&boot, state)) {
        hosts.extend(booting.works);
        placements.extend(booting.placements);
    }
    if !hosts.is_empty() {
        let say = format!("Start container with version {version} beside what is live...");
        stages.push(Stage::new(Kind::Start, Work::Boot { hosts, placements }).saying(say));
    }
    stages
}

/// What comes before containers: the network, the proxy and accessories, where they are missing.
pub(super) fn before(facts: &Facts<'_>, targets: &Targets, extras: Extras) -> Vec<HostWork> {
    let steps = |state: &HostState| {
        let mut steps = probes_left(facts, state);
        if extras.proxy {
            steps.extend(ensure_proxy(facts.config, targets, state, facts.proxy_image(state)));
        }
        if extras.accessories {
            steps.extend(super::accessory::missing(facts, state));
        }
        if extras.reuse == Reuse::Beside {
            let proxied = targets.roles_on(&state.host).map(|(role, _)| role).filter(|role| role.proxy.is_some());
            let service = |role: &Role| naming::container_prefix(facts.config, &role.name);
            steps.extend(proxied.map(|role| Step::StopRollout { service: service(role) }));
        }
        steps
    };
    let states = targets.hosts.iter().filter_map(|host| facts.state(host));
    let works = states.map(|state| HostWork { host: state.host.clone(), steps: steps(state) });
    works.filter(|work| !work.steps.is_empty()).collect()
}

/// Takes out what the proxy was to check containers as, where whoever asked for that was killed meanwhile.
fn probes_left(facts: &Facts<'_>, state: &HostState) -> Vec<Step> {
    let probe = |role: &Role| naming::probe(&naming::container_prefix(facts.config, &role.name));
    let probes = facts.config.roles.iter().map(probe);
    let left = probes.filter(|probe| state.routes.iter().any(|route| route.service == *probe));
    left.map(|service| Step::RemoveRoute { service }).collect()
}

pub(super) fn join(works: &mut Vec<HostWork>, host: &HostName, steps: Vec<Step>) {
    match works.iter_mut().find(|work| work.host == *host) {
        Some(work) => work.steps.extend(steps),
        None if steps.is_empty() => {}
        None => works.push(HostWork { host: host.clone(), steps }),
    }
}

/// Old containers go, the image is tagged, what is old is removed: one round trip for each host.
pub(super) fn finish(facts: &Facts<'_>, boot: &Boot<'_>, placements: &[Placement], extras: Extras) -> Stage {
    let (config, targets) = (boot.config, boot.targets);
    let mut works: Vec<HostWork> =
        targets.hosts.iter().map(|host| HostWork { host: host.clone(), steps: Vec::new() }).collect();
    let proxied = |host: &HostName| targets.roles_on(host).any(|(role, _)| role.proxy.is_some());
    for host in targets.app_hosts.iter().filter(|host| proxied(host)) {
        // One that died, or lost its network, right after the switch serves nobody.
        join(&mut works, host, vec![Step::CheckProxy]);
    }
    for work in retire(boot, placements) {
        join(&mut works, &work.host, work.steps);
    }
    let (image, latest) = (naming::image(config, boot.version), naming::latest_image(config));
    for host in &targets.app_hosts {
        let tag = Step::TagLatest { image: image.clone(), latest: latest.clone() };
        // What is noted is what was done: a rollback reads it.
        join(&mut works, host, vec![tag, audit(format!("Tagging {image} as the latest image"), None)]);
    }
    for host in targets.hosts.iter().filter(|_| extras.prunes) {
        join(&mut works, host, super::prune::all(facts));
    }
    let stage = Stage::hosts(Kind::Finish, works);
    if extras.prunes { stage.saying("Prune old containers and images...") } else { stage }
}
