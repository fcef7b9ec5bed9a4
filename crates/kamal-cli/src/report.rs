//! What happens, told to all who are to know: the terminal as plain lines, lines that change or JSON, log files,
//! OpenTelemetry, GitHub Actions. One stream of events goes through all of them.

mod class;
mod github;
mod json;
mod lines;
mod live;
mod log_file;
mod otel;
mod plain;
mod sink;
mod summary;
#[cfg(test)]
mod testing;
mod timings;
mod voice;

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use jiff::tz::TimeZone;
use kamal_core::{
    config::Config,
    event::{Event, EventKind, Tone},
    ports::Events,
    redact::Redactor,
};

use crate::{args::Global, output};
use github::Github;
use json::Json;
use lines::Lines;
use live::Live;
use log_file::LogFile;
use otel::Otel;
use plain::{Plain, Verbose};
use sink::Sink;
use summary::Summary;
use timings::Timings;
use voice::Voice;

/// The version of Kamal whose behaviour this program has.
pub(crate) const KAMAL_VERSION: &str = "2.12.0";

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Level {
    Quiet,
    Normal,
    Verbose,
}

/// Tells all who are to know.
#[derive(Debug)]
pub(crate) struct Reporter {
    level: Level,
    json: bool,
    /// Whether lines may change.
    lively: bool,
    redactor: Redactor,
    sinks: Mutex<Sinks>,
}

/// Until a configuration says who is to know, events wait.
#[derive(Debug)]
enum Sinks {
    Waiting(Vec<Event>),
    Open(Vec<Box<dyn Sink>>),
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
            lively: level == Level::Normal && !global.json && !global.no_color && is_lively(),
            redactor,
            sinks: Mutex::new(Sinks::Waiting(Vec::new())),
        }
    }

    /// Tells whom options, a configuration and the environment name, from now on and what there was before.
    pub(crate) fn obey(&self, global: &Global, config: &Config, project: &Path) {
        let mut told: Vec<Box<dyn Sink>> = Vec::new();
        told.push(match self.level {
            _ if self.json => Box::new(Json::default()),
            _ if self.lively => Box::new(Live::new(Summary::new(summary::urls(config)))),
            Level::Verbose => Box::new(Verbose::new(Lines::new(user()))),
            level => Box::new(Plain::new(level == Level::Quiet)),
        });
        let connections = ["debug", "info"].contains(&config.ssh.log_level.as_str());
        if connections && !self.json && self.level != Level::Verbose {
            told.push(Box::new(plain::Connections));
        }
        if std::env::var("GITHUB_ACTIONS").is_ok_and(|set| set == "true") {
            let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from);
            told.push(Box::new(Github::new(!self.json && self.level > Level::Quiet, summary)));
        }
        let voice = Voice::new(self.level > Level::Quiet && !self.json);
        if let Some(folder) = &config.output.file_path {
            let lines = Lines::new(user());
            told.push(Box::new(LogFile::new(project.join(folder), TimeZone::system(), lines, voice)));
        }
        if let Some(endpoint) = &config.output.otel_endpoint {
            told.push(Box::new(Otel::new(endpoint, KAMAL_VERSION, Lines::new(user()), voice)));
        }
        if global.timings {
            told.push(Box::new(Timings::default()));
        }
        let mut sinks = self.sinks();
        if let Sinks::Waiting(before) = std::mem::replace(&mut *sinks, Sinks::Open(told))
            && let Sinks::Open(told) = &mut *sinks
        {
            before.iter().for_each(|event| tell(told, event));
        }
    }

    /// Whether everything is shown as JSON.
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

    /// Ends what is told.
    pub(crate) fn finish(&self) {
        let mut sinks = self.sinks();
        match &mut *sinks {
            Sinks::Open(told) => told.iter_mut().for_each(|sink| sink.close()),
            // What went wrong before anybody was to know is for the user all the same.
            Sinks::Waiting(before) => {
                let mut last: Vec<Box<dyn Sink>> = vec![Box::new(Plain::new(self.level == Level::Quiet))];
                std::mem::take(before).iter().for_each(|event| tell(&mut last, event));
            }
        }
    }

    fn sinks(&self) -> std::sync::MutexGuard<'_, Sinks> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events for Reporter {
    fn shows_output(&self) -> bool {
        self.json || self.level > Level::Quiet
    }

    fn emit(&self, event: Event) {
        match &mut *self.sinks() {
            Sinks::Open(told) => tell(told, &event),
            Sinks::Waiting(before) => before.push(event),
        }
    }
}

fn tell(sinks: &mut [Box<dyn Sink>], event: &Event) {
    sinks.iter_mut().for_each(|sink| sink.take(event));
}

/// A warning about what a command was given.
pub(crate) fn warning(text: impl Into<String>) -> EventKind {
    EventKind::tell(Tone::Warning, text)
}

/// Whether somebody looks at a terminal that can change its lines.
fn is_lively() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    std::io::stdout().is_terminal() && std::io::stderr().is_terminal() && !dumb && !set("NO_COLOR") && !set("CI")
}

/// Who runs what is run on this machine, as SSHKit finds out.
fn user() -> Option<String> {
    ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
}
