//! Where to listen.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where a proxy listens: at a port of all addresses the machine has, IPv4 and IPv6, or at one address. Port 0 is any
/// that is free.
///
/// ```
/// use kamal_proxy::server::ListenAddress;
///
/// assert_eq!(ListenAddress::from(8080), ListenAddress::Everywhere(8080));
/// assert_eq!(ListenAddress::from(([127, 0, 0, 1], 8080)).to_string(), "127.0.0.1:8080");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListenAddress {
    /// A port, at whatever address clients come to.
    Everywhere(u16),
    /// A port of one address.
    At(SocketAddr),
}

impl ListenAddress {
    /// The socket addresses to try, the first that works being the one.
    pub(crate) fn candidates(self) -> impl Iterator<Item = SocketAddr> {
        let (first, second) = match self {
            // Whatever is wrong with IPv6 here, IPv4 may work; if it does not either, its error is the one to tell.
            Self::Everywhere(port) => {
                ((IpAddr::from(Ipv6Addr::UNSPECIFIED), port).into(), Some((Ipv4Addr::UNSPECIFIED, port).into()))
            }
            Self::At(address) => (address, None),
        };
        std::iter::once(first).chain(second)
    }

    /// Whether a socket that listens somewhere is one that is asked for here.
    pub(crate) fn is_met_by(self, address: SocketAddr) -> bool {
        let is_port = |asked| asked == 0 || asked == address.port();
        match self {
            Self::Everywhere(port) => is_port(port) && address.ip().is_unspecified(),
            Self::At(asked) => is_port(asked.port()) && address.ip() == asked.ip(),
        }
    }

    /// Another port of the same.
    #[cfg(feature = "http3")]
    pub(crate) fn with_port(self, port: u16) -> Self {
        match self {
            Self::Everywhere(_) => Self::Everywhere(port),
            Self::At(address) => Self::At((address.ip(), port).into()),
        }
    }
}

impl From<u16> for ListenAddress {
    fn from(port: u16) -> Self {
        Self::Everywhere(port)
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::At(address)
    }
}

impl<I: Into<IpAddr>> From<(I, u16)> for ListenAddress {
    fn from(address: (I, u16)) -> Self {
        Self::At(address.into())
    }
}

/// As Go writes it: without a host where that is any.
impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere(port) => write!(f, ":{port}"),
            Self::At(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_sockets_will_do() {
        let socket = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (asked, given, met) in [
            (ListenAddress::from(80), "[::]:80", true),
            (ListenAddress::from(80), "0.0.0.0:80", true),
            (ListenAddress::from(0), "[::]:80", true),
            (ListenAddress::from(80), "[::]:81", false),
            (ListenAddress::from(80), "127.0.0.1:80", false),
            (ListenAddress::from(([127, 0, 0, 1], 80)), "127.0.0.1:80", true),
            (ListenAddress::from(([127, 0, 0, 1], 0)), "127.0.0.1:80", true),
            (ListenAddress::from(([127, 0, 0, 1], 80)), "[::]:80", false),
        ] {
            assert_eq!(asked.is_met_by(socket(given)), met, "{asked} {given}");
        }
    }
}
