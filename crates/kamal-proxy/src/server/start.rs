//! Why a proxy does not start.

use std::io;
use std::path::PathBuf;

use super::control::client::reason;
use super::listen::address::ListenAddress;

/// Why a proxy cannot start; nothing is left of it then. The texts are those users of the command line get.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Something else listens there already.
    #[error("listen {protocol} {address}: bind: {}", reason(.source))]
    AddressInUse {
        /// `tcp`, or `udp` for HTTP/3.
        protocol: &'static str,
        /// Where.
        address: ListenAddress,
        /// What the system says.
        source: io::Error,
    },
    /// An address cannot be listened at for another reason: no such address, no right to the port.
    #[error("listen {protocol} {address}: bind: {}", reason(.source))]
    Listen {
        /// `tcp`, or `udp` for HTTP/3.
        protocol: &'static str,
        /// Where.
        address: ListenAddress,
        /// What the system says.
        source: io::Error,
    },
    /// There would be nowhere for clients to come to.
    #[error("there is nothing to listen at; name an address for HTTP, for HTTPS, or for both")]
    NothingToListenAt,
    /// HTTP/3 has the certificates and the port of HTTPS.
    #[error("HTTP/3 needs an address for HTTPS")]
    Http3WithoutHttps,
    /// Another proxy is to be taken over from, and nobody says where that waits.
    #[error("taking over needs the path of the socket where the other proxy waits for its successor")]
    TakeoverWithoutPath,
    /// A Unix socket, for commands or for a successor, cannot be made.
    #[error("listen unix {}: bind: {source}", .path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The proxy that runs did not hand over, and goes on.
    #[error("taking over from the server that is running: {0}")]
    Takeover(#[source] io::Error),
    /// There is no TLS.
    #[error("setting up TLS: {0}")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The system has no thread left, or no timer, or the like.
    #[error("starting: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    pub(super) fn listen(protocol: &'static str, address: ListenAddress, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { protocol, address, source },
            _ => Self::Listen { protocol, address, source },
        }
    }
}

impl From<rustls::Error> for StartError {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(Box::new(error))
    }
}
