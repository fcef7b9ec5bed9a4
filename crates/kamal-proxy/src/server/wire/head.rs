//! The head of an answer.

use std::cell::RefCell;
use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, response};
use httparse::{ParserConfig, Status};
use hyper::ext::ReasonPhrase;

use super::framing::{self, Framing};
use super::{WireError, fields};

/// Lines of a head; most have fewer than the first, and none may have more than the second.
const LINES: usize = 48;
const MOST_LINES: usize = 256;
/// Bytes of a head.
const MOST_BYTES: usize = 400 * 1024;

/// A head, understood.
#[derive(Debug)]
pub(in crate::server) struct Head {
    pub(in crate::server) parts: response::Parts,
    pub(in crate::server) framing: Framing,
    /// Whether another request may follow on the connection.
    pub(in crate::server) keeps: bool,
}

/// Takes a head off the front of the buffer. `None` when it has not all come; `seen` bytes of the buffer were looked at
/// before and are not gone through again until the head may be complete. What comes before the answer is a hint.
pub(in crate::server) fn take(
    buffer: &mut BytesMut,
    method: &Method,
    seen: &mut usize,
    mut hint: impl FnMut(response::Parts),
) -> Result<Option<Head>, WireError> {
    loop {
        if buffer.is_empty() || (*seen > 0 && !fields::may_end(buffer, *seen)) {
            *seen = buffer.len();
            return if buffer.len() > MOST_BYTES { Err(WireError::Malformed("head too large")) } else { Ok(None) };
        }
        let Some(head) = parse(buffer)? else {
            *seen = buffer.len();
            return if buffer.len() > MOST_BYTES { Err(WireError::Malformed("head too large")) } else { Ok(None) };
        };
        *seen = 0;
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return understand(head, method).map(Some);
        }
        hint(head);
    }
}

/// Where something is in the buffer, and its length.
type Place = (usize, usize);

thread_local! {
    /// The names and values of the lines of a head that is being read.
    static PLACES: RefCell<Vec<(Place, Place)>> = const { RefCell::new(Vec::new()) };
}

fn parse(buffer: &mut BytesMut) -> Result<Option<response::Parts>, WireError> {
    PLACES.with_borrow_mut(|places| {
        let parsed = match parse_with(buffer, &mut [const { MaybeUninit::uninit() }; LINES], places) {
            Err(httparse::Error::TooManyHeaders) => {
                parse_with(buffer, &mut vec![MaybeUninit::uninit(); MOST_LINES], places)
            }
            parsed => parsed,
        };
        finish(buffer, parsed, places)
    })
}

/// What httparse found: length, version, status, and the place of the reason.
type Parsed = (usize, u8, u16, Place);

fn parse_with<'b>(
    buffer: &'b [u8],
    lines: &mut [MaybeUninit<httparse::Header<'b>>],
    places: &mut Vec<(Place, Place)>,
) -> Result<Option<Parsed>, httparse::Error> {
    let base = buffer.as_ptr().addr();
    let place = |bytes: &[u8]| (bytes.as_ptr().addr().wrapping_sub(base), bytes.len());
    let mut response = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, buffer, lines)?;
    let Status::Complete(length) = parsed else { return Ok(None) };
    places.clear();
    places.extend(response.headers.iter().map(|line| (place(line.name.as_bytes()), place(line.value))));
    let reason = response.reason.filter(|reason| !reason.is_empty()).map_or((0, 0), |reason| place(reason.as_bytes()));
    Ok(Some((length, response.version.unwrap_or(1), response.code.unwrap_or(0), reason)))
}

fn finish(
    buffer: &mut BytesMut,
    parsed: Result<Option<Parsed>, httparse::Error>,
    places: &[(Place, Place)],
) -> Result<Option<response::Parts>, WireError> {
    let malformed = |error: httparse::Error| match error {
        httparse::Error::TooManyHeaders => WireError::Malformed("too many headers"),
        httparse::Error::Status | httparse::Error::Version => WireError::Malformed("invalid status line"),
        _ => WireError::Malformed("invalid header"),
    };
    let Some((length, version, status, reason)) = parsed.map_err(malformed)? else { return Ok(None) };
    let bytes = buffer.split_to(length).freeze();
    let slice = |(at, length): (usize, usize)| bytes.slice(at..at + length);
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.version = if version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.status = StatusCode::from_u16(status).map_err(|_| WireError::Malformed("invalid status line"))?;
    parts.headers.reserve(places.len() + 2);
    for (name, value) in places {
        let name = HeaderName::from_bytes(&bytes[name.0..name.0 + name.1]);
        let name = name.map_err(|_| WireError::Malformed("invalid header"))?;
        let value = HeaderValue::from_maybe_shared(slice(*value));
        parts.headers.append(name, value.map_err(|_| WireError::Malformed("invalid header"))?);
    }
    keep_reason(&mut parts, slice(reason));
    Ok(Some(parts))
}

/// A target may word its statuses as it likes.
fn keep_reason(parts: &mut response::Parts, reason: Bytes) {
    let usual = parts.status.canonical_reason().unwrap_or("");
    if !reason.is_empty()
        && reason != usual
        && let Ok(reason) = ReasonPhrase::try_from(reason)
    {
        parts.extensions.insert(reason);
    }
}

