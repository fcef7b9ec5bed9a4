//! The engine's ports: object-safe traits through which every effect goes. Adapters implement them; tests give a
//! simulated fleet.

mod exec;

pub use exec::{Chunk, Exec, Exit, Ssh, TransportError, TransportErrorKind};
