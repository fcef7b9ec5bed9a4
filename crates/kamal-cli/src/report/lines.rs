//! Events as lines in Kamal's own format (spec 5.4): what `-v` shows, and what log files and OpenTelemetry are given.

use std::collections::HashMap;

use anstyle::{AnsiColor, Style};
use kamal_core::{
    event::{Event, EventKind, Outcome, Tone},
    name::HostName,
    plan::fnv1a,
};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Debug,
    Info,
    Warn,
    Error,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) severity: Severity,
    /// With colours, which are taken out where there is no terminal.
    pub(super) text: String,
    /// The host it is about.
    pub(super) host: Option<String>,
    /// `stdout` or `stderr`, of what a program printed.
    pub(super) stream: Option<&'static str>,
    /// Whether it is a sentence of the narrative.
    pub(super) said: bool,
}

/// Makes lines of events.
#[derive(Debug)]
pub(super) struct Lines {
    /// Who runs what is run on this machine.
    user: Option<String>,
    /// What runs, by its place and what it is: its id.
    running: HashMap<(Option<HostName>, String), String>,
    /// What began last at a place.
    latest: HashMap<Option<HostName>, String>,
}

impl Lines {
    pub(super) fn new(user: Option<String>) -> Self {
        Self { user, running: HashMap::new(), latest: HashMap::new() }
    }

    /// The lines of an event.
    pub(super) fn take(&mut self, event: &Event) -> Vec<Line> {
        match &event.kind {
            EventKind::Say { text, tone } => text.lines().map(|line| said(line, *tone)).collect(),
            EventKind::StepStarted { host, step, command } => {
                let id = format!("{:08x}", fnv1a(format!("{}{}", event.operation_id, event.sequence).as_bytes()) >> 32);
                let lines = self.begun(host.as_ref(), &id, command.trim_end());
                self.latest.insert(host.clone(), id.clone());
                self.running.insert((host.clone(), step.clone()), id);
                lines
            }
            EventKind::Output { host, line, error } => {
                let (stream, colour) = if *error { ("stderr", AnsiColor::Red) } else { ("stdout", AnsiColor::Green) };
                let text = format!("\t{}", paint(colour.on_default(), line));
                let line = of(host.as_ref(), Severity::Debug, self.latest.get(host).map(String::as_str), &text);
                vec![Line { stream: Some(stream), ..line }]
            }
            EventKind::StepFinished { host, step, outcome, took } => {
                let Some(id) = self.running.remove(&(host.clone(), step.clone())) else {
                    // A step of the build, within what runs.
                    let id = self.latest.get(host).map(String::as_str);
                    let how = match outcome {
                        Outcome::Failed(why) => format!("ERROR: {why}"),
                        Outcome::Ok | Outcome::Ignored => format!("DONE {:.1}s", took.as_secs_f64()),
                    };
                    let text = format!("{step} {how}");
                    let line = |line| of(host.as_ref(), Severity::Debug, id, &format!("\t{line}"));
                    return text.lines().map(line).collect();
                };
                let (status, how) = match outcome {
                    Outcome::Ok => (0, paint(AnsiColor::Green.on_default().bold(), "successful")),
                    Outcome::Ignored => (1, paint(AnsiColor::Red.on_default().bold(), "failed")),
                    // The error says it.
                    Outcome::Failed(_) => return Vec::new(),
                };
                let text = format!("Finished in {:.3} seconds with exit status {status} ({how}).", took.as_secs_f64());
                vec![of(host.as_ref(), Severity::Info, Some(&id), &text)]
            }
            EventKind::Connected { host, took } => {
                let text = format!("Connected to {host} in {:.3} seconds", took.as_secs_f64());
                vec![of(Some(host), Severity::Debug, None, &text)]
            }
            EventKind::Uploading { host, file, sent, total } => {
                let percent = *sent as f64 * 100.0 / (*total).max(1) as f64;
                vec![of(Some(host), Severity::Info, None, &format!("Uploading {file} {percent:.1}%"))]
            }
            _ => Vec::new(),
        }
    }

