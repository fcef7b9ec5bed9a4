//! `accessory` (spec 9.8): databases and the like.

use serde::{Deserialize, Serialize};

use super::{Facts, Row, Scope};
use crate::{
    command_line::CommandLine,
    config::{Config, model},
    error::Error,
    name::HostName,
    naming,
    plan::{AccessorySteps, Draft, HostWork, Kind, Question, Stage, Work, create_network},
    query::{Attach, LogLines, Query},
    run::{Needs, same_image},
    state::HostState,
    step::Step,
    targets::Targets,
};

/// A command about accessories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accessory {
    /// The names of those it is about, in the order of the file.
    pub(crate) names: Vec<String>,
    /// What is done.
    pub(crate) task: AccessoryTask,
}

/// What is done about accessories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccessoryTask {
    /// Starts those that have no container.
    Boot,
    /// Writes their files.
    Upload,
    /// Makes their folders.
    Directories,
    /// Puts a new container in the place of each.
    Reboot,
    /// Starts the container that is there.
    Start,
    /// Stops the container.
    Stop,
    /// Stops and starts the container.
    Restart,
    /// Lists the containers.
    Details,
    /// Runs a command.
    Exec {
        /// The command.
        command: CommandLine,
        /// In the container that runs, not in a new one.
        reuse: bool,
        /// How it is attached.
        attach: Attach,
    },
    /// Shows their logs.
    Logs(LogLines),
    /// Pulls their images.
    PullImage,
    /// Removes all there is of them.
    Remove,
    /// Removes the stopped container.
    RemoveContainer,
    /// Removes the image.
    RemoveImage,
    /// Removes the folder with their files and data.
    RemoveServiceDirectory,
    /// Reboots them for Kamal 2.
    Upgrade {
        /// One host after another.
        rolling: bool,
    },
}

impl Accessory {
    /// A command about an accessory, or all of them.
    ///
    /// # Errors
    ///
    /// When there is none of that name.
    pub fn new(config: &Config, name: &str, task: AccessoryTask) -> Result<Self, Error> {
        let all = config.accessories.iter().map(|accessory| accessory.name.clone());
        let names = if name == "all" { all.collect() } else { vec![name.to_owned()] };
        let accessory = Self { names, task };
        accessory.check(config)?;
        Ok(accessory)
    }

    /// Fails unless the configuration has them all.
    pub(super) fn check(&self, config: &Config) -> Result<(), Error> {
        let known = || config.accessories.iter().map(|accessory| accessory.name.clone());
        match self.names.iter().find(|name| !known().any(|known| known == **name)) {
            Some(name) => Err(Error::NoAccessory { name: name.clone(), known: known().collect() }),
            None => Ok(()),
        }
    }

    pub(super) fn row(&self) -> Row {
        let locks = |subcommand| Row::locks("accessory", subcommand, Scope::Accessories);
        match &self.task {
            AccessoryTask::Boot => locks("boot"),
            AccessoryTask::Upload => locks("upload"),
            AccessoryTask::Directories => locks("directories"),
            AccessoryTask::Reboot => locks("reboot"),
            AccessoryTask::Start => locks("start"),
            AccessoryTask::Stop => locks("stop"),
            AccessoryTask::Restart => locks("restart"),
            AccessoryTask::Details => Row::asks("accessory", "details", Scope::Accessories),
            AccessoryTask::Exec { .. } => Row::changes("accessory", "exec", Scope::Accessories),
            AccessoryTask::Logs(_) => Row::asks("accessory", "logs", Scope::Accessories),
            AccessoryTask::PullImage => locks("pull_image"),
            AccessoryTask::Remove => locks("remove"),
            AccessoryTask::RemoveContainer => locks("remove_container"),
            AccessoryTask::RemoveImage => locks("remove_image"),
            AccessoryTask::RemoveServiceDirectory => locks("remove_service_directory"),
            AccessoryTask::Upgrade { .. } => locks("upgrade"),
        }
    }

    pub(super) fn question(&self) -> Option<String> {
        let names = self.names.join(", ");
        match self.task {
            AccessoryTask::Remove => {
                Some(format!("This will remove all containers, images and data directories for {names}. Are you sure?"))
            }
            AccessoryTask::Upgrade { .. } => Some(format!("This will restart the accessories {names}. Are you sure?")),
            _ => None,
        }
    }

