//! Which requests of a service go to its rollout targets (spec 6).

use http::HeaderMap;
use serde::{Deserialize, Serialize, Serializer};

use super::cookies;

/// The cookie whose value decides; the application sets it, never the proxy.
const COOKIE: &str = "kamal-rollout";

/// A split of traffic, in the form of the state file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Split {
    percentage: i64,
    /// Hashes up to here, of 4294967295, belong to the rollout.
    #[serde(serialize_with = "as_go_writes_floats")]
    percentage_split_point: f64,
    /// Values that always belong to the rollout.
    allowlist: Option<Vec<String>>,
}

impl Split {
    pub(crate) fn new(percentage: i64, allowlist: Vec<String>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "percentages are small, and Go computes in floats too")]
        let percentage_split_point = f64::from(u32::MAX) * (percentage as f64 / 100.0);
        Self { percentage, percentage_split_point, allowlist: (!allowlist.is_empty()).then_some(allowlist) }
    }

    /// Whether a request with these headers belongs to the rollout.
    pub(crate) fn includes(&self, headers: &HeaderMap) -> bool {
        let Some(value) = cookies::find(headers, COOKIE).filter(|value| !value.is_empty()) else {
            return false;
        };
        self.allowlist.as_ref().is_some_and(|list| list.iter().any(|entry| entry == value))
            || f64::from(fnv1a(value.as_bytes())) <= self.percentage_split_point
    }
}

fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Whole numbers without a fraction, so that the state file looks the same whoever wrote it.
fn as_go_writes_floats<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    #[expect(clippy::cast_possible_truncation, reason = "guarded by the comparison")]
    let whole = *value as i64;
    #[expect(clippy::cast_precision_loss, reason = "only equal when nothing was lost")]
    if whole as f64 == *value { to.serialize_i64(whole) } else { to.serialize_f64(*value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", format!("a=b; kamal-rollout={value}; c=d").parse().unwrap());
        headers
    }

    #[test]
    fn hashes_and_split_points_are_those_of_the_original() {
        for (text, hash) in [
            ("1", 873_244_444),
            ("2", 923_577_301),
            ("a", 3_826_002_220),
            ("00001", 1_231_224_044),
            ("user-42", 39_875_499),
            ("00999", 15_046_642),
        ] {
            assert_eq!(fnv1a(text.as_bytes()), hash);
        }
        for (percent, json) in [(20, "858993459"), (10, "429496729.5"), (60, "2576980377"), (100, "4294967295")] {
            let text = serde_json::to_string(&Split::new(percent, vec![])).unwrap();
            assert_eq!(
                text,
                format!("{{\"percentage\":{percent},\"percentage_split_point\":{json},\"allowlist\":null}}")
            );
        }
    }

    #[test]
    fn a_split_is_written_again_as_it_was_read() {
        let splits = (0..=100).map(|percent| Split::new(percent, vec![]));
        let odd = Split { percentage_split_point: -5.895_344_444_444_444_4e57, ..Split::default() };
        for split in splits.chain([odd]) {
            let written = serde_json::to_string(&split).unwrap();
            let read: Split = serde_json::from_str(&written).unwrap();
            assert_eq!((serde_json::to_string(&read).unwrap(), read), (written, split));
        }
    }

    // spec 11.J.173, 11.J.174, 11.J.175
    #[test]
    fn who_is_in() {
        let listed = Split::new(0, vec!["1".into(), "2".into()]);
        assert!(listed.includes(&cookie("1")) && listed.includes(&cookie("\"2\"")));
        assert!(!listed.includes(&cookie("3")) && !listed.includes(&HeaderMap::new()));
        let hits =
            |percent| (0..1000).filter(move |n| Split::new(percent, vec![]).includes(&cookie(&format!("{n:05}"))));
        assert_eq!((hits(60).count(), hits(10).count()), (613, 83));
    }
}
