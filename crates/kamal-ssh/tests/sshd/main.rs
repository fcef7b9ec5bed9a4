//! The adapter against a real OpenSSH server on a loopback port. Needs root, `sshd` and `ssh-keygen`; says so when it
//! lacks them rather than passing.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint cannot know")]

mod attach;
mod authenticate;
mod connect;
mod doctor;
mod exec;
mod forward;
#[path = "../../../../tests/shared/free_port.rs"]
mod free_port;
mod host_keys;
mod hostile;
mod listen;
mod login_shells;
#[path = "../../../../tests/shared/memory.rs"]
mod memory;
mod route;
mod scripted_attendant;
mod server;
mod silence;
mod suite;
mod typed;
mod upload;
mod wire;