    pub(super) fn hosts(&self, config: &Config, targets: &Targets) -> Vec<HostName> {
        let accessories = self.of(config);
        let on = |host: &&HostName| accessories.iter().any(|accessory| accessory.hosts.contains(host));
        targets.hosts.iter().filter(on).cloned().collect()
    }

    fn hosts_of(&self, facts: &Facts<'_>) -> Vec<HostName> {
        self.hosts(facts.config, facts.targets)
    }

    pub(super) fn uploads(&self) -> bool {
        matches!(
            self.task,
            AccessoryTask::Boot | AccessoryTask::Reboot | AccessoryTask::Upload | AccessoryTask::Upgrade { .. }
        )
    }

    /// Those of a configuration.
    pub(super) fn of<'c>(&self, config: &'c Config) -> Vec<&'c model::Accessory> {
        let named = |accessory: &&model::Accessory| self.names.contains(&accessory.name);
        config.accessories.iter().filter(named).collect()
    }

    pub(super) fn needs(&self, config: &Config, needs: &mut Needs) {
        let pulls = match self.task {
            AccessoryTask::Exec { reuse, .. } => !reuse,
            AccessoryTask::PullImage => true,
            _ => self.uploads(),
        };
        for accessory in self.of(config).into_iter().filter(|_| pulls) {
            needs.login_of(config, accessory);
        }
    }

    pub(super) fn draft(&self, facts: &Facts<'_>) -> Result<Draft, Error> {
        let each = |steps: fn(&AccessorySteps<'_>, &HostState) -> Vec<Step>| {
            Draft::hosts(self.on_hosts(facts, &self.hosts_of(facts), &steps))
        };
        Ok(match &self.task {
            AccessoryTask::Boot => self.boot(facts),
            AccessoryTask::Upload => each(|steps, _| steps.uploads()),
            AccessoryTask::Directories => each(|steps, _| steps.directories()),
            AccessoryTask::Reboot => Draft::of(self.reboot(facts, &self.hosts_of(facts))),
            AccessoryTask::Start => each(|steps, _| start(steps)),
            AccessoryTask::Stop => each(|steps, _| steps.stop()),
            AccessoryTask::Restart => each(|steps, _| [steps.stop(), start(steps)].concat()),
            AccessoryTask::Details => Draft::asking(details(facts, &self.of(facts.config))),
            AccessoryTask::Exec { command, reuse, attach } => self.exec(facts, command, *reuse, *attach)?,
            AccessoryTask::Logs(lines) => self.logs(facts, lines)?,
            AccessoryTask::PullImage => each(|steps, _| [Vec::from_iter(steps.login()), steps.pull()].concat()),
            AccessoryTask::Remove => each(|steps, _| remove(steps)),
            AccessoryTask::RemoveContainer => each(|steps, _| steps.remove_container()),
            AccessoryTask::RemoveImage => each(|steps, _| steps.remove_image()),
            AccessoryTask::RemoveServiceDirectory => each(|steps, _| vec![directory(steps)]),
            AccessoryTask::Upgrade { rolling } => Draft::of(self.upgrade(facts, *rolling)),
        })
    }

    /// Steps for every accessory on every one of the hosts it runs on.
    fn on_hosts(
        &self,
        facts: &Facts<'_>,
        hosts: &[HostName],
        steps: &dyn Fn(&AccessorySteps<'_>, &HostState) -> Vec<Step>,
    ) -> Vec<HostWork> {
        let of = |state: &HostState| {
            let here = self.of(facts.config).into_iter().filter(|accessory| accessory.hosts.contains(&state.host));
            here.flat_map(|accessory| steps(&of(facts, accessory), state)).collect()
        };
        let states = hosts.iter().filter_map(|host| facts.state(host));
        states.map(|state| HostWork { host: state.host.clone(), steps: of(state) }).collect()
    }

    fn boot(&self, facts: &Facts<'_>) -> Draft {
        let mut notes = Vec::new();
        let accessories = self.of(facts.config);
        for accessory in &accessories {
            let there = |state: &&HostState| accessory.hosts.contains(&state.host) && has(state, accessory);
            let mut hosts: Vec<&str> = facts.states.iter().filter(there).map(|state| state.host.as_str()).collect();
            hosts.sort_unstable();
            if !hosts.is_empty() {
                let (name, hosts) = (&accessory.name, hosts.join(", "));
                notes.push(format!("Skipping booting `{name}` on {hosts}, a container already exists"));
            }
        }
        let missing = |steps: &AccessorySteps<'_>, state: &HostState| {
            if has(state, steps.accessory) { Vec::new() } else { boot(steps, state) }
        };
        notes.extend(open_to_the_world(accessories));
        Draft { notes, ..Draft::hosts(self.on_hosts(facts, &self.hosts_of(facts), &missing)) }
    }

    /// Puts new containers in the place of the old ones. Images are pulled before anything stops.
    fn reboot(&self, facts: &Facts<'_>, hosts: &[HostName]) -> [Stage; 2] {
        let pulls = |steps: &AccessorySteps<'_>, _: &HostState| [Vec::from_iter(steps.login()), steps.pull()].concat();
        let swaps = |steps: &AccessorySteps<'_>, state: &HostState| {
            [steps.stop(), steps.remove_container(), boot(steps, state)].concat()
        };
        [
            Stage::hosts(Kind::Fetch, self.on_hosts(facts, hosts, &pulls)),
            Stage::hosts(Kind::Change, self.on_hosts(facts, hosts, &swaps)),
        ]
    }

    /// Reboots them, all hosts at once or one after another.
    pub(super) fn upgrade(&self, facts: &Facts<'_>, rolling: bool) -> Vec<Stage> {
        let hosts = self.hosts_of(facts);
        let mut stages = Vec::new();
        for group in hosts.chunks(if rolling { 1 } else { hosts.len().max(1) }) {
            let on = group.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
            let [pull, swap] = self.reboot(facts, group);
            stages.extend([pull.saying(format!("Upgrading {} accessories on {on}...", self.names.join(", "))), swap]);
        }
        stages
    }

    fn exec(&self, facts: &Facts<'_>, command: &CommandLine, reuse: bool, attach: Attach) -> Result<Draft, Error> {
        let query = |accessory: &model::Accessory| {
            let (steps, command) = (of(facts, accessory), command.clone());
            if reuse {
                return Query::ExecReuse { container: steps.container(), command, env: Vec::new(), attach };
            }
            Query::ExecAccessory { accessory: accessory.name.clone(), volumes: steps.volumes(), command, attach }
        };
        let (accessories, hosts) = (self.of(facts.config), self.hosts_of(facts));
        let mut questions: Vec<Question> =
            accessories.iter().flat_map(|accessory| facts.ask(&hosts, "App", &query(accessory))).collect();
        let place = if reuse { "existing container" } else { "new container" };
        let login = |accessory: &model::Accessory| of(facts, accessory).login();
        let logins = || -> Vec<Step> { accessories.iter().copied().filter(|_| !reuse).filter_map(login).collect() };
        if matches!(attach, Attach::Input | Attach::Terminal) {
            questions.truncate(1);
            let Some(question) = questions.pop() else { return Err(nowhere(self)) };
            let say = format!("Launching interactive command via SSH from {place} on {}...", question.host);
            let login = facts.everywhere(std::slice::from_ref(&question.host), |_| logins());
            let notes = facts.chosen(&question.host, &hosts, None);
            let attached = Stage::new(Kind::Change, Work::Attach(Box::new(question))).saying(say);
            return Ok(Draft { notes, ..Draft::of([Stage::hosts(Kind::Prepare, login), attached]) });
        }
        let notes = |_: &HostName| {
            let text = format!("Executed cmd '{command}' on NAME accessory");
            let noted = accessories.iter().map(|accessory| of(facts, accessory).audit(&text));
            logins().into_iter().chain(noted).collect()
        };
        let prepare = Stage::hosts(Kind::Prepare, facts.everywhere(&hosts, notes));
        let ask = Stage::new(Kind::Change, Work::Ask(questions));
        Ok(Draft::of([prepare.saying(format!("Launching command from {place}...")), ask]))
    }

    fn logs(&self, facts: &Facts<'_>, lines: &LogLines) -> Result<Draft, Error> {
        let lines = lines.clone().with_default();
        let (accessories, hosts) = (self.of(facts.config), self.hosts_of(facts));
        let query =
            |accessory: &model::Accessory| Query::Logs { container: accessory.service.clone(), lines: lines.clone() };
        let mut questions: Vec<Question> =
            accessories.iter().flat_map(|accessory| facts.ask(&hosts, "", &query(accessory))).collect();
        if !lines.follow {
            return Ok(Draft::asking(questions));
        }
        questions.truncate(1);
        let Some(question) = questions.pop() else { return Err(nowhere(self)) };
        let say = format!("Following logs on {}...", question.host);
        let notes = facts.chosen(&question.host, &hosts, None);
        Ok(Draft { notes, ..Draft::of([Stage::new(Kind::Look, Work::Attach(Box::new(question))).saying(say)]) })
    }
}

