//! `rollout`: a new version beside the one that is live, for a part of the requests, until it is promoted or given up.
//!
//! Which requests it gets is kamal-proxy's to say (spec kamal-proxy 6): of those with a cookie `kamal-rollout`, which the app
//! sets, so many of a hundred by the cookie's value. What is under way is noted on each host before anybody is led there,
//! and the note goes last: whoever was cut off finds it, and the same command again brings about what was asked for.

use serde::{Deserialize, Serialize};

use super::{
    Deploy, Facts, Op, Row, Scope,
    boot::{self, Extras},
    deploy,
    facts::{audit, unfit},
    proxy_version, services,
};
use crate::{
    config::{Config, model::Role},
    error::{Error, HostError},
    name::{ContainerName, HostName, Version},
    naming,
    plan::{Draft, HostWork, Kind, Reuse, Stage, Work, stop_timeout},
    state::{self, Container, HostState},
    step::Step,
};

/// What is done about a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rollout {
    /// Brings a version up beside the one that is live, and leads a part of the requests to it.
    Deploy {
        /// How its image is made.
        how: Deploy,
        /// How many of a hundred.
        percent: u8,
    },
    /// Leads another part of the requests to it.
    Set {
        /// How many of a hundred.
        percent: u8,
    },
    /// Makes it the only one: what is left of a deploy.
    Promote,
    /// Leads all requests to what was live before, and removes it.
    Abort,
}

impl Rollout {
    pub(super) fn row(self) -> Row {
        match self {
            Self::Deploy { .. } => Row::locks("rollout", "deploy", Scope::All).of_version(),
            Self::Set { .. } => Row::locks("rollout", "set", Scope::App),
            Self::Promote => Row::locks("rollout", "promote", Scope::All),
            Self::Abort => Row::locks("rollout", "abort", Scope::App),
        }
    }

