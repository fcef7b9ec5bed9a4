//! The head of a request: understood in the one way it can be, or refused (RFC 9112, 2 to 6; spec 8.1).

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use httparse::{ParserConfig, Status};

use crate::server::wire::fields;
use crate::server::wire::framing::Framing;

/// Lines of a head; most have fewer than the first, and none may have more than the second.
const LINES: usize = 48;
const MOST_LINES: usize = 256;
/// Bytes of a head, as in Go.
const MOST_BYTES: usize = 1024 * 1024 + 4096;
/// Headers a request gets on its way to its target.
const ADDED: usize = 8;

/// What a head says besides what is asked for.
#[derive(Debug)]
pub(crate) struct Head {
    pub(super) framing: Framing,
    /// Whether the client may ask again on this connection.
    pub(super) keeps: bool,
    /// Whether the client waits to be asked for the body.
    pub(super) expects: bool,
}

#[cfg(any(test, feature = "fuzzing"))]
impl Head {
    pub(crate) fn into_framing(self) -> Framing {
        self.framing
    }

    #[cfg(test)]
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }
}

/// Why a request is refused before it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Malformed(&'static str),
    TooLarge,
    UriTooLong,
    Version,
}

/// Takes a head off the front of the buffer, and makes the request it is of. `None` when it has not all come; `seen` bytes
/// of the buffer were looked at before and are not gone through again until the head may be complete.
pub(crate) fn take<B>(
    buffer: &mut BytesMut,
    seen: &mut usize,
    request: &mut Request<B>,
) -> Result<Option<Head>, Refusal> {
    let before = buffer.len();
    while let Some(length) = empty_line(buffer) {
        buffer.advance(length);
    }
    *seen = seen.saturating_sub(before - buffer.len());
    let parsed = if buffer.is_empty() || (*seen > 0 && !fields::may_end(buffer, *seen)) {
        None
    } else {
        // Names and values are pieces of what was read.
        let bytes = buffer.split().freeze();
        let parsed = parse(&bytes, request)?;
        match parsed {
            Some(length) if length == bytes.len() => {}
            Some(length) => buffer.extend_from_slice(&bytes[length..]),
            None => *buffer = bytes.into(),
        }
        parsed
    };
    if parsed.is_none() {
        *seen = buffer.len();
        return if buffer.len() > MOST_BYTES { Err(too_large(buffer)) } else { Ok(None) };
    }
    *seen = 0;
    understand(request).map(Some)
}

/// The length of the empty line a buffer begins with. Some clients send one after a body, which begins no request (RFC
/// 9112, 2.2).
fn empty_line(buffer: &[u8]) -> Option<usize> {
    match buffer {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

/// Says which part of a head is too large.
fn too_large(buffer: &[u8]) -> Refusal {
    if buffer.contains(&b'\n') { Refusal::TooLarge } else { Refusal::UriTooLong }
}

/// The length of the head, when all of it is there.
fn parse<B>(bytes: &Bytes, request: &mut Request<B>) -> Result<Option<usize>, Refusal> {
    match parse_with(bytes, request, &mut [const { MaybeUninit::uninit() }; LINES]) {
        Err(httparse::Error::TooManyHeaders) => {}
        parsed => return parsed.map_err(refusal)?.transpose(),
    }
    parse_with(bytes, request, &mut vec![MaybeUninit::uninit(); MOST_LINES]).map_err(refusal)?.transpose()
}

fn refusal(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => Refusal::TooLarge,
        httparse::Error::Version => Refusal::Version,
        httparse::Error::Token => Refusal::Malformed("malformed request line"),
        httparse::Error::NewLine => Refusal::Malformed("malformed line end"),
        httparse::Error::HeaderName => Refusal::Malformed("malformed header name"),
        httparse::Error::HeaderValue => Refusal::Malformed("malformed header value"),
        httparse::Error::Status => Refusal::Malformed("malformed head"),
    }
}

fn parse_with<'b, B>(
    bytes: &'b Bytes,
    request: &mut Request<B>,
    lines: &mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<Option<Result<usize, Refusal>>, httparse::Error> {
    let mut head = httparse::Request::new(&mut []);
    let parsed = ParserConfig::default().parse_request_with_uninit_headers(&mut head, bytes, lines)?;
    Ok(match parsed {
        Status::Complete(length) => Some(fill(request, bytes, &head).map(|()| length)),
        Status::Partial => None,
    })
}

fn fill<B>(request: &mut Request<B>, bytes: &Bytes, head: &httparse::Request<'_, '_>) -> Result<(), Refusal> {
    let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version) else {
        return Err(Refusal::Malformed("malformed request line"));
    };
    *request.method_mut() =
        Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::Malformed("malformed method"))?;
    if target.len() >= usize::from(u16::MAX) {
        return Err(Refusal::UriTooLong);
    }
    if !is_target(request.method(), target) {
        return Err(Refusal::Malformed("malformed request target"));
    }
    *request.uri_mut() = Uri::from_maybe_shared(bytes.slice_ref(target.as_bytes()))
        .map_err(|_| Refusal::Malformed("malformed request target"))?;
    *request.version_mut() = if version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut headers = HeaderMap::with_capacity(head.headers.len() + ADDED);
    for line in &*head.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value));
        let (Ok(name), Ok(value)) = (name, value) else { return Err(Refusal::Malformed("malformed header")) };
        headers.append(name, value);
    }
    *request.headers_mut() = headers;
    Ok(())
}

