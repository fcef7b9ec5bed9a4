//! Balancers in front ask for health by address, which is no service's name: what they ask is the proxy's to answer.

use std::net::IpAddr;

use http::{Method, Request, Response, StatusCode};

use crate::server::body::response::ResponseBody;
use crate::server::routes::Routes;

/// The answer to who asks, of no service in particular, for the path some are checked at: whether all of those have a
/// target that is well. `host` may have a port.
pub(super) fn answer<B>(routes: &Routes, host: &str, request: &Request<B>) -> Option<Response<ResponseBody>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) || !names_nobody(host) {
        return None;
    }
    let path = request.uri().path();
    let mut asked =
        routes.services().filter(|service| service.target_options.health_check_config.path == path).peekable();
    asked.peek()?;
    let mut response = Response::new(ResponseBody::empty());
    if !asked.all(|service| service.active.is_well()) {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Some(response)
}

/// Whether a host is an address, or nothing.
fn names_nobody(host: &str) -> bool {
    let name = crate::server::host::without_port(host);
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.is_empty() || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_nobody() {
        for host in ["", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:80"] {
            assert!(names_nobody(host), "{host}");
        }
        for host in ["localhost", "example.com", "127.0.0.1.example.com", "127.1", "[a]"] {
            assert!(!names_nobody(host), "{host}");
        }
    }
}
