//! Planning a deploy, a redeploy, a rollback, a boot: a pure function of the configuration, the selection and what the
//! hosts told (spec 9.6, 9.10).

use serde::Serialize;

use super::{
    AccessoryFile, HostWork, Plan, Stage, Work, accessory,
    boot::{self, Boot, Hooks, Placement},
};
use crate::{
    config::Config,
    machine::Phase,
    name::{HostName, ImageRef, Version},
    naming,
    state::HostState,
    step::{Blob, Step},
    targets::Targets,
};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Prepares hosts, then deploys.
    Setup,
    /// Builds, delivers, boots, prunes.
    Deploy,
    /// Builds, delivers, boots.
    Redeploy,
    /// Boots a version that hosts still have.
    Rollback,
    /// Boots what the hosts have.
    Boot,
}

/// What a plan is made for.
#[derive(Clone, Copy, Debug)]
pub struct Intent<'a> {
    /// What was asked for.
    pub verb: Verb,
    /// The version.
    pub version: &'a Version,
    /// `--skip-push`: the image is in the registry already.
    pub skip_push: bool,
    /// The hooks that are there.
    pub hooks: &'a Hooks,
    /// Error pages, name and content.
    pub error_pages: &'a [(String, Blob)],
    /// Files of accessories, which `setup` boots.
    pub accessory_files: &'a [AccessoryFile],
    /// The proxy's image, where none is configured and the tool brings its own.
    pub proxy_image: Option<&'a ImageRef>,
    /// True when somebody else holds the lock for us (`KAMAL_LOCK`).
    pub lock_held: bool,
    /// The lock's three lines.
    pub lock_details: &'a str,
    /// Random digits for names.
    pub token: &'a str,
}

/// Plans. `states` holds one entry for each selected host, in any order.
#[must_use]
pub fn plan(config: &Config, targets: &Targets, states: &[HostState], intent: &Intent<'_>) -> Plan {
    let boot = Boot {
        config,
        targets,
        version: intent.version,
        token: intent.token,
        error_pages: intent.error_pages,
        proxy_image: intent.proxy_image,
    };
    let mut stages = Vec::new();
    let lock = lock(config, targets, intent);
    if intent.verb == Verb::Setup {
        stages.extend(lock.clone());
    }
    if matches!(intent.verb, Verb::Setup | Verb::Deploy | Verb::Redeploy) {
        stages.extend(deliver(config, targets, states, intent));
    }
    if intent.verb != Verb::Setup {
        stages.extend(lock);
    }
    if intent.verb != Verb::Boot {
        stages.extend(hook(intent, "pre-deploy", Phase::Locked));
    }
    let of = |host: &HostName| states.iter().find(|state| state.host == *host);
    let ensure = matches!(intent.verb, Verb::Setup | Verb::Deploy);
    let mut before: Vec<HostWork> = Vec::new();
    for state in targets.hosts.iter().filter_map(of) {
        let mut steps = if ensure { boot::ensure_proxy(&boot, state) } else { Vec::new() };
        if intent.verb == Verb::Setup {
            steps.extend(accessory::boot(config, state, intent.accessory_files));
        }
        before.push(HostWork { host: state.host.clone(), steps });
    }
    before.retain(|work| !work.steps.is_empty());

    let groups = boot::groups(config, targets);
    let mut all: Vec<Placement> = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        let last = i + 1 == groups.len();
        let (mut works, mut placements) = (Vec::new(), Vec::new());
        for state in group.iter().filter_map(of) {
            let (work, placed) = boot::host(&boot, state);
            works.push(work);
            placements.extend(placed);
        }
        if i == 0 {
            // A hook between the two makes them two barriers; else they cost one round trip.
            if intent.hooks.has("pre-app-boot") || before.iter().any(|work| !group.contains(&work.host)) {
                stages
                    .extend((!before.is_empty()).then(|| hosts("prepare", Phase::Locked, std::mem::take(&mut before))));
            }
            for work in std::mem::take(&mut before) {
                if let Some(own) = works.iter_mut().find(|own| own.host == work.host) {
                    own.steps.splice(0..0, work.steps);
                }
            }
        }
        stages.extend(group_hook(intent, "pre-app-boot", Phase::Locked, group));
        let retire = boot::retire(&boot, &placements);
        stages.push(Stage {
            phase: Phase::Switched,
            title: "boot",
            work: Work::Boot { hosts: works, placements: placements.clone() },
        });
        // A hook that fails ends it all; what it comes after is done then.
        let hook = group_hook(intent, "post-app-boot", Phase::Drained, group);
        if groups.len() > 1 || config.boot.wait.is_some() || hook.is_some() {
            stages.extend((!retire.is_empty()).then(|| hosts("retire", Phase::Drained, retire)));
            stages.extend(hook);
            stages.extend(config.boot.wait.map(|seconds| Stage {
                phase: Phase::Drained,
                title: "wait",
                work: Work::Wait { seconds },
            }));
        } else if last {
            all = placements;
        }
    }
    stages.extend(finish(&boot, intent, &all));
    if matches!(intent.verb, Verb::Setup | Verb::Deploy | Verb::Redeploy | Verb::Rollback) {
        stages.extend(hook(intent, "post-deploy", Phase::Done));
    }
    let notes = notes(config, targets, states, intent, &stages);
    Plan {
        verb: intent.verb,
        service: config.service.clone(),
        version: intent.version.clone(),
        stages,
        notes,
        token: intent.token.to_owned(),
    }
}

