//! How long a certificate is good for, and when the next one is due (spec 8.11).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::parse_x509_certificate;

const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
/// Over which renewals are spread, so that many names do not come due at once.
const SPREAD: Duration = Duration::from_secs(3600);

/// From when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    begins: SystemTime,
    pub(super) ends: SystemTime,
}

impl Lifetime {
    /// That of a certificate in DER, if it is one.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(der).ok()?;
        let time = |seconds: i64| Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?));
        let validity = certificate.validity();
        Some(Self { begins: time(validity.not_before.timestamp())?, ends: time(validity.not_after.timestamp())? })
    }

    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        now >= self.ends
    }

    /// When to get the next one: a month before the end, or a third of the whole. `name` spreads them.
    pub(super) fn due(&self, name: &str) -> SystemTime {
        let whole = self.ends.duration_since(self.begins).unwrap_or_default();
        let spread = SPREAD.min(whole / 24);
        let hash = name.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        self.ends - MONTH.min(whole / 3) - spread.mul_f64(f64::from(hash % 1000) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_a_month_or_a_third_before_the_end() {
        let day = Duration::from_secs(24 * 3600);
        for (days, before) in [(90, 30), (365, 30), (6, 2)] {
            let lifetime = Lifetime { begins: UNIX_EPOCH, ends: UNIX_EPOCH + day * days };
            let latest = lifetime.ends - day * before;
            for name in ["a.example.com", "b.example.com"] {
                let due = lifetime.due(name);
                assert!(due <= latest && due >= latest - day / 4, "{days}");
            }
        }
        let ended = Lifetime { begins: UNIX_EPOCH, ends: UNIX_EPOCH + day };
        assert!(ended.is_over(SystemTime::now()) && !ended.is_over(UNIX_EPOCH));
    }

    #[test]
    fn read_from_a_certificate() {
        let made = rcgen::generate_simple_self_signed(vec!["example.com".into()]).unwrap();
        assert!(!Lifetime::of(made.cert.der()).unwrap().is_over(SystemTime::now()));
        assert_eq!(Lifetime::of(b"no certificate"), None);
    }
}
