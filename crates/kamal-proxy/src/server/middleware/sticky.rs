//! A client keeps to the target that answered it first, as long as that one is well.
//!
//! The cookie names the target by a number made from its address, the same in every process and after every deploy that
//! keeps the address.

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::server::client::Scheme;
use crate::server::cookies;

const COOKIE: &str = "kamal-target";

/// The number of an address: FNV-1a of 64 bits.
pub(crate) fn number(address: &str) -> u64 {
    address.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The target a client keeps to.
pub(crate) fn asked(headers: &HeaderMap) -> Option<u64> {
    u64::from_str_radix(cookies::find(headers, COOKIE)?, 16).ok()
}

/// Lets the client come back to this target. Scripts have no use for the cookie, other sites neither.
pub(crate) fn keep(headers: &mut HeaderMap, number: u64, scheme: Scheme) {
    let cookie = format!("{COOKIE}={number:016x}; Path=/; HttpOnly; SameSite=Lax{}", cookies::secure(scheme));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_what_is_asked_for() {
        let mut headers = HeaderMap::new();
        keep(&mut headers, number("web:80"), Scheme::Https);
        let set = headers[SET_COOKIE].to_str().unwrap();
        assert!(set.ends_with("; Secure"));
        let mut request = HeaderMap::new();
        request.insert("cookie", set.split(';').next().unwrap().parse().unwrap());
        assert_eq!(asked(&request), Some(number("web:80")));
        assert_ne!(number("web:80"), number("web:81"));
        request.insert("cookie", HeaderValue::from_static("kamal-target=nonsense"));
        assert_eq!(asked(&request), None);
    }
}
