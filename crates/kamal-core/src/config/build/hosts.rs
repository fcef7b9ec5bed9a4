//! Hosts that are spelled in several ways are one: they are called as they are where they come first.

use super::super::model::Config;
use crate::name::HostName;

/// Gives every host of a configuration one spelling, and each role and accessory it once.
pub(crate) fn one_spelling(mut config: Config) -> Config {
    let port = config.ssh.port;
    let known = config.hosts();
    let first = |host: &HostName| known.iter().find(|first| first.is_same(host, port)).unwrap_or(host).clone();
    for role in &mut config.roles {
        for host in &mut role.hosts {
            host.name = first(&host.name);
        }
        let mut once = Vec::new();
        // As where one spelling is given twice, the tags are those of the last.
        for host in std::mem::take(&mut role.hosts) {
            match once.iter_mut().find(|known: &&mut super::super::model::TaggedHost| known.name == host.name) {
                Some(known) => *known = host,
                None => once.push(host),
            }
        }
        role.hosts = once;
    }
    for accessory in &mut config.accessories {
        let hosts = std::mem::take(&mut accessory.hosts);
        accessory.hosts = hosts.iter().map(first).fold(Vec::new(), |mut once, host| {
            if !once.contains(&host) {
                once.push(host);
            }
            once
        });
    }
    config
}
