//! `app` (spec 9.6, 9.7): the containers of the roles.

use serde::{Deserialize, Serialize};

use super::{Facts, Row, Scale, Scope, boot, boot::Extras, deploy::delivery, facts::audit, overview, services};
use crate::{
    command_line::CommandLine,
    config::model::{Role, TaggedHost},
    error::Error,
    name::{ContainerName, HostName, Version},
    naming,
    plan::{Draft, HostWork, Kind, KnownAnswer, Question, Stage, Work, services::is_task, stop_timeout},
    query::{Attach, ExecNew, LogLines, Query},
    state::{Container, HostState},
    step::Step,
    targets::no_role,
};

/// An app command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum App {
    /// Boots a version hosts have: the one asked for, else the image tagged as the latest.
    Boot,
    /// Starts the version's containers and leads the proxy to them.
    Start,
    /// Takes the roles out of the proxy and stops what runs.
    Stop,
    /// Has roles that run as services have so many containers.
    Scale(Vec<Scale>),
    /// Every proxied role answers with a page.
    Maintenance(Maintenance),
    /// Every proxied role answers itself again.
    Live,
    /// Runs a command in containers.
    Exec(Exec),
    /// Shows logs.
    Logs(Logs),
    /// Lists running containers, role by role.
    Details,
    /// Lists all containers.
    Containers,
    /// Lists images.
    Images,
    /// Shows the version that runs.
    Version,
    /// Finds containers that run though another one answers for their role.
    StaleContainers {
        /// Stops them.
        stop: bool,
    },
    /// Removes all of the app: containers, images, folders.
    Remove,
    /// Removes the containers of a version.
    RemoveContainer(Version),
    /// Removes containers that do not run.
    RemoveContainers,
    /// Removes images no container was made from.
    RemoveImages,
    /// Removes the app's folders.
    RemoveDirectories,
}

/// How maintenance is entered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// How long requests under way may take, in seconds; else the configuration's `drain_timeout`.
    pub drain_timeout: Option<u64>,
    /// What the page says.
    pub message: Option<String>,
}

/// A command to run in containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// The command.
    pub command: CommandLine,
    /// In containers that run, not in new ones.
    pub reuse: bool,
    /// Variables added to the environment.
    pub env: Vec<(String, String)>,
    /// How it is attached. With input or a terminal it runs once, on the primary host.
    pub attach: Attach,
}

/// Which logs to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// Which lines.
    pub lines: LogLines,
    /// A container of one's own choosing.
    pub container: Option<String>,
}

impl App {
    pub(super) fn row(&self) -> Row {
        let locks = |subcommand| Row::locks("app", subcommand, Scope::App);
        match self {
            Self::Boot => locks("boot"),
            Self::Start => locks("start").of_version(),
            Self::Stop => locks("stop"),
            Self::Scale(_) => locks("scale"),
            Self::Maintenance(_) => locks("maintenance"),
            Self::Live => locks("live"),
            Self::Exec(_) => Row { observes: true, docker: true, ..Row::changes("app", "exec", Scope::App) },
            Self::Logs(_) => Row::looks("app", "logs", Scope::App),
            Self::Details => Row::looks("app", "details", Scope::App),
            Self::Containers => Row::asks("app", "containers", Scope::App),
            Self::Images => Row::asks("app", "images", Scope::App),
            Self::Version => Row::looks("app", "version", Scope::App),
            Self::StaleContainers { stop: false } => Row::looks("app", "stale_containers", Scope::App),
            Self::StaleContainers { stop: true } => locks("stale_containers"),
            Self::Remove => locks("remove"),
            Self::RemoveContainer(_) => locks("remove_container"),
            Self::RemoveContainers => locks("remove_containers"),
            Self::RemoveImages => locks("remove_images"),
            Self::RemoveDirectories => locks("remove_app_directories"),
        }
    }

    /// Whether it changes services where roles run as such.
    pub(super) fn changes_services(&self) -> bool {
        matches!(self, Self::Boot | Self::Start | Self::Stop | Self::Scale(_) | Self::Maintenance(_) | Self::Live)
    }

