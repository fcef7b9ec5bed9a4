//! Versions as RubyGems compares them, for `minimum_version` (spec 2.4).

use std::cmp::Ordering;

/// The version of Kamal this program stands in for.
pub(crate) const KAMAL: &str = "2.12.0";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Number(u64),
    /// Letters mark a pre-release, which comes before the release.
    Letters(String),
}

/// Compares a version with Kamal's. `None` when it is no version.
pub(crate) fn compare(version: &str, other: &str) -> Option<Ordering> {
    let (a, b) = (segments(version)?, segments(other)?);
    let zero = Segment::Number(0);
    for index in 0..a.len().max(b.len()) {
        let (left, right) = (a.get(index).unwrap_or(&zero), b.get(index).unwrap_or(&zero));
        let order = match (left, right) {
            (Segment::Number(left), Segment::Number(right)) => left.cmp(right),
            (Segment::Letters(left), Segment::Letters(right)) => left.cmp(right),
            (Segment::Letters(_), Segment::Number(_)) => Ordering::Less,
            (Segment::Number(_), Segment::Letters(_)) => Ordering::Greater,
        };
        if order != Ordering::Equal {
            return Some(order);
        }
    }
    Some(Ordering::Equal)
}

fn segments(version: &str) -> Option<Vec<Segment>> {
    if version.trim().is_empty() {
        return Some(Vec::new());
    }
    let version = version.trim().replace('-', ".pre.");
    let mut segments = Vec::new();
    for (index, part) in version.split('.').enumerate() {
        let fits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !fits || index == 0 && !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let digits = first.is_ascii_digit();
            let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            segments.push(if digits { Segment::Number(run.parse().ok()?) } else { Segment::Letters(run.to_owned()) });
            rest = after;
        }
    }
    Some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_in_rubygems() {
        assert_eq!(compare("2.12", KAMAL), Some(Ordering::Equal));
        assert_eq!(compare("2.9.9", KAMAL), Some(Ordering::Less));
        assert_eq!(compare("2.12.0.rc1", KAMAL), Some(Ordering::Less));
        assert_eq!(compare("2.12.0-alpha", KAMAL), Some(Ordering::Less));
        assert_eq!(compare("99.0.0", KAMAL), Some(Ordering::Greater));
        assert_eq!(compare("foo", KAMAL), None);
        assert_eq!(compare("2..1", KAMAL), None);
        assert_eq!(compare("", KAMAL), Some(Ordering::Less));
    }
}
