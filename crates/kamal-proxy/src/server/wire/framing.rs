//! Where a body ends (RFC 9112, 6.3).

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Version, response};
use http_body::Frame;

use super::WireError;
use super::chunks::Chunks;

/// Bytes of a body that is no mistake.
pub(in crate::server) const LONGEST: u64 = i64::MAX.unsigned_abs();

/// How the end of a body is found, and how far that has come.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::server) enum Framing {
    Length(u64),
    Chunked(Chunks),
    UntilClosed,
}

/// What could be taken from what has come so far.
#[derive(Debug)]
pub(in crate::server) enum Taken {
    Frame(Frame<Bytes>),
    /// Nothing until more comes.
    More,
    End,
}

impl Framing {
    /// Reads how long the body of an answer will be.
    pub(super) fn of(head: &response::Parts, method: &Method) -> Result<Self, WireError> {
        let bodiless =
            matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::SWITCHING_PROTOCOLS);
        if bodiless || *method == Method::HEAD {
            return Ok(Self::Length(0));
        }
        if head.headers.contains_key(TRANSFER_ENCODING) {
            if head.version != Version::HTTP_11 {
                return Err(WireError::Malformed("a transfer coding in HTTP/1.0"));
            }
            return Ok(if is_chunked(&head.headers) { Self::Chunked(Chunks::new()) } else { Self::UntilClosed });
        }
        length(&head.headers).map(|length| length.map_or(Self::UntilClosed, Self::Length))
    }

    /// Reads how long the body of a request is. Where others might read another length it is refused.
    pub(in crate::server) fn of_request(headers: &HeaderMap, version: Version) -> Result<Self, &'static str> {
        let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
        let Some(coding) = codings.next() else {
            let declared = length(headers).map_err(|_| "malformed Content-Length")?;
            return Ok(Self::Length(declared.unwrap_or(0)));
        };
        let chunked = coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
        if !chunked || version != Version::HTTP_11 {
            return Err("unsupported transfer encoding");
        }
        Ok(Self::Chunked(Chunks::new()))
    }

    /// Bytes still to come, where that is known.
    pub(in crate::server) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClosed => None,
        }
    }

    /// Whether all of the body has been taken.
    pub(in crate::server) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.is_over(),
            Self::UntilClosed => false,
        }
    }

    /// The next piece from the front of the buffer.
    pub(in crate::server) fn take(&mut self, buffer: &mut BytesMut) -> Result<Taken, WireError> {
        match self {
            Self::Length(0) => Ok(Taken::End),
            Self::Chunked(chunks) => chunks.take(buffer),
            _ if buffer.is_empty() => Ok(Taken::More),
            Self::Length(left) => {
                let length = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
                *left -= length as u64;
                Ok(Taken::Frame(Frame::data(buffer.split_to(length).freeze())))
            }
            Self::UntilClosed => Ok(Taken::Frame(Frame::data(buffer.split().freeze()))),
        }
    }
}

/// Whether the last coding is `chunked`; any other leaves only the end of the connection.
fn is_chunked(headers: &HeaderMap) -> bool {
    let last = headers.get_all(TRANSFER_ENCODING).iter().next_back();
    let coding = last.and_then(|line| line.as_bytes().rsplit(|byte| *byte == b',').next());
    coding.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

/// The length that is declared. Several must agree: who reads the other one sees another message. So does who has no
/// such numbers: many have them signed.
pub(in crate::server) fn length(headers: &HeaderMap) -> Result<Option<u64>, WireError> {
    let wrong = WireError::Malformed("invalid Content-Length");
    let mut declared = None;
    for line in headers.get_all(CONTENT_LENGTH) {
        let Ok(line) = line.to_str() else { return Err(wrong) };
        for text in line.split(',').map(str::trim) {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            match text.parse::<u64>() {
                Ok(length) if digits && length <= LONGEST && declared.is_none_or(|other| other == length) => {
                    declared = Some(length);
                }
                _ => return Err(wrong),
            }
        }
    }
    Ok(declared)
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn of(status: u16, method: &Method, lines: &[(&str, &str)]) -> Result<Framing, WireError> {
        let mut response = Response::builder().status(status);
        for (name, value) in lines {
            response = response.header(*name, *value);
        }
        Framing::of(&response.body(()).unwrap().into_parts().0, method)
    }

    #[test]
    fn how_long() {
        const LENGTH: &str = "content-length";
        const CODING: &str = "transfer-encoding";
        let get = |lines: &[(&str, &str)]| of(200, &Method::GET, lines);
        assert_eq!(get(&[(LENGTH, "5")]).unwrap(), Framing::Length(5));
        assert_eq!(get(&[(LENGTH, "5"), (LENGTH, "5, 5")]).unwrap(), Framing::Length(5));
        assert_eq!(get(&[]).unwrap(), Framing::UntilClosed);
        assert_eq!(get(&[(CODING, "gzip, Chunked"), (LENGTH, "5")]).unwrap(), Framing::Chunked(Chunks::new()));
        assert_eq!(get(&[(CODING, "chunked"), (CODING, "gzip")]).unwrap(), Framing::UntilClosed);
        assert_eq!(of(200, &Method::HEAD, &[(LENGTH, "5")]).unwrap(), Framing::Length(0));
        for status in [204, 304, 101] {
            assert_eq!(of(status, &Method::GET, &[(LENGTH, "5")]).unwrap(), Framing::Length(0));
        }
        for wrong in ["", "+5", "-5", "5 5", "0x5", "5,6", "99999999999999999999", "9223372036854775808"] {
            assert!(get(&[(LENGTH, wrong)]).is_err(), "{wrong}");
        }
        assert!(get(&[(LENGTH, "5"), (LENGTH, "6")]).is_err());
    }
}
