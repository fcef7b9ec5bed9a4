//! HTTP/1.1 (RFC 9112): how heads and bodies are read and written, and how it is spoken to targets. How it is spoken
//! with clients is in `listen/http1`.
//!
//! A request writes and reads its connection itself, in the task that serves the client. hyper's client gives each
//! connection a task of its own, and a request goes to it and back through two channels, its body through a third.
//! What a proxy needs of a client is little: one request after the other, heads that are passed on as they are, bodies
//! that flow. Where an answer could be understood in two ways it is refused, and its connection is not used again.

pub(crate) mod answer;
mod chunks;
#[cfg(test)]
pub(crate) mod damaged;
pub(crate) mod date;
#[cfg(test)]
mod differential;
pub(crate) mod encode;
pub(crate) mod fields;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod link;
pub(crate) mod room;
mod upload;

use std::io;

/// Why there was no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("connection closed before the response was complete")]
    Closed,
    #[error("malformed HTTP response: {0}")]
    Malformed(&'static str),
    /// The client's fault.
    #[error("reading the request's body: {0}")]
    Upload(io::Error),
}
