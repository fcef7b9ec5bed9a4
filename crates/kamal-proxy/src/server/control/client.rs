//! The asking end of the control socket, used by every command but `run`.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::protocol::{Answer, Request};
use crate::server::target::failure::CheckFailure;

/// Why a command got no answer, or an error for one. The texts are those of Go's client (spec 1.1).
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("dial unix {path}: connect: {reason}")]
    Connect { path: String, reason: String },
    #[error("unexpected EOF")]
    Cut,
    #[error("answer not understood: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("{0}")]
    Refused(String),
    #[error("{error}\n{}", .failure.details().trim_end())]
    Unhealthy { error: String, failure: Box<CheckFailure> },
}

/// Sends one request and waits for its answer, however long that takes.
pub(crate) fn call(path: &Path, request: &Request) -> Result<Answer, ClientError> {
    let mut stream = UnixStream::connect(path)
        .map_err(|error| ClientError::Connect { path: path.display().to_string(), reason: reason(&error) })?;
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    stream.write_all(&text).map_err(|_| ClientError::Cut)?;
    let mut line = String::new();
    match BufReader::new(stream).read_line(&mut line) {
        Ok(length) if length > 0 => {}
        _ => return Err(ClientError::Cut),
    }
    match serde_json::from_str(&line)? {
        Answer::Error(text) => Err(ClientError::Refused(text)),
        Answer::Unhealthy { error, failure } => Err(ClientError::Unhealthy { error, failure }),
        answer => Ok(answer),
    }
}

/// The operating system's words for an error, as Go puts them.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}
