//! `registry` (spec 9.2): logins of the local docker and the hosts'.

use serde::{Deserialize, Serialize};

use super::{Facts, Row, Scope};
use crate::{
    build::BuildTask,
    error::Error,
    plan::{Draft, Kind, KnownAnswer, Stage, Work},
    step::Step,
};

/// A registry command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// What is done.
    pub task: RegistryTask,
    /// Not on the local machine.
    pub skip_local: bool,
    /// Not on the hosts.
    pub skip_remote: bool,
}

/// What is done about logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RegistryTask {
    /// Makes sure that images can be pushed and pulled.
    Setup,
    /// Logs in.
    Login,
    /// Takes back what setup did.
    Remove,
    /// Logs out.
    Logout,
}

impl Registry {
    pub(super) fn row(self) -> Row {
        let subcommand = match self.task {
            RegistryTask::Setup => "setup",
            RegistryTask::Login => "login",
            RegistryTask::Remove => "remove",
            RegistryTask::Logout => "logout",
        };
        Row::changes("registry", subcommand, if self.skip_remote { Scope::Here } else { Scope::All })
    }

    /// True for the two that log in.
    pub(super) fn logs_in(self) -> bool {
        matches!(self.task, RegistryTask::Setup | RegistryTask::Login)
    }

    pub(super) fn draft(self, facts: &Facts<'_>) -> Result<Draft, Error> {
        if let Some(port) = facts.config.registry.local_port() {
            return self.local(port);
        }
        let mut stages = Vec::new();
        if !self.skip_local {
            let task = if self.logs_in() { BuildTask::Login } else { BuildTask::Logout };
            stages.push(Stage::new(Kind::Change, Work::Build(task)));
        }
        if !self.skip_remote {
            let steps = |_: &_| if self.logs_in() { facts.login() } else { log_out(facts) };
            stages.push(Stage::hosts(Kind::Change, facts.everywhere(&facts.targets.hosts, steps)));
        }
        Ok(Draft::of(stages))
    }

    /// Nobody logs in to the registry on this machine, and it is there when it is needed.
    fn local(self, port: u16) -> Result<Draft, Error> {
        let say = |text: String| {
            Ok(Draft::of([Stage::new(
                Kind::Look,
                Work::Tell(vec![KnownAnswer { host: None, heading: String::new(), text }]),
            )]))
        };
        let instead = |login, setup| {
            let text =
                format!("Cannot use {login} command with a local registry. Use `kamal registry {setup}` instead.");
            Err(Error::Usage(text))
        };
        match self.task {
            RegistryTask::Login => instead("login", "setup"),
            RegistryTask::Logout => instead("logout", "remove"),
            RegistryTask::Setup => say(format!(
                "There is nothing to set up: the registry on this machine serves localhost:{port} while images are built and \
                 delivered."
            )),
            RegistryTask::Remove => say(
                "There is nothing to remove: the registry on this machine is served only while images are built and delivered. \
                 What it keeps goes with `kamal registry gc`."
                    .to_owned(),
            ),
        }
    }
}

/// The opposite of a login.
pub(super) fn log_out(facts: &Facts<'_>) -> Vec<Step> {
    let registry = facts.config.registry.clone();
    if facts.login().is_empty() { Vec::new() } else { vec![Step::Logout { registry }] }
}
