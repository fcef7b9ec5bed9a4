//! `rollback` (spec 9.10): a version that was live before, which hosts still have.
//!
//! Which one, when none is named, is read from what was really switched to. Whoever brings a version up, this program or
//! Kamal, notes in the audit log that its image was tagged as the latest, and does so once every host has switched: what
//! failed or was cut off is not there. The notes are read as a browser reads its history: a version that is new cuts
//! off what could be gone forward to, one that is known moves the mark.

use serde::{Deserialize, Serialize};

use super::{
    Facts, app,
    boot::{self, Extras},
    deploy::delivery,
    services,
};
use crate::{
    config::{Config, model::Role},
    error::Error,
    name::Version,
    naming,
    plan::{Draft, Reuse},
    state::{Deployed, HostState},
};

/// How to roll back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The version, whole or its beginning; the one before where none is named.
    pub to: Option<Version>,
    /// With environment and options as that version was deployed, by starting its own containers again.
    pub as_deployed: bool,
}

pub(super) fn draft(asked: &Rollback, facts: &Facts<'_>) -> Result<Draft, Error> {
    let version = match asked.to.as_ref().or(facts.asked) {
        Some(version) => facts.resolve(version)?,
        None => previous(facts)?,
    };
    let missing: Vec<&str> = facts
        .states_of(&facts.targets.app_hosts)
        .filter(|state| !has(facts, state, &version))
        .map(|state| state.host.as_str())
        .collect();
    if !missing.is_empty() {
        return Err(Error::VersionUnavailable { version, hosts: missing.join(", ") });
    }
    let mut stages: Vec<_> = facts.hook("pre-deploy", None).into_iter().collect();
    if services::are_wanted(facts.config) {
        if asked.as_deployed {
            let text =
                "services keep no containers of earlier versions to start again; roll back without --as-deployed";
            return Err(Error::Usage(text.to_owned()));
        }
        // No container keeps the images of earlier versions on hosts.
        stages.insert(0, delivery(facts, &version, false));
    }
    let reuse = if asked.as_deployed { Reuse::All } else { Reuse::Nothing };
    let extras = Extras { reuse, ..Extras::default() };
    stages.extend(boot::stages(facts, facts.targets, &version, extras)?);
    let after = facts.hook("post-deploy", None).into_iter().collect();
    let notes = vec![introduction(facts, &version)];
    Ok(Draft { version: Some(version), stages, after, notes })
}

/// Which version, how old it is, and who deployed it.
fn introduction(facts: &Facts<'_>, version: &Version) -> String {
    let state = facts.states_of(&facts.targets.app_hosts).next();
    let known = state.and_then(|state| state.history.iter().rev().find(|entry| entry.version == *version));
    let from = state.and_then(|state| current(facts, state)).map(|version| format!(" from {version}"));
    let when = known.map(|Deployed { at, by, .. }| format!(", live since {at}, deployed by {by}"));
    format!("Going back{} to {version}{}", from.unwrap_or_default(), when.unwrap_or_default())
}

/// The version to go back to.
fn previous(facts: &Facts<'_>) -> Result<Version, Error> {
    let states: Vec<&HostState> = facts.states_of(&facts.targets.app_hosts).collect();
    let first = states.first().ok_or_else(|| Error::NoRole { place: "any host that is selected".to_owned() })?;
    let live = current(facts, first);
    let latest = naming::latest_tag(facts.config);
    // A host where what is live was not finished tells from where it came: the same command again ends what was begun.
    let finished = |state: &&&HostState| {
        let last = state.history.iter().rev().find(|entry| entry.version != latest);
        last.is_none_or(|last| live.as_ref() == Some(&last.version))
    };
    let Timeline { line, mark } = timeline(facts, states.iter().find(|state| !finished(state)).unwrap_or(first));
    let image = |version: &Version| image_of(facts.config, first, version);
    let available = |version: &&Version| states.iter().all(|state| has(facts, state, version));
    // What is live and was never finished anywhere is left for what was live before it.
    let unfinished = live.as_ref().is_some_and(|live| !line.contains(live));
    let (candidates, from) = if unfinished {
        (line.get(..=mark).unwrap_or_default(), live.as_ref())
    } else {
        (line.get(..mark).unwrap_or_default(), line.get(mark))
    };
    let from = from.and_then(image);
    let other_image = |version: &&Version| from.is_none() || image(version) != from;
    let mut there = candidates.iter().rev().filter(available);
    // The same image under another name is no way back, unless there is no other.
    let found = there.clone().find(other_image).or_else(|| there.next());
    found.cloned().ok_or(Error::NoEarlierVersion)
}

