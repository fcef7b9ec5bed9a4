//! What happens, as one stream of values. Terminal, plain text, JSON and file reporters are consumers of it; the
//! engine prints nothing.
//!
//! State events are never dropped. Output events ([`EventKind::is_output`]) may be, by a display that cannot keep up.

mod teller;

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::machine::Phase;
use crate::{
    error::{Error, ErrorKind},
    hint::Hint,
    name::{Destination, HostName, Version},
    redact::Redactor,
};
pub use teller::{Sequence, Teller};

/// The name of the form events are serialised in. It changes when a field goes or comes to mean something else; fields
/// and kinds of events may be added without.
pub const SCHEMA: &str = "kamal/event/1";

/// Something that happened, with its place among all that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// The name of its form, [`SCHEMA`].
    pub schema: Cow<'static, str>,
    /// The operation it belongs to.
    pub operation_id: String,
    /// Its number in the operation, from 0 on and without gaps.
    pub sequence: u64,
    /// When it happened, by the wall clock.
    pub time: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
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
        /// Whether it is only planned.
        dry_run: bool,
        /// The service.
        service: String,
        /// The destination.
        destination: Option<Destination>,
        /// Who is at work.
        performer: String,
        /// The version acted on, when known.
        version: Option<Version>,
        /// The hosts, in order.
        hosts: Vec<HostName>,
    },
    /// What will be done is known.
    Planned {
        /// The plan's digest.
        digest: String,
        /// The version acted on, where the operation is about one.
        version: Option<Version>,
        /// Whether there is nothing to do.
        empty: bool,
    },
    /// The operation moved to another phase.
    Phase {
        /// The phase it is in now.
        phase: Phase,
        /// Since the operation began, in seconds.
        #[serde(with = "seconds")]
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
        /// How long it took, in seconds.
        #[serde(with = "seconds")]
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
        /// How long it took, in seconds.
        #[serde(with = "seconds")]
        took: Duration,
    },
    /// A script was sent to a host and its end came back.
    RoundTrip {
        /// The host.
        host: HostName,
        /// What it was for.
        label: String,
        /// How long it took, in seconds.
        #[serde(with = "seconds")]
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
    /// So much of something is done, of what is known to be left.
    Progress {
        /// The host; `None` is the local machine.
        host: Option<HostName>,
        /// What it is about: `layers of an image`, `steps of the build`.
        what: String,
        /// How many are done.
        done: u64,
        /// How many there are, as far as is known.
        total: u64,
    },
    /// What a host was asked, or told to run, and what came of it. Told once all is done.
    Answer {
        /// The host; `None` is the local machine.
        host: Option<HostName>,
        /// What it is shown under: `App`, `Proxy`, `Accessory db`; nothing for none.
        heading: String,
        /// Standard output.
        stdout: String,
        /// Standard error, or why there is no answer.
        stderr: String,
        /// The exit status; `None` where there is no answer.
        status: Option<i32>,
    },
    /// The operation ended.
    Finished {
        /// How it ended.
        outcome: Outcome,
        /// What kind of failure it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<ErrorKind>,
        /// What would put it right.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hints: Vec<Hint>,
        /// Since it began, in seconds.
        #[serde(with = "seconds")]
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
            Self::Answer { stdout, stderr, .. } => [Some(stdout), Some(stderr)],
            Self::Started { performer, .. } => [Some(performer), None],
            Self::Progress { what, .. } => [Some(what), None],
            Self::Finished { outcome: Outcome::Failed(why), .. } => [Some(why), None],
            Self::Planned { .. }
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
        if let Self::Finished { hints, .. } = &mut self {
            for hint in hints {
                if let Cow::Owned(redacted) = redactor.text(hint.as_str()) {
                    *hint = Hint::new(redacted);
                }
            }
        }
        self
    }

    /// The end of an operation, with the error it ended with or none.
    pub(crate) fn ended(error: Option<&Error>, took: Duration) -> Self {
        Self::Finished {
            outcome: error.map_or(Outcome::Ok, |error| Outcome::Failed(error.to_string())),
            kind: error.map(Error::kind),
            hints: error.map(Error::hints).unwrap_or_default(),
            took,
        }
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

/// Durations as numbers of seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