    pub(super) fn draft(&self, facts: &Facts<'_>) -> Result<Draft, Error> {
        check_gone(facts)?;
        Ok(match self {
            Self::Boot => return boot(facts),
            Self::Start if services::are_wanted(facts.config) => return services::start(facts),
            Self::Start => return start(facts),
            Self::Stop if services::are_wanted(facts.config) => return services::stop(facts),
            Self::Scale(wanted) => return services::scale(facts, wanted),
            Self::Stop => Draft::hosts(facts.each_role(|state, role| stop(facts, state, role))),
            Self::Maintenance(how) => Draft::hosts(facts.each_role(|_, role| maintenance(facts, role, Some(how)))),
            Self::Live => Draft::hosts(facts.each_role(|_, role| maintenance(facts, role, None))),
            Self::Exec(exec) => return exec.draft(facts),
            Self::Logs(logs) => return logs.draft(facts),
            Self::Details => Draft::asking(overview::app(facts)),
            Self::Containers => Draft::asking(facts.ask(&facts.targets.app_hosts, "App", &Query::Containers)),
            Self::Images => Draft::asking(facts.ask(&facts.targets.app_hosts, "App", &Query::Images)),
            Self::Version => version(facts),
            Self::StaleContainers { stop } => stale(facts, *stop),
            Self::Remove => return remove(facts),
            Self::RemoveContainer(version) => {
                let version = facts.resolve(version)?;
                Draft::hosts(facts.each_role(|_, role| remove_container(facts, role, &version)))
            }
            Self::RemoveContainers => Draft::hosts(facts.each_role(|_, role| remove_containers(facts, role))),
            Self::RemoveImages => Draft::hosts(where_all_roles_are(facts, &remove_images(facts))),
            Self::RemoveDirectories => Draft::hosts(where_all_roles_are(facts, &remove_directories(facts))),
        })
    }
}

/// Fails where a role is named that neither the configuration nor any container has.
fn check_gone(facts: &Facts<'_>) -> Result<(), Error> {
    let is_nowhere = |role: &&Role| {
        let left = facts.states.iter().any(|state| state.of_role(&role.name).next().is_some());
        facts.config.role(&role.name).is_none() && !left
    };
    let stranger = facts.targets.roles.iter().find(is_nowhere);
    stranger.map_or(Ok(()), |role| Err(no_role(facts.config, &role.name).into()))
}

/// The tag that stands for the latest version, and names containers as if it were one (spec 12.1, 7).
pub(super) fn latest(facts: &Facts<'_>) -> Version {
    naming::latest_tag(facts.config)
}

fn boot(facts: &Facts<'_>) -> Result<Draft, Error> {
    let running = || facts.targets.roles.first().and_then(|role| services::current(facts, role));
    let of_service = if services::are_wanted(facts.config) { running() } else { None };
    let (version, say) = match facts.asked {
        Some(asked) => (facts.resolve(asked)?, None),
        None if of_service.is_some() => (of_service.unwrap_or_else(|| latest(facts)), None),
        None => (latest(facts), Some("Get most recent version available as an image...")),
    };
    let mut stages = boot::stages(facts, facts.targets, &version, Extras::default())?;
    if services::are_wanted(facts.config) {
        stages.insert(0, delivery(facts, &version, false));
    }
    if let (Some(say), Some(first)) = (say, stages.first_mut()) {
        first.say.insert(0, say.to_owned());
    }
    Ok(Draft { version: Some(version), stages, ..Draft::default() })
}

/// Starts a version; where there is none of it, the proxy is led to what runs.
fn start(facts: &Facts<'_>) -> Result<Draft, Error> {
    let config = facts.config;
    let version = &facts.resolve(facts.version()?)?;
    let works = facts.each_role(|state, role| {
        let container = naming::container(config, &role.name, version);
        let mut steps = vec![audit(format!("Started app version {version}"), None)];
        steps.push(Step::StartExisting { container: container.clone(), tolerant: true });
        if role.proxy.is_some() {
            let there = state.container(&container).or_else(|| state.current(config, &role.name));
            let target = there.map_or(&container, |container| &container.name);
            let route = facts.route_to(role, &state.host, target);
            steps.push(Step::SwitchTraffic(Box::new(route)));
        }
        steps
    });
    Ok(Draft { version: Some(version.clone()), ..Draft::hosts(works) })
}

/// Takes a role out of the proxy and stops what runs of it.
fn stop(facts: &Facts<'_>, state: &HostState, role: &Role) -> Vec<Step> {
    let config = facts.config;
    let mut steps = vec![audit("Stopped app", Some(role))];
    let Some(current) = state.current(config, &role.name).filter(|current| !is_task(config, current)) else {
        return steps;
    };
    let service = naming::container_prefix(config, &role.name);
    // One that is not proxied any more, or is gone altogether, may still have its requests.
    if role.proxy.is_some() || state.routes.iter().any(|route| route.service == service) {
        steps.push(Step::RemoveRoute { service });
    }
    let timeout = stop_timeout(config, role);
    steps.push(Step::Stop { container: current.name.clone(), timeout, tolerant: true });
    steps.extend(rolled_out(facts, state, role).map(|container| Step::Stop { container, timeout, tolerant: true }));
    steps
}

