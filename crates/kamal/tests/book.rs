//! Every deploy.yml the book and the README show is one: it loads, whole or as a part of one, without a warning.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use kamal::core::config::{NoTemplateWorld, Source, load};

/// What a part of a deploy.yml is completed by, unless it says it itself.
const BASE: [(&str, &str); 3] =
    [("service", "service: app"), ("servers", "servers: [192.0.2.1]"), ("builder", "builder: {arch: amd64}")];

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let chapters = fs::read_dir(root.join("docs/book/src")).unwrap().map(|entry| entry.unwrap().path());
    chapters.filter(|path| path.extension().is_some_and(|end| end == "md")).chain([root.join("README.md")]).collect()
}

/// The blocks of a page that are fenced as ```` ```yaml ````, with the line each begins at.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line == "```yaml" {
            let block: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            found.push((index + 2, block.join("\n")));
        }
    }
    found
}

fn completed(block: &str) -> String {
    let lacks = |key: &str| !block.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    let base = BASE.iter().filter(|(key, _)| lacks(key)).map(|(_, line)| *line);
    base.chain([block]).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_pages_show_loads_without_a_warning() {
    let mut tried = 0;
    for path in pages() {
        for (line, block) in blocks(&fs::read_to_string(&path).unwrap()) {
            let place = format!("{}:{line}", path.display());
            let text = completed(&block);
            let loaded = load(&Source::new("config/deploy.yml", &text), None, &NoTemplateWorld);
            let loaded = loaded.unwrap_or_else(|errors| panic!("{place}\n{errors}"));
            let warnings: Vec<&str> = loaded.warnings.iter().map(|warning| warning.message.as_str()).collect();
            assert_eq!(warnings, [""; 0], "{place}");
            tried += 1;
        }
    }
    assert!(tried > 15, "{tried}");
}
