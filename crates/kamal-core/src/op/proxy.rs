//! `proxy` (spec 9.5): the container all of a host's apps are served by.

use serde::{Deserialize, Serialize};

use super::{Facts, Row, Scope, facts::audit, proxy_version};
use crate::{
    error::Error,
    name::HostName,
    naming,
    plan::{
        Draft, HostWork, Kind, KnownAnswer, Stage, Work,
        cluster::{connect_proxy, reaching_others},
        create_network, ensure_proxy, proxy_container,
    },
    query::{LogLines, Query},
    state::HostState,
    step::Step,
};

/// A proxy command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Proxy {
    /// Starts the proxy where it is missing, with the network.
    Boot,
    /// Kamal's legacy files that say how the proxy is started.
    BootConfig(BootConfig),
    /// Puts a new container in the place of the old one.
    Reboot {
        /// One host after another.
        rolling: bool,
    },
    /// Replaces Traefik, and boots the app anew.
    Upgrade {
        /// One host after another.
        rolling: bool,
    },
    /// Starts the container that is there.
    Start,
    /// Stops the container.
    Stop,
    /// Stops and starts the container.
    Restart,
    /// Lists the container.
    Details,
    /// Lists what it serves.
    List,
    /// Shows its log.
    Logs(LogLines),
    /// Removes container, image and folder.
    Remove {
        /// Even where other apps are served.
        force: bool,
    },
    /// Removes the stopped container.
    RemoveContainer,
    /// Removes the image.
    RemoveImage,
    /// Removes the folder.
    RemoveDirectory,
}

/// What is done about Kamal's legacy files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BootConfig {
    /// Writes them; those that say what holds anyway are removed.
    Set {
        /// Options for `docker run`.
        options: String,
        /// The image, without its tag.
        image: String,
        /// The image's tag.
        version: String,
        /// The command in the container; nothing for the image's own.
        command: String,
    },
    /// Shows what they come to.
    Get,
    /// Removes them.
    Reset,
}

impl Proxy {
    pub(super) fn row(&self) -> Row {
        let locks = |subcommand| Row::locks("proxy", subcommand, Scope::Proxy);
        match self {
            Self::Boot => Row::locks("proxy", "boot", Scope::All),
            Self::BootConfig(BootConfig::Get) => Row::asks("proxy", "boot_config", Scope::Proxy),
            Self::BootConfig(_) => Row::changes("proxy", "boot_config", Scope::Proxy),
            Self::Reboot { .. } => locks("reboot"),
            Self::Upgrade { .. } => Row::locks("proxy", "upgrade", Scope::All),
            Self::Start => locks("start"),
            Self::Stop => locks("stop"),
            Self::Restart => locks("restart"),
            Self::Details => Row::asks("proxy", "details", Scope::Proxy),
            Self::List => Row::asks("proxy", "list", Scope::Proxy),
            Self::Logs(_) => Row::asks("proxy", "logs", Scope::Proxy),
            Self::Remove { .. } => locks("remove"),
            Self::RemoveContainer => locks("remove_container"),
            Self::RemoveImage => locks("remove_image"),
            Self::RemoveDirectory => locks("remove_proxy_directory"),
        }
    }

    pub(super) fn draft(&self, facts: &Facts<'_>) -> Result<Draft, Error> {
        let hosts = &facts.targets.proxy_hosts;
        let all = |steps: Vec<Step>| Draft::hosts(facts.everywhere(hosts, |_| steps.clone()));
        let start = [audit("Started proxy", None), Step::StartProxy];
        let stop = [audit("Stopped proxy", None), Step::StopProxy];
        Ok(match self {
            Self::Boot => {
                proxy_version::check(facts)?;
                let steps =
                    |state: &HostState| ensure_proxy(facts.config, facts.targets, state, facts.proxy_image(state));
                let works = facts.states_of(&facts.targets.hosts);
                let works = works.map(|state| HostWork { host: state.host.clone(), steps: steps(state) }).collect();
                Draft { notes: hidden_overlays(facts), ..Draft::hosts(works) }
            }
            Self::BootConfig(BootConfig::Get) => Draft::asking(facts.ask(hosts, "Host", &Query::ProxyBootConfig)),
            Self::BootConfig(config) => all(files(config)),
            Self::Reboot { rolling } => Draft::of(reboot(facts, *rolling)),
            Self::Upgrade { rolling } => super::upgrade::proxy(facts, *rolling)?,
            Self::Start => all(start.into()),
            Self::Stop => all(stop.into()),
            Self::Restart => all(stop.into_iter().chain(start).collect()),
            Self::Details => Draft::asking(facts.ask(hosts, "Proxy", &Query::ProxyDetails)),
            Self::List => Draft::asking(facts.ask(hosts, "Proxy", &Query::ProxyRoutes)),
            Self::Logs(lines) => return logs(facts, lines),
            Self::Remove { force } => remove(facts, *force),
            Self::RemoveContainer => all(remove_container()),
            Self::RemoveImage => all(remove_image()),
            Self::RemoveDirectory => all(vec![directory()]),
        })
    }
}

/// Hosts on which containers of other hosts cannot be reached, though somebody may have meant them to be.
pub(super) fn hidden_overlays(facts: &Facts<'_>) -> Vec<String> {
    if facts.config.cluster.is_some() {
        return Vec::new();
    }
    let name = naming::NETWORK;
    let note = |state: &HostState| {
        format!(
            "{} is a worker of a swarm and has a network {name} of its own, which hides an overlay network of that name, if \
             there is one.",
            state.host
        )
    };
    facts.states.iter().filter(|state| state.hides_overlay).map(note).collect()
}

