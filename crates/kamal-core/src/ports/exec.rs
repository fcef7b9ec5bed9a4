//! The choke point for effects on a host: everything the engine does to a machine goes through [`Exec`].

use async_trait::async_trait;
use futures_util::TryStreamExt;

use super::Content;
use crate::{name::HostName, shell::Script};

/// Opens connections. Implemented by `kamal-ssh`.
#[async_trait]
pub trait Ssh: Send + Sync + std::fmt::Debug {
    /// Connects to a host, or hands out the connection it already has. Cancelling leaves nothing behind.
    ///
    /// # Errors
    ///
    /// Why there is no connection.
    async fn connect(&self, host: &HostName) -> Result<std::sync::Arc<dyn Exec>, TransportError>;

    /// Closes the connection to a host, so that the next one logs in anew. Nothing must be running on it.
    async fn forget(&self, host: &HostName);
}

/// Runs scripts on one host.
#[async_trait]
pub trait Exec: Send + Sync + std::fmt::Debug {
    /// The host.
    fn host(&self) -> &HostName;

    /// Runs a script with the host's POSIX `sh`, in the login directory, its standard input empty, and streams what
    /// it prints. A non-zero exit is data, not an error; an error means that the outcome is unknown or that nothing
    /// was run ([`TransportError::outcome_unknown`]). One round trip on an open connection. Calls may overlap: each
    /// gets a shell of its own. Cancelling stops listening; the script may run on.
    ///
    /// # Errors
    ///
    /// When nothing was run, or its outcome is unknown ([`TransportError::outcome_unknown`]).
    async fn exec(
        &self,
        script: &Script,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, TransportError>;

    /// Writes a file whose path is relative to the login directory, creating its folder. The content is never visible
    /// at a wider mode than asked for, nor in part: it is written beside its place and renamed. Idempotent.
    ///
    /// # Errors
    ///
    /// As [`Exec::exec`], and when the file cannot be written.
    async fn upload(&self, content: &[u8], to: &str, mode: u32) -> Result<(), TransportError> {
        self.upload_watched(content, to, mode, &mut |_| ()).await
    }

    /// As [`Exec::upload`], and tells `sent` now and then how many bytes of the content have gone to the host so far. It
    /// starts again from a small number where the connection had to be made anew.
    ///
    /// # Errors
    ///
    /// As [`Exec::upload`].
    async fn upload_watched(
        &self,
        content: &[u8],
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError>;

    /// As [`Exec::upload_watched`], for what is read while it goes. A transport that can sends each piece as it comes; this
    /// gathers them first.
    ///
    /// # Errors
    ///
    /// As [`Exec::upload`], and when the content cannot be read or is not as long as it says.
    async fn upload_content(
        &self,
        content: &dyn Content,
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError> {
        let unread = |why: &dyn std::fmt::Display| {
            TransportError::new(
                self.host(),
                TransportErrorKind::Client(format!("cannot read what goes into {to}: {why}")),
            )
        };
        let all = content.read().try_concat().await.map_err(|error| unread(&error))?;
        if all.len() as u64 != content.size() {
            return Err(unread(&format!("it has {} bytes, not {}", all.len(), content.size())));
        }
        self.upload_watched(&all, to, mode, sent).await
    }
}

/// A piece of output.
#[derive(Clone, Copy, Debug)]
pub enum Chunk<'a> {
    /// From standard output.
    Stdout(&'a [u8]),
    /// From standard error.
    Stderr(&'a [u8]),
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub i32);

impl Exit {
    /// The numbers whose meaning is agreed on, and that meaning in words without quotes.
    pub const MEANINGS: [(i32, &str); 7] = [
        (126, "the program cannot be executed"),
        (127, "a program was not found"),
        (130, "interrupted"),
        (134, "the program aborted"),
        (137, "killed, often for want of memory"),
        (139, "the program crashed"),
        (143, "told to stop"),
    ];

    /// True for status 0.
    #[must_use]
    pub fn success(self) -> bool {
        self.0 == 0
    }
}

/// The number, and what it means where that is agreed on.
impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Self::MEANINGS.iter().find(|(status, _)| *status == self.0) {
            Some((status, meaning)) => write!(f, "{status} ({meaning})"),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Why a script could not be run, or why its outcome is unknown.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {kind}")]
#[non_exhaustive]
pub struct TransportError {
    /// The host.
    pub host: HostName,
    /// What went wrong.
    pub kind: TransportErrorKind,
}

/// What went wrong on the way to a host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The name has no address.
    #[error("cannot resolve the host name: {0}")]
    Resolve(String),
    /// Nothing listens there.
    #[error("connection refused at {0}")]
    Refused(String),
    /// No answer in time.
    #[error("timed out {0}")]
    TimedOut(String),
    /// No route, connection reset and other failures of the network.
    #[error("cannot connect: {0}")]
    Network(String),
    /// The host's key is not known and may not be accepted unasked.
    #[error("host key is unknown: {0}")]
    HostKeyUnknown(String),
    /// The host's key is another one than before.
    #[error("host key has changed: {0}")]
    HostKeyChanged(String),
    /// Every key offered was refused.
    #[error("authentication failed: {0}")]
    Authentication(String),
    /// A key or a file of the client is unusable.
    #[error("{0}")]
    Client(String),
    /// The connection broke while a script ran: it may or may not have had its effect.
    #[error("connection lost while running: {0}; what it did is unknown")]
    Lost(String),
    /// The server refused what the protocol asked for.
    #[error("{0}")]
    Protocol(String),
}

impl TransportError {
    /// An error for a host.
    #[must_use]
    pub fn new(host: &HostName, kind: TransportErrorKind) -> Self {
        Self { host: host.clone(), kind }
    }

    /// True when the script may have had its effect.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        matches!(self.kind, TransportErrorKind::Lost(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, HostError, StepFault};
    use crate::ports::BuildError;

    // Nobody knows the numbers by heart.
    #[test]
    fn whoever_tells_a_status_tells_what_it_means() {
        let host: HostName = "a".parse().unwrap();
        for (status, meaning) in Exit::MEANINGS {
            let (output, shown) = (String::new(), false);
            let step = HostError::Step {
                host: host.clone(),
                step: "run it".to_owned(),
                status,
                output: output.clone(),
                diagnosis: None,
                fault: StepFault::default(),
            };
            let hook = Error::Hook { name: "pre-build".to_owned(), status, output: output.clone(), shown };
            let build = BuildError::Failed { what: "`docker`".to_owned(), status, output, shown };
            for said in [step.to_string(), hook.to_string(), build.to_string()] {
                assert!(said.contains(&format!("exit status {status} ({meaning})")), "{said}");
            }
        }
        assert_eq!(Exit(1).to_string(), "1");
    }
}
