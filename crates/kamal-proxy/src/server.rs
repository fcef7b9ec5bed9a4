//! The proxy itself: HTTP and HTTPS in, requests to containers out, and switching between containers without dropping
//! a request.
//!
//! One process listens for traffic and, on a Unix socket, for commands; the same program sends those commands. What is
//! deployed is kept in a state file and taken up again at the next start. The module follows the behaviour of
//! basecamp/kamal-proxy, so that either can take the other's place.

mod balancer;
mod body;
mod cli;
mod client;
mod connections;
mod control;
mod cookies;
mod error_pages;
mod forwarded;
mod front;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod go_duration;
mod handover;
mod hints;
mod host;
mod listen;
mod middleware;
mod observe;
mod options;
mod path;
mod pause;
mod proxying;
mod rollout;
mod router;
mod routes;
mod run;
mod service;
mod state;
mod target;
mod tls;
mod wire;
mod workers;

pub use cli::main;
