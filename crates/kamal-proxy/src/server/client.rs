//! Who asks: the client's end of a connection, and how it came in.

use std::net::SocketAddr;

use http::HeaderValue;

/// What all requests of one client connection share.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) scheme: Scheme,
    pub(crate) listener_port: u16,
    pub(crate) address: String,
    pub(crate) port: String,
    /// The address as the value of a header.
    pub(crate) header: HeaderValue,
    /// Spreads connections over whatever is kept in several lists.
    pub(crate) shard: usize,
}

/// Which listener a connection came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl Client {
    pub(crate) fn new(scheme: Scheme, listener_port: u16, peer: SocketAddr, shard: usize) -> Self {
        let address = peer.ip().to_canonical().to_string();
        let header = HeaderValue::from_str(&address).unwrap_or_else(|_| HeaderValue::from_static(""));
        Self { scheme, listener_port, address, port: peer.port().to_string(), header, shard }
    }

    /// The proxy itself, which asks on its own account.
    pub(crate) fn nobody() -> Self {
        let (address, port, header) = (String::new(), String::new(), HeaderValue::from_static(""));
        Self { scheme: Scheme::Http, listener_port: 0, address, port, header, shard: 0 }
    }
}
