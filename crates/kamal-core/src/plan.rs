//! What will be done, as data: stages of steps per host. It prints (that is a dry run), serialises, has a digest, and
//! the runner follows it to the letter.

mod accessory;
mod boot;
mod deploy;
mod digest;
mod print;

use serde::Serialize;

pub use accessory::AccessoryFile;
pub use boot::logging;
pub use boot::{Hooks, Placement};
pub(crate) use boot::{proxy_container, route_to, stop_timeout};
pub use deploy::{Intent, Verb, plan};
pub(crate) use deploy::{ensure_proxy, login as login_steps, prune as prune_steps, pull as pull_steps};
pub use digest::fnv1a;

use crate::{
    machine::Phase,
    name::{HostName, ServiceName, Version},
    step::Step,
};

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// What was asked for.
    pub verb: Verb,
    /// The service.
    pub service: ServiceName,
    /// The version.
    pub version: Version,
    /// What is done, one stage after another.
    pub stages: Vec<Stage>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Random digits names were made with; not part of the digest.
    #[serde(skip)]
    pub token: String,
}

/// A part of a plan that ends before the next begins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// The phase the operation is in once it is over.
    pub phase: Phase,
    /// Its name.
    pub title: &'static str,
    /// What is done.
    pub work: Work,
}

/// The work of a stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Builds and pushes the image.
    Build,
    /// Runs a hook, if it is there.
    Hook {
        /// Its name.
        name: String,
        /// `KAMAL_HOSTS`, where it is not all of them.
        hosts: Option<Vec<HostName>>,
    },
    /// Waits.
    Wait {
        /// Seconds.
        seconds: u64,
    },
    /// Steps on hosts, side by side.
    Hosts(Vec<HostWork>),
    /// New containers on hosts, side by side; undone when one fails.
    Boot {
        /// The steps.
        hosts: Vec<HostWork>,
        /// What the steps bring up.
        placements: Vec<Placement>,
    },
}

/// Steps of one host, one after another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostWork {
    /// The host.
    pub host: HostName,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The index of the stage that takes the lock.
    #[must_use]
    pub fn position_of_lock(&self) -> Option<usize> {
        self.stages.iter().position(|stage| match &stage.work {
            Work::Hosts(works) => {
                works.iter().flat_map(|work| &work.steps).any(|step| matches!(step, Step::AcquireLock { .. }))
            }
            _ => false,
        })
    }
}
