//! Values of options. Their types tell how many words they take and which, see `switches`.

use std::{str::FromStr, time::Duration};

use kamal_core::{name::RoleName, op::Scale};

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

/// `ROLE=N`.
pub(super) fn scale(text: &str) -> Result<Scale, String> {
    let (role, replicas) = text.split_once('=').ok_or("write it as ROLE=N, such as web=5")?;
    Ok(Scale { role: role.parse::<RoleName>().map_err(|error| error.to_string())?, replicas: whole(replicas)? })
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
