//! What has happened in a run, kept for all who watch it: each sees everything from the beginning, whenever it comes.

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use futures_util::{
    Stream,
    stream::{BoxStream, StreamExt as _, unfold},
};
use kamal_core::{event::Event, ports::Events};
use tokio::sync::watch;

/// How many lines of output are kept: the oldest go first. Events that tell the state are all kept.
const MOST_OUTPUT: usize = 10_000;

/// The events of a run so far.
#[derive(Debug)]
pub(crate) struct EventLog {
    kept: Mutex<Kept>,
    /// How many there have been; `None` when there will be no more.
    count: watch::Sender<Count>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    events: u64,
    complete: bool,
}

/// Events by their number, which output that went leaves gaps in.
#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<(u64, Arc<Event>)>,
    output: usize,
    next: u64,
}

impl EventLog {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { kept: Mutex::default(), count: watch::Sender::new(Count::default()) })
    }

    pub(crate) fn push(&self, event: Event) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let number = kept.next;
        kept.next += 1;
        kept.output += usize::from(event.kind.is_output());
        kept.events.push_back((number, Arc::new(event)));
        if kept.output > MOST_OUTPUT {
            // Half at once, so that it costs little for each.
            let mut surplus = MOST_OUTPUT / 2;
            kept.output -= surplus;
            kept.events.retain(|(_, event)| {
                let goes = surplus > 0 && event.kind.is_output();
                surplus -= usize::from(goes);
                !goes
            });
        }
        drop(kept);
        self.count.send_modify(|count| count.events += 1);
    }

    /// There will be no more once what this returns is dropped, whatever becomes of whoever has it.
    pub(crate) fn until_dropped(self: &Arc<Self>) -> Completion {
        Completion(Arc::clone(self))
    }

    /// The first event that has this number or a later one, and the number behind it. Whoever runs waits for the lock, so
    /// that nothing is copied under it.
    fn from(&self, number: u64) -> Option<(Event, u64)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.events.partition_point(|(own, _)| *own < number);
        let (event, next) = kept.events.get(at).map(|(own, event)| (Arc::clone(event), own + 1))?;
        drop(kept);
        Some((Arc::unwrap_or_clone(event), next))
    }

    pub(crate) fn stream(self: &Arc<Self>) -> EventStream {
        let state = (Arc::clone(self), self.count.subscribe(), 0);
        let next = |(log, mut count, number): (Arc<Self>, watch::Receiver<Count>, u64)| async move {
            loop {
                let complete = count.borrow_and_update().complete;
                if let Some((event, next)) = log.from(number) {
                    return Some((event, (log, count, next)));
                }
                if complete || count.changed().await.is_err() {
                    return None;
                }
            }
        };
        EventStream(unfold(state, next).boxed())
    }
}

/// Ends the streams of a log when it is dropped: a run may panic, and its runtime may end before it does.
#[derive(Debug)]
pub(crate) struct Completion(Arc<EventLog>);

impl Drop for Completion {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| count.complete = true);
    }
}

/// The events of a run, from its beginning to its end, secrets covered. State is never left out; of output the oldest lines
/// are, where somebody comes late or is slow.
pub struct EventStream(BoxStream<'static, Event>);

impl EventStream {
    /// The next event; `None` when the run has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.next().await
    }
}

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_next_unpin(cx)
    }
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventStream")
    }
}

/// Tells the project's listener and the run's.
#[derive(Debug)]
pub(crate) struct Both {
    pub(crate) listener: Arc<dyn Events>,
    pub(crate) log: Arc<EventLog>,
}

impl Events for Both {
    fn emit(&self, event: Event) {
        self.log.push(event.clone());
        self.listener.emit(event);
    }

    fn shows_output(&self) -> bool {
        self.listener.shows_output()
    }
}

/// A function that is told what happens.
pub(crate) struct Callback<F>(pub(crate) F);

impl<F: Fn(Event) + Send + Sync> Events for Callback<F> {
    fn emit(&self, event: Event) {
        // A listener that panics has printed why; hosts half done would be too high a price for it.
        drop(std::panic::catch_unwind(AssertUnwindSafe(|| (self.0)(event))));
    }

    /// Nobody knows what the function does with it, so errors say for themselves what was printed.
    fn shows_output(&self) -> bool {
        false
    }
}

impl<F> std::fmt::Debug for Callback<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callback")
    }
}

#[cfg(test)]
mod tests {
    use kamal_core::{
        event::{EventKind, Sequence, Teller, Tone},
        ports::Nothing,
        redact::Redactor,
    };

    use super::*;
    use crate::machine::SystemClock;

    fn output(line: usize) -> EventKind {
        EventKind::Output { host: None, line: line.to_string(), error: false }
    }

    /// A log, and who tells it.
    fn told() -> (Arc<EventLog>, Teller) {
        let log = EventLog::new();
        let both = Both { listener: Arc::new(Nothing), log: log.clone() };
        let clock = Arc::new(SystemClock::default());
        (log, Teller::new(Sequence::under("id"), clock, Arc::new(both), Redactor::new()))
    }

    #[tokio::test]
    async fn whoever_comes_late_sees_everything_and_whoever_is_there_sees_it_at_once() {
        let (log, teller) = told();
        let mut early = log.stream();
        teller.emit(EventKind::say("one"));
        assert_eq!(early.next().await.map(|event| event.kind), Some(EventKind::say("one")));
        let waiting = tokio::spawn(async move { early.next().await });
        tokio::task::yield_now().await;
        teller.emit(EventKind::say("two"));
        assert_eq!(waiting.await.unwrap().map(|event| (event.sequence, event.kind)), Some((1, EventKind::say("two"))));
        drop(log.until_dropped());
        let late: Vec<EventKind> = log.stream().map(|event| event.kind).collect().await;
        assert_eq!(late, [EventKind::say("one"), EventKind::say("two")]);
    }

    #[tokio::test]
    async fn old_output_goes_and_state_stays() {
        let (log, teller) = told();
        let mut slow = log.stream();
        teller.emit(EventKind::say("begin"));
        assert_eq!(slow.next().await.map(|event| event.kind), Some(EventKind::say("begin")));
        for line in 0..3 * MOST_OUTPUT {
            teller.emit(output(line));
            if line % MOST_OUTPUT == 0 {
                teller.emit(EventKind::tell(Tone::Info, "state"));
            }
        }
        drop(log.until_dropped());
        let seen: Vec<EventKind> = slow.map(|event| event.kind).collect().await;
        assert_eq!(seen.iter().filter(|event| !event.is_output()).count(), 3);
        assert!(seen.len() <= MOST_OUTPUT + 3, "{}", seen.len());
        assert_eq!(seen.last(), Some(&output(3 * MOST_OUTPUT - 1)));
    }
}
