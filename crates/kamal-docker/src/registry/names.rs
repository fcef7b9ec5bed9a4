//! The names a request may carry. They become paths on disk, so nothing passes that could leave the store.
//!
//! OCI distribution specification, "Pulling manifests": the grammar of `<name>` and of `<reference>`.

/// Longest repository name Docker's own registry takes.
const NAME_LIMIT: usize = 255;

/// Whether `name` is a repository name: components split by `/`.
pub(super) fn is_repository(name: &str) -> bool {
    name.len() <= NAME_LIMIT && name.split('/').all(is_component)
}

/// Lower-case letters and digits, between them one `.`, one or two `_`, or any number of `-`.
fn is_component(component: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends = bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric);
    let is_separator = |run: &[u8]| matches!(run, b"" | b"." | b"_" | b"__") || run.iter().all(|byte| *byte == b'-');
    ends && bytes.split(alphanumeric).all(is_separator)
}

/// Whether `tag` is a tag: at most 128 of `[A-Za-z0-9_.-]`, not beginning with `.` or `-`.
pub(super) fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

/// The file of a tag. Capitals are marked, because some file systems take them for small letters.
pub(super) fn tag_file(tag: &str) -> String {
    tag.chars().fold(String::with_capacity(tag.len()), |mut file, char| {
        if char.is_ascii_uppercase() {
            file.push('%');
        }
        file.push(char.to_ascii_lowercase());
        file
    })
}

/// The tag a file is of, if it is one of a tag.
pub(super) fn tag_of_file(file: &str) -> Option<String> {
    let mut parts = file.split('%');
    let mut tag = parts.next()?.to_owned();
    for part in parts {
        let mut chars = part.chars();
        tag.push(chars.next()?.to_ascii_uppercase());
        tag.push_str(chars.as_str());
    }
    is_tag(&tag).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_of_any_depth_are_names() {
        for good in ["app", "a/b", "org/team/my-app", "a.b_c-d/e0", "a__b", "a---b"] {
            assert!(is_repository(good), "{good}");
        }
    }

    #[test]
    fn nothing_that_leaves_the_store_is_a_name() {
        let long = "a".repeat(256);
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            "a..b",
            "a___b",
            "a.-b",
            "_manifests",
            "A",
            "a b",
            "a\0",
            "-a",
            &long,
        ] {
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

    #[test]
    fn tags_that_differ_by_case_have_files_that_differ_more() {
        for (tag, file) in [("v1", "v1"), ("V1", "%v1"), ("RC-Final", "%r%c-%final")] {
            assert_eq!(tag_file(tag), file);
            assert_eq!(tag_of_file(file).as_deref(), Some(tag));
        }
        for bad in ["%", "a%", ".x", "a b"] {
            assert_eq!(tag_of_file(bad), None, "{bad}");
        }
    }
}
