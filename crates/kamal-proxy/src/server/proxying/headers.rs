//! The headers of a request as the target gets them, and of a response as the client does (spec 7.5, 8.2, 8.3).

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, Entry, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};

use super::Forwarding;
use crate::server::balancer::Among;
use crate::server::peers;
use crate::server::target::Target;
use crate::server::wire::fields;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const TARGET: HeaderName = HeaderName::from_static("x-kamal-target");

/// Meant for the next hop only. `Trailer` is not among them here: without it trailers could not be passed on.
static HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Whether a name is among those. Every header of every message is asked this, so no list is gone through.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    match name.as_str().len() {
        2 => name == TE,
        7 => name == UPGRADE,
        10 => name == CONNECTION || name == "keep-alive",
        16 => name == "proxy-connection",
        17 => name == TRANSFER_ENCODING,
        18 => name == PROXY_AUTHENTICATE,
        19 => name == PROXY_AUTHORIZATION,
        _ => false,
    }
}

/// What the client wants to upgrade to.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    upgrade_value(headers).cloned()
}

/// The `Upgrade` header, where `Connection` names it.
pub(crate) fn upgrade_value(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(UPGRADE).filter(|_| fields::says(headers, "upgrade"))
}

/// Whether a request opens a WebSocket.
pub(crate) fn is_websocket<B>(request: &Request<B>) -> bool {
    *request.method() == Method::GET
        && upgrade_value(request.headers()).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Removes what concerns only the connection the message came over.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    if headers.contains_key(CONNECTION) {
        let named = fields::tokens(headers, &CONNECTION).filter_map(|token| HeaderName::from_bytes(token).ok());
        let named: Vec<HeaderName> = named.collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Makes the headers of a client's request those for the target.
pub(crate) fn prepare(
    headers: &mut HeaderMap,
    version: Version,
    forwarding: &Forwarding<'_>,
    target: &Target,
    upgrade: Option<&HeaderValue>,
) {
    let wants_trailers = headers.contains_key(TE) && fields::tokens(headers, &TE).any(|token| token == b"trailers");
    if headers.contains_key(TRANSFER_ENCODING) {
        // With both, the length is a lie.
        headers.remove(CONTENT_LENGTH);
    }
    strip_hop_by_hop(headers);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    }
    if matches!(version, Version::HTTP_2 | Version::HTTP_3) {
        join_cookies(headers);
    }
    if forwarding.among == Among::Own {
        // A peer has said who it is of.
        readdress(headers, target);
        return;
    }
    let (host, trusted) = (host(headers, forwarding.host), target.options.forward_headers);
    forwarded(headers, forwarding, &host, trusted);
    headers.insert(HOST, if host.is_empty() { target.header.clone() } else { host });
    add(headers, TARGET, trusted, &target.header);
    if forwarding.set.has_peers() {
        mark(headers, target);
    }
}

/// Says to a peer that it is one.
fn mark(headers: &mut HeaderMap, target: &Target) {
    match &target.peer {
        Some(peer) => peer.mark(headers),
        None => peers::unmark(headers),
    }
}

/// The host that is asked for, as a value.
fn host(headers: &HeaderMap, host: &str) -> HeaderValue {
    match headers.get(HOST) {
        Some(value) if value.as_bytes() == host.as_bytes() => value.clone(),
        _ => HeaderValue::from_str(host).unwrap_or_else(|_| HeaderValue::from_static("")),
    }
}

/// Gives a header one value: this, behind what was there if that is to be trusted.
fn add(headers: &mut HeaderMap, name: HeaderName, trusted: bool, value: &HeaderValue) {
    match headers.entry(name) {
        Entry::Occupied(mut entry) => {
            let before = entry.iter().filter(|_| trusted);
            let all: Vec<&[u8]> = before.chain([value]).map(HeaderValue::as_bytes).collect();
            let chain = HeaderValue::from_bytes(&all.join(&b", "[..]));
            entry.insert(chain.unwrap_or_else(|_| value.clone()));
        }
        Entry::Vacant(place) => drop(place.insert(value.clone())),
    }
}

/// Makes the headers for one target those for another of the same service, which says the same about forwarding.
pub(crate) fn readdress(headers: &mut HeaderMap, target: &Target) {
    let value = headers.get(&TARGET).and_then(|all| {
        let end = all.as_bytes().windows(2).rposition(|two| two == b", ")?;
        HeaderValue::from_bytes(&[&all.as_bytes()[..end], target.header.as_bytes()].join(&b", "[..])).ok()
    });
    headers.insert(TARGET, value.unwrap_or_else(|| target.header.clone()));
    mark(headers, target);
}

/// Says who asked for what. What the client says about that counts only where the options trust it.
fn forwarded(headers: &mut HeaderMap, forwarding: &Forwarding<'_>, host: &HeaderValue, trusted: bool) {
    headers.remove(FORWARDED);
    let client = forwarding.client;
    if client.header.is_empty() {
        // The proxy itself asks.
        headers.remove(FOR);
    } else {
        add(headers, FOR, trusted, &client.header);
    }
    keep_or_set(headers, PROTO, trusted, &HeaderValue::from_static(client.scheme.name()));
    keep_or_set(headers, FORWARDED_HOST, trusted, host);
}

/// Gives a header one value: the first it has, if that is to be trusted and not empty, or this.
fn keep_or_set(headers: &mut HeaderMap, name: HeaderName, trusted: bool, value: &HeaderValue) {
    match headers.entry(name) {
        Entry::Occupied(mut entry) => {
            let kept = Some(entry.get()).filter(|kept| trusted && !kept.is_empty());
            let one = kept.unwrap_or(value).clone();
            entry.insert(one);
        }
        Entry::Vacant(place) => drop(place.insert(value.clone())),
    }
}

/// HTTP/2 may send a cookie in crumbs; HTTP/1.1 wants one line.
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::server::options::TargetOptions;
    use crate::server::target::address::Address;
    use crate::server::target::{Health, Role};

    #[test]
    fn another_target_takes_the_place_of_the_last() {
        let options = Arc::new(TargetOptions::default());
        let target = Target::new(Address::parse("10.0.0.2:80").unwrap(), Role::Writer, options, Health::Healthy);
        for (before, after) in [
            (&b"a:1"[..], &b"10.0.0.2:80"[..]),
            (b"p:80, a:1", b"p:80, 10.0.0.2:80"),
            (b"\xe9, p:80, a:1", b"\xe9, p:80, 10.0.0.2:80"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(TARGET, HeaderValue::from_bytes(before).unwrap());
            readdress(&mut headers, &target);
            assert_eq!(headers[TARGET].as_bytes(), after);
        }
    }

    #[test]
    fn names_for_the_next_hop_only() {
        assert!(HOP_BY_HOP.iter().all(is_hop_by_hop));
        for name in ["host", "trailer", "connectiom", "x", "proxy-connectiom", "content-encoding", "accept-encoding"] {
            assert!(!is_hop_by_hop(&name.parse().unwrap()), "{name}");
        }
    }
}