fn of<'f>(facts: &'f Facts<'_>, accessory: &'f model::Accessory) -> AccessorySteps<'f> {
    AccessorySteps { config: facts.config, accessory, files: &facts.inputs.accessory_files }
}

fn has(state: &HostState, accessory: &model::Accessory) -> bool {
    state.accessory(&accessory.service).is_some()
}

/// The steps that start an accessory where there is nothing of it.
fn boot(steps: &AccessorySteps<'_>, state: &HostState) -> Vec<Step> {
    let mut all: Vec<Step> = steps.login().into_iter().collect();
    if !state.network {
        all.push(create_network(steps.config));
    }
    all.extend(steps.directories());
    all.extend(steps.uploads());
    all.extend(steps.start(&state.host));
    all
}

fn start(steps: &AccessorySteps<'_>) -> Vec<Step> {
    let container = steps.container();
    let mut all = vec![steps.audit("Started NAME accessory"), Step::StartExisting { container, tolerant: false }];
    all.extend(steps.route());
    all
}

pub(super) fn remove(steps: &AccessorySteps<'_>) -> Vec<Step> {
    let env_file = naming::accessory_env_file(steps.config, &steps.accessory.name);
    let mut all = [steps.stop(), steps.remove_container(), steps.remove_image()].concat();
    all.extend([directory(steps), Step::Remove { path: env_file }]);
    all
}