/// The container of a role that a part of the requests may be led to.
fn rolled_out(facts: &Facts<'_>, state: &HostState, role: &Role) -> Option<ContainerName> {
    let container = naming::container(facts.config, &role.name, &state.rollout.as_ref()?.version);
    state.container(&container).filter(|found| found.state.holds_resources()).map(|found| found.name.clone())
}

fn maintenance(facts: &Facts<'_>, role: &Role, on: Option<&Maintenance>) -> Vec<Step> {
    if role.proxy.is_none() {
        return Vec::new();
    }
    let service = naming::container_prefix(facts.config, &role.name);
    vec![match on {
        None => Step::ResumeRoute { service },
        Some(Maintenance { drain_timeout, message }) => Step::StopRoute {
            service,
            drain_timeout: drain_timeout.unwrap_or(facts.config.drain_timeout.as_secs()),
            message: message.clone(),
        },
    }]
}

fn version(facts: &Facts<'_>) -> Draft {
    let of = |state: &HostState| {
        let (role, _) = facts.targets.roles_on(&state.host).next()?;
        let text = state.current_version(facts.config, &role.name).map(|version| version.to_string());
        Some(KnownAnswer { host: Some(state.host.clone()), heading: "App".to_owned(), text: text.unwrap_or_default() })
    };
    let told = facts.states_of(&facts.targets.app_hosts).filter_map(of).collect();
    Draft::of([Stage::new(Kind::Look, Work::Tell(told))])
}

/// Containers of a role that run though another one answers for it.
fn stale_of<'s>(facts: &Facts<'_>, state: &'s HostState, role: &'s Role) -> Vec<(&'s Container, Version)> {
    let current = state.current(facts.config, &role.name);
    let rolled_out = rolled_out(facts, state, role);
    let others = state
        .of_role(&role.name)
        .filter(|found| found.state.holds_resources() && current.is_none_or(|current| current.id != found.id))
        .filter(|found| rolled_out.as_ref() != Some(&found.name));
    others.filter_map(|found| Some((found, naming::version_of(facts.config, &role.name, &found.name)?))).collect()
}

fn stale(facts: &Facts<'_>, stop: bool) -> Draft {
    let (mut told, mut works) = (Vec::new(), Vec::new());
    for state in facts.states_of(&facts.targets.app_hosts) {
        let mut steps = Vec::new();
        for (role, _) in facts.targets.roles_on(&state.host) {
            for (container, version) in stale_of(facts, state, role) {
                let name = &role.name;
                let text = if stop {
                    format!("Stopping stale container for role {name} with version {version}")
                } else {
                    let fix = "(use `kamal app stale_containers --stop` to stop)";
                    format!("Detected stale container for role {name} with version {version} {fix}")
                };
                told.push(KnownAnswer { host: Some(state.host.clone()), heading: "App".to_owned(), text });
                let container = container.name.clone();
                steps.push(Step::Unpause { container: container.clone() });
                steps.push(Step::Stop { container, timeout: stop_timeout(facts.config, role), tolerant: true });
            }
        }
        works.push(HostWork { host: state.host.clone(), steps });
    }
    let tell = Stage::new(Kind::Look, Work::Tell(told));
    if stop { Draft::of([tell, Stage::hosts(Kind::Change, works)]) } else { Draft::of([tell]) }
}

pub(super) fn remove(facts: &Facts<'_>) -> Result<Draft, Error> {
    let ended = if services::are_wanted(facts.config) { services::removal(facts)? } else { Vec::new() };
    let stops = facts.each_role(|state, role| stop(facts, state, role));
    let containers = facts.each_role(|_, role| {
        let path = naming::role_env_file(facts.config, &role.name);
        // Its secrets serve nobody any more.
        remove_containers(facts, role).into_iter().chain([Step::Remove { path }]).collect()
    });
    let gone = [remove_images(facts), remove_directories(facts)].concat();
    let stages = [stops, containers, where_all_roles_are(facts, &gone)].map(|works| Stage::hosts(Kind::Change, works));
    Ok(Draft::of(ended.into_iter().chain(joined(stages))))
}

