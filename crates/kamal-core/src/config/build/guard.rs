//! `x-guard` and `x-boot`: when a new version takes over from the old one, and for how long the old one waits.

use std::time::Duration;

use super::super::diagnostic::Report;
use super::super::model::Guard;
use super::super::shape::check::{at, join, section};
use super::super::shape::keys;
use super::super::yaml::Node;
use super::options::count;

const GUARD: &str = "x-guard";
const BOOT: &str = "x-boot";
/// How long a version is watched where nothing is said.
const WINDOW: Duration = Duration::from_secs(30);
/// The longest that makes sense while somebody waits.
const LONGEST: Duration = Duration::from_secs(3600);
/// How many of ten thousand requests may be errors where nothing is said.
const ERRORS: u32 = 100;
/// How many requests tell something where nothing is said.
const REQUESTS: u64 = 20;

/// Reads and checks `x-guard`. What is no mapping was refused already.
pub(crate) fn guard(root: &Node, report: &mut Report<'_>) -> Option<Guard> {
    let node = &root.entry(GUARD).filter(|entry| entry.value.map().is_some())?.value;
    section(node, keys::X_GUARD, GUARD, report);
    let times = "should be a time such as 30s, 500ms or 2m";
    let window = parsed(node, "for", duration, times, report).unwrap_or(WINDOW);
    if let Some(given) = node.get("for").filter(|_| window > LONGEST || window.as_millis() < 1000) {
        report.error(given.span, at("x-guard/for", "should be at least one second and at most one hour"));
    }
    let latency = parsed(node, "latency", duration, times, report);
    if let Some(given) = node.get("latency").filter(|_| latency.is_some_and(|latency| latency.is_zero())) {
        report.error(given.span, at("x-guard/latency", "should be more than nothing"));
    }
    let percentage = "should be a percentage such as 2% or 0.5%";
    let errors = parsed(node, "errors", hundredths, percentage, report).unwrap_or(ERRORS);
    let requests = count(node, "requests", GUARD, report).unwrap_or(REQUESTS);
    Some(Guard { window, errors, latency, requests })
}

/// Whether `x-boot` has the hosts of a group switch together.
pub(crate) fn together(root: &Node, report: &mut Report<'_>) -> bool {
    let Some(entry) = root.entry(BOOT).filter(|entry| entry.value.map().is_some()) else { return false };
    section(&entry.value, keys::X_BOOT, BOOT, report);
    let Some(node) = entry.value.get("switch") else { return false };
    match node.text().as_deref() {
        Some("together") => true,
        Some("each") | None => false,
        Some(other) => {
            report.error(node.span, at("x-boot/switch", &format!("should be together or each, not {other}")));
            false
        }
    }
}

/// What a text below a key says, if it can be read.
fn parsed<T>(
    node: &Node,
    key: &str,
    read: impl Fn(&str) -> Option<T>,
    wanted: &str,
    report: &mut Report<'_>,
) -> Option<T> {
    let value = node.get(key)?;
    let text = value.text()?;
    let found = read(text.trim());
    if found.is_none() {
        report.error(value.span, at(&join(GUARD, key), &format!("{wanted}, not {text}")));
    }
    found
}

/// `30s`, `500ms`, `2m`; a bare number is seconds, as elsewhere in the file.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u32 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number.into())),
        "s" | "" => Some(Duration::from_secs(number.into())),
        "m" => Some(Duration::from_secs(u64::from(number) * 60)),
        _ => None,
    }
}

/// `2%` and `0.5%`, in hundredths of a percent; at most all.
fn hundredths(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?.trim_end();
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    let part: u32 = format!("{part:0<2}").parse().ok()?;
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 100)?;
    Some(whole * 100 + part).filter(|all| *all <= 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_percentages() {
        for (text, millis) in [("30s", 30_000), ("500ms", 500), ("2m", 120_000), ("45", 45_000), ("0s", 0)] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "s", "-1s", "1.5s", "1h", "99999999999s", "1 s"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        for (text, of_ten_thousand) in [("2%", 200), ("0.5%", 50), ("100%", 10_000), ("0%", 0), ("1.25 %", 125)] {
            assert_eq!(hundredths(text), Some(of_ten_thousand), "{text}");
        }
        for wrong in ["2", "0.02", "%", "-1%", "100.01%", "101%", "1.234%", ".5%", "5.%", "a%"] {
            assert_eq!(hundredths(wrong), None, "{wrong}");
        }
    }
}
