//! Addresses as proxies write them into headers: bare, or with a port (RFC 7239, 6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::HeaderValue;

/// The address an entry of such a header names. What is not one in full names nobody.
pub(crate) fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry.trim_ascii()).ok()?;
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    if let Some(rest) = entry.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let well = port.strip_prefix(':').map_or(port.is_empty(), is_port);
        return address.parse::<Ipv6Addr>().ok().filter(|_| well).map(|address| address.to_canonical());
    }
    let (address, port) = entry.split_once(':')?;
    address.parse::<Ipv4Addr>().ok().filter(|_| is_port(port)).map(IpAddr::V4)
}

/// The address a header begins with, where the client is the first of several.
pub(crate) fn first(value: &HeaderValue) -> Option<IpAddr> {
    value.as_bytes().split(|byte| *byte == b',').next().and_then(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_somebody() {
        for (entry, named) in [
            (&b"9.9.9.9"[..], Some("9.9.9.9")),
            (b" 9.9.9.9\t", Some("9.9.9.9")),
            (b"9.9.9.9:1234", Some("9.9.9.9")),
            (b"2001:db8::1", Some("2001:db8::1")),
            (b"[2001:db8::1]", Some("2001:db8::1")),
            (b"[2001:db8::1]:99", Some("2001:db8::1")),
            (b"::ffff:9.9.9.9", Some("9.9.9.9")),
            (b"[::ffff:9.9.9.9]:80", Some("9.9.9.9")),
            (b"", None),
            (b"unknown", None),
            (b"9.9.9.9\xff", None),
            (b"9.9.9.9;x", None),
            (b"09.9.9.9", None),
            (b"9.9.9.9:", None),
            (b"9.9.9.9:x", None),
            (b"9.9.9.9:+1", None),
            (b"9.9.9.9:99999", None),
            (b"9.9.9.9%eth0", None),
            (b"[9.9.9.9]:80", None),
            (b"[::1]80", None),
            (b"[::1]:", None),
            (b"\"9.9.9.9\"", None),
            (b"for=9.9.9.9", None),
        ] {
            assert_eq!(address(entry).map(|it| it.to_string()).as_deref(), named, "{}", entry.escape_ascii());
        }
        assert_eq!(first(&HeaderValue::from_static("9.9.9.9, 8.8.8.8")), address(b"9.9.9.9"));
    }
}
