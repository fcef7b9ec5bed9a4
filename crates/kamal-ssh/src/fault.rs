//! Translates failures of russh and of the system into the kinds the engine tells apart.

use std::sync::{Arc, Mutex, PoisonError};

use kamal_core::ports::TransportErrorKind;
use russh::keys::PublicKey;

use crate::displayable::displayable;

/// Why a connection ended, once it has: russh tells only its handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause(Arc<Mutex<Option<String>>>);

impl Cause {
    /// Remembers the first cause.
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| text.into());
    }

    /// The cause, if one is known.
    pub(crate) fn text(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the handshake or a later message can fail with.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A failure of the protocol or the network.
    Russh(russh::Error),
    /// The host's key was refused.
    HostKey(TransportErrorKind),
    /// The host was never seen, and somebody must be asked about its key.
    UnknownHost(Box<PublicKey>),
}

impl From<russh::Error> for Fault {
    fn from(error: russh::Error) -> Self {
        Self::Russh(error)
    }
}

/// The kind of a failure before the login was complete.
pub(crate) fn handshake(error: &russh::Error, address: &str) -> TransportErrorKind {
    match error {
        russh::Error::IO(error) => io(error, address),
        russh::Error::NoCommonAlgo { kind, theirs, .. } => TransportErrorKind::Protocol(format!(
            "no {kind:?} algorithm in common with {address}, which offers only {}; upgrade its sshd",
            displayable(&theirs.join(", "))
        )),
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::SendError | russh::Error::RecvError => {
            TransportErrorKind::Network(format!(
                "{address} closed the connection during the handshake; it may limit connections (MaxStartups) or ban this address"
            ))
        }
        russh::Error::Version => TransportErrorKind::Protocol(format!("{address} does not speak SSH")),
        other => TransportErrorKind::Protocol(format!(
            "the handshake with {address} failed: {}",
            displayable(&other.to_string())
        )),
    }
}

/// The kind of a failure of the network.
pub(crate) fn io(error: &std::io::Error, address: &str) -> TransportErrorKind {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => {
            TransportErrorKind::Refused(format!("{address}; is sshd running, and is this its port?"))
        }
        Kind::TimedOut => timed_out(address),
        Kind::HostUnreachable | Kind::NetworkUnreachable => TransportErrorKind::Network(format!(
            "{address} is unreachable ({error}); is this machine's network, or the VPN to the host, up?"
        )),
        _ => TransportErrorKind::Network(format!("{address}: {error}")),
    }
}

/// No answer from an address.
pub(crate) fn timed_out(address: &str) -> TransportErrorKind {
    TransportErrorKind::TimedOut(format!(
        "connecting to {address}; is the host up, and does its firewall let this port through?"
    ))
}
