//! Those who are told what happens. Each does one thing with the same stream of events.

use kamal_core::event::Event;

/// Takes events, in order.
pub(super) trait Sink: Send + std::fmt::Debug {
    /// Takes an event.
    fn take(&mut self, event: &Event);

    /// There will be no more.
    fn close(&mut self) {}
}
