//! The lines of a head (RFC 9110, 5; RFC 9112, 5).

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, StatusCode, Version};

/// Appends all headers.
pub(in crate::server) fn write(headers: &HeaderMap, out: &mut Vec<u8>) {
    write_but(headers, |_| false, out);
}

/// Appends the headers that are not left out.
pub(in crate::server) fn write_but(headers: &HeaderMap, left_out: impl Fn(&HeaderName) -> bool, out: &mut Vec<u8>) {
    for (name, value) in headers {
        if !left_out(name) {
            title_case(name.as_str(), out);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Bytes all headers take, about as they would be written.
pub(in crate::server) fn length(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// Names as Go writes them: some programs look for exactly those.
fn title_case(name: &str, out: &mut Vec<u8>) {
    let mut first = true;
    out.extend(name.bytes().map(|byte| {
        let written = if first { byte.to_ascii_uppercase() } else { byte };
        first = byte == b'-';
        written
    }));
}

/// Appends the first line of a response; `reason` is the target's own, where it has one.
pub(in crate::server) fn status_line(version: Version, status: StatusCode, reason: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(if version == Version::HTTP_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason.unwrap_or(status.canonical_reason().unwrap_or("").as_bytes()));
    out.extend_from_slice(b"\r\n");
}

/// Appends a number in digits.
pub(in crate::server) fn number(number: u64, out: &mut Vec<u8>) {
    // Writing to memory cannot fail, and a number always serialises.
    let _ = serde_json::to_writer(out, &number);
}

/// Whether an empty line, and with it the end of a head, has come since the first `seen` bytes.
pub(in crate::server) fn may_end(buffer: &[u8], seen: usize) -> bool {
    let new = &buffer[seen.saturating_sub(3)..];
    new.windows(2).any(|pair| pair == b"\n\n") || new.windows(3).any(|end| end == b"\n\r\n")
}

/// Whether `Connection` says a word.
pub(in crate::server) fn says(headers: &HeaderMap, wanted: &str) -> bool {
    tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// The words of a header that is a list of such, each read by itself.
pub(in crate::server) fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn words_are_read_each_by_itself() {
        for line in [&b"close"[..], b"x, Close", b"\xff,close", b"close , \xc3\xa9"] {
            let mut headers = HeaderMap::new();
            headers.insert(CONNECTION, HeaderValue::from_bytes(line).unwrap());
            assert!(says(&headers, "close") && !says(&headers, "keep-alive"), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn numbers() {
        for value in [0, 7, 10, 1024, u64::MAX] {
            let mut out = Vec::new();
            number(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
