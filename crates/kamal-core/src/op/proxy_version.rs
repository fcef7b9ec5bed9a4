//! A proxy older than what Kamal's flags need (spec 9.5): it would refuse them halfway through a deploy.

use std::cmp::Ordering;

use super::{Facts, facts::unfit};
use crate::{
    config::compare_versions,
    error::{Error, HostError},
    naming,
    state::HostState,
};

/// Fails when the proxy of a selected host is too old. Tags that are no versions are taken on trust.
pub(super) fn check(facts: &Facts<'_>) -> Result<(), Error> {
    let old: Vec<HostError> = facts.states_of(&facts.targets.proxy_hosts).filter_map(too_old).collect();
    if old.is_empty() { Ok(()) } else { Err(Error::Hosts(old)) }
}

fn too_old(state: &HostState) -> Option<HostError> {
    let version = outdated(&state.proxy.as_ref()?.image)?;
    let fix = format!("run `kamal proxy reboot` in order to update to at least {}", naming::PROXY_MINIMUM_VERSION);
    Some(unfit(&state.host, format!("kamal-proxy version {version} is too old"), fix))
}

/// The version of an image, where that is too old.
fn outdated(image: &str) -> Option<&str> {
    let version = image.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'))?;
    let (found, needed) = (version.trim_start_matches('v'), naming::PROXY_MINIMUM_VERSION);
    let older = compare_versions(found, needed.trim_start_matches('v')) == Some(Ordering::Less);
    older.then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_the_oldest_that_works_are_refused() {
        assert_eq!(outdated("basecamp/kamal-proxy:v0.8.7"), Some("v0.8.7"));
        for fine in
            ["basecamp/kamal-proxy:v0.9.2", "localhost:5000/p:v0.10.0", "p:latest", "localhost:5000/p", "p@sha256:0a1b"]
        {
            assert_eq!(outdated(fine), None, "{fine}");
        }
    }
}
