//! The book: chapters made of the program's own tables, and the pages all of it becomes.

use std::fs;
use std::process::Command;

use crate::ci::{Verdict, cargo};
use crate::command::{find_program, note, run, show};
use crate::error::{Context, Error, Result};
use crate::programs::target;
use crate::workspace;

const SOURCES: &str = "docs/book/src";

/// Chapters that `kamal docs` makes.
const GENERATED: [&str; 3] = ["commands", "keys", "causes"];

/// Writes the generated chapters, and builds the pages.
///
/// # Errors
///
/// When the command does not build, or the pages do not.
pub fn write() -> Result<()> {
    for name in GENERATED {
        let text =
            run(cargo().args(["run", "--quiet", "--package", "kamal-cli", "--bin", "kamal", "--", "docs", name]))?;
        let file = workspace().join(SOURCES).join(format!("{name}.md"));
        let is_current = fs::read_to_string(&file).is_ok_and(|there| there == text);
        if !is_current {
            fs::write(&file, text).context(|| format!("writing {}", file.display()))?;
            note(format_args!("wrote {SOURCES}/{name}.md"));
        }
    }
    if build()? == Verdict::Failed { Err(Error::Refused("the book's pages cannot be made".to_owned())) } else { Ok(()) }
}

/// Builds the pages.
///
/// # Errors
///
/// When mdbook cannot be started.
pub fn build() -> Result<Verdict> {
    let Some(mdbook) = find_program("mdbook") else {
        // Building it takes longer than most of what is checked here.
        let how = "there is no mdbook; `cargo install --locked mdbook` brings it";
        return Ok(Verdict::Skipped(how.to_owned()));
    };
    let pages = target().join("book");
    let made = show(Command::new(mdbook).args(["build", "--dest-dir"]).arg(&pages).arg(workspace().join("docs/book")));
    Ok(Verdict::of(made.is_ok()))
}
