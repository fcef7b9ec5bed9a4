//! Events on the terminal, as text or as JSON lines.

mod human;
mod log_file;
mod timings;

use std::{
    path::Path,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use kamal_core::{
    config::Config,
    event::{EventKind, Tone},
    ports::Events,
    redact::Redactor,
};

use crate::{args::Global, output};
use log_file::LogFile;
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
    asked: OnceLock<Asked>,
}

/// What deploy.yml asks for.
#[derive(Debug)]
struct Asked {
    log: Option<LogFile>,
    /// Whether to tell of each connection.
    connections: bool,
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
            asked: OnceLock::new(),
        }
    }

    /// Follows `output` and `ssh/log_level` of a configuration from now on.
    pub(crate) fn obey(&self, config: &Config, project: &Path) {
        let log = config.output.file_path.as_ref().map(|folder| {
            let destination = config.destination.as_ref().map(ToString::to_string);
            LogFile::new(project.join(folder), destination)
        });
        let connections = ["debug", "info"].contains(&config.ssh.log_level.as_str());
        // The first configuration counts: there is one.
        drop(self.asked.set(Asked { log, connections }));
    }

    /// Whether everything is shown as JSON lines.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A line of JSON, without secrets in its values.
    pub(crate) fn json(&self, value: serde_json::Value) {
        self.bytes(format!("{}\n", self.redactor.fields(value)).as_bytes());
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
            return self.emit(EventKind::tell(Tone::Warning, text).redacted(&self.redactor));
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
        let asked = self.asked.get();
        let told = asked.and_then(|asked| asked.log.as_ref()?.take(&event));
        let level = match &event {
            EventKind::Connected { .. } if asked.is_some_and(|asked| asked.connections) => Level::Verbose,
            _ => self.level,
        };
        let text = if self.json {
            serde_json::to_string(&event).map(|line| line + "\n").ok()
        } else if matches!(event, EventKind::Finished { .. }) && !self.timed.load(Ordering::Relaxed) {
            None
        } else {
            human::text(&event, level)
        };
        let aside = matches!(event, EventKind::Say { tone: Tone::Warning | Tone::Problem, .. }) && !self.json;
        match text {
            // Standard output is for what goes on and what was asked for.
            Some(text) if aside => output::complain(text.trim_end()),
            Some(text) => drop(self.bytes(text.as_bytes())),
            None => {}
        }
        match told {
            Some(Ok(told)) if self.level > Level::Quiet && !self.json => output::line(&told),
            Some(Err(complaint)) => output::complain(&complaint),
            _ => {}
        }
    }
}
