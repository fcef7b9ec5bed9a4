//! `prune` (spec 9.9): stopped containers and images nobody uses.

use serde::{Deserialize, Serialize};

use super::{Facts, Row, Scope, facts::audit};
use crate::{config::Config, error::Error, naming, plan::Draft, step::Step};

/// What is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Prune {
    /// Containers and images.
    All,
    /// Stopped containers.
    Containers {
        /// How many stay; as many as configured where none are given.
        retain: Option<u32>,
    },
    /// Unused images.
    Images,
}

impl Prune {
    pub(super) fn row(self) -> Row {
        match self {
            Self::All => Row::locks("prune", "all", Scope::All),
            Self::Containers { .. } => Row::locks("prune", "containers", Scope::All),
            Self::Images => Row::locks("prune", "images", Scope::All),
        }
    }

    /// Whether it would leave anything.
    pub(super) fn check(self) -> Result<(), Error> {
        match self {
            Self::Containers { retain: Some(0) } => Err(Error::Usage("retain must be at least 1".to_owned())),
            _ => Ok(()),
        }
    }

    pub(super) fn draft(self, facts: &Facts<'_>) -> Result<Draft, Error> {
        let steps = |_: &_| match self {
            Self::All => all(facts),
            Self::Containers { retain } => containers(facts, retain.unwrap_or(facts.config.retain_containers)).into(),
            Self::Images => images(facts).into(),
        };
        Ok(Draft::hosts(facts.everywhere(&facts.targets.hosts, steps)))
    }
}

/// Containers, then images.
pub(super) fn all(facts: &Facts<'_>) -> Vec<Step> {
    let containers = containers(facts, facts.config.retain_containers);
    containers.into_iter().chain(images(facts)).collect()
}

fn containers(facts: &Facts<'_>, retain: u32) -> [Step; 2] {
    let (service, destination) = (facts.config.service.clone(), facts.config.destination.clone());
    [audit("Pruned containers", None), Step::PruneContainers { service, destination, retain }]
}

fn images(facts: &Facts<'_>) -> [Step; 2] {
    [audit("Pruned images", None), prune_images(facts.config)]
}

/// Removes images no container was made from.
pub(crate) fn prune_images(config: &Config) -> Step {
    let latest = naming::image(config, &crate::name::Version::of_checked("latest"));
    Step::PruneImages { service: config.service.clone(), latest }
}
