//! The release notes: what the changelog says of this version.

use std::fs;
use std::path::Path;

use super::VERSION;
use crate::error::{Context, Error, Result};
use crate::workspace;

/// Writes `NOTES.md`: the changelog's section of this version, or what is not released yet.
pub(super) fn write(folder: &Path) -> Result<()> {
    let path = workspace().join("CHANGELOG.md");
    let text = fs::read_to_string(&path).context(|| format!("reading {}", path.display()))?;
    let notes = section(&text, VERSION).or_else(|| section(&text, "Unreleased"));
    let notes = notes.ok_or_else(|| {
        Error::Refused(format!("CHANGELOG.md has neither a section {VERSION} nor one of what is unreleased"))
    })?;
    let to = folder.join("NOTES.md");
    fs::write(&to, notes).context(|| format!("writing {}", to.display()))
}

/// What stands below `## NAME`, or `## [NAME] - 2026-01-01`, up to the next heading of that size.
fn section(text: &str, name: &str) -> Option<String> {
    let is_headed = |line: &str| {
        let heading = line.strip_prefix("## ")?;
        let heading = heading.trim_start_matches('[').split([']', ' ']).next()?;
        (heading == name).then_some(())
    };
    let mut lines = text.lines().skip_while(|line| is_headed(line).is_none());
    lines.next()?;
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    Some(format!("{}\n", lines.join("\n").trim()))
}

#[cfg(test)]
mod tests {
    use super::section;

    #[test]
    fn a_version_s_section() {
        let text =
            "# Changelog\n\n## Unreleased\n\n* new\n\n## [1.1.0] - 2026-01-02\n\n### Added\n\n* b\n\n## 1.0.0\n\n* a\n";
        assert_eq!(section(text, "Unreleased").as_deref(), Some("* new\n"));
        assert_eq!(section(text, "1.1.0").as_deref(), Some("### Added\n\n* b\n"));
        assert_eq!(section(text, "1.0.0").as_deref(), Some("* a\n"));
        assert_eq!(section(text, "1.0"), None);
    }
}
