//! What matters of hosts: not ids, times, and what is kept for a rollback.

use std::collections::BTreeMap;

use super::super::{SimFleet, SimHost};
use crate::name::HostName;

/// Hosts, and what is to be told of each.
pub(super) type Likeness = Vec<(String, BTreeMap<String, String>)>;

const LOCKS: &str = "locks";

pub(super) fn of(fleet: &SimFleet, hosts: &[HostName]) -> Likeness {
    hosts.iter().map(|host| (host.to_string(), of_host(&fleet.host(host)))).collect()
}

fn of_host(host: &SimHost) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut say = |name: String, value: String| drop(all.insert(name, value));
    for container in host.containers.iter().filter(|container| container.runs()) {
        say(format!("container {}", container.name), format!("{} {:?}", container.image, container.env));
    }
    for service in host.routes.keys() {
        let target = host.routed(service).map(|target| target.name.to_string());
        say(format!("route {service}"), format!("{target:?}"));
    }
    for (path, mode) in &host.files {
        say(format!("file {path}"), format!("{mode:o}"));
    }
    say("proxy".to_owned(), format!("{:?} {}", host.proxy, host.network));
    say(LOCKS.to_owned(), format!("{:?}", host.locks.keys()));
    say("logins".to_owned(), format!("{:?}", host.logins));
    all
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
