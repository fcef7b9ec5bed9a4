//! A lock as it was found.

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use super::{EXPIRY, Holder, LATE};

/// What a lease that never expires has in the place of the boot it was last heard of in.
pub(super) const NEVER: &str = "never";

/// A deploy lock that is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Kamal's three lines, or what stands in their place; empty where they cannot be read.
    pub details: String,
    /// What tells whether its holder lives; Kamal's locks have none.
    pub lease: Option<Lease>,
}

/// What makes a lock heal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its file's name.
    pub file: String,
    /// By whom it is held, if that can be read.
    pub holder: Option<Holder>,
    /// For how many seconds, by the host's clock, if the host was not started again since.
    pub held: Option<u64>,
    /// For how many seconds its holder has been silent, by the host's clock; `None` if it is held until it is released.
    pub silent: Option<u64>,
}

/// A moment as a host tells it: which boot, and how many seconds into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment<'t> {
    boot: &'t str,
    seconds: u64,
}

impl<'t> Moment<'t> {
    fn read(boot: &'t str, seconds: &str) -> Option<Self> {
        Some(Self { boot, seconds: seconds.parse().ok()? })
    }

    /// How many seconds it is ago, if that is known.
    fn ago(self, now: Self) -> Option<u64> {
        (self.boot == now.boot).then(|| now.seconds.saturating_sub(self.seconds))
    }
}

impl Held {
    /// Reads what [`super::look`] makes a host print; `None` where there is no lock.
    #[must_use]
    pub fn read<'t>(lines: impl IntoIterator<Item = &'t str>) -> Option<Self> {
        let mut found: Option<(Moment<'_>, Self)> = None;
        let mut details = String::new();
        for line in lines {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match (word, &mut found) {
                ("now", _) => {
                    let (boot, seconds) = rest.split_once(' ')?;
                    found = Some((Moment::read(boot, seconds)?, Self::default()));
                }
                ("details", _) => details.push_str(rest.trim()),
                ("lease", Some((now, held))) if held.lease.is_none() => held.lease = Lease::read(rest, *now),
                _ => {}
            }
        }
        let (_, held) = found?;
        Some(Self { details: decoded(&details).unwrap_or_default(), ..held })
    }

    /// True when nobody holds it but somebody's will: it is not going to be given back by itself.
    #[must_use]
    pub fn by_hand(&self) -> bool {
        match &self.lease {
            Some(lease) => lease.silent.is_none(),
            None => !self.details.contains(super::AUTOMATIC),
        }
    }
}

impl Lease {
    fn read(text: &str, now: Moment<'_>) -> Option<Self> {
        let (file, content) = text.split_once(' ').unwrap_or((text, ""));
        let mut parts = file.strip_prefix("lease.")?.splitn(3, '.');
        let (id, boot, seconds) = (parts.next()?, parts.next()?, parts.next()?);
        let heard = Moment::read(boot, seconds)?;
        // One that was last heard of before the host was started is silent for at least as long as that is ago.
        let silent = (boot != NEVER).then(|| heard.ago(now).unwrap_or(now.seconds));
        // One that was just taken over still has the text of the one before.
        let own = content.rsplit(' ').next() == Some(id);
        let mut words = content.split(' ').filter(|_| own);
        let holder = words.next().and_then(decoded).and_then(|text| serde_json::from_str(&text).ok());
        let taken = words.next().zip(words.next()).and_then(|(boot, seconds)| Moment::read(boot, seconds));
        Some(Self { file: file.to_owned(), holder, held: taken.and_then(|taken| taken.ago(now)), silent })
    }

    /// True when its holder was silent for too long.
    #[must_use]
    pub fn expired(&self) -> bool {
        self.silent.is_some_and(|silent| silent >= EXPIRY.as_secs())
    }

    /// Who held it and what for, in words.
    pub(crate) fn who(&self) -> String {
        match &self.holder {
            Some(Holder { origin, doing }) => format!("{origin}, which was at `{doing}`"),
            None => "somebody who could not say who it was".to_owned(),
        }
    }
}

/// Text out of the base64 Kamal and we put it in.
fn decoded(text: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
    String::from_utf8(bytes).ok()
}

