//! Events, kept.

use std::sync::{Mutex, PoisonError};

use crate::{
    event::{Event, EventKind},
    machine::Phase,
    ports::Events,
};

/// Keeps every event in order.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Vec<Event>>);

impl Recorder {
    /// What happened so far.
    #[must_use]
    pub fn events(&self) -> Vec<EventKind> {
        self.told().into_iter().map(|event| event.kind).collect()
    }

    /// The same, with when it happened and in which operation.
    #[must_use]
    pub fn told(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The phases gone through so far.
    #[must_use]
    pub fn phases(&self) -> Vec<Phase> {
        let phase = |event| if let EventKind::Phase { phase, .. } = event { Some(phase) } else { None };
        self.events().into_iter().filter_map(phase).collect()
    }

    /// What was said so far.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        let said = |event| if let EventKind::Say { text, .. } = event { Some(text) } else { None };
        self.events().into_iter().filter_map(said).collect()
    }

    /// What the round trips to a host were for so far.
    #[must_use]
    pub fn round_trips(&self, wanted: &str) -> Vec<String> {
        let trip = |event| match event {
            EventKind::RoundTrip { host, label, .. } if host == *wanted => Some(label),
            _ => None,
        };
        self.events().into_iter().filter_map(trip).collect()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Events for Recorder {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}
