//! Events on the terminal, as text or as JSON lines.

mod human;
mod timings;

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
};

use kamal_core::{event::EventKind, ports::Events, redact::Redactor};

use crate::args::Global;
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
}

impl Reporter {
    pub(crate) fn new(global: &Global, redactor: Redactor) -> Self {
        let level = match (global.quiet, global.verbose) {
            (true, _) => Level::Quiet,
            (_, true) => Level::Verbose,
            _ => Level::Normal,
        };
        Self { level, json: global.json, timings: global.timings.then(Mutex::default), redactor }
    }

    /// Data a command was asked for, shown whatever the level, without secrets.
    pub(crate) fn data(&self, text: &str) {
        self.bytes(self.redactor.text(text).as_bytes());
    }

    /// As [`Reporter::data`], secrets and all: for who asked for just that.
    #[expect(clippy::unused_self, reason = "everything that is shown goes through the reporter")]
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        let mut out = anstream::stdout().lock();
        // A reader that went away (`kamal app logs | head`) is no error of ours.
        drop(out.write_all(bytes).and_then(|()| out.flush()));
    }

    /// Something for standard error, without secrets.
    pub(crate) fn complain(&self, text: &str) {
        anstream::eprintln!("{}", self.redactor.text(text));
    }

    /// What a host goes on printing, without secrets. `None` is its end.
    pub(crate) fn follow(&self) -> impl FnMut(Option<&[u8]>) + Send {
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

    /// A warning.
    pub(crate) fn warn(&self, text: &str) {
        self.emit(EventKind::tell(kamal_core::event::Tone::Warning, text).redacted(&self.redactor));
    }

    /// Prints the timings, if they were asked for.
    pub(crate) fn finish(&self) {
        if let Some(timings) = &self.timings {
            anstream::eprint!("{}", timings.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Events for Reporter {
    fn emit(&self, event: EventKind) {
        if let Some(timings) = &self.timings {
            timings.lock().unwrap_or_else(PoisonError::into_inner).take(&event);
        }
        let text = if self.json {
            serde_json::to_string(&event).map(|line| line + "\n").ok()
        } else {
            human::text(&event, self.level)
        };
        if let Some(text) = text {
            self.bytes(text.as_bytes());
        }
    }
}
