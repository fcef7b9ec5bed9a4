//! How often one client may come: a bucket of tokens per address, refilled at a steady rate.
//!
//! Memory is bounded: full buckets are forgotten, as a new one is just as full, and where too many are not full the
//! fullest goes first.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Addresses are spread over this many tables, so that requests rarely meet at a lock.
const SHARDS: usize = 16;
/// Buckets per table; 64 Ki in all, some 4 MiB.
const BUCKETS: usize = 4096;
/// How many buckets are looked at for one to forget.
const CANDIDATES: usize = 8;

/// The limit of one service.
#[derive(Debug)]
pub(super) struct Rate {
    /// The time in which one token comes back.
    interval: Duration,
    /// How far a client may be ahead of its rate.
    tolerance: Duration,
    hasher: RandomState,
    shards: [Mutex<HashMap<IpAddr, Instant>>; SHARDS],
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a rate such as 10/s, 100/m or 1000/h")]
pub(crate) struct RateError(String);

impl Rate {
    /// `None` for an empty text, which is no limit.
    pub(super) fn new(text: &str, burst: i64) -> Result<Option<Self>, RateError> {
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = || RateError(text.to_owned());
        let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(wrong()),
        };
        let count: u32 = count.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
        let interval = (Duration::from_secs(seconds) / count).max(Duration::from_nanos(1));
        let burst = match u32::try_from(burst).unwrap_or(0) {
            0 => count / u32::try_from(seconds).unwrap_or(1),
            burst => burst,
        };
        let tolerance = interval * burst.max(1);
        Ok(Some(Self { interval, tolerance, hasher: RandomState::new(), shards: Default::default() }))
    }

    /// Takes a token, or says how long until there is one.
    pub(super) fn take(&self, address: IpAddr) -> Result<(), Duration> {
        self.take_at(address, Instant::now())
    }

    /// A bucket is kept as the time at which it will be full again.
    fn take_at(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let address = subscriber(address);
        let hash = self.hasher.hash_one(address);
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        let mut buckets = self.shards[at].lock().unwrap_or_else(PoisonError::into_inner);
        let full = buckets.get(&address).map_or(now, |full| (*full).max(now));
        let full = full + self.interval;
        let ahead = full.duration_since(now);
        if ahead > self.tolerance {
            return Err(ahead - self.tolerance);
        }
        if buckets.len() >= BUCKETS && !buckets.contains_key(&address) {
            make_room(&mut buckets, now);
        }
        buckets.insert(address, full);
        Ok(())
    }
}

fn make_room(buckets: &mut HashMap<IpAddr, Instant>, now: Instant) {
    buckets.retain(|_, full| *full > now);
    if buckets.len() >= BUCKETS
        && let Some(fullest) = buckets.iter().take(CANDIDATES).min_by_key(|(_, full)| **full).map(|(key, _)| *key)
    {
        buckets.remove(&fullest);
    }
}

/// What one subscriber has: an address of IPv4, and of IPv6 a network of 64 bits, whose addresses are all his.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let rate = Rate::new("2/s", 3).unwrap().unwrap();
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let client = ip("1.1.1.1");
        for _ in 0..3 {
            assert_eq!(rate.take_at(client, start), Ok(()));
        }
        assert_eq!(rate.take_at(client, start), Err(second / 2));
        assert_eq!(rate.take_at(ip("2.2.2.2"), start), Ok(()), "others are not concerned");
        assert_eq!(rate.take_at(client, start + second / 2), Ok(()));
        assert_eq!(rate.take_at(client, start + second / 2), Err(second / 2), "a refusal costs nothing");
        assert_eq!(rate.take_at(client, start + 10 * second), Ok(()));
    }

    #[test]
    fn one_subscriber_has_many_addresses_of_ipv6() {
        let rate = Rate::new("1/m", 0).unwrap().unwrap();
        let now = Instant::now();
        assert_eq!(rate.take_at(ip("2001:db8::1"), now), Ok(()));
        assert!(rate.take_at(ip("2001:db8::2"), now).is_err());
        assert_eq!(rate.take_at(ip("2001:db8:0:1::1"), now), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let rate = Rate::new("1/h", 1).unwrap().unwrap();
        let now = Instant::now();
        for number in 0..200_000_u32 {
            assert_eq!(rate.take_at(IpAddr::V4(number.into()), now), Ok(()));
        }
        let kept: usize = rate.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(kept <= SHARDS * BUCKETS, "{kept}");
    }

    #[test]
    fn what_is_a_rate() {
        assert!(Rate::new("", 0).unwrap().is_none());
        for wrong in ["10", "0/s", "-1/s", "10/d", "x/s", "1.5/s"] {
            assert!(Rate::new(wrong, 0).is_err(), "{wrong}");
        }
    }
}
