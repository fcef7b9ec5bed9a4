//! End-to-end tests: the real command against real sshd, Docker and proxy on the hosts of the sandbox.
//!
//! Each test borrows the hosts it needs, so that they can run side by side, as threads and as processes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accessories;
mod article;
mod bad_input;
mod build;
mod cases;
mod clients;
mod cluster;
mod commands;
mod conformance;
mod deploy;
mod diagnosis;
mod embedded;
mod failure;
#[path = "../../shared/free_port.rs"]
mod free_port;
mod guard;
mod hooks;
mod images;
mod loadbalancer;
mod local;
mod lock;
#[path = "../../shared/memory.rs"]
mod memory;
mod pasted;
mod promises;
mod proxy;
mod registry;
mod relayed;
mod removal;
mod rollout;
mod secrets;
mod services;
mod spine;
mod surveys;
mod terminal;