/// The steps that give a host the network and the proxy, where they are missing.
#[must_use]
pub(crate) fn ensure_proxy(
    config: &Config,
    targets: &Targets,
    state: &HostState,
    image: Option<&ImageRef>,
) -> Vec<Step> {
    let version = Version::unknown();
    let boot = Boot { config, targets, version: &version, token: "", error_pages: &[], proxy_image: image };
    boot::ensure_proxy(&boot, state)
}

fn deliver(config: &Config, targets: &Targets, states: &[HostState], intent: &Intent<'_>) -> Vec<Stage> {
    let image = naming::image(config, intent.version);
    let held = |host: &HostName| !states.iter().any(|state| state.host == *host && !state.has_image(&image));
    let mut stages = Vec::new();
    if !intent.skip_push {
        stages.extend(hook(intent, "pre-build", Phase::Planned));
        stages.push(Stage { phase: Phase::Built, title: "build", work: Work::Build });
    }
    let steps = |host: &HostName| HostWork {
        host: host.clone(),
        steps: pull(config, intent.version, held(host), !intent.skip_push),
    };
    stages.push(hosts("deliver", Phase::Delivered, targets.app_hosts.iter().map(steps).collect()));
    stages
}

/// The steps that bring a version's image to a host. One that was just built needs no check of its label.
#[must_use]
pub(crate) fn pull(config: &Config, version: &Version, held: bool, built: bool) -> Vec<Step> {
    let mut steps = login(config);
    steps.push(Step::Audit { text: format!("Pulled image with version {version}"), role: None });
    let service = (!built).then(|| config.service.clone());
    steps.push(Step::Pull { image: naming::image(config, version), service, held });
    steps
}

/// A login to the configuration's registry; none is needed for a local one.
#[must_use]
pub(crate) fn login(config: &Config) -> Vec<Step> {
    let needed = config.registry.username.is_some() && config.registry.password.is_some();
    needed.then(|| Step::Login { registry: config.registry.clone() }).into_iter().collect()
}

fn lock(config: &Config, targets: &Targets, intent: &Intent<'_>) -> Option<Stage> {
    let host = targets.primary_host.as_ref().filter(|_| !intent.lock_held)?;
    let step = Step::AcquireLock { directory: naming::lock_directory(config), details: intent.lock_details.to_owned() };
    Some(hosts("lock", Phase::Locked, vec![HostWork { host: host.clone(), steps: vec![step] }]))
}

