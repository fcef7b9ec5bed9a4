//! What can go wrong in an operation, as values: which host, which step, what it printed, and what would mend it.

use crate::{
    hint::Hint,
    machine::IllegalMove,
    name::{HostName, Version},
    ports::{BuildError, Exit, LocalError, RenderError, SecretError, TemplateError, TransportError},
};

/// Why an operation did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// One or more hosts failed.
    #[error("{}", hosts(.0))]
    Hosts(Vec<HostError>),
    /// Somebody holds the deploy lock.
    #[error("Deploy lock found on {host}. Run 'kamal lock release' when nobody is deploying any more\n{}", .details.trim_end())]
    LockHeld {
        /// The host.
        host: HostName,
        /// What the lock says of its holder.
        details: String,
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
    #[error(
        "The app version '{version}' is not available as a container on {hosts} (use 'kamal app containers' for available versions)"
    )]
    VersionUnavailable {
        /// The version.
        version: Version,
        /// Where it is missing.
        hosts: String,
    },
    /// The plan is not the one that was reviewed.
    #[error("the plan is not the one reviewed: its digest is {found}, not {reviewed}; see it with --dry-run{}", indented(&.differences.join("\n")))]
    PlanChanged {
        /// The digest of the plan that was reviewed.
        reviewed: String,
        /// The digest of the plan that was found.
        found: String,
        /// Steps only the reviewed plan has, behind `-`, and steps only the new one has, behind `+`, where they are known.
        differences: Vec<String>,
    },
    /// The operation is about a version, and none can be told.
    #[error("there is no version: commit the project to git, or give --version (or the variable VERSION)")]
    NoVersion,
    /// The phases came in an order that makes no sense.
    #[error(transparent)]
    IllegalMove(#[from] IllegalMove),
    /// What was asked for makes no sense here.
    #[error("{0}")]
    Usage(String),
    /// The user stopped it.
    #[error("stopped on request")]
    Cancelled,
}

/// A secret that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    #[error("{host}: could not {step} (exit status {status}){}{}", indented(.output), indented(.post_mortem))]
    Step {
        /// The host.
        host: HostName,
        /// The step in a few words.
        step: String,
        /// The exit status.
        status: i32,
        /// What the step printed last.
        output: String,
        /// What was found out about it afterwards: a container's state and last log lines.
        post_mortem: String,
    },
    /// What the host printed was not understood.
    #[error("{host}: {message}")]
    Unreadable {
        /// The host.
        host: HostName,
        /// What was not understood.
        message: String,
    },
    /// The host lacks something.
    #[error("{host}: {message}")]
    Unfit {
        /// The host.
        host: HostName,
        /// What it lacks, and the mend.
        message: String,
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
    /// The user stopped it.
    #[error("{host}: stopped on request")]
    Cancelled {
        /// The host.
        host: HostName,
    },
}

impl Error {
    /// What would put it right, as far as that is known.
    #[must_use]
    pub fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Secrets(missing) => missing.iter().flat_map(|missing| missing.error.hints.clone()).collect(),
            Self::HookSecrets { error, .. } => error.hints.clone(),
            _ => Vec::new(),
        }
    }
}

impl HostError {
    /// The host.
    #[must_use]
    pub fn host(&self) -> &HostName {
        match self {
            Self::Transport(error) => &error.host,
            Self::Step { host, .. }
            | Self::Unreadable { host, .. }
            | Self::Unfit { host, .. }
            | Self::Render { host, .. }
            | Self::Halted { host }
            | Self::Cancelled { host } => host,
        }
    }
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

fn missing(secrets: &[MissingSecret]) -> String {
    let line = |missing: &MissingSecret| format!("{} (needed by {})", missing.error, missing.needed_by.join(", "));
    secrets.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("\n    {line}")).collect()
}
