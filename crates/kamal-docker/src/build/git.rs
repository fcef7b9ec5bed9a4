//! git, asked about the project and told about clones.

use kamal_core::{
    event::{EventKind, Tone},
    ports::{BuildError, BuildOrder, Command, LocalError},
    shell::escape::word,
};

use super::program::{Printed, look};

/// What a hook of git's, and nobody else, sets: it would lead git away from the folder it is told to work in.
const OF_HOOKS: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
];

/// The project's repository.
#[derive(Debug)]
pub(super) struct Repository {
    /// The folder it begins in.
    pub(super) root: String,
    /// Where the project is in it: empty, or a path that ends with a slash.
    pub(super) prefix: String,
    /// Where git keeps it; a work tree beside others has a place of its own.
    pub(super) store: String,
    /// The commit.
    pub(super) revision: String,
    /// The branch that is checked out.
    pub(super) branch: Option<String>,
}

/// What git is to do in the project.
pub(super) fn here<const N: usize>(args: [&str; N]) -> Command {
    Command::new("git", args)
}

/// What git is to do in another folder.
pub(super) fn within<const N: usize>(folder: &str, args: [&str; N]) -> Command {
    let args = ["-c", "core.quotePath=false", "-C", folder].into_iter().chain(args);
    Command { without: OF_HOOKS, ..Command::new("git", args) }
}

/// Has git read from a repository that is known to be trusted: the project's own, which it has told about. It asks for
/// that trust again where it reads from the folder it keeps a repository in, which may be another user's.
pub(super) fn reading<const N: usize>(folder: &str, store: &str, args: [&str; N]) -> Command {
    let trust = format!("safe.directory={store}");
    let [verb, rest @ ..] = &args[..] else { return within(folder, args) };
    // Where links to objects cannot be had, they are copied as they are: packing them well takes ten times as long.
    let plain = "-c pack.window=0 -c pack.compression=0";
    let upload = format!("--upload-pack=git -c {} {plain} upload-pack", word(&trust));
    let all = ["-c", &trust, "-C", folder, verb, &upload].into_iter().chain(rest.iter().copied());
    Command { without: OF_HOOKS, ..Command::new("git", all) }
}

impl Repository {
    /// The repository the project is in, `None` when it is in none.
    pub(super) async fn of_project(order: &BuildOrder<'_>) -> Result<Option<Self>, BuildError> {
        let asked = look(order, &here(["rev-parse", "--show-toplevel"])).await;
        let asked = match asked {
            Err(BuildError::Local(LocalError::Missing { .. })) => {
                let text = "git is not installed, so building the folder as it is";
                order.events.emit(EventKind::tell(Tone::Warning, text));
                return Ok(None);
            }
            asked => asked?,
        };
        if !asked.exit.success() && asked.err.to_lowercase().contains("not a git repository") {
            return Ok(None);
        }
        let root = told(asked)?;
        let ask = async |args: &[&str]| told(look(order, &Command::new("git", args.iter().copied())).await?);
        let prefix = ask(&["rev-parse", "--show-prefix"]).await?;
        let store = ask(&["rev-parse", "--absolute-git-dir"]).await?;
        let revision =
            look(order, &here(["rev-parse", "--verify", "--quiet", "HEAD"])).await?.answer().ok_or_else(|| {
                let fix = "commit the project, or build the folder as it is with `context: .` in builder";
                BuildError::Unfit(format!("The repository in {root} has no commits yet; {fix}"))
            })?;
        let branch = look(order, &here(["symbolic-ref", "--quiet", "--short", "HEAD"])).await?.answer();
        Ok(Some(Self { root, prefix, store, revision, branch }))
    }

    /// The name of the folder it begins in.
    pub(super) fn name(&self) -> &str {
        self.root.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("repository")
    }
}

/// What is changed in the project and not committed, a line each.
pub(super) async fn changes(order: &BuildOrder<'_>) -> Result<String, BuildError> {
    let printed = look(order, &here(["-c", "core.quotePath=false", "status", "--porcelain"])).await?;
    told(printed).map(|changes| changes.trim_end().to_owned())
}

fn told(printed: Printed) -> Result<String, BuildError> {
    if printed.exit.success() {
        return Ok(printed.answer().unwrap_or_default());
    }
    let said = printed.err.trim();
    Err(BuildError::Unfit(if said.contains("dubious ownership") {
        let fix = said.lines().map(str::trim).find(|line| line.starts_with("git config")).unwrap_or_default();
        format!("The repository belongs to somebody else, so git does not read it; if you trust it: `{fix}`")
    } else {
        format!("git cannot read the repository: {said}")
    }))
}
