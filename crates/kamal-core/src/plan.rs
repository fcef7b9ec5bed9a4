//! What will be done, as data: stages of steps per host. It prints (that is a dry run), serialises, has a digest, and
//! the runner follows it to the letter.

mod accessory;
mod beside;
mod boot;
pub(crate) mod cluster;
mod differences;
mod digest;
mod file;
mod outlook;
mod print;
pub(crate) mod services;

use serde::{Deserialize, Serialize};

pub(crate) use accessory::AccessorySteps;
pub(crate) use beside::beside;
pub(crate) use boot::{
    Boot, Booting, Reuse, create_network, ensure_proxy, groups, guard, host, proxy_container, release, retire,
    route_to, stop_timeout,
};
pub use boot::{Placement, Stale, logging};
pub use digest::fnv1a;
pub use file::ReadError;
pub use outlook::{Aspect, Change, Difference, Outlook, Stray, Subject};

use crate::{
    build::BuildTask,
    machine::Phase,
    name::{Destination, HostName, ServiceName, Version},
    query::Query,
    request::Request,
    step::Step,
};

/// The number of the form plans are serialised in.
pub const FORMAT: u32 = 2;

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// The number of the form it is serialised in.
    #[serde(deserialize_with = "file::format")]
    pub format: u32,
    /// What was asked for. Not part of the digest.
    pub asked: Request,
    /// The words of the command.
    pub operation: String,
    /// The service.
    pub service: ServiceName,
    /// The destination.
    pub destination: Option<Destination>,
    /// The version, where the operation is about one.
    pub version: Option<Version>,
    /// What is done, one stage after another.
    pub stages: Vec<Stage>,
    /// What a reader should know. Not part of the digest.
    pub notes: Vec<String>,
}

/// A part of a plan that ends before the next begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stage {
    /// What it is for.
    pub kind: Kind,
    /// What is done.
    pub work: Work,
    /// What is said when it begins, in Kamal's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub say: Vec<String>,
}

/// What a stage is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Brings docker to hosts.
    Bootstrap,
    /// Builds the image.
    Build,
    /// Brings the image to hosts.
    Deliver,
    /// Brings other images to hosts.
    Fetch,
    /// Takes the deploy lock.
    Lock,
    /// Brings what containers need to hosts.
    Prepare,
    /// Runs the release command in the new image.
    Release,
    /// Starts new containers that nobody is led to yet.
    Start,
    /// Starts new containers, unless that was done, and switches to them.
    Boot,
    /// Leads a part of the requests to new containers, or all of them back.
    Split,
    /// Watches how the new containers answer.
    Guard,
    /// Stops what they replaced, group by group.
    Retire,
    /// Stops what they replaced, tags, prunes.
    Finish,
    /// Waits.
    Wait,
    /// Runs a hook.
    Hook,
    /// Changes something else.
    Change,
    /// Only looks.
    Look,
    /// Gives the deploy lock back.
    Unlock,
}

/// The work of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Work {
    /// Something about images on the local machine.
    Build(BuildTask),
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
    /// Takes the deploy lock, observes the hosts again and decides the rest again on what is there.
    Lock {
        /// The host that holds it.
        host: HostName,
        /// Why, when it is taken by hand.
        message: Option<String>,
    },
    /// Gives the deploy lock back.
    Unlock {
        /// The host that holds it.
        host: HostName,
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
    /// Questions whose answers are shown.
    Ask(Vec<Question>),
    /// How hosts are, whichever of them can be reached.
    Survey {
        /// The hosts.
        hosts: Vec<HostName>,
        /// What is made of it.
        survey: Survey,
    },
    /// A command that is given the caller's terminal, or a log that is followed: for the caller to perform.
    Attach(Box<Question>),
    /// Answers that are known already.
    Tell(Vec<KnownAnswer>),
}

/// What is made of how hosts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Survey {
    /// The fleet's status.
    Status,
    /// A checkup of all a deploy relies on.
    Checkup,
}

/// Steps of one host, one after another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HostWork {
    /// The host.
    pub host: HostName,
    /// The steps.
    pub steps: Vec<Step>,
}

/// A question to a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Question {
    /// The host.
    pub host: HostName,
    /// What the answer is shown under: `App`, `Proxy`, `Accessory db`; nothing for none.
    pub heading: String,
    /// The question.
    pub query: Query,
}

/// An answer that is known already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KnownAnswer {
    /// The host it is about.
    pub host: Option<HostName>,
    /// What it is shown under.
    pub heading: String,
    /// The answer.
    pub text: String,
}

/// What a planner makes: the runner puts the lock around it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Draft {
    /// The version it is about, if it is about one.
    pub(crate) version: Option<Version>,
    /// What is done while the lock is held.
    pub(crate) stages: Vec<Stage>,
    /// What comes once the lock was given back.
    pub(crate) after: Vec<Stage>,
    /// What a reader should know.
    pub(crate) notes: Vec<String>,
}

