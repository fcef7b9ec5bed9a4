//! What is settled before a request counts as one: requests no service should see, and the marks every request gets
//! (spec 0 layers 0, 2, 3; 8.1).

use std::cell::RefCell;
use std::sync::LazyLock;

use http::header::{CONNECTION, CONTENT_TYPE, Entry, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use jiff::Timestamp;
use rustls::crypto::{SecureRandom, aws_lc_rs};

use crate::server::body::response::ResponseBody;
use crate::server::wire::fields;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where random numbers come from; asking rustls for it each time would build its whole list of ciphers.
static RANDOM: LazyLock<&'static dyn SecureRandom> = LazyLock::new(|| aws_lc_rs::default_provider().secure_random);
/// Random bytes drawn at once, as a draw costs as much as a hundred names.
const DRAWN: usize = 4096;

thread_local! {
    /// Random bytes, and how many of them have been used.
    static DRAW: RefCell<(Vec<u8>, usize)> = const { RefCell::new((Vec::new(), 0)) };
}

const REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");

/// The answer to a request that is not for any service, and is not logged.
pub(crate) fn answer<B>(request: &Request<B>) -> Option<Response<ResponseBody>> {
    if *request.method() == Method::OPTIONS && request.uri().path() == "*" {
        return Some(Response::new(ResponseBody::empty()));
    }
    if *request.method() == Method::CONNECT {
        return Some(refusal("400 Bad Request: this is not a forward proxy"));
    }
    if !request.uri().path().starts_with('/') {
        return Some(refusal("400 Bad Request: malformed request target"));
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if request.version() == Version::HTTP_11 {
        if hosts.next().is_some() {
            return Some(refusal("400 Bad Request: too many Host headers"));
        }
        if host.is_none() && request.uri().authority().is_none() {
            return Some(refusal("400 Bad Request: missing required Host header"));
        }
    }
    if host.is_some_and(|host| !host.as_bytes().iter().all(|byte| may_be_in_host(*byte))) {
        return Some(refusal("400 Bad Request: malformed Host header"));
    }
    None
}

/// What a name, an address or a port consists of (RFC 3986, 3.2.2). Anything else would be taken apart differently by
/// whoever reads it next.
fn may_be_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(&byte)
}

fn refusal(text: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(text));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Gives a request the time it came in and a name, unless it has them.
pub(crate) fn stamp(headers: &mut HeaderMap) {
    if let Entry::Vacant(entry) = headers.entry(REQUEST_START) {
        let mut start = Vec::with_capacity(16);
        start.extend_from_slice(b"t=");
        fields::number(u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0), &mut start);
        if let Ok(value) = HeaderValue::from_maybe_shared(bytes::Bytes::from(start)) {
            entry.insert(value);
        }
    }
    if headers.get(REQUEST_ID).is_none_or(HeaderValue::is_empty)
        && let Ok(value) = HeaderValue::from_bytes(&uuid())
    {
        headers.insert(REQUEST_ID, value);
    }
}

/// A random UUID, version 4.
fn uuid() -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut random = DRAW.with_borrow_mut(|(drawn, used)| {
        if *used == drawn.len() {
            drawn.resize(DRAWN, 0);
            *used = 0;
            if RANDOM.fill(drawn).is_err() {
                drawn[8..16].copy_from_slice(&Timestamp::now().as_microsecond().to_be_bytes());
                drawn.truncate(16);
            }
        }
        *used += 16;
        drawn[*used - 16..*used].first_chunk::<16>().copied().unwrap_or_default()
    });
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in random.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 0x0f)];
        at += 2;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec 11.H.130, 11.H.131, 11.H.132, 11.H.133
    #[test]
    fn every_request_has_an_id_and_a_start() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static(""));
        stamp(&mut headers);
        let id = headers[REQUEST_ID].to_str().unwrap().to_owned();
        let parts: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
        assert!(id.as_bytes()[14] == b'4' && b"89ab".contains(&id.as_bytes()[19]), "{id}");
        let start: i64 = headers[REQUEST_START].to_str().unwrap().strip_prefix("t=").unwrap().parse().unwrap();
        assert!((Timestamp::now().as_millisecond() - start).abs() < 1_000);

        let before = headers.clone();
        stamp(&mut headers);
        assert_eq!(headers, before);
    }

    #[test]
    fn requests_without_a_host_are_refused() {
        assert_eq!(answer(&Request::get("/").body(()).unwrap()).unwrap().status(), 400);
        assert!(answer(&Request::get("/").header("host", "a").body(()).unwrap()).is_none());
        assert!(answer(&Request::get("/").version(Version::HTTP_10).body(()).unwrap()).is_none());
    }
}
