//! Every command line the book and the README show is one.

use std::fs;
use std::path::{Path, PathBuf};

use super::tests::told;

/// Shortcuts that pages define before they use them.
const ALIASES: [(&str, &str); 1] = [("console", "app exec --interactive --reuse 'bin/rails console'")];

/// All pages but the chapter that names commands without what they take.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let chapters = fs::read_dir(root.join("docs/book/src")).unwrap().map(|entry| entry.unwrap().path());
    let chapters =
        chapters.filter(|path| path.extension().is_some_and(|end| end == "md") && !path.ends_with("commands.md"));
    chapters.chain([root.join("README.md")]).collect()
}

/// The lines of a page that run `kamal`: in a block of shell, or between backticks in a text or table.
fn lines(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fence = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), fence) {
            (Some(_), Some(_)) => fence = None,
            (Some(language), None) => fence = Some(language),
            (None, Some("sh")) => {
                let command = line.split(" # ").next().unwrap_or(line).trim();
                found.extend(command.strip_prefix("kamal ").map(|rest| rest.trim().to_owned()));
            }
            (None, Some(_)) => {}
            (None, None) => {
                let spans = line.split('`').skip(1).step_by(2);
                found.extend(spans.filter_map(|span| span.strip_prefix("kamal ")).map(str::to_owned));
            }
        }
    }
    found
}

#[test]
fn what_pages_show_is_taken() {
    let mut tried = 0;
    for path in pages() {
        for line in lines(&fs::read_to_string(&path).unwrap()) {
            // `[HOST…]` in a text is a place for a word.
            let words = line.split(" [").next().unwrap_or(&line);
            let what = told(words, &ALIASES);
            assert!(!what.starts_with("refused"), "{}: kamal {line}\n{what}", path.display());
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried}");
}
