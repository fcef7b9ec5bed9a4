//! Running a local program: what it prints as events, and how it ended.

use std::time::Duration;

use kamal_core::{
    event::{EventKind, Outcome},
    output::{Lines, Tail},
    ports::{BuildError, BuildOrder, Chunk, Command, Exit},
    secret::Secret,
};

use super::steps::{Ended, Progress, Steps};

/// How much of what a program prints is shown while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// Nothing; an error repeats the last of it.
    Nothing,
    /// The lines it draws over one another, now and then.
    Progress,
    /// All of it.
    All,
}

/// How often something is drawn anew.
const PACE: Duration = Duration::from_secs(1);

/// Runs a program and returns what it printed last; fails with that on a non-zero exit.
pub(super) async fn run(
    order: &BuildOrder<'_>,
    what: &str,
    command: &Command,
    show: Show,
) -> Result<String, BuildError> {
    let began = order.clock.elapsed();
    order.events.emit(EventKind::StepStarted { host: None, step: what.to_owned(), command: command.to_string() });
    let mut listener = Listener { order, show, tail: Tail::default(), steps: Steps::default(), drawn: began };
    let (mut out, mut err) = (Lines::default(), Lines::default());
    let mut output = |chunk: Chunk<'_>| {
        let (lines, bytes) = match chunk {
            Chunk::Stdout(bytes) => (&mut out, bytes),
            Chunk::Stderr(bytes) => (&mut err, bytes),
        };
        if show == Show::Progress {
            // A line that is drawn over ends with a carriage return.
            let ended: Vec<u8> = bytes.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect();
            lines.feed(&ended, &mut |line| listener.take(line));
        } else {
            lines.feed(bytes, &mut |line| listener.take(line));
        }
    };
    let exit = order.local.run(command, &mut output).await;
    out.end(&mut |line| listener.take(line));
    err.end(&mut |line| listener.take(line));
    let outcome = match &exit {
        Ok(exit) if exit.success() => Outcome::Ok,
        Ok(exit) => Outcome::Failed(format!("exit status {exit}")),
        Err(error) => Outcome::Failed(error.to_string()),
    };
    let took = order.clock.elapsed().saturating_sub(began);
    order.events.emit(EventKind::StepFinished { host: None, step: what.to_owned(), outcome, took });
    let (exit, output) = (exit?, listener.tail.text());
    if exit.success() {
        return Ok(output);
    }
    let shown = show == Show::All && order.events.shows_output();
    Err(BuildError::Failed { what: format!("`{command}`"), status: exit.0, output, shown })
}

/// Takes a program's lines as they come.
struct Listener<'l> {
    order: &'l BuildOrder<'l>,
    show: Show,
    tail: Tail,
    steps: Steps,
    drawn: Duration,
}

impl Listener<'_> {
    fn take(&mut self, line: &str) {
        let line = line.trim_end();
        let events = self.order.events;
        if self.show == Show::Progress && line.contains("% (") {
            let now = self.order.clock.elapsed();
            if now.saturating_sub(self.drawn) >= PACE {
                self.drawn = now;
                events.emit(EventKind::Output { host: None, line: line.to_owned(), error: false });
            }
            return;
        }
        self.tail.push(line);
        if self.show != Show::All || line.is_empty() {
            return;
        }
        let before = self.steps.progress();
        // The end of a step of the build is told as one, with its name and its time.
        events.emit(match self.steps.take(line, self.order.clock.elapsed()) {
            Some(Ended { step, outcome, took }) => EventKind::StepFinished { host: None, step, outcome, took },
            None => EventKind::Output { host: None, line: line.to_owned(), error: false },
        });
        if let Some(Progress { done, total }) = self.steps.progress().filter(|now| before != Some(*now)) {
            events.emit(EventKind::Progress { host: None, what: "steps of the build".to_owned(), done, total });
        }
    }
}

/// What a program printed, and how it ended.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) exit: Exit,
    pub(super) out: String,
    pub(super) err: String,
}

impl Printed {
    /// Its standard output without the last line's end, when it succeeded.
    pub(super) fn answer(self) -> Option<String> {
        self.exit.success().then(|| self.out.strip_suffix('\n').map_or_else(|| self.out.clone(), str::to_owned))
    }

    /// Both of its outputs.
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// The error that it failed.
    pub(super) fn failure(&self, command: &Command) -> BuildError {
        let output = self.text().trim().to_owned();
        BuildError::Failed { what: format!("`{command}`"), status: self.exit.0, output, shown: false }
    }
}

/// Runs a program nobody need hear of, and returns what it printed. What is read here is English, whatever the user's
/// language.
pub(super) async fn look(order: &BuildOrder<'_>, command: &Command) -> Result<Printed, BuildError> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut output = |chunk: Chunk<'_>| match chunk {
        Chunk::Stdout(bytes) => out.extend_from_slice(bytes),
        Chunk::Stderr(bytes) => err.extend_from_slice(bytes),
    };
    let mut command = command.clone();
    command.env.push(("LC_ALL".to_owned(), Secret::new("C")));
    let exit = order.local.run(&command, &mut output).await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Printed { exit, out: text(&out), err: text(&err) })
}

/// Runs a program nobody need hear of, which must succeed, and returns its standard output.
pub(super) async fn must(order: &BuildOrder<'_>, command: &Command) -> Result<String, BuildError> {
    let printed = look(order, command).await?;
    if printed.exit.success() { Ok(printed.out) } else { Err(printed.failure(command)) }
}

/// The answer of a program, if it has one.
pub(super) async fn ask(order: &BuildOrder<'_>, command: &Command) -> Option<String> {
    look(order, command).await.ok()?.answer()
}
