//! Durations as Go writes and reads them.
//!
//! The command line, the error texts and the state file of kamal-proxy all speak Go's `time.Duration`
//! (spec 1.1, 2.4), so the text form has to be the same to the letter.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

const NANOSECOND: i64 = 1;
const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// A signed number of nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct GoDuration(pub(crate) i64);

/// Why a text is not a duration; the wording is Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit { unit: String, text: String },
}

impl GoDuration {
    /// A whole number of seconds.
    pub(crate) const fn from_secs(seconds: i64) -> Self {
        Self(seconds * SECOND)
    }

    /// The standard library's form; a negative duration counts as none at all.
    pub(crate) fn as_std(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

/// What is longer than Go has numbers for is as long as it has.
impl From<Duration> for GoDuration {
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || DurationError::Invalid(text.to_owned());
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
            let whole_len = digits(rest);
            let whole = &rest[..whole_len];
            rest = &rest[whole_len..];
            let mut fraction = "";
            if let Some(after) = rest.strip_prefix('.') {
                let len = digits(after);
                fraction = &after[..len];
                rest = &after[len..];
            }
            if whole.is_empty() && fraction.is_empty() {
                return Err(invalid());
            }
            let unit_len = rest.bytes().take_while(|b| *b != b'.' && !b.is_ascii_digit()).count();
            if unit_len == 0 {
                return Err(DurationError::MissingUnit(text.to_owned()));
            }
            let unit = unit_of(&rest[..unit_len]).ok_or_else(|| DurationError::UnknownUnit {
                unit: rest[..unit_len].to_owned(),
                text: text.to_owned(),
            })?;
            rest = &rest[unit_len..];
            let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
            total = total.checked_add(whole.checked_mul(i128::from(unit)).ok_or_else(invalid)?).ok_or_else(invalid)?;
            // Eighteen digits are more than a nanosecond can show, and fit.
            let fraction = &fraction[..fraction.len().min(18)];
            if !fraction.is_empty() {
                let scale = 10_i128.pow(u32::try_from(fraction.len()).map_err(|_| invalid())?);
                let value: i128 = fraction.parse().map_err(|_| invalid())?;
                total += value * i128::from(unit) / scale;
            }
            if total > i128::from(i64::MAX) {
                return Err(invalid());
            }
        }
        let nanos = i64::try_from(total).map_err(|_| invalid())?;
        Ok(Self(if negative { -nanos } else { nanos }))
    }
}

fn unit_of(text: &str) -> Option<i64> {
    Some(match text {
        "ns" => NANOSECOND,
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let nanos = self.0.unsigned_abs();
        let second = SECOND.unsigned_abs();
        if nanos < second {
            let (unit, name) = if nanos < MICROSECOND.unsigned_abs() {
                (1, "ns")
            } else if nanos < MILLISECOND.unsigned_abs() {
                (MICROSECOND.unsigned_abs(), "\u{b5}s")
            } else {
                (MILLISECOND.unsigned_abs(), "ms")
            };
            return write!(f, "{}{name}", decimal(nanos, unit));
        }
        let (hours, minutes) = (nanos / HOUR.unsigned_abs(), nanos / MINUTE.unsigned_abs() % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}s", decimal(nanos % MINUTE.unsigned_abs(), second))
    }
}

/// `value / unit` in decimal without trailing zeros.
fn decimal(value: u64, unit: u64) -> String {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{rest:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_go_does() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5\u{b5}s"),
            (500 * MILLISECOND, "500ms"),
            (30 * SECOND, "30s"),
            (90 * SECOND, "1m30s"),
            (1_500 * MILLISECOND, "1.5s"),
            (HOUR, "1h0m0s"),
            (-SECOND, "-1s"),
        ] {
            assert_eq!(GoDuration(nanos).to_string(), text);
        }
    }

    #[test]
    fn reads_what_go_reads() {
        for (text, nanos) in [
            ("0", 0),
            ("5s", 5 * SECOND),
            ("1m30s", 90 * SECOND),
            ("1.5h", 90 * MINUTE),
            (".5s", 500 * MILLISECOND),
            ("-2ms", -2 * MILLISECOND),
            ("+1h2m3s4ms5us6ns", HOUR + 2 * MINUTE + 3 * SECOND + 4 * MILLISECOND + 5 * MICROSECOND + 6),
        ] {
            assert_eq!(text.parse(), Ok(GoDuration(nanos)), "{text}");
        }
    }

    #[test]
    fn refuses_in_the_words_of_go() {
        for (text, error) in [
            ("5", "time: missing unit in duration \"5\""),
            ("", "time: invalid duration \"\""),
            ("x", "time: invalid duration \"x\""),
            ("5d", "time: unknown unit \"d\" in duration \"5d\""),
            ("-", "time: invalid duration \"-\""),
            ("9999999999h", "time: invalid duration \"9999999999h\""),
        ] {
            assert_eq!(text.parse::<GoDuration>().unwrap_err().to_string(), error);
        }
    }
}
