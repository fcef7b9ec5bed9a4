//! What is unpacked below a prefix such as `/usr/local`: programs, manual pages, completions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::copy;
use super::programs::Programs;
use crate::command::{run, show};
use crate::error::{Context, Result};
use crate::programs::{Profile, command};
use crate::workspace;

/// The shells, and where each looks for what completes `kamal`.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/kamal"),
    ("zsh", "share/zsh/site-functions/_kamal"),
    ("fish", "share/fish/vendor_completions.d/kamal.fish"),
];

/// Texts a release comes with.
const TEXTS: [&str; 3] = ["LICENSE", "README.md", "CHANGELOG.md"];

/// Writes manual pages and completions, which are the same for all machines, and gives the folder.
///
/// What is asked for them is the command as it is built for development: the one of a release may not run here.
pub(super) fn papers(work: &Path) -> Result<PathBuf> {
    let folder = work.join("papers");
    if folder.exists() {
        fs::remove_dir_all(&folder).context(|| format!("emptying {}", folder.display()))?;
    }
    let kamal = command(Profile::Dev)?;
    show(
        Command::new(&kamal).args(["docs", "--man"]).arg(folder.join("share/man/man1")).current_dir(work_folder(work)?),
    )?;
    for (shell, place) in SHELLS {
        let script = run(Command::new(&kamal).args(["completion", shell]).current_dir(work_folder(work)?))?;
        let path = folder.join(place);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).context(|| format!("creating {}", parent.display()))?;
        }
        fs::write(&path, script).context(|| format!("writing {}", path.display()))?;
    }
    Ok(folder)
}

/// A folder without a project, or its aliases would be among the commands.
fn work_folder(work: &Path) -> Result<&Path> {
    fs::create_dir_all(work).context(|| format!("creating {}", work.display()))?;
    Ok(work)
}

/// Puts up the tree for one kind of machine, and gives its root. The proxy is there for every architecture that was
/// built: hosts need not be of the kind the command runs on.
pub(super) fn put_up(work: &Path, programs: &Programs, built: &[Programs], papers: &Path) -> Result<PathBuf> {
    let root = work.join(programs.machine.title());
    if root.exists() {
        fs::remove_dir_all(&root).context(|| format!("emptying {}", root.display()))?;
    }
    copy(&programs.kamal, &root.join("bin/kamal"))?;
    for Programs { machine, proxy, .. } in built {
        copy(proxy, &root.join("bin").join(format!("kamal-proxy-linux-{}", machine.architecture)))?;
    }
    for text in TEXTS {
        copy(&workspace().join(text), &root.join("share/doc/kamal").join(text))?;
    }
    for file in files(papers)? {
        copy(&papers.join(&file), &root.join(&file))?;
    }
    Ok(root)
}

/// The files below a folder, by their paths in it, in order.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let reading = || format!("reading {}", next.display());
        for entry in fs::read_dir(&next).context(reading)? {
            let path = entry.context(reading)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(inside) = path.strip_prefix(folder) {
                found.push(inside.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
