//! What ends a command: a message for the user, and the exit status.

use kamal_core::{
    config::ConfigErrors,
    error::{Error, ErrorKind},
    hint::Hint,
    ports::SecretError,
    redact::Redactor,
    secrets::CommandError,
    targets::SelectionError,
};
use serde_json::json;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The engine says why.
    #[error(transparent)]
    Engine(#[from] Error),
    /// The project cannot be acted on.
    #[error(transparent)]
    Project(kamal::Error),
    /// The configuration is wrong. It prints itself, source lines and all.
    #[error("{0}")]
    Config(ConfigErrors),
    /// The selection matches nothing.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// `kamal secrets fetch` or `extract` has nothing to print.
    #[error(transparent)]
    SecretsCommand(#[from] CommandError),
    /// Anything the user can fix.
    #[error("{0}")]
    User(String),
    /// Interrupted.
    #[error("stopped on request")]
    Interrupted,
    /// One of the others in words without secrets.
    #[error("{text}")]
    Redacted {
        /// The words.
        text: String,
        /// What would put it right, likewise.
        hints: Vec<Hint>,
        /// What kind of failure it is.
        kind: ErrorKind,
    },
    /// One of the others, which programs were told of in the stream of events.
    #[error("{0}")]
    Reported(Box<Failure>),
    /// A command in a container ended with this status, having said itself what there is to say.
    #[error("exit status {0}")]
    Status(u8),
}

impl Failure {
    /// The process's exit status: the command's own for `app exec`, else what the kind of error has.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Status(status) => *status,
            other => other.kind().exit_status(),
        }
    }

    /// What kind of failure it is.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Engine(error) => error.kind(),
            Self::Project(error) => error.kind(),
            Self::Interrupted => ErrorKind::Cancelled,
            Self::Config(_) => ErrorKind::Config,
            Self::Secret(_) | Self::SecretsCommand(_) => ErrorKind::SecretMissing,
            Self::Selection(_) | Self::User(_) => ErrorKind::Usage,
            Self::Redacted { kind, .. } => *kind,
            Self::Reported(failure) => failure.kind(),
            Self::Status(_) => ErrorKind::StepFailed,
        }
    }

    /// As programs are told of it.
    pub(crate) fn json(&self) -> serde_json::Value {
        json!({
            "schema": "kamal/failure/1",
            "kind": self.kind(),
            "message": self.to_string(),
            "hints": self.hints(),
            "exit_status": self.exit_status(),
        })
    }

    /// What would put it right.
    pub(crate) fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Engine(error) => error.hints(),
            Self::Project(error) => error.hints(),
            Self::Secret(error) => error.hints.clone(),
            Self::Redacted { hints, .. } => hints.clone(),
            Self::Reported(failure) => failure.hints(),
            _ => Vec::new(),
        }
    }

    /// The message, and a line for each hint.
    pub(crate) fn told(&self) -> String {
        self.hints().iter().fold(self.to_string(), |told, hint| format!("{told}\nhelp: {hint}"))
    }

    /// As it may be shown.
    pub(crate) fn redacted(self, redactor: &Redactor) -> Self {
        if let Self::Reported(failure) = self {
            return Self::Reported(Box::new(failure.redacted(redactor)));
        }
        let told = self.to_string();
        let text = redactor.text(&told).into_owned();
        let hints: Vec<Hint> = self.hints().iter().map(|hint| Hint::new(redactor.text(hint.as_str()))).collect();
        if matches!(self, Self::Status(_)) || (text == told && hints == self.hints()) {
            return self;
        }
        Self::Redacted { text, hints, kind: self.kind() }
    }
}

impl From<kamal::Error> for Failure {
    fn from(error: kamal::Error) -> Self {
        match error {
            kamal::Error::Engine(error) => Self::Engine(error),
            kamal::Error::Config(errors) => Self::Config(errors),
            other => Self::Project(other),
        }
    }
}

impl From<kamal_core::name::NameError> for Failure {
    fn from(error: kamal_core::name::NameError) -> Self {
        Self::User(error.to_string())
    }
}

impl From<kamal_core::error::HostError> for Failure {
    fn from(error: kamal_core::error::HostError) -> Self {
        Self::Engine(Error::Hosts(vec![error]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_has_every_exit_status_with_its_meaning() {
        let book = include_str!("../../../docs/book/src/programs.md");
        let rows: Vec<String> =
            ErrorKind::EXIT_STATUSES.iter().map(|(status, meaning)| format!("| {status} | {meaning} |")).collect();
        let found: Vec<&str> =
            book.lines().filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit()).collect();
        assert_eq!(found, rows);
    }
}
