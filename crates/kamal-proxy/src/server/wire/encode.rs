//! Requests as bytes, and chunked bodies.

use std::io::Write;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, COOKIE,
    EXPECT, FORWARDED, HOST, LOCATION, MAX_FORWARDS, RANGE, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Request};
use http_body::Body;

use super::fields;

/// What must not come after a body: whoever reads it may already have acted on its absence (RFC 9110, 6.5.1), or takes
/// one for the word of a proxy.
const NO_TRAILERS: [HeaderName; 27] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    FORWARDED,
    HOST,
    HeaderName::from_static("keep-alive"),
    LOCATION,
    MAX_FORWARDS,
    RANGE,
    SET_COOKIE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-request-start"),
];
/// How such names begin.
const NO_TRAILERS_LIKE: [&str; 6] = ["x-forwarded-", "x-kamal-", "x-accel-", "proxy-", "if-", "access-control-"];

/// How the end of a body is marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Marked {
    ByLength,
    /// With the names a trailer may have.
    ByChunks(Vec<HeaderName>),
}

/// Says in the headers how long the body is.
pub(super) fn mark<B: Body>(request: &mut Request<B>) -> Marked {
    let length = request.body().size_hint().exact();
    let (empty, headers) = (request.body().is_end_stream(), request.headers_mut());
    headers.remove(TRANSFER_ENCODING);
    let declared = headers.contains_key(CONTENT_LENGTH);
    if let Some(length) = length.filter(|_| declared || !empty) {
        // One number, however often and in whatever way the client said it (RFC 9110, 8.6).
        headers.insert(CONTENT_LENGTH, length.into());
        return Marked::ByLength;
    }
    if declared || empty {
        return Marked::ByLength;
    }
    headers.insert(TRANSFER_ENCODING, http::HeaderValue::from_static("chunked"));
    Marked::ByChunks(announced(headers))
}

/// The names a trailer may have.
pub(in crate::server) fn announced(headers: &HeaderMap) -> Vec<HeaderName> {
    let names = fields::tokens(headers, &TRAILER).filter_map(|name| HeaderName::from_bytes(name).ok());
    // Nor does a trailer say again, and otherwise, what the head has said.
    names.filter(|name| is_trailer(name) && !headers.contains_key(name)).collect()
}

fn is_trailer(name: &HeaderName) -> bool {
    !NO_TRAILERS.contains(name) && !NO_TRAILERS_LIKE.iter().any(|like| name.as_str().starts_with(like))
}

/// What of the trailers may come after a body.
pub(in crate::server) fn may_trail(trailers: HeaderMap) -> HeaderMap {
    if trailers.keys().all(is_trailer) {
        return trailers;
    }
    let fine = trailers.iter().filter(|(name, _)| is_trailer(name));
    fine.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Appends the head of a request.
pub(super) fn head<B>(request: &Request<B>, out: &mut Vec<u8>) {
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    let target = request.uri().path_and_query().map_or("/", |path| path.as_str());
    // `OPTIONS *` does not come this far, and a query alone is no target.
    if !target.starts_with('/') {
        out.push(b'/');
    }
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    fields::write(request.headers(), out);
    out.extend_from_slice(b"\r\n");
}

/// Appends one chunk of a body; none for no bytes, as that would be the end.
pub(in crate::server) fn chunk(bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        out.reserve(bytes.len() + 20);
        // Writing to memory cannot fail.
        let _ = write!(out, "{:x}\r\n", bytes.len());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
}

/// One chunk of a body without a copy of it.
pub(in crate::server) fn chunk_pieces(bytes: Bytes) -> [Bytes; 3] {
    [format!("{:x}\r\n", bytes.len()).into(), bytes, Bytes::from_static(b"\r\n")]
}

/// Appends the end of a chunked body, with the trailers that were announced.
pub(in crate::server) fn end(trailers: Option<&HeaderMap>, announced: &[HeaderName], out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        for name in announced {
            let values = trailers.get_all(name).iter().map(|value| (name.clone(), value.clone()));
            fields::write(&values.collect(), out);
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full, StreamBody};

    use super::*;

    #[test]
    fn heads() {
        let mut request = Request::post("/a?b").header("x-forwarded-for", "1").header("host", "h").body(()).unwrap();
        request.headers_mut().append("x-forwarded-for", "2".parse().unwrap());
        let mut out = Vec::new();
        head(&request, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("POST /a?b HTTP/1.1\r\n") && text.ends_with("\r\n\r\n"), "{text}");
        assert!(text.contains("\r\nX-Forwarded-For: 1\r\n") && text.contains("\r\nX-Forwarded-For: 2\r\n"), "{text}");
        for (uri, line) in [("*", "GET /* "), ("http://a?q", "GET /?q "), ("http://a", "GET / ")] {
            let mut out = Vec::new();
            head(&Request::get(uri).body(()).unwrap(), &mut out);
            assert!(out.starts_with(line.as_bytes()), "{uri}");
        }
    }

    #[test]
    fn lengths() {
        let mut none = Request::post("/").header("transfer-encoding", "chunked").body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(mark(&mut none), Marked::ByLength);
        assert!(none.headers().is_empty());
        let twice = Request::put("/").header("content-length", "04, 4").header("content-length", "4");
        let mut twice = twice.body(Full::new(Bytes::from("four"))).unwrap();
        assert_eq!(mark(&mut twice), Marked::ByLength);
        assert_eq!(twice.headers().get_all("content-length").iter().collect::<Vec<_>>(), ["4"]);
        let mut known = Request::put("/").body(Full::new(Bytes::from("four"))).unwrap();
        assert_eq!(mark(&mut known), Marked::ByLength);
        assert_eq!(known.headers()["content-length"], "4");
        let stream = StreamBody::new(futures_util::stream::pending::<std::io::Result<http_body::Frame<Bytes>>>());
        let mut open = Request::put("/")
            .header("x-said", "1")
            .header("trailer", "X-A, Host,Cookie,X-Forwarded-For,X-Said,x-b")
            .body(stream)
            .unwrap();
        assert_eq!(mark(&mut open), Marked::ByChunks(vec!["x-a".parse().unwrap(), "x-b".parse().unwrap()]));
        assert_eq!(open.headers()["transfer-encoding"], "chunked");
    }

    #[test]
    fn chunked_bodies() {
        let mut out = Vec::new();
        chunk(b"hello world, hello", &mut out);
        chunk(b"", &mut out);
        let trailers = [("x-a", "1"), ("x-secret", "2")].map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()));
        end(Some(&trailers.into_iter().collect()), &["x-a".parse().unwrap()], &mut out);
        assert_eq!(out, b"12\r\nhello world, hello\r\n0\r\nX-A: 1\r\n\r\n");
    }
}
