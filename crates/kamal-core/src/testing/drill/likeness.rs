//! Whether hosts are as they are wanted, as far as it matters.

use std::collections::BTreeMap;

use super::super::SimFleet;
use crate::name::HostName;

/// Hosts, and what is to be told of each.
pub(super) type Likeness = Vec<(String, BTreeMap<String, String>)>;

/// What a host's locks are under.
const LOCKS: &str = "locks";

pub(super) fn of(fleet: &SimFleet, hosts: &[HostName]) -> Likeness {
    hosts.iter().map(|host| (host.to_string(), fleet.host(host).essence())).collect()
}

/// How hosts differ from what is wanted of them.
pub(super) fn difference(wanted: &Likeness, found: &Likeness, locks: bool) -> Vec<String> {
    let mut differences = Vec::new();
    for ((host, wanted), (_, found)) in wanted.iter().zip(found) {
        let counts = |name: &String| locks || name != LOCKS;
        for (name, value) in wanted.iter().filter(|(name, value)| counts(name) && found.get(*name) != Some(value)) {
            differences.push(format!("{host}: {name} is {:?}, not {value}", found.get(name)));
        }
        for (name, value) in found.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
            differences.push(format!("{host}: {name} is left ({value})"));
        }
    }
    differences
}
