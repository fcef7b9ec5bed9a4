//! The files an `Include` names: relative ones beside the user's or the system's configuration, `*` and `?` in any part.

use std::path::{Component, Path, PathBuf};

use super::tokens::home_path;
use crate::pattern::matches;

/// The files that fit a pattern, in alphabetical order.
pub(super) fn find(pattern: &str, from: &Path, home: &Path) -> Vec<PathBuf> {
    let pattern = home_path(Path::new(pattern), home);
    let base = if from.starts_with("/etc/ssh") { PathBuf::from("/etc/ssh") } else { home.join(".ssh") };
    let mut found = vec![PathBuf::new()];
    for part in base.join(pattern).components() {
        let text = part.as_os_str().to_string_lossy();
        if !matches!(part, Component::Normal(_)) || !text.contains(['*', '?']) {
            found = found.iter().map(|path| path.join(part)).collect();
            continue;
        }
        found = found.iter().flat_map(|folder| fitting(folder, &text)).collect();
    }
    found
}

fn fitting(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut fitting: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            matches(pattern, &name) && (!name.starts_with('.') || pattern.starts_with('.'))
        })
        .map(|entry| entry.path())
        .collect();
    fitting.sort();
    fitting
}
