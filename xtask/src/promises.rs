//! The tests SECURITY.md names beside its promises exist: a promise whose test was renamed or taken out is a complaint.

use std::fs;
use std::path::Path;

use crate::error::{Context, Result};
use crate::workspace;

const PROMISES: &str = "SECURITY.md";

/// Named files and tests that are not there, one line each.
pub(crate) fn check() -> Result<Vec<String>> {
    let path = workspace().join(PROMISES);
    let text = fs::read_to_string(&path).context(|| format!("reading {}", path.display()))?;
    let missing = text.lines().flat_map(named).filter(|(file, test)| !exists(workspace(), file, *test));
    let name = |(file, test): (&str, Option<&str>)| test.map_or(file.to_owned(), |test| format!("{file}::{test}"));
    Ok(missing.map(|named| format!("{PROMISES}: there is no {}", name(named))).collect())
}

/// What a line of a table names in its last column: `file.rs::test`, or a file or folder as a whole.
fn named(line: &str) -> Option<(&str, Option<&str>)> {
    let (_, cell) = line.strip_suffix('|')?.rsplit_once('|')?;
    let name = cell.split('`').nth(1)?;
    Some(name.split_once("::").map_or((name, None), |(file, test)| (file, Some(test))))
}

fn exists(folder: &Path, file: &str, test: Option<&str>) -> bool {
    let path = folder.join(file);
    test.map_or_else(|| path.exists(), |test| has_function(&path, test))
}

/// Whether a file is there and has a function of this name.
pub(crate) fn has_function(file: &Path, name: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {name}(")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_row_names() {
        assert_eq!(named("| No secret | `tests/a.rs::none_is_seen` |"), Some(("tests/a.rs", Some("none_is_seen"))));
        assert_eq!(named("| No panic | `fuzz/targets` (`cargo xtask fuzz`) |"), Some(("fuzz/targets", None)));
        assert_eq!(named("|---|---|"), None);
        assert_eq!(named("No `table.rs::row`."), None);
    }

    #[test]
    fn a_test_that_was_renamed_is_missing() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(exists(here, "src/promises.rs", Some("what_a_row_names")));
        assert!(!exists(here, "src/promises.rs", Some("what_a_row")));
        assert!(!exists(here, "src/promise.rs", None));
    }
}
