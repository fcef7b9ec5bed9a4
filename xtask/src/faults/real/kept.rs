//! What came of faults on real hosts, a line of JSON each, beside what is built.

use std::{fmt, fs, io::Write, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Way;
use crate::{
    error::{Context, Result},
    programs::target,
    stage::wrong,
};

/// One fault, and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tried {
    pub(crate) name: String,
    pub(crate) command: String,
    pub(crate) way: Way,
    /// The step that went wrong.
    pub(crate) step: String,
    /// What answered once the command had ended.
    pub(crate) outcome: String,
    pub(crate) problems: Vec<String>,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name, self.step, self.outcome)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

fn file() -> PathBuf {
    target().join("faults").join("real.jsonl")
}

/// All there are; of one that was tried again the last.
pub(crate) fn all() -> Result<Vec<Tried>> {
    let Ok(text) = fs::read_to_string(file()) else { return Ok(Vec::new()) };
    let mut all: Vec<Tried> = Vec::new();
    for line in text.lines() {
        let tried: Tried =
            serde_json::from_str(line).map_err(|error| wrong(format!("{}: {error}", file().display())))?;
        all.retain(|known| known.name != tried.name);
        all.push(tried);
    }
    Ok(all)
}

/// Adds one.
pub(super) fn keep(tried: &Tried) -> Result<()> {
    let file = file();
    let line = serde_json::to_string(tried).map_err(|error| wrong(error.to_string()))?;
    let write = || {
        fs::create_dir_all(file.parent().unwrap_or(&file))?;
        writeln!(fs::File::options().create(true).append(true).open(&file)?, "{line}")
    };
    write().context(|| format!("writing {}", file.display()))
}