/// Kamal's three lines, and what is known besides: where from, since when, alive or not.
impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.details.trim_end() {
            "" => f.write_str("Locked by somebody whose details cannot be read")?,
            details => f.write_str(details)?,
        }
        let Some(lease) = &self.lease else {
            return f.write_str("\nHeartbeat: none, so nobody can tell whether its holder is alive");
        };
        if let Some(Holder { origin, doing }) = &lease.holder {
            write!(f, "\nFrom: {origin}\nDoing: {doing}")?;
        }
        if let Some(held) = lease.held {
            write!(f, "\nHeld for: {}", span(held))?;
        }
        match lease.silent {
            None => f.write_str("\nHeartbeat: none, it is held until it is released"),
            Some(silent) if lease.expired() => {
                write!(f, "\nHeartbeat: none for {}: whoever comes next takes it over", span(silent))
            }
            Some(silent) if silent >= LATE.as_secs() => write!(f, "\nHeartbeat: {} ago, late", span(silent)),
            Some(silent) => write!(f, "\nHeartbeat: {} ago, alive", span(silent)),
        }
    }
}

/// `2h 5m 3s`.
fn span(seconds: u64) -> String {
    let units = [("h", seconds / 3600), ("m", seconds / 60 % 60)];
    let long: String =
        units.iter().filter(|(_, count)| *count > 0).map(|(unit, count)| format!("{count}{unit} ")).collect();
    format!("{long}{}s", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> String {
        base64::engine::general_purpose::STANDARD.encode(text)
    }

    fn found(lease: &str) -> Held {
        let details = encoded("Locked by: Ann at 2026-01-01T00:00:00Z\nVersion: v1\nMessage: Automatic deploy lock");
        let (first, second) = details.split_at(60);
        let lines = format!("now b1 1000\ndetails {first}\ndetails {second}\ndetails \n{lease}");
        Held::read(lines.lines()).unwrap()
    }

    #[test]
    fn a_lock_without_details_or_with_others_than_kamal_s_is_a_lock() {
        assert_eq!(Held::read([]), None);
        for lines in ["now b1 5", "now b1 5\ndetails ", "now b1 5\ndetails ???", "now b1 5\ndetails /w=="] {
            let held = Held::read(lines.lines()).unwrap();
            assert_eq!((held.details.as_str(), &held.lease, held.by_hand()), ("", &None, true), "{lines}");
            assert!(held.to_string().contains("cannot be read"), "{held}");
        }
    }

    #[test]
    fn kamal_s_lock_has_no_heartbeat() {
        let held = found("");
        assert!(held.lease.is_none() && !held.by_hand(), "{held:?}");
        assert!(held.to_string().starts_with("Locked by: Ann at") && held.to_string().contains("Heartbeat: none"));
    }

    #[test]
    fn the_host_s_seconds_tell_who_is_alive() {
        let holder = encoded(
            r#"{"origin":{"user":"ann","machine":"m","space":"s","process":7,"began":"1"},"doing":"deploy v2"}"#,
        );
        let at = |name: &str| found(&format!("lease lease.{name} {holder} b1 400 x"));
        for (name, silent) in [
            ("x.b1.995", Some(5)),
            ("x.b1.970", Some(30)),
            ("x.b0.999999", Some(1000)),
            ("x.never.0", None),
            ("x.b1.2000", Some(0)),
        ] {
            let held = at(name);
            let lease = held.lease.clone().unwrap();
            assert_eq!((lease.silent, lease.held), (silent, Some(600)), "{name}");
            assert_eq!(lease.expired(), silent.is_some_and(|silent| silent >= 30), "{name}");
            assert_eq!(held.by_hand(), silent.is_none(), "{name}");
            let shown = held.to_string();
            assert!(shown.contains("From: ann on m, process 7\nDoing: deploy v2\nHeld for: 10m 0s\n"), "{shown}");
            assert_eq!(shown.contains("takes it over"), lease.expired(), "{shown}");
        }
        // Somebody is just writing it.
        let lease = found("lease lease.x.b1.1000 ").lease.unwrap();
        assert_eq!((lease.holder, lease.silent), (None, Some(0)));
        // Somebody is just taking it over.
        let lease = found(&format!("lease lease.y.b1.1000 {holder} b1 400 x")).lease.unwrap();
        assert_eq!((lease.holder, lease.held, lease.silent), (None, None, Some(0)));
        assert_eq!(found("lease notes.txt").lease, None);
    }
}
