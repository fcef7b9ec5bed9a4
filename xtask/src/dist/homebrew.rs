//! The Homebrew formula, which names the archives and their checksums.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{MACHINES, VERSION};
use crate::command::run;
use crate::error::{Context, Result};
use crate::workspace;

/// Where a formula says an archive's checksum goes: `@SHA256_x86_64@`.
const TEMPLATE: &str = "packaging/kamal.rb.in";

/// Fills in the template for the archives that are there.
pub(super) fn write(folder: &Path) -> Result<()> {
    let template = workspace().join(TEMPLATE);
    let mut formula = fs::read_to_string(&template).context(|| format!("reading {}", template.display()))?;
    formula = formula.replace("@VERSION@", VERSION);
    for machine in MACHINES {
        let archive = folder.join(format!("{}.tar.gz", machine.title()));
        if archive.is_file() {
            let said = run(Command::new("sha256sum").arg(&archive))?;
            let sum = said.split_whitespace().next().unwrap_or_default();
            formula = formula.replace(&format!("@SHA256_{}@", machine.name), sum);
        }
    }
    let to = folder.join("kamal.rb");
    fs::write(&to, formula).context(|| format!("writing {}", to.display()))
}