/// Whether a target is a path, a whole URL, or the one sign a method has for the server itself (RFC 9112, 3.2). Anything
/// else has a path for some and a host for others.
fn is_target(method: &Method, target: &str) -> bool {
    if target.contains('#') {
        return false;
    }
    if target.starts_with('/') {
        return true;
    }
    let of_scheme = |scheme: &str| {
        let (begin, rest) = target.split_at_checked(scheme.len())?;
        begin.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    match of_scheme("http://").or_else(|| of_scheme("https://")) {
        Some(rest) => {
            let host = rest.split(['/', '?']).next().unwrap_or("");
            // The colons of an address stand in brackets.
            let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
            let port = behind.rsplit_once(':').map_or("", |(_, port)| port);
            !host.is_empty() && !host.contains('@') && port.bytes().all(|byte| byte.is_ascii_digit())
        }
        None => (target == "*" && *method == Method::OPTIONS) || *method == Method::CONNECT,
    }
}

fn understand<B>(request: &Request<B>) -> Result<Head, Refusal> {
    let framing = Framing::of_request(request.headers(), request.version()).map_err(Refusal::Malformed)?;
    let says = |wanted| fields::says(request.headers(), wanted);
    // Others may have seen the end of the body elsewhere, and another request after it (RFC 9112, 6.1).
    let clear = !(request.headers().contains_key(TRANSFER_ENCODING) && request.headers().contains_key(CONTENT_LENGTH));
    let keeps = clear && !says("close") && (request.version() == Version::HTTP_11 || says("keep-alive"));
    let expects = request.headers().get(EXPECT).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    Ok(Head { framing, keeps, expects })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::wire::damaged::damaged;

    fn taken(text: &str) -> Result<Option<(Request<()>, Head, BytesMut)>, Refusal> {
        let (mut buffer, mut request) = (BytesMut::from(text), Request::default());
        Ok(take(&mut buffer, &mut 0, &mut request)?.map(|head| (request, head, buffer)))
    }

    #[test]
    fn a_head_and_what_follows() {
        let text = "\r\nPOST /a?b=%zz;c HTTP/1.1\r\nHost: a\r\nA: 1\r\na:  2 \r\nContent-Length: 4\r\n\r\nbodyGET";
        let (request, head, rest) = taken(text).unwrap().unwrap();
        assert_eq!((request.method(), &rest[..], head.keeps), (&Method::POST, &b"bodyGET"[..], true));
        assert_eq!(request.uri().path_and_query().unwrap(), "/a?b=%zz;c");
        let values: Vec<_> = request.headers().get_all("a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!((values, head.framing), (vec![&b"1"[..], b"2"], Framing::Length(4)));
    }

    #[test]
    fn connections_that_are_not_kept() {
        for (head, kept) in [
            ("GET / HTTP/1.1\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: x, Close\r\n", false),
            ("GET / HTTP/1.0\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", true),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive, close\r\n", false),
            ("PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", false),
        ] {
            assert_eq!(taken(&format!("{head}\r\n")).unwrap().unwrap().1.keeps, kept, "{head}");
        }
        assert!(taken("PUT / HTTP/1.1\r\nExpect: 100-Continue\r\n\r\n").unwrap().unwrap().1.expects);
    }

    #[test]
    fn byte_by_byte_it_is_the_same() {
        let text = format!("GET /path HTTP/1.1\r\n{}\r\n", "X-Header: value\r\n".repeat(100));
        let (mut buffer, mut seen) = (BytesMut::new(), 0);
        for (index, byte) in text.bytes().enumerate() {
            buffer.extend_from_slice(&[byte]);
            let mut request = Request::new(());
            let head = take(&mut buffer, &mut seen, &mut request).unwrap();
            assert_eq!(head.is_some(), index + 1 == text.len(), "{index}");
            if head.is_some() {
                assert_eq!(request.headers().get_all("x-header").iter().count(), 100);
            }
        }
        assert!(buffer.is_empty());
    }

    #[test]
    fn empty_lines_before_a_head_are_nothing() {
        let (mut buffer, mut seen) = (BytesMut::new(), 0);
        for piece in ["\r\n", "\r", "\n", "\n\r\n\r", "\nGET / HTTP/1.1\r", "\n"] {
            buffer.extend_from_slice(piece.as_bytes());
            assert!(take(&mut buffer, &mut seen, &mut Request::new(())).unwrap().is_none());
            assert!(seen == buffer.len() && !buffer.starts_with(b"\n"), "{piece:?}");
        }
        buffer.extend_from_slice(b"\r\n");
        assert!(take(&mut buffer, &mut seen, &mut Request::new(())).unwrap().is_some() && buffer.is_empty());
        // A lone CR is no line.
        assert!(taken("\rGET / HTTP/1.1\r\n\r\n").is_err());
    }

    #[test]
    fn targets() {
        for (target, fine) in [
            ("GET /", true),
            ("GET //a@b", true),
            ("GET http://a", true),
            ("GET HTTP://a.test:80/x?y", true),
            ("GET https://[::1]/", true),
            ("GET http://[::1]:80/", true),
            ("OPTIONS *", true),
            ("CONNECT a:80", true),
            ("GET *", false),
            ("GET *a", false),
            ("OPTIONS *a", false),
            ("GET a.test", false),
            ("GET u@a.test", false),
            ("GET @a", false),
            ("GET :80", false),
            ("GET ?a", false),
            ("GET #", false),
            ("GET /a#b", false),
            ("GET http:x", false),
            ("GET http://", false),
            ("GET http:///x", false),
            ("GET http://u:p@a/", false),
            ("GET http://a:x/", false),
            ("GET http://a?b@c", true),
            ("GET ftp://a/", false),
        ] {
            assert_eq!(taken(&format!("{target} HTTP/1.1\r\nHost: a\r\n\r\n")).is_ok(), fine, "{target}");
        }
    }

    #[test]
    fn what_is_too_large() {
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(MOST_LINES + 1));
        let long = format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(MOST_BYTES));
        let path = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
        let endless = format!("GET /{}", "a".repeat(MOST_BYTES));
        for (text, expected) in [
            (many, Refusal::TooLarge),
            (long, Refusal::TooLarge),
            (path, Refusal::UriTooLong),
            (endless, Refusal::UriTooLong),
            ("GET / HTTP/3.0\r\n\r\n".to_owned(), Refusal::Version),
        ] {
            assert_eq!(taken(&text).map(drop), Err(expected));
        }
    }

    /// Whatever comes, nothing panics, and it means the same in whatever pieces it comes.
    #[test]
    fn any_bytes_in_any_pieces() {
        let text = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\
                     Content-Length: 5\r\n\r\nhello";
        for bytes in damaged(text, 20_000) {
            let read = |piece: usize| {
                let (mut buffer, mut seen) = (BytesMut::new(), 0);
                for piece in bytes.chunks(piece) {
                    buffer.extend_from_slice(piece);
                    let mut request = Request::new(());
                    if let Some(head) = take(&mut buffer, &mut seen, &mut request).ok()? {
                        let (parts, ()) = request.into_parts();
                        return Some((parts.method, parts.uri, parts.headers, head.framing, head.keeps));
                    }
                }
                None
            };
            assert_eq!(read(2), read(bytes.len()), "{}", bytes.escape_ascii());
        }
    }
}