fn directory(steps: &AccessorySteps<'_>) -> Step {
    Step::Remove { path: steps.accessory.service.clone() }
}

/// The steps that start the accessories a host lacks.
pub(super) fn missing(facts: &Facts<'_>, state: &HostState) -> Vec<Step> {
    let lacks = |accessory: &&model::Accessory| accessory.hosts.contains(&state.host) && !has(state, accessory);
    let lacking = facts.config.accessories.iter().filter(lacks);
    // Whoever boots it sees to the network as well.
    lacking.flat_map(|accessory| boot(&of(facts, accessory), &HostState { network: true, ..state.clone() })).collect()
}

/// The steps that remove all accessories of a host.
pub(super) fn removal(facts: &Facts<'_>, state: &HostState) -> Vec<Step> {
    let here = facts.config.accessories.iter().filter(|accessory| accessory.hosts.contains(&state.host));
    here.flat_map(|accessory| remove(&of(facts, accessory))).collect()
}

/// Where accessories that run are not what the configuration says.
pub(super) fn drift(facts: &Facts<'_>) -> Vec<String> {
    let mut notes = open_to_the_world(&facts.config.accessories);
    for accessory in &facts.config.accessories {
        for state in facts.states.iter().filter(|state| accessory.hosts.contains(&state.host)) {
            let Some(found) = state.accessory(&accessory.service) else { continue };
            if !same_image(&found.image, &accessory.image) {
                notes.push(format!(
                    "{} on {} runs {}, deploy.yml says {}; `kamal accessory reboot {}` applies it.",
                    accessory.service, state.host, found.image, accessory.image, accessory.name
                ));
            }
        }
    }
    notes
}

/// Ports that are published on every address of the host, past most firewalls.
fn open_to_the_world<'c>(accessories: impl IntoIterator<Item = &'c model::Accessory>) -> Vec<String> {
    let open =
        |accessory: &&model::Accessory| accessory.port.as_ref().is_some_and(|port| port.matches(':').count() < 2);
    let note = |accessory: &model::Accessory| {
        let port = accessory.port.as_deref().unwrap_or_default();
        format!(
            "accessories/{}/port: {port} is open to the world, past most firewalls; write \"127.0.0.1:{port}\" if only the host needs it.",
            accessory.name
        )
    };
    accessories.into_iter().filter(open).map(note).collect()
}

/// A question to each of the hosts of some accessories.
pub(super) fn details(facts: &Facts<'_>, accessories: &[&model::Accessory]) -> Vec<Question> {
    let of = |accessory: &&model::Accessory| {
        let hosts: Vec<HostName> =
            facts.targets.hosts.iter().filter(|host| accessory.hosts.contains(host)).cloned().collect();
        let query = Query::AccessoryDetails { service: accessory.service.clone() };
        facts.ask(&hosts, &format!("Accessory {}", accessory.name), &query)
    };
    accessories.iter().flat_map(of).collect()
}

fn nowhere(accessory: &Accessory) -> Error {
    Error::NotOnSelected { names: accessory.names.join(", ") }
}
