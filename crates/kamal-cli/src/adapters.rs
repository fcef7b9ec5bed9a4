//! The engine's ports on this machine.

pub(crate) mod chance;
pub(crate) mod environment;
pub(crate) mod local;
pub(crate) mod outside;
pub(crate) mod person;
mod programs;
pub(crate) mod secrets;
mod slots;
pub(crate) mod terminal;
pub(crate) mod time;
