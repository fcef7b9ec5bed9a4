//! The lines of a head (RFC 9110, 5; RFC 9112, 5).

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName};

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

/// Names as Go writes them: some programs look for exactly those.
fn title_case(name: &str, out: &mut Vec<u8>) {
    let mut first = true;
    out.extend(name.bytes().map(|byte| {
        let written = if first { byte.to_ascii_uppercase() } else { byte };
        first = byte == b'-';
        written
    }));
}

/// Appends a number in digits.
pub(in crate::server) fn number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut left, mut at) = (number, digits.len());
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

/// Whether `Connection` says a word.
pub(in crate::server) fn says(headers: &HeaderMap, wanted: &str) -> bool {
    let lines = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|token| token.trim().eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for value in [0, 7, 10, 1024, u64::MAX] {
            let mut out = Vec::new();
            number(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
