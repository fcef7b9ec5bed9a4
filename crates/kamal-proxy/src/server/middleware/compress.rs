//! Responses made smaller for clients that can undo it: zstd, brotli or gzip (RFC 9110, 12.5.3 and 8.4).
//!
//! Nothing is compressed twice, nothing that is small or does not shrink, and a response that is written bit by bit
//! stays readable bit by bit.

use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::{Body, Frame};

use crate::server::body::response::ResponseBody;
use crate::server::options::Policies;
use crate::server::wire::fields;

/// Shorter bodies would not get much shorter. Bytes.
const MIN_SIZE: u64 = 1024;
/// Levels at which a core keeps up with a fast network.
const GZIP_LEVEL: u32 = 5;
const BROTLI_LEVEL: u32 = 4;
const ZSTD_LEVEL: i32 = 3;
/// Windows of 256 KiB: what a response costs while it is written is a few times that.
const BROTLI_WINDOW: u32 = 18;
const ZSTD_WINDOW: u32 = 18;
const BROTLI_BUFFER: usize = 4096;
/// Types besides `text/*`, `*+json` and `*+xml`.
const TYPES: [&str; 10] = [
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "font/ttf",
    "image/bmp",
    "image/svg+xml",
];

/// What a service wants compressed.
#[derive(Debug)]
pub(crate) struct Compression {
    min_size: u64,
    types: Vec<String>,
}

/// A way to compress, the better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Zstd,
    Brotli,
    Gzip,
}

impl Encoding {
    const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

impl Compression {
    pub(super) fn new(options: &Policies) -> Self {
        let min_size = u64::try_from(options.compress_min_size).ok().filter(|size| *size > 0).unwrap_or(MIN_SIZE);
        Self { min_size, types: options.compress_types.iter().map(|text| text.to_ascii_lowercase()).collect() }
    }

    /// The encoding a client likes best, of those it likes equally the one that saves most. `None` for a request whose
    /// response is not to be touched.
    pub(crate) fn choose(&self, method: &Method, headers: &HeaderMap) -> Option<Encoding> {
        if *method == Method::HEAD {
            return None;
        }
        let mut best: Option<(u16, Encoding)> = None;
        for encoding in Encoding::ALL {
            let weight = weight(headers, encoding.name());
            if weight > best.map_or(0, |(weight, _)| weight) {
                best = Some((weight, encoding));
            }
        }
        best.map(|(_, encoding)| encoding)
    }

    /// The response, compressed if it is worth it; others learn that it may be.
    pub(crate) fn apply(&self, encoding: Option<Encoding>, response: Response<ResponseBody>) -> Response<ResponseBody> {
        if !self.concerns(&response) {
            return response;
        }
        let (mut head, body) = response.into_parts();
        head.headers.append(VARY, HeaderValue::from_static("accept-encoding"));
        let known = body.size_hint().exact();
        let Some(encoding) = encoding.filter(|_| known.is_none_or(|size| size >= self.min_size)) else {
            return Response::from_parts(head, body);
        };
        let Ok(encoder) = Encoder::new(encoding) else { return Response::from_parts(head, body) };
        head.headers.remove(CONTENT_LENGTH);
        head.headers.remove(ACCEPT_RANGES);
        head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        weaken(&mut head.headers);
        let flushes = known.is_none();
        Response::from_parts(
            head,
            ResponseBody::compressed(Compressed { body, encoder: Some(encoder), flushes, last: None }),
        )
    }

    fn concerns(&self, response: &Response<ResponseBody>) -> bool {
        let headers = response.headers();
        let forbidden = headers
            .get_all(CACHE_CONTROL)
            .iter()
            .any(|line| line.as_bytes().to_ascii_lowercase().windows(12).any(|word| word == b"no-transform"));
        let whole = !matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT
        ) && !headers.contains_key(CONTENT_RANGE);
        whole && !forbidden && !headers.contains_key(CONTENT_ENCODING) && self.shrinks(headers)
    }

    fn shrinks(&self, headers: &HeaderMap) -> bool {
        let text = headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().split(|byte| *byte == b';').next());
        let Some(text) = text.and_then(|text| std::str::from_utf8(text).ok()) else { return false };
        let media_type = text.trim().to_ascii_lowercase();
        media_type.starts_with("text/")
            || media_type.ends_with("+json")
            || media_type.ends_with("+xml")
            || TYPES.contains(&media_type.as_str())
            || self.types.contains(&media_type)
    }
}

/// How much a client wants an encoding, in thousandths; zero means not at all.
fn weight(headers: &HeaderMap, name: &str) -> u16 {
    let (mut named, mut any) = (None, 0);
    for entry in fields::tokens(headers, &ACCEPT_ENCODING) {
        if let Ok(entry) = std::str::from_utf8(entry) {
            let mut parts = entry.split(';').map(str::trim);
            let coding = parts.next().unwrap_or("");
            let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            let weight = quality.map_or(1000, thousandths);
            match coding {
                "*" => any = weight,
                _ if coding.eq_ignore_ascii_case(name) => named = Some(weight),
                _ => {}
            }
        }
    }
    named.unwrap_or(any)
}

/// `0`, `1`, or up to three digits behind a dot; anything else is no wish.
fn thousandths(quality: &str) -> u16 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    match (whole, digits) {
        ("1", true) => 1000,
        ("0", true) => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

/// The tag no longer stands for these very bytes.
fn weaken(headers: &mut HeaderMap) {
    let tag = headers.get(ETAG).map(HeaderValue::as_bytes).filter(|tag| !tag.starts_with(b"W/"));
    if let Some(weak) = tag.and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag].concat()).ok()) {
        headers.insert(ETAG, weak);
    }
}

