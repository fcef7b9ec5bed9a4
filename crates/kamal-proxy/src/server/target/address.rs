//! The address of a target, as given at deploy (spec 4.2).

use std::fmt;
use std::net::SocketAddrV4;
use std::str::FromStr;
use std::sync::Arc;

/// The address of a target: `host` or `host:port`, with port 80 where none is said.
///
/// The text as given is the target's identity in lists, logs and the state file.
///
/// ```
/// use kamal_proxy::server::Address;
///
/// let address: Address = "web-1.local:3000".parse()?;
/// assert_eq!(address.port(), 3000);
/// assert!("http://web".parse::<Address>().is_err());
/// # Ok::<(), kamal_proxy::server::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: Arc<str>,
    host_len: usize,
    port: u16,
}

/// A text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} :invalid host pattern")]
pub struct AddressError(String);

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let invalid = || AddressError(text.to_owned());
        let (host, port) = match text.split_once(':') {
            Some((host, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                (host, digits.parse().map_err(|_| invalid())?)
            }
            Some(_) => return Err(invalid()),
            None => (text, 80),
        };
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let bytes = host.as_bytes();
        let valid = bytes.len() >= 2 && word(bytes[0]) && bytes[1..].iter().all(|b| word(*b) || b"-.+".contains(b));
        if !valid {
            return Err(invalid());
        }
        Ok(Self { text: text.into(), host_len: host.len(), port })
    }

    /// The text it was made from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A name, or an IPv4 address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.text[..self.host_len]
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl From<SocketAddrV4> for Address {
    fn from(address: SocketAddrV4) -> Self {
        let (text, host_len) = (address.to_string(), address.ip().to_string().len());
        Self { text: text.into(), host_len, port: address.port() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec 11.E.98
    #[test]
    fn addresses() {
        let address = Address::parse("web-1.local:3000").unwrap();
        assert_eq!((address.as_str(), address.host(), address.port()), ("web-1.local:3000", "web-1.local", 3000));
        assert_eq!(Address::parse("app_1").unwrap().port(), 80);
        let socket = SocketAddrV4::new([10, 0, 0, 1].into(), 8080);
        assert_eq!(Address::parse("10.0.0.1:8080").unwrap(), socket.into());
        for bad in ["", "_", "/", "a", "-ab", "http://x", "[::1]:80", "ab:", "ab:x", "ab:99999", "ab:1:2", "a b"] {
            assert_eq!(Address::parse(bad).unwrap_err().to_string(), format!("{bad} :invalid host pattern"));
        }
    }
}
