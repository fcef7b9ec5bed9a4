//! The user's terminal: who sits at it, and what is attached to it.

pub(crate) mod terminal;
pub(crate) mod terminal_attendant;
