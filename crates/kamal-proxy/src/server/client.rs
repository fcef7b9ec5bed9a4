//! Who asks: the client's end of a connection, and how it came in.

use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;

/// What all requests of one client connection share.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) scheme: Scheme,
    pub(crate) listener_port: u16,
    /// `None` where the proxy itself asks.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
    /// The address as the value of a header: as text it is kept only once, by every connection there is.
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
        let address = peer.ip().to_canonical();
        let header = HeaderValue::from_str(&address.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""));
        Self { scheme, listener_port, address: Some(address), port: peer.port(), header, shard }
    }

    /// The proxy itself, which asks on its own account.
    pub(crate) fn nobody() -> Self {
        let header = HeaderValue::from_static("");
        Self { scheme: Scheme::Http, listener_port: 0, address: None, port: 0, header, shard: 0 }
    }

    /// The address as text; empty where there is none.
    pub(crate) fn address_text(&self) -> &str {
        self.header.to_str().unwrap_or("")
    }
}
