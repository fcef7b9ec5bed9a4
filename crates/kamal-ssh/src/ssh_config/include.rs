//! The files an `Include` names: relative ones beside the user's or the system's configuration, `*` and `?` in any part.

use std::path::{Component, Path, PathBuf};

use super::{MatchSubject, tokens::home_path};
use crate::pattern::matches;

/// The files that fit a pattern, in alphabetical order.
pub(super) fn find(pattern: &str, from: &Path, asked: MatchSubject<'_>) -> Vec<PathBuf> {
    let pattern = home_path(Path::new(pattern), asked.home);
    let base = if from.starts_with("/etc/ssh") { PathBuf::from("/etc/ssh") } else { asked.home.join(".ssh") };
    let mut found = vec![PathBuf::new()];
    for part in base.join(pattern).components() {
        let text = part.as_os_str().to_string_lossy();
        if !matches!(part, Component::Normal(_)) || !text.contains(['*', '?']) {
            found = found.iter().map(|path| path.join(part)).collect();
            continue;
        }
        found = found.iter().flat_map(|folder| fitting(folder, &text, asked)).collect();
    }
    found
}

fn fitting(folder: &Path, pattern: &str, asked: MatchSubject<'_>) -> Vec<PathBuf> {
    let mut names = asked.outside.names(folder);
    names.retain(|name| {
        let name = name.to_string_lossy();
        matches(pattern, &name) && (!name.starts_with('.') || pattern.starts_with('.'))
    });
    names.sort();
    names.iter().map(|name| folder.join(name)).collect()
}
