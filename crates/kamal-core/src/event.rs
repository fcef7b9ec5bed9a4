//! What happens, as one stream of values. Terminal, plain text, JSON and file reporters are consumers of it; the
//! engine prints nothing.
//!
//! State events are never dropped. Output events ([`EventKind::is_output`]) may be, by a display that cannot keep up.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};

pub use crate::machine::Phase;
use crate::{
    name::{HostName, Version},
    redact::Redactor,
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// An operation began. Comes first, so that a display knows its totals.
    Started {
        /// The words of the command: `deploy`, `app boot`, …
        operation: String,
        /// Whether it is one that changes something.
        changes: bool,
        /// The service.
        service: String,
        /// The version acted on, when known.
        version: Option<Version>,
        /// The hosts, in order.
        hosts: Vec<HostName>,
    },
    /// The operation moved to another phase.
    Phase {
        /// The phase it is in now.
        phase: Phase,
        /// Since the operation began.
        elapsed: Duration,
    },
    /// A sentence of the narrative, in Kamal's words.
    Say {
        /// The sentence.
        text: String,
        /// How it is meant.
        tone: Tone,
    },
    /// A host answered for the first time.
    Connected {
        /// The host.
        host: HostName,
        /// How long it took.
        took: Duration,
    },
    /// A step began on a host, or locally.
    StepStarted {
        /// The host; `None` is the local machine.
        host: Option<HostName>,
        /// The step in a few words.
        step: String,
        /// The commands as they are run, secrets redacted.
        command: String,
    },
    /// A step ended.
    StepFinished {
        /// The host; `None` is the local machine.
        host: Option<HostName>,
        /// The step in a few words.
        step: String,
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        took: Duration,
    },
    /// A script was sent to a host and its end came back.
    RoundTrip {
        /// The host.
        host: HostName,
        /// What it was for.
        label: String,
        /// How long it took.
        took: Duration,
    },
    /// A large file is on its way to a host.
    Uploading {
        /// The host.
        host: HostName,
        /// Its path there.
        file: String,
        /// How many bytes have gone so far.
        sent: u64,
        /// How many there are.
        total: u64,
    },
    /// A host pulls from the registry on this machine.
    Pulling {
        /// The host.
        host: HostName,
        /// How many bytes it has been sent so far.
        sent: u64,
    },
    /// A line somebody's program printed.
    Output {
        /// The host; `None` is the local machine.
        host: Option<HostName>,
        /// The line, without its end.
        line: String,
        /// True for standard error.
        error: bool,
    },
    /// The operation ended.
    Finished {
        /// How it ended.
        outcome: Outcome,
        /// Since it began.
        took: Duration,
    },
}

/// How a sentence is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Progress.
    Progress,
    /// Something to know.
    Info,
    /// Something to look at.
    Warning,
    /// Something went wrong.
    Problem,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As wanted.
    Ok,
    /// A failure that does not matter.
    Ignored,
    /// A failure, in a sentence.
    Failed(String),
}

impl EventKind {
    /// True for what a slow display may drop.
    #[must_use]
    pub fn is_output(&self) -> bool {
        matches!(self, Self::Output { .. })
    }

    /// The event with its free text without secrets.
    #[must_use]
    pub fn redacted(mut self, redactor: &Redactor) -> Self {
        let texts: [Option<&mut String>; 2] = match &mut self {
            Self::Say { text, .. } => [Some(text), None],
            Self::StepStarted { step, command, .. } => [Some(step), Some(command)],
            Self::StepFinished { step, outcome: Outcome::Failed(why), .. } => [Some(step), Some(why)],
            Self::StepFinished { step, .. } => [Some(step), None],
            Self::RoundTrip { label, .. } => [Some(label), None],
            Self::Uploading { file, .. } => [Some(file), None],
            Self::Output { line, .. } => [Some(line), None],
            Self::Finished { outcome: Outcome::Failed(why), .. } => [Some(why), None],
            Self::Started { .. }
            | Self::Phase { .. }
            | Self::Connected { .. }
            | Self::Pulling { .. }
            | Self::Finished { .. } => [None, None],
        };
        for text in texts.into_iter().flatten() {
            if let Cow::Owned(redacted) = redactor.text(text) {
                *text = redacted;
            }
        }
        self
    }

    /// A sentence of progress.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Say { text: text.into(), tone: Tone::Progress }
    }

    /// A sentence in another tone.
    pub fn tell(tone: Tone, text: impl Into<String>) -> Self {
        Self::Say { text: text.into(), tone }
    }
}