    /// Whether deploy.yml allows for it.
    pub(super) fn check(self, config: &Config) -> Result<(), Error> {
        if services::are_wanted(config) {
            let text = "a rollout is of containers; with `run: services` of x-cluster the swarm replaces them one after another";
            return Err(Error::Usage(text.to_owned()));
        }
        match self {
            Self::Deploy { percent, .. } | Self::Set { percent } if percent > 100 => {
                Err(Error::Usage(format!("there are no {percent} of a hundred requests: name 0 to 100")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn draft(self, facts: &Facts<'_>) -> Result<Draft, Error> {
        match self {
            Self::Deploy { how, percent } => begin(facts, how, percent),
            Self::Set { percent } => set(facts, percent),
            Self::Promote => promote(facts),
            Self::Abort => abort(facts),
        }
    }
}

/// Fails where containers are to make way for others while a rollout is under way: it would end unseen.
pub(super) fn check(op: &Op, facts: &Facts<'_>, draft: &Draft) -> Result<(), Error> {
    let boots = draft.stages.iter().any(|stage| matches!(stage.work, Work::Boot { .. }));
    if !boots || matches!(op, Op::Rollout(_)) {
        return Ok(());
    }
    let found = facts.states_of(&facts.targets.app_hosts).filter_map(|state| {
        let rollout = state.rollout.as_ref()?;
        Some(unfit(
            &state.host,
            format!("a rollout of {rollout} is under way"),
            "`kamal rollout promote` makes that version the only one, `kamal rollout abort` takes it back; then run this again",
        ))
    });
    none(found.collect())
}

fn none(errors: Vec<HostError>) -> Result<(), Error> {
    if errors.is_empty() { Ok(()) } else { Err(Error::Hosts(errors)) }
}

/// A host's roles that requests are led to.
fn proxied<'f>(facts: &Facts<'f>, state: &'f HostState) -> impl Iterator<Item = &'f Role> {
    facts.targets.roles_on(&state.host).map(|(role, _)| role).filter(|role| role.proxy.is_some())
}

/// Hosts that requests are led to.
fn hosts<'f>(facts: &Facts<'f>) -> impl Iterator<Item = &'f HostState> {
    let targets = facts.targets;
    let has_requests = move |state: &&HostState| targets.roles_on(&state.host).any(|(role, _)| role.proxy.is_some());
    facts.states_of(&targets.app_hosts).filter(has_requests)
}

fn begin(facts: &Facts<'_>, how: Deploy, percent: u8) -> Result<Draft, Error> {
    proxy_version::check(facts)?;
    let version = facts.version()?;
    if hosts(facts).next().is_none() {
        return Err(Error::Usage("no role that is selected has a proxy: there are no requests to lead".to_owned()));
    }
    none(hosts(facts).filter_map(|state| unready(facts, state, version)).collect())?;
    let mut stages = deploy::deliver(how, facts, version);
    stages.extend(facts.hook("pre-deploy", None));
    let on: Vec<HostName> = hosts(facts).map(|state| state.host.clone()).collect();
    stages.extend(boot::beside_stages(facts, version, &on));
    let rollout = state::Rollout::new(version.clone(), percent);
    let works = hosts(facts).map(|state| HostWork { host: state.host.clone(), steps: lead(facts, state, &rollout) });
    let say = format!("Leading {percent} % of the requests to {version}...");
    stages.push(Stage::hosts(Kind::Split, works.collect()).saying(say));
    stages.extend(facts.hook("post-app-boot", Some(&on)));
    Ok(Draft { version: Some(version.clone()), stages, notes: vec![about(percent)], ..Draft::default() })
}

/// Why a version cannot come up beside what a host has.
fn unready(facts: &Facts<'_>, state: &HostState, version: &Version) -> Option<HostError> {
    let host = &state.host;
    if let Some(other) = state.rollout.as_ref().filter(|rollout| rollout.version != *version) {
        let hint = "`kamal rollout promote` makes it the only one, `kamal rollout abort` takes it back";
        return Some(unfit(host, format!("a rollout of {other} is under way already"), hint));
    }
    proxied(facts, state).find_map(|role| {
        let service = naming::container_prefix(facts.config, &role.name);
        let is_led_to = state.routes.iter().any(|route| route.service == service);
        match state.current_version(facts.config, &role.name).filter(|_| is_led_to) {
            None => {
                Some(unfit(host, format!("no version of {} is live yet", role.name), "`kamal deploy` brings one up"))
            }
            Some(live) if live == *version => {
                let hint = "commit what is new, or name another version with --version";
                Some(unfit(host, format!("{version} is what is live as {}", role.name), hint))
            }
            Some(_) => None,
        }
    })
}

/// The steps that lead a part of a host's requests to the new containers.
fn lead(facts: &Facts<'_>, state: &HostState, rollout: &state::Rollout) -> Vec<Step> {
    let mut steps = vec![audit(format!("Leading a part of the requests to {rollout}"), None), note(facts, rollout)];
    for role in proxied(facts, state) {
        let container = naming::container(facts.config, &role.name, &rollout.version);
        steps.push(Step::StartRollout(Box::new(facts.route_to(role, &state.host, &container))));
        steps.push(split(facts, role, rollout.percent));
    }
    steps
}

fn note(facts: &Facts<'_>, rollout: &state::Rollout) -> Step {
    Step::NoteRollout { path: naming::rollout_note(facts.config), rollout: rollout.clone() }
}

fn split(facts: &Facts<'_>, role: &Role, percent: u8) -> Step {
    Step::SplitRollout { service: naming::container_prefix(facts.config, &role.name), percent }
}

/// What a reader should know of who gets it.
fn about(percent: u8) -> String {
    format!(
        "The proxy leads {percent} % of the values of the cookie kamal-rollout to it, which the app sets; requests without \
         that cookie go on to what is live (`kamal docs recipes`)."
    )
}

/// The version a rollout is under way of.
fn under_way(facts: &Facts<'_>) -> Result<Option<Version>, Error> {
    let mut noted = hosts(facts).filter_map(|state| Some((state, state.rollout.as_ref()?)));
    let Some((first, rollout)) = noted.next() else { return Ok(None) };
    let others = noted.filter(|(_, other)| other.version != rollout.version).map(|(state, other)| {
        let message =
            format!("a rollout of {} is under way here, of {} on {}", other.version, rollout.version, first.host);
        unfit(&state.host, message, "name hosts of one of them with -h")
    });
    none(others.collect())?;
    Ok(Some(rollout.version.clone()))
}

/// The stage that removes the notes, once all is done that they are for.
fn forgotten(facts: &Facts<'_>) -> Stage {
    let noted = facts.states_of(&facts.targets.app_hosts).filter(|state| state.rollout.is_some());
    let steps = || vec![Step::Remove { path: naming::rollout_note(facts.config) }];
    Stage::hosts(Kind::Change, noted.map(|state| HostWork { host: state.host.clone(), steps: steps() }).collect())
}

/// What is said where there is nothing to do.
fn nothing() -> Draft {
    Draft { notes: vec!["No rollout is under way.".to_owned()], ..Draft::default() }
}

fn set(facts: &Facts<'_>, percent: u8) -> Result<Draft, Error> {
    let Some(version) = under_way(facts)? else {
        return Err(Error::Usage("no rollout is under way: `kamal rollout deploy` begins one".to_owned()));
    };
    let missing = hosts(facts).filter(|state| state.rollout.is_none()).map(|state| {
        let hint = "`kamal rollout deploy` again brings it there";
        unfit(&state.host, format!("the rollout of {version} has not come here"), hint)
    });
    none(missing.collect())?;
    let rollout = state::Rollout::new(version.clone(), percent);
    let works = hosts(facts).map(|state| {
        let mut steps = vec![audit(format!("Leading a part of the requests to {rollout}"), None)];
        steps.extend(proxied(facts, state).map(|role| split(facts, role, percent)));
        steps.push(note(facts, &rollout));
        HostWork { host: state.host.clone(), steps }
    });
    let say = format!("Leading {percent} % of the requests to {version}...");
    let stage = Stage::hosts(Kind::Split, works.collect()).saying(say);
    Ok(Draft { version: Some(version), notes: vec![about(percent)], ..Draft::of([stage]) })
}

fn promote(facts: &Facts<'_>) -> Result<Draft, Error> {
    let Some(version) = under_way(facts)? else { return Ok(nothing()) };
    let mut stages: Vec<Stage> = facts.hook("pre-deploy", None).into_iter().collect();
    let extras = Extras { proxy: true, prunes: true, guards: true, reuse: Reuse::Beside, ..Extras::default() };
    stages.extend(boot::stages(facts, facts.targets, &version, extras)?);
    stages.push(forgotten(facts));
    let after = facts.hook("post-deploy", None).into_iter().collect();
    Ok(Draft { version: Some(version), stages, after, ..Draft::default() })
}

fn abort(facts: &Facts<'_>) -> Result<Draft, Error> {
    let Some(version) = under_way(facts)? else { return Ok(nothing()) };
    let (mut back, mut gone, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for state in facts.states_of(&facts.targets.app_hosts) {
        let (mut leads, mut removes, mut tags) = (Vec::new(), Vec::new(), Vec::new());
        for (role, _) in facts.targets.roles_on(&state.host) {
            match given_up(facts, state, role, &version) {
                Ok(given_up) => {
                    leads.extend(given_up.leads);
                    removes.extend(given_up.removes);
                    tags = given_up.old.map_or(tags, |old| tagged_back(facts, state, &version, &old));
                }
                Err(error) => lost.push(error),
            }
        }
        removes.extend(tags);
        if !removes.is_empty() || state.rollout.is_some() {
            removes.insert(0, audit(format!("Gave up the rollout of {version}"), None));
        }
        back.push(HostWork { host: state.host.clone(), steps: leads });
        gone.push(HostWork { host: state.host.clone(), steps: removes });
    }
    none(lost)?;
    let back = Stage::hosts(Kind::Split, back).saying("Leading all requests to what was live before...");
    let draft = Draft::of([back, Stage::hosts(Kind::Retire, gone), forgotten(facts)]);
    Ok(Draft { version: Some(version), ..draft })
}

/// What is done about a role on a host.
#[derive(Debug, Default)]
struct GivenUp {
    /// Leads all requests to what was live before.
    leads: Vec<Step>,
    /// Removes the new container then.
    removes: Vec<Step>,
    /// What was live before.
    old: Option<Version>,
}

/// Tags as the latest what is live again, where a promotion that was cut off had come to its end on a host.
fn tagged_back(facts: &Facts<'_>, state: &HostState, version: &Version, old: &Version) -> Vec<Step> {
    let latest = naming::latest_image(facts.config);
    let id = |reference: &str| state.images.iter().find(|image| *image.reference == *reference).map(|image| &image.id);
    let image = naming::image(facts.config, version);
    if id(&latest).is_none() || id(&latest) != id(&image) {
        return Vec::new();
    }
    let image = naming::image(facts.config, old);
    let note = audit(format!("Tagging {image} as the latest image"), None);
    vec![Step::TagLatest { image, latest }, note]
}

fn given_up(facts: &Facts<'_>, state: &HostState, role: &Role, version: &Version) -> Result<GivenUp, HostError> {
    let new = naming::container(facts.config, &role.name, version);
    // Those as well that made way for it when it was brought up once more.
    let replaced = format!("{new}_replaced_");
    let is_its = |found: &&Container| found.name == new || found.name.starts_with(&replaced);
    let its: Vec<&Container> = state.of_role(&role.name).filter(is_its).collect();
    if its.is_empty() && (role.proxy.is_none() || state.rollout.is_none()) {
        return Ok(GivenUp::default());
    }
    let current = state.current(facts.config, &role.name);
    let others = state.of_role(&role.name).filter(|found| !is_its(found) && !found.name.contains("_replaced_"));
    // One that runs, or the newest.
    let before = others.clone().find(|found| found.state.is_current()).or_else(|| others.clone().next());
    let Some(old) = current.filter(|current| !is_its(current)).or(before) else {
        let message = format!("there is no container of {} to go back to from {version}", role.name);
        return Err(unfit(&state.host, message, "`kamal rollout promote` makes that version the only one"));
    };
    let mut leads = Vec::new();
    if !old.state.is_current() {
        leads.push(Step::StartExisting { container: old.name.clone(), tolerant: false });
    }
    if role.proxy.is_some() {
        let route = Box::new(facts.route_to(role, &state.host, &old.name));
        if current.is_none_or(|current| current.id != old.id) {
            leads.push(Step::SwitchTraffic(route.clone()));
        }
        leads.push(Step::StopRollout { service: route.service.clone() });
        // Those who are there already are waited for.
        leads.push(Step::StartRollout(route));
    }
    let timeout = stop_timeout(facts.config, role);
    let removed = |container: ContainerName| {
        [Step::Stop { container: container.clone(), timeout, tolerant: true }, Step::RemoveContainer { container }]
    };
    let removes = its.iter().flat_map(|found| removed(found.name.clone())).collect();
    Ok(GivenUp { leads, removes, old: naming::version_of(facts.config, &role.name, &old.name) })
}