impl Stage {
    /// A stage about which nothing is said.
    #[must_use]
    pub fn new(kind: Kind, work: Work) -> Self {
        Self { kind, work, say: Vec::new() }
    }

    /// Steps on hosts; hosts without any are left out.
    #[must_use]
    pub fn hosts(kind: Kind, mut works: Vec<HostWork>) -> Self {
        works.retain(|work| !work.steps.is_empty());
        Self::new(kind, Work::Hosts(works))
    }

    /// Says something when it begins.
    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.say.push(text.into());
        self
    }

    /// The steps of the stage and whose they are.
    pub fn steps(&self) -> impl Iterator<Item = (&HostName, &Step)> {
        let works: &[HostWork] = match &self.work {
            Work::Hosts(works) | Work::Boot { hosts: works, .. } => works,
            _ => &[],
        };
        works.iter().flat_map(|work| work.steps.iter().map(move |step| (&work.host, step)))
    }

    /// Has steps come before all others on a host.
    pub(crate) fn precede(&mut self, host: &HostName, steps: Vec<Step>) {
        let Work::Hosts(works) = &mut self.work else { return };
        match works.iter_mut().find(|work| work.host == *host) {
            Some(work) => drop(work.steps.splice(0..0, steps)),
            None if steps.is_empty() => {}
            None => works.push(HostWork { host: host.clone(), steps }),
        }
    }

    /// True when there is nothing to do.
    fn is_idle(&self) -> bool {
        match &self.work {
            Work::Hosts(works) => works.iter().all(|work| work.steps.is_empty()),
            Work::Ask(questions) => questions.is_empty(),
            Work::Tell(told) => told.is_empty(),
            _ => false,
        }
    }

    /// True when it changes something, on hosts or locally.
    fn changes(&self) -> bool {
        match &self.work {
            Work::Hosts(_) => self.steps().any(|(_, step)| step.is_headline()),
            Work::Boot { .. } => true,
            Work::Build(task) => task.changes(),
            Work::Ask(questions) => questions.iter().any(|question| question.query.runs_a_command()),
            Work::Attach(question) => question.query.runs_a_command(),
            Work::Lock { message, .. } => message.is_some(),
            Work::Hook { .. } | Work::Wait { .. } | Work::Unlock { .. } | Work::Tell(_) | Work::Survey { .. } => false,
        }
    }

    /// The phase the operation is in once the stage is over, if it moves.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        Some(match self.kind {
            Kind::Build => Phase::Built,
            Kind::Deliver => Phase::Delivered,
            Kind::Lock => Phase::Locked,
            Kind::Boot => Phase::Switched,
            Kind::Split => Phase::Split,
            Kind::Retire | Kind::Finish => Phase::Drained,
            _ => return None,
        })
    }
}

impl Draft {
    /// Stages that need no lock, or are done while it is held.
    #[must_use]
    pub(crate) fn of(stages: impl IntoIterator<Item = Stage>) -> Self {
        Self { stages: stages.into_iter().collect(), ..Self::default() }
    }

    /// Steps on hosts and nothing else.
    #[must_use]
    pub(crate) fn hosts(works: Vec<HostWork>) -> Self {
        Self::of([Stage::hosts(Kind::Change, works)])
    }

    /// Questions to hosts and nothing else.
    #[must_use]
    pub(crate) fn asking(questions: Vec<Question>) -> Self {
        Self::of([Stage::new(Kind::Look, Work::Ask(questions))])
    }
}

impl Plan {
    /// True when nothing would change: hosts are as they are wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.stages.iter().any(Stage::changes)
    }

    /// The index of the stage that takes the lock.
    #[must_use]
    pub fn position_of_lock(&self) -> Option<usize> {
        self.stages.iter().position(|stage| matches!(stage.work, Work::Lock { message: None, .. }))
    }

    /// What comes until a stage of some kind is over, and what comes then.
    pub(crate) fn split_after(&self, kind: Kind) -> (&[Stage], &[Stage]) {
        let position = self.stages.iter().position(|stage| stage.kind == kind);
        self.stages.split_at(position.map_or(0, |position| position + 1))
    }

    /// Takes out what would be done on some hosts.
    pub(crate) fn without(mut self, hosts: &[HostName]) -> Self {
        for stage in &mut self.stages {
            match &mut stage.work {
                Work::Hosts(works) => works.retain(|work| !hosts.contains(&work.host)),
                Work::Ask(asked) => asked.retain(|asked| !hosts.contains(&asked.host)),
                _ => {}
            }
        }
        self
    }

    /// Takes out stages without work, and the lock where nothing is left that needs it.
    pub(crate) fn tidied(mut self) -> Self {
        self.stages.retain(|stage| !stage.is_idle());
        let idle = |stage: &Stage| matches!(stage.work, Work::Lock { message: None, .. } | Work::Unlock { .. });
        if self.position_of_lock().is_some() && self.stages.iter().all(idle) {
            self.stages.clear();
        }
        self
    }
}
