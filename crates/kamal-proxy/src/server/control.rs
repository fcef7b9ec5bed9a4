//! Telling a running proxy what to do: a Unix socket that speaks JSON, one request and one answer per line (spec 2).

pub(crate) mod client;
pub(crate) mod protocol;
pub(crate) mod server;
pub(crate) mod socket_file;
