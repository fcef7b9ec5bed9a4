//! Who tells: each event of an operation gets its number, the time and the operation's id, loses its secrets, and is
//! handed on, in order.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Event, EventKind, SCHEMA};
use crate::{
    ports::{Clock, Entropy, Events, World},
    redact::Redactor,
};

/// An operation's id, and how many events of it there have been. Clones go on counting together.
#[derive(Clone, Debug)]
pub struct Sequence(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    id: String,
    next: Mutex<u64>,
}

impl Sequence {
    /// One that begins, under an id nobody has: a UUID of chance.
    #[must_use]
    pub fn begin(entropy: &dyn Entropy) -> Self {
        let digits = entropy.hex(32);
        let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
        // Version 4, variant 1 (RFC 9562).
        let id = format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32));
        Self::under(id)
    }

    /// One that begins under a given id.
    #[must_use]
    pub fn under(id: impl Into<String>) -> Self {
        Self(Arc::new(Counted { id: id.into(), next: Mutex::new(0) }))
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }
}

/// Tells listeners what happens. Whoever has something to tell is given one.
#[derive(Clone, Debug)]
pub struct Teller {
    sequence: Sequence,
    clock: Arc<dyn Clock>,
    events: Arc<dyn Events>,
    redactor: Redactor,
}

impl Teller {
    /// Tells a listener under an id.
    #[must_use]
    pub fn new(sequence: Sequence, clock: Arc<dyn Clock>, events: Arc<dyn Events>, redactor: Redactor) -> Self {
        Self { sequence, clock, events, redactor }
    }

    /// Tells the listener of a world under an id.
    #[must_use]
    pub(crate) fn of(world: &World, sequence: Sequence) -> Self {
        Self::new(sequence, world.clock.clone(), world.events.clone(), world.redactor.clone())
    }

    /// Tells that something happened.
    pub fn emit(&self, kind: EventKind) {
        let kind = kind.redacted(&self.redactor);
        // Held while it is told, so that numbers come in their order.
        let mut next = self.sequence.0.next.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = *next;
        *next += 1;
        let time = self.clock.now();
        self.events.emit(Event {
            schema: SCHEMA.into(),
            operation_id: self.sequence.id().to_owned(),
            sequence,
            time,
            kind,
        });
    }

    /// True when what local programs print is shown, so that an error need not repeat it.
    #[must_use]
    pub fn shows_output(&self) -> bool {
        self.events.shows_output()
    }

    /// Under which id, and how far it is.
    #[must_use]
    pub fn sequence(&self) -> &Sequence {
        &self.sequence
    }
}
