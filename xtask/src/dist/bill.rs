//! What a release is made of, for those who have to know: a CycloneDX document of each program's dependencies.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{VERSION, copy};
use crate::ci::cargo;
use crate::command::{find_program, note, run, show};
use crate::error::{Context, Result};
use crate::workspace;

/// The packages whose programs are shipped.
const SHIPPED: [&str; 2] = ["kamal-cli", "kamal-proxy"];

/// Writes one document for each program.
pub(super) fn write(folder: &Path) -> Result<()> {
    if find_program("cargo-cyclonedx").is_none() && run(cargo().args(["cyclonedx", "--version"])).is_err() {
        note("installing cargo-cyclonedx");
        show(cargo().args(["install", "--locked", "cargo-cyclonedx"]))?;
    }
    let name = "bill-of-materials";
    run(cargo().args(["cyclonedx", "--format", "json", "--all-features", "--override-filename", name]))?;
    for package in SHIPPED {
        copy(
            &workspace().join(format!("crates/{package}/{name}.json")),
            &folder.join(format!("{package}-{VERSION}.cdx.json")),
        )?;
    }
    // It writes one beside each manifest.
    let listed = run(Command::new("git")
        .args(["ls-files", "--others", "--", &format!("*/{name}.json")])
        .current_dir(workspace()))?;
    for file in listed.lines() {
        let path = workspace().join(file);
        fs::remove_file(&path).context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}
