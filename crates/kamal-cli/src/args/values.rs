//! Values of options. Their types tell how many words they take and which, see `switches`.

use std::{str::FromStr, time::Duration};

/// `KEY:VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// `KEY:VALUE`, split at the first colon.
pub(super) fn pair(text: &str) -> Result<Pair, String> {
    let (key, value) = text.split_once(':').ok_or("write it as KEY:VALUE")?;
    Ok(Pair { key: key.to_owned(), value: value.to_owned() })
}

/// Seconds, also parts of them.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "a number of seconds is needed".to_owned())
}

/// So many of a hundred, with the sign or without.
pub(super) fn percent(text: &str) -> Result<u8, String> {
    let percent = text.strip_suffix('%').unwrap_or(text).parse().ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| "a whole number from 0 to 100 is needed".to_owned())
}

/// A whole number.
pub(super) fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "a whole number is needed, and not too large a one".to_owned())
}
