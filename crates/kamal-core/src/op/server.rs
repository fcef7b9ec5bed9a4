//! `server` (spec 9.1): the hosts themselves.

use serde::{Deserialize, Serialize};

use super::{Facts, Row, Scope, cluster, facts::audit};
use crate::{
    command_line::CommandLine,
    error::Error,
    name::HostName,
    plan::{Draft, Kind, Question, Stage, Work},
    query::Query,
    step::Step,
};

/// A server command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Server {
    /// Installs Docker where it is missing.
    Bootstrap,
    /// Joins the hosts by Docker's swarm.
    Join,
    /// Takes hosts out of the swarm.
    Leave,
    /// Runs a command on the hosts.
    Exec {
        /// The command; a shell where there is none, which only makes sense with a terminal.
        command: Option<CommandLine>,
        /// On the primary host, with the caller's input.
        interactive: bool,
    },
}

impl Server {
    pub(super) fn row(&self) -> Row {
        match self {
            Self::Bootstrap => Row { docker: false, ..Row::locks("server", "bootstrap", Scope::All) },
            Self::Join => Row::locks("server", "join", Scope::Everybody),
            Self::Leave => Row::locks("server", "leave", Scope::Everybody),
            Self::Exec { .. } => Row::changes("server", "exec", Scope::All),
        }
    }

    /// Whether it leads proxies to containers that are there.
    pub(super) fn switches(&self) -> bool {
        matches!(self, Self::Join | Self::Leave)
    }

    pub(super) fn draft(&self, facts: &Facts<'_>) -> Result<Draft, Error> {
        match self {
            Self::Bootstrap => {
                let mut stages = vec![install_docker(facts)];
                stages.extend(facts.hook("docker-setup", None));
                Ok(Draft::of(stages))
            }
            Self::Join => cluster::join(facts),
            Self::Leave => cluster::leave(facts),
            Self::Exec { command, interactive } => exec(facts, command.as_ref(), *interactive),
        }
    }
}

/// Installs Docker where none answers.
pub(super) fn install_docker(facts: &Facts<'_>) -> Stage {
    let missing = facts.states_of(&facts.targets.hosts).filter(|state| !state.docker);
    let hosts: Vec<HostName> = missing.map(|state| state.host.clone()).collect();
    let stage = Stage::hosts(Kind::Bootstrap, facts.everywhere(&hosts, |_| vec![Step::InstallDocker]));
    hosts.iter().fold(stage, |stage, host| stage.saying(format!("Missing Docker on {host}. Installing…")))
}

fn exec(facts: &Facts<'_>, command: Option<&CommandLine>, interactive: bool) -> Result<Draft, Error> {
    let query = Query::Shell { command: command.cloned() };
    let text = command.map(ToString::to_string).unwrap_or_default();
    if interactive {
        let host = facts.primary_host()?.clone();
        let say = format!("Running '{text}' on {host} interactively...");
        let question = Question { host, heading: "App".to_owned(), query };
        let notes = facts.chosen(&question.host, &facts.targets.hosts, None);
        let attach = Stage::new(Kind::Change, Work::Attach(Box::new(question))).saying(say);
        return Ok(Draft { notes, ..Draft::of([attach]) });
    }
    if command.is_none() {
        return Err(Error::Usage("No command provided. You must specify a command to execute.".to_owned()));
    }
    let hosts = &facts.targets.hosts;
    let names = hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
    let notes = facts.everywhere(hosts, |host| vec![audit(format!("Executed cmd '{text}' on {host}"), None)]);
    Ok(Draft::of([
        Stage::hosts(Kind::Prepare, notes).saying(format!("Running '{text}' on {names}...")),
        Stage::new(Kind::Change, Work::Ask(facts.ask(hosts, "App", &query))),
    ]))
}
