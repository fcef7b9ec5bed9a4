//! What can go wrong in an operation, as values: which host, which step, what it printed, of which kind it is, and what
//! would put it right.

mod cover;
mod kind;

pub(crate) use cover::Cover;
pub use kind::ErrorKind;

pub use crate::machine::IllegalMove;

use crate::{
    diagnosis::Diagnosis,
    hint::Hint,
    name::{HostName, Version},
    ports::{
        AnswerError, BuildError, Exit, LocalError, RegistryError, RenderError, SecretError, TemplateError,
        TransportError, TransportErrorKind,
    },
    run::ArchiveError,
    targets::SelectionError,
};

/// Why an operation did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// One or more hosts failed.
    #[error("{}", hosts(.0))]
    Hosts(Vec<HostError>),
    /// Somebody holds the deploy lock.
    #[error("Deploy lock found on {host}{}\n{}", taken_by_hand(*.by_hand), .details.trim_end())]
    LockHeld {
        /// The host.
        host: HostName,
        /// What the lock says of its holder.
        details: String,
        /// True when it is held until somebody releases it, so that waiting for it is of no use.
        by_hand: bool,
    },
    /// Somebody else took the deploy lock over, or removed it.
    #[error("the deploy lock on {host} is not ours any more: it was taken over or released; nothing more was done")]
    LockLost {
        /// The host.
        host: HostName,
    },
    /// Waiting for the lock took too long.
    #[error("Timed out waiting for the deploy lock on {host}\n{}", .details.trim_end())]
    LockTimeout {
        /// The host.
        host: HostName,
        /// What the lock says of its holder.
        details: String,
    },
    /// A hook failed.
    #[error("Hook `{name}` failed with exit status {}{}", Exit(*.status), if *.shown { String::new() } else { indented(.output) })]
    Hook {
        /// The hook.
        name: String,
        /// Its exit status.
        status: i32,
        /// What it printed last.
        output: String,
        /// Whether somebody has seen that already, so that it need not be repeated.
        shown: bool,
    },
    /// An own step of the program that embeds the engine failed.
    #[error("the own step {place} failed: {source}")]
    OwnStep {
        /// Before or after which stage: `before boot`.
        place: String,
        /// Why.
        source: crate::ports::Refusal,
    },
    /// The image was not built.
    #[error("build failed: {0}")]
    Build(#[from] BuildError),
    /// Something failed on the local machine.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The registry on this machine failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Secrets are missing.
    #[error("{}", missing(.0))]
    Secrets(Vec<MissingSecret>),
    /// A hook is given all secrets, and one of them cannot be had.
    #[error("{error} (needed by the hook {name})")]
    HookSecrets {
        /// The hook.
        name: String,
        /// What is the matter with the secret.
        error: SecretError,
    },
    /// A template among an accessory's files cannot be rendered.
    #[error("accessories/{accessory}/files: {path}: {source}")]
    Template {
        /// The accessory.
        accessory: String,
        /// The template.
        path: String,
        /// What is wrong with it.
        source: TemplateError,
    },
    /// The version to go back to is not there.
    #[error("The app version '{version}' is not available as a container on {hosts}")]
    VersionUnavailable {
        /// The version.
        version: Version,
        /// Where it is missing.
        hosts: String,
    },
    /// There is no version to go back to.
    #[error("there is no earlier version to roll back to on every host")]
    NoEarlierVersion,
    /// The beginning of a version that is the beginning of several.
    #[error("{asked} is the beginning of several versions, {one} and {other} among them")]
    AmbiguousVersion {
        /// What was asked for.
        asked: Version,
        /// One of them.
        one: Version,
        /// Another.
        other: Version,
    },
    /// The plan is not the one that was reviewed.
    #[error("the plan is not the one reviewed: its digest is {found}, not {reviewed}{}", indented(&.differences.join("\n")))]
    PlanChanged {
        /// The digest of the plan that was reviewed.
        reviewed: String,
        /// The digest of the plan that was found.
        found: String,
        /// Steps only the reviewed plan has, behind `-`, and steps only the new one has, behind `+`, where they are known.
        differences: Vec<String>,
    },
    /// The operation is about a version, and none can be told.
    #[error("there is no version")]
    NoVersion,
    /// The phases came in an order that makes no sense.
    #[error(transparent)]
    IllegalMove(#[from] IllegalMove),
    /// There is no accessory of that name.
    #[error("No accessory by the name of '{name}'{}", options(.known))]
    NoAccessory {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Accessories run on none of the hosts that are selected.
    #[error("{names} runs on none of the hosts that are selected")]
    NotOnSelected {
        /// Their names.
        names: String,
    },
    /// The selection of hosts and roles matches nothing.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The operation takes one host, and none is selected.
    #[error("no host is selected")]
    NoHost,
    /// No role is where one is needed.
    #[error("no role runs on {place}")]
    NoRole {
        /// The host, or all of them.
        place: String,
    },
    /// No container of the app is where one is needed.
    #[error("no container of the app runs on {host}")]
    NotRunning {
        /// The host.
        host: HostName,
    },
    /// What was asked for makes no sense here.
    #[error("{0}")]
    Usage(String),
    /// The user stopped it.
    #[error("stopped on request")]
    Cancelled,
}

/// A secret that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingSecret {
    /// Its name.
    pub key: String,
    /// Who needs it.
    pub needed_by: Vec<String>,
    /// What is the matter with it.
    pub error: SecretError,
}

/// Why a host failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// It could not be reached, or the connection broke.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A step failed.
    #[error("{host}: could not {step} (exit status {}){}{}", Exit(*.status), indented(.output), diagnosed(.diagnosis.as_deref()))]
    Step {
        /// The host.
        host: HostName,
        /// The step in a few words.
        step: String,
        /// The exit status.
        status: i32,
        /// What the step printed last.
        output: String,
        /// What was found out about it afterwards, where it is a container that did not come up.
        diagnosis: Option<Box<Diagnosis>>,
        /// What the failure comes to, as far as it is understood.
        fault: StepFault,
    },
    /// What the host printed was not understood.
    #[error("{host}: {source}")]
    Unreadable {
        /// The host.
        host: HostName,
        /// What was not understood.
        source: AnswerError,
    },
    /// Docker does not answer.
    #[error("{host}: Docker does not answer")]
    DockerMissing {
        /// The host.
        host: HostName,
    },
    /// The host is not as it has to be.
    #[error("{host}: {message}")]
    Unfit {
        /// The host.
        host: HostName,
        /// What is the matter.
        message: String,
        /// What would put it right.
        hints: Vec<Hint>,
    },
    /// An image does not fit on the host's disk any more.
    #[error("{host}: docker has {} free there, and the image needs about {}", megabytes(*.free), megabytes(*.needed))]
    Full {
        /// The host.
        host: HostName,
        /// Bytes that are free where docker keeps images.
        free: u64,
        /// About how many the image needs beyond what is there of it.
        needed: u64,
    },
    /// An image that is to be handed to the host cannot be made.
    #[error("{host}: {source}")]
    Archive {
        /// The host.
        host: HostName,
        /// Why.
        source: ArchiveError,
    },
    /// A step could not be spelled.
    #[error("{host}: {source}")]
    Render {
        /// The host.
        host: HostName,
        /// Why.
        source: RenderError,
    },
    /// It waited for the primary role, which failed.
    #[error("{host}: not booted, because the primary role did not become healthy anywhere")]
    Halted {
        /// The host.
        host: HostName,
    },
    /// Another host failed, so that what this one did would have come to nothing.
    #[error("{host}: given up, because another host had failed")]
    Abandoned {
        /// The host.
        host: HostName,
    },
    /// The user stopped it.
    #[error("{host}: stopped on request")]
    Cancelled {
        /// The host.
        host: HostName,
    },
}