/// Versions that were live, as a history to go back and forward in.
struct Timeline {
    /// In the order in which they came up first.
    line: Vec<Version>,
    /// Which of them was brought up last.
    mark: usize,
}

fn timeline(facts: &Facts<'_>, state: &HostState) -> Timeline {
    read(&state.history, &naming::latest_tag(facts.config))
}

/// A version that is new cuts off what could be gone forward to, one that is known moves the mark.
fn read(history: &[Deployed], latest: &Version) -> Timeline {
    let (mut line, mut mark) = (Vec::new(), 0);
    for entry in history.iter().filter(|entry| entry.version != *latest) {
        match line.iter().position(|version| *version == entry.version) {
            Some(known) => mark = known,
            None => {
                line.truncate(mark + 1);
                line.push(entry.version.clone());
                mark = line.len() - 1;
            }
        }
    }
    Timeline { line, mark }
}

/// The version that is live on a host. One that runs as `latest` is the one whose image it is.
fn current(facts: &Facts<'_>, state: &HostState) -> Option<Version> {
    let (role, _) = facts.targets.roles_on(&state.host).next()?;
    if services::are_wanted(facts.config) {
        return services::current(facts, role).or_else(|| state.current_version(facts.config, &role.name));
    }
    let container = state.current(facts.config, &role.name)?;
    let version = naming::version_of(facts.config, &role.name, &container.name)?;
    let version = version.split("_replaced_").next().map_or_else(|| version.clone(), Version::of_checked);
    if version != app::latest(facts) {
        return Some(version);
    }
    let id = state.image_id(container)?;
    let Timeline { line, .. } = timeline(facts, state);
    let same = |known: &&Version| image_of(facts.config, state, known).as_deref() == Some(id);
    line.iter().rev().find(same).cloned().or(Some(version))
}

fn image_of(config: &Config, state: &HostState, version: &Version) -> Option<String> {
    let reference = naming::image(config, version);
    state.images.iter().find(|image| image.reference == reference).map(|image| image.id.clone())
}

/// True when the host has a container of every role it runs in that version; of services, when some host knows it.
fn has(facts: &Facts<'_>, state: &HostState, version: &Version) -> bool {
    if services::are_wanted(facts.config) {
        let image = naming::image(facts.config, version);
        let was_live = |state: &HostState| state.history.iter().any(|entry| entry.version == *version);
        return facts.states.iter().any(|state| was_live(state) || state.has_image(&image));
    }
    facts.targets.roles_on(&state.host).all(|(role, _)| has_role(facts.config, state, role, version))
}

/// True when the host has a container of the role in that version, even one that made way for a successor which was cut
/// off before it started.
fn has_role(config: &Config, state: &HostState, role: &Role, version: &Version) -> bool {
    let name = naming::container(config, &role.name, version);
    let replaced = format!("{name}_replaced_");
    state.of_role(&role.name).any(|container| container.name == name || container.name.starts_with(&replaced))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(versions: &[&str]) -> (Vec<String>, usize) {
        let version = |text: &str| Version::parse(text).unwrap();
        let entry = |text: &&str| Deployed { version: version(text), at: String::new(), by: String::new() };
        let Timeline { line, mark } = read(&versions.iter().map(entry).collect::<Vec<_>>(), &version("latest"));
        (line.iter().map(ToString::to_string).collect(), mark)
    }

    #[test]
    fn a_new_version_cuts_off_what_was_left_and_a_known_one_moves_the_mark() {
        let line = |versions: &[&str]| versions.iter().map(|version| (*version).to_owned()).collect::<Vec<_>>();
        assert_eq!(of(&[]), (Vec::new(), 0));
        assert_eq!(of(&["v1", "v2", "v3"]), (line(&["v1", "v2", "v3"]), 2));
        assert_eq!(of(&["v1", "v2", "v3", "v2", "v1"]), (line(&["v1", "v2", "v3"]), 0));
        assert_eq!(of(&["v1", "v2", "v3", "v2", "v4"]), (line(&["v1", "v2", "v4"]), 2));
        assert_eq!(of(&["v1", "v2", "v2", "latest"]), (line(&["v1", "v2"]), 1));
    }
}
