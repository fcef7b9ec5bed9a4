//! The names a request may carry. They become paths on disk, so nothing passes that could leave the store.
//!
//! OCI distribution specification, "Pulling manifests": the grammar of `<name>` and of `<reference>`.

/// Longest repository name Docker's own registry takes.
const NAME_LIMIT: usize = 255;

/// Whether `name` is a repository name: segments of `[a-z0-9._-]`, split by `/`, that begin and end with a letter or digit.
pub(super) fn is_repository(name: &str) -> bool {
    name.len() <= NAME_LIMIT && name.split('/').all(is_segment)
}

fn is_segment(segment: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = segment.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    alphanumeric(first)
        && alphanumeric(last)
        && bytes.iter().all(|&byte| alphanumeric(byte) || matches!(byte, b'.' | b'_' | b'-'))
        && !segment.contains("..")
}

/// Whether `tag` is a tag: at most 128 of `[A-Za-z0-9_.-]`, not beginning with `.` or `-`.
pub(super) fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_of_any_depth_are_names() {
        for good in ["app", "a/b", "org/team/my-app", "a.b_c-d/e0", "a__b"] {
            assert!(is_repository(good), "{good}");
        }
    }

    #[test]
    fn nothing_that_leaves_the_store_is_a_name() {
        let long = "a".repeat(256);
        for bad in ["", "/", "/a", "a/", "a//b", "..", "a/../b", "a..b", "_manifests", "A", "a b", "a\0", "-a", &long] {
            assert!(!is_repository(bad), "{bad}");
        }
    }

    #[test]
    fn tags_hold_versions_but_no_paths() {
        for good in ["latest", "v1.2.3", "_x", "5f3a_uncommitted_1"] {
            assert!(is_tag(good), "{good}");
        }
        for bad in ["", ".", "..", ".hidden", "-x", "a/b", "a:b", &"a".repeat(129)] {
            assert!(!is_tag(bad), "{bad}");
        }
    }
}
