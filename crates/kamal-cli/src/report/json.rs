//! Events for programs: of what changes something, a line of JSON each. What only looks prints what it found instead, and
//! its events are nobody's.

use kamal_core::event::{Event, EventKind, Tone};

use super::{plain, sink::Sink};
use crate::output;

/// Prints events as JSON lines.
#[derive(Debug, Default)]
pub(super) struct Json {
    stream: Stream,
}

#[derive(Debug)]
enum Stream {
    /// It is not known yet whether there is one: what came before the operation.
    Unknown(Vec<Event>),
    Lines,
    None,
}

impl Default for Stream {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

impl Sink for Json {
    fn take(&mut self, event: &Event) {
        if let (Stream::Unknown(held), EventKind::Started { changes, dry_run, .. }) = (&mut self.stream, &event.kind) {
            let held = std::mem::take(held);
            self.stream = if *changes && !dry_run { Stream::Lines } else { Stream::None };
            held.iter().for_each(|event| self.take(event));
        }
        match &mut self.stream {
            Stream::Unknown(held) => held.push(event.clone()),
            Stream::Lines => drop(serde_json::to_string(event).map(|line| output::line(&line))),
            Stream::None => aside(event),
        }
    }

    fn close(&mut self) {
        if let Stream::Unknown(held) = std::mem::replace(&mut self.stream, Stream::None) {
            held.iter().for_each(aside);
        }
    }
}

/// What people should know, where they look for it.
fn aside(event: &Event) {
    if let EventKind::Say { text, tone: tone @ (Tone::Warning | Tone::Problem) } = &event.kind {
        output::complain(&plain::paint(*tone, text));
    }
}
