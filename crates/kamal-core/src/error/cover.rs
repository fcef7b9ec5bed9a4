//! Errors without secrets: what a program printed stands in them, and what a program prints may repeat its environment.
//! Names out of deploy.yml (hosts, accessories, versions) stay.

use std::borrow::Cow;

use super::{Error, HostError, MissingSecret};
use crate::{
    hint::Hint,
    ports::{
        BuildError, LocalError, ReachError, RegistryError, RenderError, SecretError, TransportError, TransportErrorKind,
    },
    redact::Redactor,
};

/// Something with free text in it.
pub(crate) trait Cover {
    /// Puts a mark in the place of every secret.
    fn cover(&mut self, redactor: &Redactor);
}

impl Cover for String {
    fn cover(&mut self, redactor: &Redactor) {
        if let Cow::Owned(text) = redactor.text(self) {
            *self = text;
        }
    }
}

impl<T: Cover> Cover for Vec<T> {
    fn cover(&mut self, redactor: &Redactor) {
        self.iter_mut().for_each(|item| item.cover(redactor));
    }
}

impl Cover for Hint {
    fn cover(&mut self, redactor: &Redactor) {
        self.0.cover(redactor);
    }
}

impl Cover for Error {
    fn cover(&mut self, redactor: &Redactor) {
        match self {
            Self::Hosts(errors) => errors.cover(redactor),
            Self::LockHeld { details: text, .. }
            | Self::LockTimeout { details: text, .. }
            | Self::Hook { output: text, .. }
            | Self::Usage(text) => text.cover(redactor),
            Self::OwnStep { source, .. } => {
                if let Cow::Owned(text) = redactor.text(&source.to_string()) {
                    *source = text.into();
                }
            }
            Self::Build(error) => error.cover(redactor),
            Self::Local(error) => error.cover(redactor),
            Self::Registry(error) => error.cover(redactor),
            Self::Secrets(missing) => missing.cover(redactor),
            Self::HookSecrets { error, .. } => error.cover(redactor),
            Self::Template { source, .. } => source.0.cover(redactor),
            Self::PlanChanged { differences, .. } => differences.cover(redactor),
            Self::VersionUnavailable { .. }
            | Self::NoEarlierVersion
            | Self::AmbiguousVersion { .. }
            | Self::NoVersion
            | Self::IllegalMove(_)
            | Self::NoAccessory { .. }
            | Self::NotOnSelected { .. }
            | Self::Selection(_)
            | Self::NoHost
            | Self::NoRole { .. }
            | Self::NotRunning { .. }
            | Self::LockLost { .. }
            | Self::Cancelled => {}
        }
    }
}

impl Cover for HostError {
    fn cover(&mut self, redactor: &Redactor) {
        match self {
            Self::Transport(error) => error.cover(redactor),
            Self::Step { step, output, diagnosis, .. } => {
                [step, output].into_iter().for_each(|text| text.cover(redactor));
                diagnosis.iter_mut().for_each(|found| found.cover(redactor));
            }
            Self::Unreadable { source, .. } => source.0.cover(redactor),
            Self::Unfit { message, hints, .. } => {
                message.cover(redactor);
                hints.cover(redactor);
            }
            Self::Archive { source, .. } => source.0.cover(redactor),
            Self::Render { source, .. } => source.cover(redactor),
            Self::Full { .. }
            | Self::DockerMissing { .. }
            | Self::Halted { .. }
            | Self::Abandoned { .. }
            | Self::Cancelled { .. } => {}
        }
    }
}

impl Cover for TransportError {
    fn cover(&mut self, redactor: &Redactor) {
        match &mut self.kind {
            TransportErrorKind::Resolve(text)
            | TransportErrorKind::Refused(text)
            | TransportErrorKind::TimedOut(text)
            | TransportErrorKind::Network(text)
            | TransportErrorKind::HostKeyUnknown(text)
            | TransportErrorKind::HostKeyChanged(text)
            | TransportErrorKind::Authentication(text)
            | TransportErrorKind::Client(text)
            | TransportErrorKind::Lost(text)
            | TransportErrorKind::Protocol(text) => text.cover(redactor),
        }
    }
}

impl Cover for BuildError {
    fn cover(&mut self, redactor: &Redactor) {
        match self {
            Self::Local(error) => error.cover(redactor),
            Self::Failed { what, output, .. } => {
                what.cover(redactor);
                output.cover(redactor);
            }
            Self::Secret(error) => error.cover(redactor),
            Self::Unfit(text) | Self::Unreached(ReachError::Refused(text)) => text.cover(redactor),
            Self::Unreached(ReachError::Transport(error)) => error.cover(redactor),
            Self::Registry(error) => error.cover(redactor),
        }
    }
}

impl Cover for RegistryError {
    fn cover(&mut self, redactor: &Redactor) {
        match self {
            Self::Io { what: text, .. } | Self::Failed(text) => text.cover(redactor),
            Self::PortTaken { .. } | Self::Missing { .. } | Self::OtherArchitecture { .. } => {}
        }
    }
}

impl Cover for LocalError {
    fn cover(&mut self, redactor: &Redactor) {
        match self {
            Self::Missing { program } => program.cover(redactor),
            Self::Io { what, source } => {
                what.cover(redactor);
                if let Cow::Owned(text) = redactor.text(&source.to_string()) {
                    *source = std::io::Error::new(source.kind(), text);
                }
            }
        }
    }
}

impl Cover for MissingSecret {
    fn cover(&mut self, redactor: &Redactor) {
        self.error.cover(redactor);
    }
}

impl Cover for SecretError {
    fn cover(&mut self, redactor: &Redactor) {
        self.message.cover(redactor);
        self.hints.cover(redactor);
    }
}

impl Cover for RenderError {
    fn cover(&mut self, redactor: &Redactor) {
        match self {
            Self::Secret { source, needed_by } => {
                source.cover(redactor);
                needed_by.cover(redactor);
            }
            Self::Content(text) | Self::DockerConfig(text) | Self::Unknown(text) => text.cover(redactor),
        }
    }
}
