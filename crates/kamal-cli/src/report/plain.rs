//! Events as plain lines: Kamal's narrative, a line per step, and whatever a failing step printed.

use anstyle::{AnsiColor, Style};
use kamal_core::event::{Event, EventKind, Outcome, Tone};

use super::{lines::Lines, sink::Sink};
use crate::output;

/// Kamal tells of four how long they took.
const TIMED: [&str; 4] = ["setup", "deploy", "redeploy", "rollback"];

/// Prints a line for what matters.
#[derive(Debug)]
pub(super) struct Plain {
    quiet: bool,
    /// Whether the operation is one that tells how long it took.
    timed: bool,
}

impl Plain {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet, timed: false }
    }
}

impl Sink for Plain {
    fn take(&mut self, event: &Event) {
        if let EventKind::Started { operation, dry_run, .. } = &event.kind {
            self.timed = TIMED.contains(&operation.as_str()) && !dry_run;
        }
        let ends = matches!(event.kind, EventKind::Finished { .. });
        if let Some(text) = text(&event.kind).filter(|_| !ends || self.timed) {
            print(&event.kind, self.quiet, &text);
        }
    }
}

/// Prints everything, in Kamal's own format.
#[derive(Debug)]
pub(super) struct Verbose {
    lines: Lines,
    plain: Plain,
}

impl Verbose {
    pub(super) fn new(lines: Lines) -> Self {
        Self { lines, plain: Plain::new(false) }
    }
}

impl Sink for Verbose {
    fn take(&mut self, event: &Event) {
        if matches!(event.kind, EventKind::Started { .. } | EventKind::Finished { .. } | EventKind::Say { .. }) {
            // What is said inside of steps has its level.
            if !matches!(event.kind, EventKind::Say { tone: Tone::Info, .. }) {
                return self.plain.take(event);
            }
        }
        for line in self.lines.take(event) {
            output::line(&line.text);
        }
    }
}

/// Prints that hosts were connected to, where deploy.yml asks for it.
#[derive(Debug)]
pub(super) struct Connections;

impl Sink for Connections {
    fn take(&mut self, event: &Event) {
        if let EventKind::Connected { host, took } = &event.kind {
            output::line(&format!("{} connected in {:.3}s", place(Some(host)), took.as_secs_f64()));
        }
    }
}

/// Prints the text of an event where it belongs. Standard output is for what goes on and what was asked for.
pub(super) fn print(event: &EventKind, quiet: bool, text: &str) {
    match event {
        EventKind::Say { tone: Tone::Problem, .. } => output::complain(text),
        _ if quiet => {}
        EventKind::Say { tone: Tone::Warning, .. } => output::complain(text),
        _ => output::line(text),
    }
}

/// The text of an event, if it has one. Colours are stripped later where there is no terminal.
pub(super) fn text(event: &EventKind) -> Option<String> {
    match event {
        EventKind::Say { text, tone } => Some(paint(*tone, text)),
        EventKind::StepFinished { host, step, outcome, took } => {
            let mark = match outcome {
                Outcome::Ok => String::new(),
                Outcome::Ignored => dim(" (failed, which is of no matter)"),
                Outcome::Failed(why) => format!(" {}", paint(Tone::Problem, &format!("failed: {why}"))),
            };
            let quick = took.as_millis() < 5 || *outcome == Outcome::Ignored;
            let took = if quick { String::new() } else { dim(&format!(" {:.2}s", took.as_secs_f64())) };
            Some(format!("{} {step}{mark}{took}", place(host.as_deref())))
        }
        // A local program's output is the build's: Kamal always shows it.
        EventKind::Output { host: None, line, .. } => Some(format!("{} {line}", place(None))),
        EventKind::Uploading { host, file, sent, total } => {
            let text = format!("{file}: {:.1} of {:.1} MB", megabytes(*sent), megabytes(*total));
            Some(format!("{} {}", place(Some(host)), dim(&text)))
        }
        EventKind::Pulling { host, sent } => {
            let text = format!("pulls the image: {:.1} MB", megabytes(*sent));
            Some(format!("{} {}", place(Some(host)), dim(&text)))
        }
        EventKind::Finished { took, .. } => Some(format!("  Finished all in {:.1} seconds", took.as_secs_f64())),
        _ => None,
    }
}

/// For people.
pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn place(host: Option<&str>) -> String {
    let style = AnsiColor::Blue.on_default();
    format!("  {}{:<14}{}", style.render(), host.unwrap_or("local"), style.render_reset())
}

fn dim(text: &str) -> String {
    let style = Style::new().dimmed();
    format!("{}{text}{}", style.render(), style.render_reset())
}

/// A sentence in its colour.
pub(super) fn paint(tone: Tone, text: &str) -> String {
    let style = match tone {
        Tone::Progress => AnsiColor::Magenta.on_default(),
        Tone::Info => Style::new(),
        Tone::Warning => AnsiColor::Yellow.on_default(),
        Tone::Problem => AnsiColor::Red.on_default(),
    };
    format!("{}{text}{}", style.render(), style.render_reset())
}
