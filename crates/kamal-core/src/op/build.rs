//! `build` (spec 9.4): images, on the local machine and on their way to hosts.

use serde::{Deserialize, Serialize};

use super::{Deploy, Facts, Row, Scope, deploy::delivery, relay};
use crate::{
    build::BuildTask,
    config::Config,
    error::Error,
    plan::{Draft, Kind, Stage, Work},
    run::Needs,
};

/// A build command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Build {
    /// Builds, and hands the image to the registry or elsewhere.
    Push {
        /// Builds every layer anew.
        no_cache: bool,
        /// What buildx does with the result.
        output: String,
    },
    /// Brings the version's image to every app host.
    Pull,
    /// Both.
    Deliver(Deploy),
    /// Creates the builder.
    Create,
    /// Removes the builder.
    Remove,
    /// Tells about the builder.
    Details,
    /// Builds from the work tree as it is.
    Dev {
        /// Builds every layer anew.
        no_cache: bool,
        /// What buildx does with the result.
        output: String,
    },
}

impl Build {
    pub(super) fn row(&self) -> Row {
        match self {
            Self::Push { .. } => Row::changes("build", "push", Scope::HereConnecting).of_version(),
            Self::Pull => {
                Row { observes: true, docker: true, ..Row::changes("build", "pull", Scope::App) }.of_version()
            }
            Self::Deliver(_) => {
                Row { observes: true, docker: true, ..Row::changes("build", "deliver", Scope::App) }.of_version()
            }
            Self::Create => Row::changes("build", "create", Scope::Here),
            Self::Remove => Row::changes("build", "remove", Scope::Here),
            Self::Details => Row::asks("build", "details", Scope::Here),
            Self::Dev { .. } => Row::changes("build", "dev", Scope::Here).of_version(),
        }
    }

    pub(super) fn needs(&self, config: &Config, needs: &mut Needs) {
        if matches!(self, Self::Push { .. } | Self::Pull | Self::Deliver(_)) {
            needs.registry(config);
        }
        if matches!(self, Self::Push { .. } | Self::Deliver(_) | Self::Dev { .. }) {
            needs.build(config);
        }
    }

    pub(super) fn draft(&self, facts: &Facts<'_>) -> Result<Draft, Error> {
        let here = |task| Stage::new(Kind::Build, Work::Build(task));
        let push = |task| facts.hook("pre-build", None).into_iter().chain([here(task)]);
        let task =
            |kind: fn(bool, String) -> BuildTask, no_cache: &bool, output: &String| kind(*no_cache, output.clone());
        let version = facts.version();
        let mut draft = match self {
            Self::Push { no_cache, output } => {
                Draft::of(push(task(|no_cache, output| BuildTask::Push { no_cache, output }, no_cache, output)))
            }
            Self::Dev { no_cache, output } => {
                Draft::of([here(task(|no_cache, output| BuildTask::Dev { no_cache, output }, no_cache, output))])
            }
            Self::Pull => Draft::of([delivery(facts, facts.version()?, false)]),
            Self::Deliver(deploy) => Draft::of(push(deploy.task()).chain([delivery(facts, facts.version()?, true)])),
            Self::Create => Draft::of([Stage::new(Kind::Change, Work::Build(BuildTask::CreateBuilder))]),
            Self::Remove => Draft::of([Stage::new(Kind::Change, Work::Build(BuildTask::RemoveBuilder))]),
            Self::Details => Draft::of([Stage::new(Kind::Look, Work::Build(BuildTask::Details))]),
        };
        if matches!(self, Self::Pull | Self::Deliver(_)) {
            draft.notes.extend(relay::note(facts));
        }
        if self.row().version {
            draft.version = Some(version?.clone());
        }
        Ok(draft)
    }
}
