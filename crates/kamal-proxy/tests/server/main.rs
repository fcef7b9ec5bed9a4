//! The proxy as its users see it: the built binary, real sockets, targets that behave as a test wants.
//!
//! Tests carry the number of the row in the conformance list they show.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests as well")]
#![expect(clippy::print_stderr, reason = "a test that fails shows what the servers logged")]

mod acme;
mod bodies;
mod clients;
mod deploys;
mod embedding;
#[path = "../../../../tests/shared/free_port.rs"]
mod free_port;
mod h2c;
mod headers;
mod hostile;
#[cfg(feature = "http3")]
mod http3;
mod layers;
mod leaving;
mod load;
mod maintenance;
mod peers;
mod policies;
mod process;
mod protocol;
mod routing;
mod support;
mod switching;
mod takeover;
mod tls;
mod upgrades;
mod wire;
