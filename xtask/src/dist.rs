//! Everything a release consists of, in one folder: archives and Debian packages per architecture, what is in
//! them, their checksums, and the texts that lead people to them.
//!
//! Binaries are static, so that one archive serves every distribution.

mod archive;
mod bill;
mod debian;
mod homebrew;
mod notes;
mod programs;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{note, print, run};
use crate::error::{Context, Error, Result};
use crate::programs::target;
use crate::workspace;

/// The version a release has.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A kind of machine a release is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Machine {
    /// As in names of archives, and as `uname -m` says.
    name: &'static str,
    /// As Rust calls it.
    triple: &'static str,
    /// As Docker and Debian call it.
    architecture: &'static str,
}

const MACHINES: [Machine; 2] = [
    Machine { name: "x86_64", triple: "x86_64-unknown-linux-musl", architecture: "amd64" },
    Machine { name: "aarch64", triple: "aarch64-unknown-linux-musl", architecture: "arm64" },
];

impl Machine {
    /// What its archive, and the folder inside, are called.
    fn title(self) -> String {
        format!("kamal-{VERSION}-{}-linux", self.name)
    }
}

/// Makes a release for these kinds of machine, or all, in `folder`, which it empties first. Prints a line for each file.
///
/// # Errors
///
/// When there is no such kind of machine, a build fails, or a tool that is needed cannot be installed.
pub fn make(names: &[String], folder: Option<PathBuf>) -> Result<()> {
    let machines = chosen(names)?;
    let folder = folder.unwrap_or_else(|| target().join("dist"));
    let folder = std::path::absolute(&folder).context(|| format!("folder {}", folder.display()))?;
    if folder.exists() {
        fs::remove_dir_all(&folder).context(|| format!("emptying {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).context(|| format!("creating {}", folder.display()))?;
    let work = target().join("dist-work");

    let mut built = Vec::new();
    for machine in machines {
        note(format_args!("building for {} (many minutes the first time)", machine.triple));
        built.push(programs::build(machine)?);
    }
    let papers = tree::papers(&work)?;
    let changed = changed_at()?;
    for programs in &built {
        let root = tree::put_up(&work, programs, &built, &papers)?;
        archive::pack(&root, &folder.join(format!("{}.tar.gz", programs.machine.title())), changed)?;
        debian::pack(&root, programs.machine, &folder, changed)?;
    }
    bill::write(&folder)?;
    notes::write(&folder)?;
    copy(&workspace().join("packaging/install.sh"), &folder.join("install.sh"))?;
    homebrew::write(&folder)?;
    sums(&folder)
}

fn chosen(names: &[String]) -> Result<Vec<Machine>> {
    let known = MACHINES.map(|machine| machine.name);
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Error::Refused(format!("no release is made for {unknown:?}; there are {}", known.join(", "))));
    }
    Ok(MACHINES
        .into_iter()
        .filter(|machine| names.is_empty() || names.iter().any(|name| name == machine.name))
        .collect())
}

/// When the commit was made, in seconds since 1970: what files are dated by, so that a release made twice is the same.
fn changed_at() -> Result<u64> {
    let said = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(said) => said,
        Err(_) => run(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(workspace()))?,
    };
    said.trim().parse().map_err(|_| Error::Refused(format!("{:?} is no time in seconds since 1970", said.trim())))
}

/// Writes `SHA256SUMS`, and prints it.
fn sums(folder: &Path) -> Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).context(|| format!("reading {}", folder.display()))? {
        names.push(entry.context(|| format!("reading {}", folder.display()))?.file_name());
    }
    names.sort();
    let sums = run(Command::new("sha256sum").args(&names).current_dir(folder))?;
    let path = folder.join("SHA256SUMS");
    fs::write(&path, &sums).context(|| format!("writing {}", path.display()))?;
    note(format_args!("in {}:", folder.display()));
    print(sums.trim_end())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).context(|| format!("creating {}", parent.display()))?;
    }
    fs::copy(from, to).map(drop).context(|| format!("copying {} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_chosen_by_name() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(chosen(&[]).unwrap(), MACHINES);
        assert_eq!(chosen(&names(&["aarch64"])).unwrap(), [MACHINES[1]]);
        let error = chosen(&names(&["sparc"])).unwrap_err().to_string();
        assert_eq!(error, "no release is made for \"sparc\"; there are x86_64, aarch64");
    }
}
