//! The SSH port over russh: connect, authenticate, run, upload, forward.
//!
//! Why it exists: a deploy is as fast as its round trips, and Kamal pays a new `sshd` session and a new login shell
//! for every command. [`Connector`] keeps one connection for each host and one long-lived POSIX shell on it, so that a
//! script costs one round trip. It replaces what Kamal does with Net::SSH and with the `ssh` program (spec 5.5 to
//! 5.7). The crate reads no environment: whoever embeds it passes an [`Options`]. No type of russh is visible outside.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::unwrap_in_result
    )
)]

mod algorithms;
mod attach;
mod attendant;
mod authentication;
mod client;
mod connection;
mod connector;
mod destination;
mod dial;
mod displayable;
mod doctor;
mod fault;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod host;
mod host_key;
mod keyring;
mod known_hosts;
mod nonce;
mod options;
mod pattern;
mod pool;
mod quote;
mod shell;
mod ssh_config;
mod stream;
mod target;
mod trace;
mod upload;

pub use attach::{Pty, Size, Terminal};
pub use attendant::{Attendant, Question, QuestionKind};
pub use connector::Connector;
pub use forward::{ForwardError, RemoteForward};
pub use options::{Environment, Options, Pin};
pub use stream::Stream;
pub use trace::{Finding, Stage};
