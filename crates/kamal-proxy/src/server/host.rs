//! The host a request is for (spec 3.2).

use std::borrow::Cow;

use http::Request;
use http::header::HOST;

/// The host as received, with its port: that of an absolute URI, else of the Host header, else nothing.
pub(crate) fn of<B>(request: &Request<B>) -> String {
    if let Some(authority) = request.uri().authority() {
        let text = authority.as_str();
        return text.rsplit_once('@').map_or(text, |(_, host)| host).to_owned();
    }
    let host = request.headers().get(HOST).map_or(Cow::Borrowed(""), |host| String::from_utf8_lossy(host.as_bytes()));
    host.into_owned()
}

/// The host without its port; an address in brackets loses them only together with a port.
pub(crate) fn without_port(host: &str) -> &str {
    let Some(colon) = host.rfind(':').filter(|at| *at > 0) else { return host };
    let (name, port) = (&host[..colon], &host[colon + 1..]);
    if port.contains(']') || (name.contains(':') && !name.starts_with('[')) {
        return host;
    }
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec 11.A.8
    #[test]
    fn ports_are_taken_off() {
        for (host, name) in [
            ("example.com", "example.com"),
            ("example.com:80", "example.com"),
            ("[::1]:80", "::1"),
            ("[::1]", "[::1]"),
            ("", ""),
            (":80", ":80"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }

    #[test]
    fn an_absolute_uri_wins() {
        let request = Request::get("http://a.com:81/x").header("host", "b.com").body(()).unwrap();
        assert_eq!(of(&request), "a.com:81");
        assert_eq!(of(&Request::get("/x").header("host", "b.com").body(()).unwrap()), "b.com");
        assert_eq!(of(&Request::get("/x").body(()).unwrap()), "");
    }
}
