//! The deploy lock of a simulated host: what the scripts of [`crate::lock`] do.

use std::{collections::BTreeMap, time::Duration};

use super::host::Ended;
use crate::lock::{HELD, Held, Holder, LOST, Lease, Taking};

/// A lock that is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimLock {
    /// What it says of its holder.
    pub details: String,
    /// What makes it heal, if it is one of ours.
    pub lease: Option<SimLease>,
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimLease {
    /// Whose it is.
    pub id: String,
    /// By whom it was taken.
    pub holder: Holder,
    /// When.
    pub taken: Duration,
    /// When its holder was last heard of; `None` if it is held until it is released.
    pub heard: Option<Duration>,
}

/// A lock as Kamal takes it.
impl From<&str> for SimLock {
    fn from(details: &str) -> Self {
        Self { details: details.to_owned(), lease: None }
    }
}

impl SimLock {
    pub(super) fn seen(&self, now: Duration) -> Held {
        let ago = |then: Duration| now.saturating_sub(then).as_secs();
        let lease = self.lease.as_ref().map(|lease| Lease {
            file: lease.file(),
            holder: Some(lease.holder.clone()),
            held: Some(ago(lease.taken)),
            silent: lease.heard.map(ago),
        });
        Held { details: self.details.clone(), lease }
    }
}

impl SimLease {
    /// Its name, which tells when its holder was last heard of.
    fn file(&self) -> String {
        format!("lease.{}.{:?}", self.id, self.heard)
    }
}

type Locks = BTreeMap<String, SimLock>;

fn nothing() -> Ended {
    Ok(String::new())
}

pub(super) fn acquire(locks: &mut Locks, directory: &str, taking: &Taking, now: Duration) -> Ended {
    let held = locks.get(directory).map(|lock| lock.lease.as_ref().map(SimLease::file));
    let free = match &taking.instead_of {
        Some(dead) => held == Some(Some(dead.file.clone())),
        None => held.is_none(),
    };
    if !free {
        return Err((HELD, String::new()));
    }
    let lease = SimLease {
        id: taking.id.clone(),
        holder: taking.holder.clone(),
        taken: now,
        heard: (!taking.by_hand).then_some(now),
    };
    locks.insert(directory.to_owned(), SimLock { details: taking.details.clone(), lease: Some(lease) });
    nothing()
}

pub(super) fn renew(locks: &mut Locks, directory: &str, id: &str, now: Duration) -> Ended {
    let lease = locks.get_mut(directory).and_then(|lock| lock.lease.as_mut()).filter(|lease| lease.id == id);
    lease.ok_or((LOST, String::new()))?.heard = Some(now);
    nothing()
}

pub(super) fn release(locks: &mut Locks, directory: &str, id: Option<&str>) -> Ended {
    let holds = |lock: &SimLock| id.is_none() || lock.lease.as_ref().map(|lease| lease.id.as_str()) == id;
    if id.is_some() && !locks.get(directory).is_some_and(holds) {
        return Err((LOST, String::new()));
    }
    locks.remove(directory);
    nothing()
}