/// Groups of hosts, each with its hooks around it.
fn reboot(facts: &Facts<'_>, rolling: bool) -> Vec<Stage> {
    let hosts = &facts.targets.proxy_hosts;
    let mut stages = Vec::new();
    for group in hosts.chunks(if rolling { 1 } else { hosts.len().max(1) }) {
        stages.extend(facts.hook("pre-proxy-reboot", Some(group)));
        let works =
            facts.states_of(group).map(|state| HostWork { host: state.host.clone(), steps: replace(facts, state) });
        stages.push(Stage::hosts(Kind::Change, works.collect()));
        stages.extend(facts.hook("post-proxy-reboot", Some(group)));
    }
    stages
}

/// The steps that give a host a new container for its proxy.
pub(super) fn replace(facts: &Facts<'_>, state: &HostState) -> Vec<Step> {
    let mut steps = vec![audit("Rebooted proxy", None)];
    if !state.network {
        steps.push(create_network(facts.config));
    }
    let spec = proxy_container(facts.config, &state.host, facts.proxy_image(state));
    steps.push(Step::ReplaceProxy(Box::new(spec)));
    steps.extend(reaching_others(facts.config).map(|cluster| connect_proxy(cluster, &state.host)));
    steps
}

fn remove_container() -> Vec<Step> {
    vec![audit("Removed proxy container", None), Step::RemoveProxy]
}

fn remove_image() -> Vec<Step> {
    vec![audit("Removed proxy image", None), Step::RemoveProxyImage]
}

fn directory() -> Step {
    Step::Remove { path: format!("{}/proxy", naming::RUN_DIRECTORY) }
}

/// Everything of the proxy's goes.
pub(super) fn removal() -> Vec<Step> {
    let mut steps = vec![audit("Stopped proxy", None), Step::StopProxy];
    steps.extend(remove_container());
    steps.extend(remove_image());
    steps.push(directory());
    steps
}

/// What is said where other apps are served.
pub(super) const OTHERS: &str =
    "Not removing the proxy, as other apps are installed, ignore this check with kamal proxy remove --force";

fn remove(facts: &Facts<'_>, force: bool) -> Draft {
    let others = facts.states_of(&facts.targets.proxy_hosts).any(|state| !state.apps.is_empty());
    let tell = |text: &str| {
        Stage::new(
            Kind::Look,
            Work::Tell(vec![KnownAnswer { host: None, heading: String::new(), text: text.to_owned() }]),
        )
    };
    if others && !force {
        return Draft::of([tell(OTHERS)]);
    }
    let stage = Stage::hosts(Kind::Change, facts.everywhere(&facts.targets.proxy_hosts, |_| removal()));
    let forced = "Forcing, so removing the proxy, even though other apps are installed";
    Draft::of([if others { stage.saying(forced) } else { stage }])
}

fn logs(facts: &Facts<'_>, lines: &LogLines) -> Result<Draft, Error> {
    let lines = lines.clone().with_default();
    let follow = lines.follow;
    let query = Query::Logs { container: naming::PROXY_CONTAINER.to_owned(), lines };
    if !follow {
        return Ok(Draft::asking(facts.ask(&facts.targets.proxy_hosts, "Proxy", &query)));
    }
    let host: &HostName = facts.primary_host()?;
    let question = facts.ask(std::slice::from_ref(host), "Proxy", &query).remove(0);
    let say = format!("Following logs on {host}...");
    let notes = facts.chosen(host, &facts.targets.proxy_hosts, None);
    Ok(Draft { notes, ..Draft::of([Stage::new(Kind::Look, Work::Attach(Box::new(question))).saying(say)]) })
}

/// A file for each part; one that would say what holds anyway is removed.
fn files(config: &BootConfig) -> Vec<Step> {
    let (repository, version) = (naming::PROXY_REPOSITORY, naming::PROXY_MINIMUM_VERSION);
    let wanted = match config {
        BootConfig::Set { options, image, version, command } => {
            [options.as_str(), image.as_str(), version.as_str(), command.as_str()]
        }
        BootConfig::Get | BootConfig::Reset => [naming::PROXY_DEFAULT_OPTIONS, repository, version, ""],
    };
    let defaults = [naming::PROXY_DEFAULT_OPTIONS, repository, version, ""];
    let names = ["options", "image", "image_version", "run_command"];
    let file = |((name, wanted), default): ((&str, &str), &str)| {
        let path = format!("{}/proxy/{name}", naming::RUN_DIRECTORY);
        if wanted == default {
            return Step::Remove { path };
        }
        Step::WriteFile { path, content: wanted.as_bytes().to_vec().into(), mode: 0o640 }
    };
    names.into_iter().zip(wanted).zip(defaults).map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_anyway_needs_no_file() {
        let set = BootConfig::Set {
            options: "--publish 8080:80".into(),
            image: naming::PROXY_REPOSITORY.into(),
            version: naming::PROXY_MINIMUM_VERSION.into(),
            command: String::new(),
        };
        let said: Vec<String> = files(&set).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "write .kamal/proxy/options (mode 0640)",
                "remove .kamal/proxy/image",
                "remove .kamal/proxy/image_version",
                "remove .kamal/proxy/run_command"
            ]
        );
        assert!(files(&BootConfig::Reset).iter().all(|step| matches!(step, Step::Remove { .. })));
    }
}
