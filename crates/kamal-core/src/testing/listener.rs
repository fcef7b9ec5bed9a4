//! Events, kept.

use std::sync::{Mutex, PoisonError};

use crate::{event::EventKind, machine::Phase, ports::Events};

/// Keeps every event in order.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Vec<EventKind>>);

impl Recorder {
    /// What happened so far.
    #[must_use]
    pub fn events(&self) -> Vec<EventKind> {
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
    fn emit(&self, event: EventKind) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}
