//! HTTP/1.1 as it is spoken to targets (RFC 9112).
//!
//! A request writes and reads its connection itself, in the task that serves the client. hyper's client gives each
//! connection a task of its own, and a request goes to it and back through two channels, its body through a third.
//! What a proxy needs of a client is little: one request after the other, heads that are passed on as they are, bodies
//! that flow. Where an answer could be understood in two ways it is refused, and its connection is not used again.

pub(crate) mod answer;
mod chunks;
mod encode;
mod framing;
mod head;
pub(crate) mod link;
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

#[cfg(test)]
mod tests {
    /// A text with some of its bytes lost, doubled or changed, in so many ways.
    pub(super) fn damaged(text: &[u8], ways: usize) -> impl Iterator<Item = Vec<u8>> {
        const LIKELY: &[u8] = b"\r\n :;,0159af\0\x7f\xff";
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = move |limit: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % limit
        };
        (0..ways).map(move |_| {
            let mut bytes = text.to_vec();
            for _ in 0..=below(3) {
                let at = below(bytes.len());
                match below(4) {
                    0 if bytes.len() > 1 => drop(bytes.remove(at)),
                    1 => bytes.insert(at, bytes[at]),
                    2 => bytes[at] = LIKELY[below(LIKELY.len())],
                    _ => bytes.truncate(at.max(1)),
                }
            }
            bytes
        })
    }
}