/// Old containers go, the image is tagged, what is old is removed, the lock is given back: one round trip where one
/// host does it all.
fn finish(boot: &Boot<'_>, intent: &Intent<'_>, placements: &[Placement]) -> Vec<Stage> {
    let (config, targets) = (boot.config, boot.targets);
    let mut works: Vec<HostWork> =
        targets.hosts.iter().map(|host| HostWork { host: host.clone(), steps: Vec::new() }).collect();
    let mut add = |host: &HostName, steps: Vec<Step>| {
        if let Some(work) = works.iter_mut().find(|work| work.host == *host) {
            work.steps.extend(steps);
        }
    };
    for work in boot::retire(boot, placements) {
        add(&work.host, work.steps);
    }
    let (image, latest) = (naming::image(config, boot.version), naming::latest_image(config));
    for host in &targets.app_hosts {
        let tag = Step::TagLatest { image: image.clone(), latest: latest.clone() };
        add(host, vec![Step::Audit { text: format!("Tagging {image} as the latest image"), role: None }, tag]);
    }
    let prunes = matches!(intent.verb, Verb::Setup | Verb::Deploy);
    for host in targets.hosts.iter().filter(|_| prunes) {
        add(host, prune(config, config.retain_containers));
    }
    let phase = if prunes { Phase::Pruned } else { Phase::Drained };
    let mut stages = Vec::new();
    if let Some(host) = targets.primary_host.as_ref().filter(|_| !intent.lock_held) {
        let release = Step::ReleaseLock { directory: naming::lock_directory(config) };
        let alone = works.iter().all(|work| work.host == *host || work.steps.is_empty());
        match works.iter_mut().find(|work| work.host == *host && alone) {
            Some(work) => work.steps.push(release),
            None => stages.push(hosts("unlock", phase, vec![HostWork { host: host.clone(), steps: vec![release] }])),
        }
    }
    works.retain(|work| !work.steps.is_empty());
    stages.insert(0, hosts("finish", phase, works));
    stages
}

/// The steps of `prune all` (spec 9.9).
#[must_use]
pub(crate) fn prune(config: &Config, retain: u32) -> Vec<Step> {
    let audit = |text: &str| Step::Audit { text: text.to_owned(), role: None };
    vec![
        audit("Pruned containers"),
        Step::PruneContainers { service: config.service.clone(), retain },
        audit("Pruned images"),
        Step::PruneImages { service: config.service.clone(), latest: naming::latest_image(config) },
    ]
}

fn hosts(title: &'static str, phase: Phase, works: Vec<HostWork>) -> Stage {
    Stage { phase, title, work: Work::Hosts(works) }
}

fn hook(intent: &Intent<'_>, name: &str, phase: Phase) -> Option<Stage> {
    let work = Work::Hook { name: name.to_owned(), hosts: None };
    intent.hooks.has(name).then_some(Stage { phase, title: "hook", work })
}

fn group_hook(intent: &Intent<'_>, name: &str, phase: Phase, group: &[HostName]) -> Option<Stage> {
    let work = Work::Hook { name: name.to_owned(), hosts: Some(group.to_vec()) };
    intent.hooks.has(name).then_some(Stage { phase, title: "hook", work })
}

fn notes(
    config: &Config,
    targets: &Targets,
    states: &[HostState],
    intent: &Intent<'_>,
    stages: &[Stage],
) -> Vec<String> {
    let running = |state: &HostState| {
        targets
            .roles_on(&state.host)
            .all(|(role, _)| state.current_version(config, &role.name).as_ref() == Some(intent.version))
    };
    let prepared = stages.iter().any(|stage| match &stage.work {
        Work::Hosts(works) | Work::Boot { hosts: works, .. } => works
            .iter()
            .flat_map(|work| &work.steps)
            .any(|step| matches!(step, Step::EnsureProxy(_) | Step::CreateNetwork { .. })),
        _ => false,
    });
    let app: Vec<&HostState> = states.iter().filter(|state| targets.app_hosts.contains(&state.host)).collect();
    let mut notes = Vec::new();
    if !app.is_empty() && app.iter().all(|state| running(state)) && !prepared {
        notes.push(format!(
            "Nothing would change but the restart asked for: {} is what runs on {} already.",
            intent.version,
            if app.len() == 1 { "the host" } else { "every host" }
        ));
    }
    for state in states {
        if let Some(lock) = &state.lock {
            notes.push(format!(
                "The deploy lock on {} is held now:\n    {}",
                state.host,
                lock.trim_end().replace('\n', "\n    ")
            ));
        }
        let (built, found) = (&config.builder.arches, &state.machine.arch);
        if !found.is_empty() && !built.is_empty() && !built.contains(found) {
            notes.push(format!("{} is {found}, but the image is built for {} only.", state.host, built.join(" and ")));
        }
    }
    notes
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Setup => "setup",
            Self::Deploy => "deploy",
            Self::Redeploy => "redeploy",
            Self::Rollback => "rollback",
            Self::Boot => "boot",
        })
    }
}
