//! The digest under which a registry took an image: what buildx writes down, and what docker says when it has pushed.

use kamal_core::ports::BuildOrder;
use serde_json::Value;

/// The first buildx that writes it down.
const SINCE: (u32, u32) = (0, 6);

/// Whether a buildx that calls itself so writes down what it made: `github.com/docker/buildx v0.12.1 30feaa1`.
pub(super) fn is_told(version: &str) -> bool {
    let number = |text: &str| {
        let mut parts = text.trim_start_matches('v').splitn(3, '.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    version.split_whitespace().nth(1).and_then(number).is_some_and(|version: (u32, u32)| version >= SINCE)
}

/// What it wrote.
pub(super) async fn written(order: &BuildOrder<'_>, file: &str) -> Option<String> {
    let metadata: Value = serde_json::from_slice(&order.local.read(file).await.ok()?).ok()?;
    checked(metadata.get("containerimage.digest")?.as_str()?)
}

/// What `docker push` said last: `v1: digest: sha256:… size: 527`.
pub(super) fn pushed(said: &str) -> Option<String> {
    let of_line = |line: &str| line.split_once(": digest: ").and_then(|(_, rest)| checked(rest.split(' ').next()?));
    said.lines().rev().find_map(of_line)
}

/// A digest that is one.
fn checked(text: &str) -> Option<String> {
    let digits = text.strip_prefix("sha256:")?;
    (digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_buildx_writes_nothing_down() {
        for (version, told) in [
            ("github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3\n", true),
            ("github.com/docker/buildx v0.12.1 30feaa1a915b869ebc2eea6328624b49facd4bfb", true),
            ("github.com/docker/buildx v0.5.1-docker 11057da37336192bfc57d81e02359ba7ba848e4a", false),
            ("github.com/docker/buildx v1.0.0 x", true),
            ("", false),
            ("buildx", false),
        ] {
            assert_eq!(is_told(version), told, "{version}");
        }
    }

    #[test]
    fn docker_says_what_it_has_pushed() {
        let digest = format!("sha256:{}", "a1".repeat(32));
        let said =
            format!("The push refers to repository [r/app]\n5f70bf18a086: Pushed\nv1: digest: {digest} size: 527\n");
        assert_eq!(pushed(&said), Some(digest));
        assert_eq!(pushed("v1: digest: sha256:abc size: 1"), None);
        assert_eq!(pushed(""), None);
    }
}
