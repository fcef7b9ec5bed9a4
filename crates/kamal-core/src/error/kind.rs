//! Errors by kind: what a program decides on, so that it need not read what people do.

use serde::{Deserialize, Serialize};

use super::{Error, HostError, StepFault};
use crate::ports::{
    BuildError, LocalError, ReachError, RegistryError, RenderError, TransportError, TransportErrorKind,
};

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// A host cannot be reached.
    Unreachable,
    /// A host was reached and took none of the keys.
    Authentication,
    /// A host's key is not known, or is another one than before.
    HostKey,
    /// The connection broke while a script ran: what it did is unknown.
    ConnectionLost,
    /// A host has no docker that answers.
    DockerMissing,
    /// A new container, or the proxy, did not become healthy.
    Unhealthy,
    /// An image is not where it should be fetched from.
    ImageMissing,
    /// A registry does not take the user and password.
    RegistryRefused,
    /// There is no room left on a host.
    DiskFull,
    /// A step failed on a host for another reason.
    StepFailed,
    /// A host is not as it has to be.
    HostUnfit,
    /// A host gave an answer that makes no sense.
    Unreadable,
    /// The plan is not the one that was reviewed.
    PlanChanged,
    /// A secret cannot be had.
    SecretMissing,
    /// Somebody else holds the deploy lock.
    LockHeld,
    /// A hook ended with a failure.
    HookFailed,
    /// An own step of the program that embeds the engine failed.
    OwnStep,
    /// An image was not built.
    BuildFailed,
    /// Something failed on the local machine: a file, a program that is not there.
    Local,
    /// A template among an accessory's files cannot be rendered.
    Template,
    /// The project has no version.
    NoVersion,
    /// The version to go back to is not there.
    VersionUnavailable,
    /// What was asked for makes no sense here: a name that is unknown, an option that does not fit.
    Usage,
    /// The configuration is wrong.
    Config,
    /// Somebody asked to stop.
    Cancelled,
    /// A fault of the engine itself.
    Internal,
}

impl ErrorKind {
    /// Exit statuses of commands and what they say, in words for documents. A number keeps its meaning; new kinds of
    /// failures may get new numbers.
    pub const EXIT_STATUSES: [(u8, &'static str); 14] = [
        (0, "done; of `kamal plan`: there is nothing to do"),
        (1, "what was asked for makes no sense, the configuration is wrong, or a secret, a hook or a file here failed"),
        (2, "of `kamal plan`: there is something to do"),
        (10, "a host cannot be reached, or the connection to it broke"),
        (11, "a host took none of the keys, or its own key is not the known one"),
        (12, "a host is not as it has to be: no docker, another architecture"),
        (13, "a new container, or the proxy, did not become healthy"),
        (14, "an image is not where it should be fetched from, or the registry refused the login"),
        (15, "a disk is full"),
        (16, "something else failed on a host"),
        (17, "the plan is not the one that was reviewed"),
        (18, "somebody else holds the deploy lock"),
        (19, "the image was not built"),
        (130, "stopped on request: Ctrl-C, SIGTERM"),
    ];

    /// The exit status of a command that ended so, one of [`ErrorKind::EXIT_STATUSES`].
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Unreachable | Self::ConnectionLost => 10,
            Self::Authentication | Self::HostKey => 11,
            Self::DockerMissing | Self::HostUnfit => 12,
            Self::Unhealthy => 13,
            Self::ImageMissing | Self::RegistryRefused => 14,
            Self::DiskFull => 15,
            Self::StepFailed | Self::Unreadable => 16,
            Self::PlanChanged => 17,
            Self::LockHeld => 18,
            Self::BuildFailed => 19,
            Self::Cancelled => 130,
            Self::Config
            | Self::HookFailed
            | Self::Internal
            | Self::Local
            | Self::NoVersion
            | Self::OwnStep
            | Self::SecretMissing
            | Self::Template
            | Self::Usage
            | Self::VersionUnavailable => 1,
        }
    }
}

