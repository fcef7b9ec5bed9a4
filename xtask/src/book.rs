//! The book: chapters made of the program's own tables, and the pages all of it becomes.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::ci::cargo;
use crate::command::{find_program, note, run, show};
use crate::error::{Context, Result};
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
    let pages = build()?;
    note(format_args!("the pages are in {}", pages.display()));
    Ok(())
}

/// Builds the pages, and returns their folder.
///
/// # Errors
///
/// When mdbook cannot be had, or complains.
pub fn build() -> Result<PathBuf> {
    let pages = target().join("book");
    let mut command = Command::new(mdbook()?);
    show(command.args(["build", "--dest-dir"]).arg(&pages).arg(workspace().join("docs/book")))?;
    Ok(pages)
}

/// The program, installed if it is not there.
fn mdbook() -> Result<PathBuf> {
    if let Some(found) = find_program("mdbook") {
        return Ok(found);
    }
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let installed = home.unwrap_or_default().join("bin/mdbook");
    if !installed.exists() {
        note("installing mdbook");
        show(cargo().args(["install", "--locked", "mdbook"]))?;
    }
    Ok(installed)
}
