//! The part of a blob a request asks for, so that a cut download goes on where it ended.
//!
//! RFC 9110, 14: a single range is served; of several, and of units other than bytes, the whole blob is.

/// What is to be served of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// The first and the last byte.
    Bytes(u64, u64),
    /// Nothing the blob has.
    Unsatisfiable,
}

/// What the text of a `Range` header asks for of a blob of `size` bytes.
pub(super) fn parse(text: &str, size: u64) -> Part {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|spec| spec.trim().split_once('-')) else {
        return Part::Whole;
    };
    match (number(first), number(last)) {
        (Some(start), Some(end)) if start <= end => up_to(start, end, size),
        (Some(start), None) if last.is_empty() => up_to(start, u64::MAX, size),
        (None, Some(count)) if first.is_empty() && count > 0 => up_to(size.saturating_sub(count), u64::MAX, size),
        // Bytes of no blob at all: the last before the first, or the last none.
        (Some(_), Some(_)) => Part::Unsatisfiable,
        (None, Some(_)) if first.is_empty() => Part::Unsatisfiable,
        _ => Part::Whole,
    }
}

fn up_to(start: u64, end: u64, size: u64) -> Part {
    if start < size { Part::Bytes(start, end.min(size - 1)) } else { Part::Unsatisfiable }
}

/// Digits only: `parse` would take a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob() {
        for (text, expected) in [
            ("bytes=0-", Part::Bytes(0, 9)),
            ("bytes=4-6", Part::Bytes(4, 6)),
            ("bytes=4-99", Part::Bytes(4, 9)),
            ("bytes=9-9", Part::Bytes(9, 9)),
            ("bytes=-3", Part::Bytes(7, 9)),
            ("bytes=-99", Part::Bytes(0, 9)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=10-20", Part::Unsatisfiable),
            ("bytes=6-4", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=", Part::Whole),
            ("lines=1-2", Part::Whole),
        ] {
            assert_eq!(parse(text, 10), expected, "{text}");
        }
        assert_eq!(parse("bytes=0-", 0), Part::Unsatisfiable);
        assert_eq!(parse("bytes=-1", 0), Part::Unsatisfiable);
    }
}
