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

/// An error of somebody else's, with all its reasons, where one of them, or how it is shown to programmers, holds a secret.
fn covered(error: &(dyn std::error::Error + 'static), redactor: &Redactor) -> Option<String> {
    let reasons = std::iter::successors(Some(error), |error| error.source());
    let shown = reasons.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    let is_seen = [&shown, &format!("{error:?}")].into_iter().any(|text| matches!(redactor.text(text), Cow::Owned(_)));
    is_seen.then(|| redactor.text(&shown).into_owned())
}

impl Cover for std::io::Error {
    fn cover(&mut self, redactor: &Redactor) {
        if let Some(text) = covered(self, redactor) {
            *self = Self::new(self.kind(), text);
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
                if let Some(text) = covered(&**source, redactor) {
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
            Self::Io { what, source } => {
                what.cover(redactor);
                source.cover(redactor);
            }
            Self::Failed(text) => text.cover(redactor),
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
                source.cover(redactor);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    /// Says nothing of its reason, nor of what it holds but to programmers.
    #[derive(Debug, thiserror::Error)]
    #[error("the request failed")]
    struct Failed {
        token: String,
        source: Option<std::io::Error>,
    }

    #[test]
    fn an_error_of_somebody_elses_is_covered_in_every_way_it_is_shown() {
        let redactor = Redactor::new();
        redactor.learn(&Secret::new("sesame-street"));
        let by_reason = Failed { token: String::new(), source: Some(std::io::Error::other("token=sesame-street")) };
        let by_field = Failed { token: "sesame-street".to_owned(), source: None };
        for (failed, shown) in [(by_reason, "the request failed: token=[REDACTED]"), (by_field, "the request failed")] {
            let mut error = Error::OwnStep { place: "before build".to_owned(), source: failed.into() };
            error.cover(&redactor);
            let Error::OwnStep { source, .. } = &error else { unreachable!() };
            assert_eq!(source.to_string(), shown);
            assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
            assert!(source.source().is_none());
        }
        let harmless = Failed { token: "none".to_owned(), source: None };
        let mut error = Error::OwnStep { place: "before build".to_owned(), source: harmless.into() };
        error.cover(&redactor);
        // Whoever looks for the error of his own finds it.
        assert!(matches!(&error, Error::OwnStep { source, .. } if source.is::<Failed>()));
        let mut error = std::io::Error::other(Failed { token: "sesame-street".to_owned(), source: None });
        error.cover(&redactor);
        assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
    }
}