impl Error {
    /// What hosts failed with, as one: that somebody asked to stop where that is all, and `None` where none failed.
    #[must_use]
    pub fn of_hosts(errors: Vec<HostError>) -> Option<Self> {
        if errors.is_empty() {
            None
        } else if errors.iter().all(|error| matches!(error, HostError::Cancelled { .. })) {
            Some(Self::Cancelled)
        } else {
            Some(Self::Hosts(errors))
        }
    }

    /// What would put it right, as far as that is known.
    #[must_use]
    pub fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Secrets(missing) => missing.iter().flat_map(|missing| missing.error.hints.clone()).collect(),
            Self::HookSecrets { error, .. } | Self::Build(BuildError::Secret(error)) => error.hints.clone(),
            Self::Hosts(errors) => {
                let mut hints: Vec<Hint> = Vec::new();
                for hint in errors.iter().flat_map(HostError::hints) {
                    if !hints.contains(&hint) {
                        hints.push(hint);
                    }
                }
                hints
            }
            Self::LockHeld { .. } => one("run `kamal lock release` when nobody is deploying any more"),
            Self::LockLost { .. } => one("see with `kamal lock status` who is at work, and run the command again then"),
            Self::VersionUnavailable { .. } => one("`kamal app containers` shows the versions that are available"),
            Self::NoEarlierVersion => one("`kamal app containers` shows what there is"),
            Self::PlanChanged { .. } => one("see the plan there is now with --dry-run"),
            Self::NoVersion => one("commit the project to git, or give --version (or the variable VERSION)"),
            Self::NotRunning { .. } => one("leave out --reuse, or run `kamal app start`"),
            _ => Vec::new(),
        }
    }
}

