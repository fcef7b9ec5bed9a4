//! Events on the terminal, as text or as JSON lines.

mod human;
mod timings;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use kamal_core::{event::EventKind, ports::Events, redact::Redactor};

use crate::{args::Global, output};
use timings::Timings;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Level {
    Quiet,
    Normal,
    Verbose,
}

/// Shows events as they come.
#[derive(Debug)]
pub(crate) struct Reporter {
    level: Level,
    json: bool,
    timings: Option<Mutex<Timings>>,
    redactor: Redactor,
    /// Whether the operation is one that tells how long it took.
    timed: AtomicBool,
}

impl Reporter {
    pub(crate) fn new(global: &Global, redactor: Redactor) -> Self {
        let level = match (global.quiet, global.verbose) {
            (true, _) => Level::Quiet,
            (_, true) => Level::Verbose,
            _ => Level::Normal,
        };
        Self {
            level,
            json: global.json,
            timings: global.timings.then(Mutex::default),
            redactor,
            timed: AtomicBool::new(false),
        }
    }

    /// Whether everything is shown as JSON lines.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A line of JSON, without secrets.
    pub(crate) fn json(&self, value: &serde_json::Value) {
        self.data(&format!("{value}\n"));
    }

    /// Data a command was asked for, shown whatever the level, without secrets.
    pub(crate) fn data(&self, text: &str) {
        self.bytes(self.redactor.text(text).as_bytes());
    }

    /// As [`Reporter::data`], secrets and all: for who asked for just that. Returns whether somebody reads it.
    #[expect(clippy::unused_self, reason = "everything that is shown goes through the reporter")]
    pub(crate) fn bytes(&self, bytes: &[u8]) -> bool {
        output::bytes(bytes)
    }

    /// Something for standard error, without secrets.
    pub(crate) fn complain(&self, text: &str) {
        output::complain(&self.redactor.text(text));
    }

    /// What a host goes on printing, without secrets. `None` is its end. Says whether somebody reads it.
    pub(crate) fn follow(&self) -> impl FnMut(Option<&[u8]>) -> bool + Send {
        let mut stream = self.redactor.stream();
        move |bytes| match bytes {
            Some(bytes) => self.bytes(&stream.feed(bytes)),
            None => self.bytes(&stream.end()),
        }
    }

    /// A host's answer under Kamal's heading (spec 1.7).
    pub(crate) fn host(&self, kind: &str, host: &str, text: &str) {
        let heading = if self.level == Level::Quiet { String::new() } else { format!("{kind} Host: {host}\n") };
        // A host's name stays what it is, even where a secret is alike.
        self.bytes(format!("{heading}{}\n\n", self.redactor.text(text.trim_end())).as_bytes());
    }

    /// A warning about what a command was given. Standard output is for what it was asked for.
    pub(crate) fn warn(&self, text: &str) {
        if self.json {
            return self.emit(EventKind::tell(kamal_core::event::Tone::Warning, text).redacted(&self.redactor));
        }
        self.complain(&human::warning(text));
    }

    /// Prints the timings, if they were asked for.
    pub(crate) fn finish(&self) {
        if let Some(timings) = &self.timings {
            let timings = timings.lock().unwrap_or_else(PoisonError::into_inner).to_string();
            output::complain(timings.trim_end());
        }
    }
}

impl Events for Reporter {
    fn shows_output(&self) -> bool {
        self.json || self.level > Level::Quiet
    }

    fn emit(&self, event: EventKind) {
        if let Some(timings) = &self.timings {
            timings.lock().unwrap_or_else(PoisonError::into_inner).take(&event);
        }
        if let EventKind::Started { operation, .. } = &event {
            // Kamal tells of four how long they took.
            let told = ["setup", "deploy", "redeploy", "rollback"].contains(&operation.as_str());
            self.timed.store(told, Ordering::Relaxed);
        }
        let text = if self.json {
            serde_json::to_string(&event).map(|line| line + "\n").ok()
        } else if matches!(event, EventKind::Finished { .. }) && !self.timed.load(Ordering::Relaxed) {
            None
        } else {
            human::text(&event, self.level)
        };
        if let Some(text) = text {
            self.bytes(text.as_bytes());
        }
    }
}