impl Error {
    /// What kind of error it is. Where several hosts failed it is the first one's that did not merely wait for another.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Hosts(errors) => {
                let waited = |error: &&HostError| {
                    matches!(
                        error,
                        HostError::Halted { .. } | HostError::Abandoned { .. } | HostError::Cancelled { .. }
                    )
                };
                let cause = errors.iter().find(|error| !waited(error)).or_else(|| errors.first());
                cause.map_or(ErrorKind::Internal, HostError::kind)
            }
            Self::LockHeld { .. } | Self::LockTimeout { .. } | Self::LockLost { .. } => ErrorKind::LockHeld,
            Self::Hook { .. } => ErrorKind::HookFailed,
            Self::OwnStep { .. } => ErrorKind::OwnStep,
            Self::Build(error) => of_build(error),
            Self::Local(error) => of_local(error),
            Self::Registry(error) => of_registry(error),
            Self::Secrets(_) | Self::HookSecrets { .. } => ErrorKind::SecretMissing,
            Self::Template { .. } => ErrorKind::Template,
            Self::VersionUnavailable { .. } | Self::NoEarlierVersion => ErrorKind::VersionUnavailable,
            Self::PlanChanged { .. } => ErrorKind::PlanChanged,
            Self::NoVersion => ErrorKind::NoVersion,
            Self::IllegalMove(_) => ErrorKind::Internal,
            Self::AmbiguousVersion { .. }
            | Self::NoAccessory { .. }
            | Self::NotOnSelected { .. }
            | Self::Selection(_)
            | Self::NoHost
            | Self::NoRole { .. }
            | Self::NotRunning { .. }
            | Self::Usage(_) => ErrorKind::Usage,
            Self::Cancelled => ErrorKind::Cancelled,
        }
    }
}

impl HostError {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Transport(error) => of_transport(error),
            Self::Step { fault, .. } => match fault {
                StepFault::Unhealthy => ErrorKind::Unhealthy,
                StepFault::ImageMissing => ErrorKind::ImageMissing,
                StepFault::RegistryRefused => ErrorKind::RegistryRefused,
                StepFault::DiskFull => ErrorKind::DiskFull,
                StepFault::DockerMissing => ErrorKind::DockerMissing,
                StepFault::Other => ErrorKind::StepFailed,
            },
            Self::Unreadable { .. } => ErrorKind::Unreadable,
            Self::DockerMissing { .. } => ErrorKind::DockerMissing,
            Self::Unfit { .. } => ErrorKind::HostUnfit,
            Self::Full { .. } => ErrorKind::DiskFull,
            Self::Archive { .. } => ErrorKind::Local,
            Self::Render { source, .. } => match source {
                RenderError::Secret { .. } => ErrorKind::SecretMissing,
                _ => ErrorKind::Internal,
            },
            Self::Halted { .. } => ErrorKind::Unhealthy,
            Self::Abandoned { .. } | Self::Cancelled { .. } => ErrorKind::Cancelled,
        }
    }
}

fn of_transport(error: &TransportError) -> ErrorKind {
    match error.kind {
        TransportErrorKind::HostKeyUnknown(_) | TransportErrorKind::HostKeyChanged(_) => ErrorKind::HostKey,
        TransportErrorKind::Authentication(_) | TransportErrorKind::Client(_) => ErrorKind::Authentication,
        TransportErrorKind::Lost(_) => ErrorKind::ConnectionLost,
        TransportErrorKind::Resolve(_)
        | TransportErrorKind::Refused(_)
        | TransportErrorKind::TimedOut(_)
        | TransportErrorKind::Network(_)
        | TransportErrorKind::Protocol(_) => ErrorKind::Unreachable,
    }
}

fn of_build(error: &BuildError) -> ErrorKind {
    match error {
        BuildError::Local(error) => of_local(error),
        BuildError::Secret(_) => ErrorKind::SecretMissing,
        BuildError::Registry(error) => of_registry(error),
        BuildError::Unreached(ReachError::Transport(error)) => of_transport(error),
        _ => ErrorKind::BuildFailed,
    }
}

fn of_registry(error: &RegistryError) -> ErrorKind {
    match error {
        RegistryError::Missing { .. } => ErrorKind::ImageMissing,
        _ => ErrorKind::Local,
    }
}

fn of_local(error: &LocalError) -> ErrorKind {
    match error {
        LocalError::Missing { program } if program == "docker" => ErrorKind::DockerMissing,
        _ => ErrorKind::Local,
    }
}
