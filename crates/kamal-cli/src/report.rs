//! Events on the terminal, as text or as JSON lines.

mod human;
mod timings;

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
};

use kamal_core::{event::EventKind, ports::Events};

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
}

impl Reporter {
    pub(crate) fn new(global: &Global) -> Self {
        let level = match (global.quiet, global.verbose) {
            (true, _) => Level::Quiet,
            (_, true) => Level::Verbose,
            _ => Level::Normal,
        };
        Self { level, json: global.json, timings: global.timings.then(Mutex::default) }
    }

    /// Data a command was asked for: shown whatever the level.
    pub(crate) fn data(&self, text: &str) {
        let mut out = anstream::stdout().lock();
        // A reader that went away (`kamal app logs | head`) is no error of ours.
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }

    /// A host's answer under Kamal's heading (spec 1.7).
    pub(crate) fn host(&self, kind: &str, host: &str, text: &str) {
        let heading = if self.level == Level::Quiet { String::new() } else { format!("{kind} Host: {host}\n") };
        self.data(&format!("{heading}{}\n\n", text.trim_end()));
    }

    /// A warning.
    pub(crate) fn warn(&self, text: &str) {
        self.emit(EventKind::tell(kamal_core::event::Tone::Warning, text));
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
            self.data(&text);
        }
    }
}
