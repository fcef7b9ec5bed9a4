//! Paths as they are matched, and as they are passed on (spec 3.3, 3.4).

use std::borrow::Cow;

/// The path with percent-encoding undone; bytes that are not UTF-8 are replaced.
pub(crate) fn decode(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut at = 0;
    while at < path.len() {
        let (byte, length) = decode_one(&path.as_bytes()[at..]);
        bytes.push(byte);
        at += length;
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is left of a raw path when a decoded prefix is taken off. The rest keeps its encoding, but for a slash at its
/// beginning; nothing becomes `/`.
pub(crate) fn strip<'a>(raw: &'a str, prefix: &str) -> Cow<'a, str> {
    let bytes = raw.as_bytes();
    let mut at = 0;
    for expected in prefix.bytes() {
        match bytes.get(at..).filter(|rest| !rest.is_empty()).map(decode_one) {
            Some((byte, length)) if byte == expected => at += length,
            _ => return Cow::Borrowed(raw),
        }
    }
    match raw.get(at..) {
        None | Some("") => Cow::Borrowed("/"),
        Some(rest) if rest.starts_with('/') => Cow::Borrowed(rest),
        Some(rest) => Cow::Owned(format!("/{}", rest.get(3..).unwrap_or(""))),
    }
}

/// The first byte of a path that is not empty, and how many bytes of text stand for it.
fn decode_one(text: &[u8]) -> (u8, usize) {
    let hex = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    match (text[0], hex(1), hex(2)) {
        (b'%', Some(high), Some(low)) => (high << 4 | low, 3),
        (byte, ..) => (byte, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        for (raw, decoded) in
            [("/a", "/a"), ("/ap%69/x", "/api/x"), ("/%C3%A9", "/é"), ("/%zz%4", "/%zz%4"), ("/%ff", "/\u{fffd}")]
        {
            assert_eq!(decode(raw), decoded);
        }
    }

    // spec 11.A.25, and 12.3 D12: the rest keeps its encoding.
    #[test]
    fn strips() {
        for (raw, rest) in [
            ("/api", "/"),
            ("/api/", "/"),
            ("/api/show", "/show"),
            ("/api/a%2Fb", "/a%2Fb"),
            ("/ap%69/x", "/x"),
            ("/api%2Fx", "/x"),
            ("/api//x", "//x"),
        ] {
            assert_eq!(strip(raw, "/api"), rest, "{raw}");
        }
    }
}