fn taken_by_hand(by_hand: bool) -> &'static str {
    if by_hand { ", taken by hand: it is held until somebody releases it" } else { "" }
}

fn one(hint: &str) -> Vec<Hint> {
    vec![Hint::new(hint)]
}

/// What the failure of a step comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepFault {
    /// The container, or the proxy, did not become healthy.
    Unhealthy,
    /// The image is not there.
    ImageMissing,
    /// The registry does not take the user and password.
    RegistryRefused,
    /// There is no room left.
    DiskFull,
    /// Docker is not there, or does not answer.
    DockerMissing,
    /// Something else.
    #[default]
    Other,
}

impl HostError {
    /// What would put it right, as far as that is known.
    #[must_use]
    pub fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Unfit { hints, .. } => hints.clone(),
            Self::Full { .. } => one("make room with `kamal prune all`, or with `docker system prune` on the host"),
            Self::DockerMissing { .. } | Self::Step { fault: StepFault::DockerMissing, .. } => {
                one("run `kamal server bootstrap` to install Docker, or start it")
            }
            Self::Transport(TransportError { kind: TransportErrorKind::Lost(_), .. }) => {
                one("run the command again: it finds out what is there and goes on from that")
            }
            Self::Render { source: RenderError::Secret { source, .. }, .. } => source.hints.clone(),
            Self::Step { diagnosis: Some(diagnosis), .. } => vec![diagnosis.advice.clone()],
            _ => Vec::new(),
        }
    }

    /// Why a container did not come up on the host, where that is what failed.
    #[must_use]
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        if let Self::Step { diagnosis, .. } = self { diagnosis.as_deref() } else { None }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &HostName {
        match self {
            Self::Transport(error) => &error.host,
            Self::Step { host, .. }
            | Self::DockerMissing { host }
            | Self::Archive { host, .. }
            | Self::Unreadable { host, .. }
            | Self::Unfit { host, .. }
            | Self::Full { host, .. }
            | Self::Render { host, .. }
            | Self::Halted { host }
            | Self::Abandoned { host }
            | Self::Cancelled { host } => host,
        }
    }
}

/// Bytes as people read them.
fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

fn hosts(errors: &[HostError]) -> String {
    match errors {
        [one] => one.to_string(),
        many => {
            let lines: Vec<String> = many.iter().map(ToString::to_string).collect();
            format!("{} hosts failed:\n{}", many.len(), lines.join("\n"))
        }
    }
}

fn options(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => format!(" (options: {one})"),
        [one, other] => format!(" (options: {one} and {other})"),
        [many @ .., last] => format!(" (options: {}, and {last})", many.join(", ")),
    }
}

fn missing(secrets: &[MissingSecret]) -> String {
    let line = |missing: &MissingSecret| format!("{} (needed by {})", missing.error, missing.needed_by.join(", "));
    secrets.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn diagnosed(diagnosis: Option<&Diagnosis>) -> String {
    diagnosis.map(|found| indented(&found.to_string())).unwrap_or_default()
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("\n    {line}")).collect()
}