fn understand(mut parts: response::Parts, method: &Method) -> Result<Head, WireError> {
    let framing = Framing::of(&parts, method)?;
    one_length(&mut parts.headers)?;
    let says = |wanted: &str| fields::says(&parts.headers, wanted);
    let keeps = if parts.version == Version::HTTP_11 { !says("close") } else { says("keep-alive") && !says("close") };
    let keeps = keeps && framing != Framing::UntilClosed;
    // To the client it is the proxy that speaks.
    parts.version = Version::HTTP_11;
    Ok(Head { parts, framing, keeps })
}

/// Leaves one number of the length that is declared, which for a HEAD is that of another answer's body.
fn one_length(headers: &mut HeaderMap) -> Result<(), WireError> {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let plain = |value: &HeaderValue| (1..19).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_digit);
    let is_plain = lines.next().is_none_or(plain) && lines.next().is_none();
    // With a coding it is not the length of the body.
    if is_plain || headers.contains_key(TRANSFER_ENCODING) {
        return Ok(());
    }
    if let Some(length) = framing::length(headers)? {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::wire::damaged::damaged;

    fn taken(text: &str) -> Result<Option<(Head, BytesMut)>, WireError> {
        let mut buffer = BytesMut::from(text);
        Ok(take(&mut buffer, &Method::GET, &mut 0, drop)?.map(|head| (head, buffer)))
    }

    #[test]
    fn a_head_and_what_follows() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early EarlyHints\r\nLink: x\r\n\r\nHTTP/1.1 200 Fine\r\nA: 1\r\na:  2 \
                    \r\nContent-Length: 4\r\n\r\nbody";
        let (head, rest) = taken(text).unwrap().unwrap();
        assert_eq!((head.parts.status, &rest[..], head.keeps), (StatusCode::OK, &b"body"[..], true));
        let values: Vec<_> = head.parts.headers.get_all("a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!((values, head.framing), (vec![&b"1"[..], b"2"], Framing::Length(4)));
        assert_eq!(head.parts.extensions.get::<ReasonPhrase>().unwrap().as_bytes(), b"Fine");
        assert!(!head.parts.headers.contains_key("link"));
    }

    #[test]
    fn a_length_is_one_number_whatever_was_asked() {
        for (lines, length) in [
            ("Content-Length: 5\r\n", Some("5")),
            ("Content-Length: 5, 5\r\n", Some("5")),
            ("Content-Length: 5\r\nContent-Length: 05\r\n", Some("5")),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", None),
            ("Content-Length: 5,\r\n", None),
            ("Content-Length: 9223372036854775808\r\n", None),
        ] {
            for method in [Method::HEAD, Method::GET] {
                let mut buffer = BytesMut::from(&*format!("HTTP/1.1 200 OK\r\n{lines}\r\n"));
                let head = take(&mut buffer, &method, &mut 0, drop).ok().flatten();
                let lines = head.map(|head| head.parts.headers.get_all("content-length").iter().cloned().collect());
                let lines: Option<Vec<HeaderValue>> = lines;
                assert_eq!(lines, length.map(|length| vec![HeaderValue::from_static(length)]), "{method} {length:?}");
            }
        }
    }

    #[test]
    fn connections_that_are_not_kept() {
        for (start, kept) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n", true),
            ("HTTP/1.1 200 OK\r\n", false),
            ("HTTP/1.1 204 No Content\r\n", true),
        ] {
            assert_eq!(taken(&format!("{start}\r\n")).unwrap().unwrap().0.keeps, kept, "{start}");
        }
    }

    #[test]
    fn byte_by_byte_it_is_the_same() {
        let text = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-Header: value\r\n".repeat(100));
        let (mut buffer, mut seen) = (BytesMut::new(), 0);
        for (index, byte) in text.bytes().enumerate() {
            buffer.extend_from_slice(&[byte]);
            let head = take(&mut buffer, &Method::GET, &mut seen, drop).unwrap();
            assert_eq!(head.is_some(), index + 1 == text.len(), "{index}");
            if let Some(head) = head {
                assert_eq!(head.parts.headers.get_all("x-header").iter().count(), 100);
            }
        }
    }

    #[test]
    fn what_is_refused() {
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MOST_LINES + 1));
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(MOST_BYTES));
        for text in [
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 99 Low\r\n\r\n",
            "HTTP/1.1 2OO OK\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
            &many,
            &long,
        ] {
            assert!(matches!(taken(text), Err(WireError::Malformed(_))), "{}", &text[..text.len().min(60)]);
        }
        assert!(taken("HTTP/1.1 200 OK\r\nA: b\r\n").unwrap().is_none());
        assert!(taken("").unwrap().is_none());
    }

    /// Whatever comes, nothing panics, and it means the same in whatever pieces it comes.
    #[test]
    fn any_bytes_in_any_pieces() {
        let text =
            b"HTTP/1.1 103 Early EarlyHints\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\nConnection: \
                     close\r\nContent-Length: 5\r\n\r\nhello";
        for bytes in damaged(text, 20_000) {
            let read = |piece: usize| {
                let (mut buffer, mut seen) = (BytesMut::new(), 0);
                for piece in bytes.chunks(piece) {
                    buffer.extend_from_slice(piece);
                    if let Some(head) = take(&mut buffer, &Method::GET, &mut seen, drop).ok()? {
                        return Some((head.parts.status, head.parts.headers, head.framing, head.keeps));
                    }
                }
                None
            };
            assert_eq!(read(2), read(bytes.len()), "{}", bytes.escape_ascii());
        }
    }
}