/// Stages of steps on the same hosts as one: a script for each host.
pub(super) fn joined(stages: impl IntoIterator<Item = Stage>) -> Option<Stage> {
    let mut all: Vec<HostWork> = Vec::new();
    for stage in stages {
        let Work::Hosts(works) = stage.work else { continue };
        for work in works {
            match all.iter_mut().find(|known| known.host == work.host) {
                Some(known) => known.steps.extend(work.steps),
                None => all.push(work),
            }
        }
    }
    (!all.is_empty()).then(|| Stage::hosts(Kind::Change, all))
}

fn remove_container(facts: &Facts<'_>, role: &Role, version: &Version) -> Vec<Step> {
    let container = naming::container(facts.config, &role.name, version);
    vec![
        audit(format!("Removed app container with version {version}"), Some(role)),
        Step::RemoveContainer { container },
    ]
}

fn remove_containers(facts: &Facts<'_>, role: &Role) -> Vec<Step> {
    let labels = naming::labels(facts.config, Some(&role.name));
    vec![audit("Removed all app containers", Some(role)), Step::RemoveStopped { labels }]
}

fn remove_images(facts: &Facts<'_>) -> Vec<Step> {
    let service = facts.config.service.clone();
    vec![audit("Removed all app images", None), Step::RemoveUnusedImages { service }]
}

fn remove_directories(facts: &Facts<'_>) -> Vec<Step> {
    let (app, proxy) = (naming::app_directory(facts.config), naming::apps_config(facts.config));
    vec![Step::Remove { path: app.clone() }, audit(format!("Removed {app}"), None), Step::Remove { path: proxy }]
}

/// Steps on hosts all of whose roles are selected: images and folders belong to all of them.
fn where_all_roles_are(facts: &Facts<'_>, steps: &[Step]) -> Vec<HostWork> {
    let whole = |host: &&HostName| {
        let here = |role: &&Role| role.hosts.iter().any(|tagged| tagged.name == **host);
        let selected = |role: &Role| facts.targets.roles_on(host).any(|(other, _)| other.name == role.name);
        facts.config.roles.iter().filter(here).all(selected)
    };
    let hosts: Vec<HostName> = facts.targets.app_hosts.iter().filter(whole).cloned().collect();
    facts.everywhere(&hosts, |_| steps.to_vec())
}

impl Exec {
    fn draft(&self, facts: &Facts<'_>) -> Result<Draft, Error> {
        let version = self.version(facts)?;
        let question = |(role, tagged): (&Role, &TaggedHost)| Question {
            host: tagged.name.clone(),
            heading: "App".to_owned(),
            query: self.query(facts, role, &tagged.name, &version),
        };
        let place = if self.reuse { "existing container" } else { "new container" };
        let from_latest = facts.asked.is_none() && !self.reuse;
        let (mut stages, mut notes) = (Vec::new(), Vec::new());
        if matches!(self.attach, Attach::Input | Attach::Terminal) {
            let primary = facts.primary_host()?;
            let Some(placed) = facts.targets.placements().find(|(_, tagged)| tagged.name == *primary) else {
                return Err(Error::NoRole { place: primary.to_string() });
            };
            notes = facts.chosen(primary, &facts.targets.app_hosts, Some(placed.0));
            let say =
                format!("Launching interactive command with version {version} via SSH from {place} on {primary}...");
            let login = facts.everywhere(std::slice::from_ref(primary), |_| facts.login());
            stages.extend((!self.reuse).then(|| Stage::hosts(Kind::Prepare, login)));
            stages.push(Stage::new(Kind::Change, Work::Attach(Box::new(question(placed)))).saying(say));
        } else {
            let text = format!("Executed cmd '{}' on app version {version}", self.command);
            // A migration is run once, however many roles the primary host has.
            let roles = if facts.targets.selection.primary { 1 } else { usize::MAX };
            let noted = |host: &HostName| -> Vec<Step> {
                let mut steps = if self.reuse { Vec::new() } else { facts.login() };
                let roles = facts.targets.roles_on(host).take(roles);
                steps.extend(roles.map(|(role, _)| audit(text.as_str(), self.reuse.then_some(role))));
                steps
            };
            stages.push(Stage::hosts(Kind::Prepare, facts.everywhere(&facts.targets.app_hosts, noted)));
            let say = format!("Launching command with version {version} from {place}...");
            let asked = Work::Ask(facts.targets.placements().take(roles).map(question).collect());
            stages.push(Stage::new(Kind::Change, asked).saying(say));
        }
        if let Some(last) = stages.last_mut() {
            if from_latest {
                last.say.insert(0, "Get most recent version available as an image...".to_owned());
            } else if self.reuse && facts.asked.is_none() {
                last.say.insert(0, "Get current version of running container...".to_owned());
            }
        }
        Ok(Draft { version: Some(version), stages, notes, ..Draft::default() })
    }