    /// What a step's script is told of by: each line is one of the log's, as programs that read it take Kamal's.
    fn begun(&self, host: Option<&HostName>, id: &str, command: &str) -> Vec<Line> {
        let mut script = command.lines();
        let first = paint(AnsiColor::Yellow.on_default().bold(), script.next().unwrap_or_default());
        let more = if script.next().is_some() { " …" } else { "" };
        let running = format!("Running {first}{more} {}", self.place(host));
        let commands = command.lines().map(|line| of(host, Severity::Debug, Some(id), &format!("Command: {line}")));
        std::iter::once(of(host, Severity::Info, Some(id), &running)).chain(commands).collect()
    }

    fn place(&self, host: Option<&HostName>) -> String {
        let blue = AnsiColor::Blue.on_default();
        match (host, &self.user) {
            (Some(host), _) => format!("on {}", paint(blue, host)),
            (None, Some(user)) => format!("as {}@{}", paint(blue, user), paint(blue, "localhost")),
            (None, None) => format!("on {}", paint(blue, "localhost")),
        }
    }
}

/// A sentence of the narrative; what is said inside of steps has its level.
fn said(text: &str, tone: Tone) -> Line {
    let (severity, colour) = match tone {
        Tone::Progress => (Severity::Info, AnsiColor::Magenta),
        Tone::Info => return of(None, Severity::Info, None, text),
        Tone::Warning => (Severity::Warn, AnsiColor::Yellow),
        Tone::Problem => (Severity::Error, AnsiColor::Red),
    };
    Line { severity, text: paint(colour.on_default(), text), host: None, stream: None, said: true }
}

fn of(host: Option<&HostName>, severity: Severity, id: Option<&str>, text: &str) -> Line {
    let (level, colour) = match severity {
        Severity::Debug => ("DEBUG", AnsiColor::Black),
        Severity::Info => ("INFO", AnsiColor::Blue),
        Severity::Warn => ("WARN", AnsiColor::Yellow),
        Severity::Error => ("ERROR", AnsiColor::Red),
    };
    let id = id.map(|id| format!(" [{}]", paint(AnsiColor::Green.on_default(), id))).unwrap_or_default();
    let indent = " ".repeat(6 - level.len());
    let text = format!("{indent}{}{id} {text}", paint(colour.on_default(), level));
    Line { severity, text, host: host.map(ToString::to_string), stream: None, said: false }
}

fn paint(style: Style, text: &str) -> String {
    format!("{}{text}{}", style.render(), style.render_reset())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::testing::event;

    #[test]
    fn each_line_stands_for_itself() {
        let mut lines = Lines::new(None);
        let host = Some("1.1.1.2".parse().unwrap());
        let (step, command) = ("start app".to_owned(), "docker run \\\n  app\ndocker ps\n".to_owned());
        let why = "it ended\nwith 1".to_owned();
        let mut told = Vec::new();
        for kind in [
            EventKind::tell(Tone::Warning, "Two\nlines"),
            EventKind::StepStarted { host: host.clone(), step, command },
            EventKind::StepFinished {
                host,
                step: "[1/2] RUN".to_owned(),
                outcome: Outcome::Failed(why),
                took: Duration::ZERO,
            },
        ] {
            told.extend(lines.take(&event(kind)));
        }
        let told: Vec<String> = told.iter().map(|line| anstream::adapter::strip_str(&line.text).to_string()).collect();
        let id = &told[2][7..17].to_owned();
        let expected = [
            "Two",
            "lines",
            "  INFO ID Running docker run \\ … on 1.1.1.2",
            " DEBUG ID Command: docker run \\",
            " DEBUG ID Command:   app",
            " DEBUG ID Command: docker ps",
            " DEBUG ID \t[1/2] RUN ERROR: it ended",
            " DEBUG ID \twith 1",
        ];
        assert_eq!(told.iter().map(|line| line.replace(id, "ID")).collect::<Vec<_>>(), expected);
    }
}
