//! Which clients may come, by address.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderValue;

use crate::server::forwarded::address;

/// The lists of one service.
#[derive(Debug)]
pub(super) struct Addresses {
    allow: Vec<Network>,
    deny: Vec<Network>,
    trusted: Vec<Network>,
}

/// Addresses with a common beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    /// Of both families, as IPv6.
    bits: u128,
    length: u32,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address or a network such as 10.0.0.0/8")]
pub(crate) struct NetworkError(String);

impl Addresses {
    pub(super) fn new(allow: &[String], deny: &[String], trusted: &[String]) -> Result<Self, NetworkError> {
        let networks = |texts: &[String]| texts.iter().map(|text| Network::parse(text)).collect::<Result<_, _>>();
        Ok(Self { allow: networks(allow)?, deny: networks(deny)?, trusted: networks(trusted)? })
    }

    /// The client's own address: that of the connection, or, where it belongs to a trusted proxy, the last one before
    /// it in `X-Forwarded-For`, and so on from the right. What stands left of an address nobody vouches for is anybody's
    /// invention, and where a trusted proxy names somebody who cannot be read, nobody knows who that is.
    pub(super) fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl IntoIterator<Item = &'a HeaderValue, IntoIter: DoubleEndedIterator>,
    ) -> Option<IpAddr> {
        let mut client = peer;
        let mut entries = forwarded.into_iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        while self.is_trusted(client) {
            let Some(entry) = entries.next() else { break };
            client = address(entry)?;
        }
        Some(client)
    }

    /// Whether an address may come; one that is not known only where anybody may.
    pub(super) fn admit(&self, address: Option<IpAddr>) -> bool {
        let within = |networks: &[Network], address| networks.iter().any(|network| network.contains(address));
        match address {
            Some(address) => !within(&self.deny, address) && (self.allow.is_empty() || within(&self.allow, address)),
            None => self.allow.is_empty() && self.deny.is_empty(),
        }
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn parse(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(most);
        if length > most {
            return Err(wrong());
        }
        // An IPv4 network is one of the IPv6 addresses that stand for IPv4.
        let length = length + 128 - most;
        Ok(Self { bits: wide(address) & mask(length), length })
    }

    fn contains(self, address: IpAddr) -> bool {
        wide(address) & mask(self.length) == self.bits
    }
}

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => Ipv6Addr::to_bits(address),
    }
}

fn mask(length: u32) -> u128 {
    u128::MAX.checked_shl(128 - length).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(allow: &[&str], deny: &[&str], trusted: &[&str]) -> Addresses {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Addresses::new(&list(allow), &list(deny), &list(trusted)).unwrap()
    }

    #[test]
    fn networks() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "1.2.3.4", true),
            ("::/0", "fe80::1", true),
            ("fe80::/10", "fe80::1", true),
            ("fe80::/10", "2001:db8::1", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
        ] {
            assert_eq!(
                Network::parse(network).unwrap().contains(address.parse().unwrap()),
                inside,
                "{network} {address}"
            );
        }
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "example.com"] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_from_the_right_that_nobody_vouches_for() {
        let lists = addresses(&[], &[], &["10.0.0.0/8", "192.168.1.1"]);
        let of = |peer: &str, lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| HeaderValue::from_bytes(line.as_bytes()).unwrap()).collect();
            lists.client(peer.parse().unwrap(), &lines).map_or("nobody knows".to_owned(), |client| client.to_string())
        };
        assert_eq!(of("1.1.1.1", &["6.6.6.6"]), "1.1.1.1", "an untrusted peer speaks for itself only");
        assert_eq!(of("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &["6.6.6.6, 2.2.2.2, 10.0.0.9"]), "2.2.2.2");
        assert_eq!(of("10.0.0.1", &["6.6.6.6", "2.2.2.2:443, 192.168.1.1"]), "2.2.2.2");
        assert_eq!(of("10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        // What cannot be read is nobody who is trusted, and hides nothing that stands right of it.
        for entry in ["unknown", "", "é", "2.2.2.2é", "2.2.2.2;x"] {
            assert_eq!(of("10.0.0.1", &[&format!("2.2.2.2, {entry}, 10.0.0.2")]), "nobody knows", "{entry}");
            assert_eq!(of("10.0.0.1", &[&format!("10.0.0.9, {entry}"), "3.3.3.3"]), "3.3.3.3", "{entry}");
            assert_eq!(of("10.0.0.1", &[&format!("{entry}, 3.3.3.3")]), "3.3.3.3", "{entry}");
        }
    }

    #[test]
    fn who_may_come() {
        let admits = |lists: &Addresses, address: &str| lists.admit(Some(address.parse().unwrap()));
        let lists = addresses(&["10.0.0.0/8"], &["10.6.0.0/16"], &[]);
        assert!(admits(&lists, "10.1.1.1") && !admits(&lists, "10.6.1.1") && !admits(&lists, "1.1.1.1"));
        assert!(!lists.admit(None));
        let deny_only = addresses(&[], &["10.6.0.0/16"], &[]);
        assert!(admits(&deny_only, "1.1.1.1") && !deny_only.admit(None));
        assert!(addresses(&[], &[], &["10.0.0.0/8"]).admit(None));
    }
}