    /// The version asked for; else the one that runs on the primary host, or the image tagged as the latest.
    fn version(&self, facts: &Facts<'_>) -> Result<Version, Error> {
        if let Some(asked) = facts.asked {
            return facts.resolve(asked);
        }
        if !self.reuse {
            return Ok(latest(facts));
        }
        let primary = facts.primary_host()?;
        // Of the first that can be reached, where that is not the primary host.
        let state = facts.state(primary).or_else(|| facts.states_of(&facts.targets.app_hosts).next());
        let current = state.and_then(|state| {
            let (role, _) = facts.targets.roles_on(&state.host).next()?;
            state.current_version(facts.config, &role.name)
        });
        current.ok_or_else(|| Error::NotRunning { host: state.map_or(primary, |state| &state.host).clone() })
    }

    fn query(&self, facts: &Facts<'_>, role: &Role, host: &HostName, version: &Version) -> Query {
        let (command, env, attach) = (self.command.clone(), self.env.clone(), self.attach);
        if self.reuse {
            let task = facts.state(host).and_then(|state| state.current(facts.config, &role.name));
            let task = task.filter(|container| is_task(facts.config, container));
            let container = task.map_or_else(
                || naming::container(facts.config, &role.name, version),
                |container| container.name.clone(),
            );
            return Query::ExecReuse { container, command, env, attach };
        }
        let tagged = role.hosts.iter().find(|tagged| tagged.name == *host);
        let role_env = tagged.map(|tagged| facts.config.env_for(role, tagged).clear.into_iter().collect());
        let (role, version) = (role.name.clone(), version.clone());
        let role_env = role_env.unwrap_or_default();
        Query::ExecNew(Box::new(ExecNew { role, role_env, version, command, env, attach }))
    }
}

impl Logs {
    fn draft(&self, facts: &Facts<'_>) -> Result<Draft, Error> {
        let lines = self.lines.clone().with_default();
        let (mut asked, mut told) = (Vec::new(), Vec::new());
        for (role, tagged) in facts.targets.placements() {
            let host = tagged.name.clone();
            let Some(state) = facts.state(&host) else { continue };
            let current = state.current(facts.config, &role.name);
            let container = self.container.clone().or_else(|| current.map(|current| current.id.to_string()));
            let heading = "App".to_owned();
            match container {
                Some(container) => {
                    let query = Query::Logs { container, lines: lines.clone() };
                    asked.push((role, Question { host, heading, query }));
                }
                None => {
                    let text = nothing_runs(state, role, &host);
                    told.push(KnownAnswer { host: Some(host), heading, text });
                }
            }
        }
        if !lines.follow {
            let questions = asked.into_iter().map(|(_, question)| question).collect();
            return Ok(Draft::of([
                Stage::new(Kind::Look, Work::Ask(questions)),
                Stage::new(Kind::Look, Work::Tell(told)),
            ]));
        }
        let primary = facts.primary_host()?;
        let Some((role, question)) = asked.into_iter().find(|(_, question)| question.host == *primary) else {
            let here = told.into_iter().find(|told| told.host.as_ref() == Some(primary));
            let nowhere = || Error::NoRole { place: primary.to_string() };
            return Err(here.map_or_else(nowhere, |told| Error::Usage(told.text)));
        };
        let say = format!("Following logs of {} on {primary}...", role.name);
        let notes = facts.chosen(primary, &facts.targets.app_hosts, Some(role));
        Ok(Draft { notes, ..Draft::of([Stage::new(Kind::Look, Work::Attach(Box::new(question))).saying(say)]) })
    }
}

/// What there is to say where no container of a role runs.
fn nothing_runs(state: &HostState, role: &Role, host: &HostName) -> String {
    let name = &role.name;
    match state.of_role(name).next() {
        None => format!("no container of {name} is on {host}"),
        Some(last) => format!(
            "no container of {name} runs on {host}; the last one was {} ({}): see its log with --container-id {}",
            last.name, last.status, last.name
        ),
    }
}