/// A body being compressed.
pub(crate) struct Compressed {
    body: ResponseBody,
    /// `None` once everything has been written.
    encoder: Option<Encoder>,
    /// Whether each piece is to be readable at once.
    flushes: bool,
    /// What follows the last bytes.
    last: Option<Frame<Bytes>>,
}

impl fmt::Debug for Compressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressed").finish_non_exhaustive()
    }
}

enum Encoder {
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Encoder {
    fn new(encoding: Encoding) -> io::Result<Self> {
        Ok(match encoding {
            Encoding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.window_log(ZSTD_WINDOW)?;
                Self::Zstd(encoder)
            }
            Encoding::Brotli => {
                let writer = brotli::CompressorWriter::new(Vec::new(), BROTLI_BUFFER, BROTLI_LEVEL, BROTLI_WINDOW);
                Self::Brotli(Box::new(writer))
            }
            Encoding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL))),
        })
    }

    /// Takes bytes in and gives what has come out so far.
    fn write(&mut self, data: &[u8], flush: bool) -> io::Result<Bytes> {
        let writer: &mut dyn Write = match self {
            Self::Zstd(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Gzip(encoder) => encoder,
        };
        writer.write_all(data)?;
        if flush {
            writer.flush()?;
        }
        let out = match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        };
        Ok(std::mem::take(out).into())
    }

    fn finish(self) -> io::Result<Bytes> {
        Ok(match self {
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Brotli(encoder) => encoder.into_inner(),
            Self::Gzip(encoder) => encoder.finish()?,
        }
        .into())
    }
}

impl Body for Compressed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        loop {
            let Some(encoder) = &mut this.encoder else { return Poll::Ready(this.last.take().map(Ok)) };
            let frame = ready!(Pin::new(&mut this.body).poll_frame(cx)).transpose()?;
            let data = match frame.map(Frame::into_data) {
                Some(Ok(data)) => data,
                // Trailers, or nothing more.
                ended => {
                    this.last = ended.and_then(Result::err);
                    let rest = this.encoder.take().map_or(Ok(Bytes::new()), Encoder::finish)?;
                    if rest.is_empty() {
                        continue;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(rest))));
                }
            };
            let out = encoder.write(&data, this.flushes)?;
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use http_body_util::BodyExt;

    use super::*;

    fn compression() -> Compression {
        Compression::new(&Policies { compress_types: vec!["application/x-own".into()], ..Policies::default() })
    }

    fn response(headers: &[(&'static str, &'static str)], body: &'static str) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::full(body));
        for (name, value) in headers {
            response.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        response
    }

    #[test]
    fn the_encoding_the_client_likes_best() {
        for (accept, chosen) in [
            ("gzip, deflate, br, zstd", Some(Encoding::Zstd)),
            ("gzip, br", Some(Encoding::Brotli)),
            ("gzip;q=1.0, br;q=0.5", Some(Encoding::Gzip)),
            ("GZIP", Some(Encoding::Gzip)),
            ("*", Some(Encoding::Zstd)),
            ("*;q=0.1, zstd;q=0", Some(Encoding::Brotli)),
            ("gzip;q=0", None),
            ("gzip;q=2", None),
            ("identity", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(compression().choose(&Method::GET, &headers), chosen, "{accept}");
            assert_eq!(compression().choose(&Method::HEAD, &headers), None);
        }
    }

    #[tokio::test]
    async fn what_goes_in_comes_out() {
        let text: &'static str = Box::leak("all work and no play ".repeat(1000).into_boxed_str());
        for encoding in Encoding::ALL {
            let response = response(&[("content-type", "text/html; charset=utf-8"), ("etag", "\"x\"")], text);
            let response = compression().apply(Some(encoding), response);
            assert_eq!(response.headers()[CONTENT_ENCODING], encoding.name());
            assert_eq!(
                (&response.headers()[ETAG], &response.headers()[VARY]),
                (&"W/\"x\"".parse().unwrap(), &"accept-encoding".parse().unwrap())
            );
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            assert!(bytes.len() < text.len() / 10, "{encoding:?}: {}", bytes.len());
            let mut plain = String::new();
            match encoding {
                Encoding::Zstd => zstd::Decoder::new(&bytes[..]).unwrap().read_to_string(&mut plain).unwrap(),
                Encoding::Brotli => brotli::Decompressor::new(&bytes[..], 4096).read_to_string(&mut plain).unwrap(),
                Encoding::Gzip => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut plain).unwrap(),
            };
            assert_eq!(plain, text, "{encoding:?}");
        }
    }

    #[test]
    fn what_is_left_alone() {
        let long: &'static str = Box::leak("a".repeat(2000).into_boxed_str());
        let html = ("content-type", "text/html");
        for (headers, status, body, touched) in [
            (&[html][..], 200, long, true),
            (&[("content-type", "Application/X-Own")], 200, long, true),
            (&[("content-type", "application/vnd.api+json")], 404, long, true),
            (&[html], 200, "short", false),
            (&[], 200, long, false),
            (&[("content-type", "image/png")], 200, long, false),
            (&[html, ("content-encoding", "br")], 200, long, false),
            (&[html, ("cache-control", "public, No-Transform")], 200, long, false),
            (&[html, ("content-range", "bytes 0-1999/5000")], 206, long, false),
            (&[html], 304, long, false),
        ] {
            let mut response = response(headers, body);
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let before = response.headers().get(CONTENT_ENCODING).cloned();
            let after = compression().apply(Some(Encoding::Gzip), response);
            let changed = after.headers().get(CONTENT_ENCODING) != before.as_ref();
            assert_eq!(changed, touched, "{headers:?} {status}");
        }
    }
}
