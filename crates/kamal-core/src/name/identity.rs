//! Which spellings of a host are one host: an IPv6 address has many, with brackets and without, and an IPv4 address is one
//! of them.

use std::net::IpAddr;

use super::HostName;

/// A host that is given as an address, and with a port as IPv6 addresses have it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address<'t> {
    user: Option<&'t str>,
    address: IpAddr,
    zone: Option<&'t str>,
    port: Option<u16>,
}

impl HostName {
    /// Whether both name one host. `port` is the one used where none is named.
    #[must_use]
    pub fn is_same(&self, other: &str, port: u16) -> bool {
        self == other || address(self).is_some_and(|own| address(other).is_some_and(|other| own.is_same(&other, port)))
    }

    /// Whether `-h` with this text means the host: where it names no port, it is the host at whatever port.
    #[must_use]
    pub(crate) fn is_meant_by(&self, text: &str, port: u16) -> bool {
        let at_any_port = |own: &Address<'_>, asked: &Address<'_>| {
            asked.port.is_none() && own.is_same(&Address { port: own.port, ..asked.clone() }, port)
        };
        let either = |own| address(text).is_some_and(|asked| at_any_port(&own, &asked));
        self.is_same(text, port) || address(self).is_some_and(either)
    }
}

impl Address<'_> {
    fn is_same(&self, other: &Self, port: u16) -> bool {
        let named = |one: &Self| one.port.unwrap_or(port);
        (self.user, self.address, self.zone) == (other.user, other.address, other.zone) && named(self) == named(other)
    }
}

fn address(text: &str) -> Option<Address<'_>> {
    let text = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
    let (user, rest) = text.rsplit_once('@').map_or((None, text), |(user, rest)| (Some(user), rest));
    let (inner, port) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let (inner, after) = bracketed.split_once(']')?;
            (inner, if after.is_empty() { None } else { Some(after.strip_prefix(':')?.parse().ok()?) })
        }
        None => (rest, None),
    };
    let (address, zone) = inner.split_once('%').map_or((inner, None), |(address, zone)| (address, Some(zone)));
    // `::ffff:10.0.0.1` is 10.0.0.1.
    let address: IpAddr = address.parse().ok()?;
    Some(Address { user, address: address.to_canonical(), zone, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_address_is_one_host() {
        let host = |text: &str| HostName::parse(text).unwrap();
        let spellings =
            ["2001:db8::1", "[2001:db8::1]", "2001:DB8:0:0::1", "[2001:0db8::0001]:022", "ssh://[2001:db8::1]"];
        for one in spellings {
            for other in spellings {
                assert!(host(one).is_same(other, 22), "{one} {other}");
            }
        }
        for other in ["2001:db8::2", "[2001:db8::1]:2222", "me@2001:db8::1", "2001:db8::1%eth0", "10.0.0.1", "[x]"] {
            assert!(!host("2001:db8::1").is_same(other, 22), "{other}");
        }
        assert!(host("[::1]:2222").is_same("::1", 2222));
        for asked in ["::1", "[::1]", "[::1]:2222", "0:0::1"] {
            assert!(host("[::1]:2222").is_meant_by(asked, 22), "{asked}");
        }
        assert!(!host("[::1]:2222").is_meant_by("[::1]:22", 22) && !host("::1").is_meant_by("::2", 22));
        for mapped in ["::ffff:10.0.0.1", "[::ffff:a00:1]", "[::FFFF:10.0.0.1]:22"] {
            assert!(host(mapped).is_same("10.0.0.1", 22) && host("10.0.0.1").is_same(mapped, 22), "{mapped}");
        }
        assert!(!host("::10.0.0.1").is_same("10.0.0.1", 22) && !host("10.0.0.1").is_same("10.0.0.1:22", 22));
        assert!(host("app").is_same("app", 22) && !host("app").is_same("app:22", 22));
    }
}
