//! What shells complete values with: names from deploy.yml, which is read without running anything, and versions from git.

use std::{ffi::OsStr, process::Command};

use clap_complete::{ArgValueCompleter, CompletionCandidate};
use kamal_core::{
    config::{Config, docs},
    name::{Destination, HostName},
};

use super::read::configuration;
use crate::{commands::book, context};

/// How many versions are offered.
const VERSIONS: &str = "-20";

/// Hosts, several with commas between.
pub(super) fn hosts() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| several(current, &configured(host_names)))
}

/// A host.
pub(super) fn host() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| one(current, &configured(host_names)))
}

/// Roles, several with commas between.
pub(super) fn roles() -> ArgValueCompleter {
    let names = |config: &Config| config.roles.iter().map(|role| role.name.to_string()).collect();
    ArgValueCompleter::new(move |current: &OsStr| several(current, &configured(names)))
}

/// An accessory.
pub(super) fn accessories() -> ArgValueCompleter {
    let names = |config: &Config| config.accessories.iter().map(|accessory| accessory.name.clone()).collect();
    ArgValueCompleter::new(move |current: &OsStr| one(current, &configured(names)))
}

/// A destination, which is a file beside the configuration's.
pub(super) fn destinations() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| one(current, &destinations_beside(&typed().0)))
}

/// A commit.
pub(super) fn versions() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let log = Command::new("git").args(["log", VERSIONS, "--format=%H %s"]).output();
        let text = log.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let commits = text.lines().filter_map(|line| line.split_once(' '));
        let fitting = commits.filter(|(hash, _)| hash.starts_with(&*current.to_string_lossy()));
        fitting.map(|(hash, subject)| CompletionCandidate::new(hash).help(Some(subject.to_owned().into()))).collect()
    })
}

/// A section of the documentation, or a chapter of the book.
pub(super) fn sections() -> ArgValueCompleter {
    let sections = || docs::sections().into_iter().chain(book::names()).map(str::to_owned).collect::<Vec<_>>();
    ArgValueCompleter::new(move |current: &OsStr| one(current, &sections()))
}

fn destinations_beside(config_file: &str) -> Vec<String> {
    context::files(config_file, None).map(|files| files.destinations()).unwrap_or_default()
}

fn host_names(config: &Config) -> Vec<String> {
    config.hosts().iter().map(HostName::to_string).collect()
}

/// Names in the configuration that the line typed so far leads to; none if it cannot be read.
fn configured(names: impl Fn(&Config) -> Vec<String>) -> Vec<String> {
    let (file, destination) = typed();
    let config = || {
        let named = destination.as_deref().map(Destination::parse).transpose().ok()?;
        let outside = context::surroundings(destination.clone()).ok()?.quiet();
        Some(context::files(&file, named.as_ref()).ok()?.load(&outside).ok()?.config)
    };
    config().map(|config| names(&config)).unwrap_or_default()
}

/// The configuration's file and the destination on the line typed so far, which is behind `--` and the program's name.
fn typed() -> (String, Option<String>) {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    configuration(&words.skip_while(|word| word != "--").skip(2).collect::<Vec<_>>())
}

fn one(current: &OsStr, names: &[String]) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    names.iter().filter(|name| name.starts_with(&*current)).map(CompletionCandidate::new).collect()
}

fn several(current: &OsStr, names: &[String]) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let (before, last) = current.split_at(current.rfind(',').map_or(0, |comma| comma + 1));
    let is_new = |name: &&String| name.starts_with(last) && !before.split(',').any(|known| known == *name);
    names.iter().filter(is_new).map(|name| CompletionCandidate::new(format!("{before}{name}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(candidates: &[CompletionCandidate]) -> Vec<String> {
        candidates.iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn lists_are_completed_behind_their_last_comma_and_name_nothing_twice() {
        let names = ["web".to_owned(), "workers".to_owned(), "jobs".to_owned()];
        assert_eq!(texts(&several("w".as_ref(), &names)), ["web", "workers"]);
        assert_eq!(texts(&several("web,w".as_ref(), &names)), ["web,workers"]);
        assert_eq!(texts(&several("web,workers,".as_ref(), &names)), ["web,workers,jobs"]);
        assert_eq!(texts(&one("w".as_ref(), &names)), ["web", "workers"]);
    }
}
