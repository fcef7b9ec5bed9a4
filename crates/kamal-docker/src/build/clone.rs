//! A clean clone of the commit that is built, kept between builds in the temporary folder (spec 9.4, Clone), so that
//! what is not committed never gets into an image.

use kamal_core::{
    event::{EventKind, Tone},
    ports::{BuildError, BuildOrder, Command},
};

use super::{ask, run};

/// Prepares the folder to build in: `None` is the project's own, when `builder.context` says so or there is no
/// repository.
pub(super) async fn prepare(order: &BuildOrder<'_>) -> Result<Option<String>, BuildError> {
    let changes = ask(order.local, &git(None, ["status", "--porcelain"])).await;
    if order.config.builder.context.is_some() {
        if let Some(changes) = changes.filter(|changes| !changes.is_empty()) {
            order
                .events
                .emit(EventKind::tell(Tone::Warning, format!("Building with uncommitted changes:\n {changes}")));
        }
        return Ok(None);
    }
    let Some(changes) = changes else { return Ok(None) };
    if !changes.is_empty() {
        let text = format!("Building from a local git clone, so ignoring these uncommitted changes:\n {changes}");
        order.events.emit(EventKind::tell(Tone::Warning, text));
    }
    let unfit = || BuildError::Unfit("git does not tell where the repository is".to_owned());
    let told = ask(order.local, &git(None, ["rev-parse", "--show-toplevel", "--show-prefix", "HEAD"]))
        .await
        .ok_or_else(unfit)?;
    let lines: Vec<&str> = told.lines().collect();
    // The prefix line is empty, and thus easily trimmed away, at the repository's root.
    let (root, prefix, revision) = match lines[..] {
        [root, prefix, revision] => (root, prefix, revision),
        [root, revision] => (root, "", revision),
        _ => return Err(unfit()),
    };
    let folders = order.local.folders();
    let parent =
        format!("{}/kamal-clones/{}-{}", folders.temporary, order.config.service, short_hash(&folders.project));
    let name = root.rsplit('/').next().unwrap_or(root);
    let clone = format!("{parent}/{name}");
    let place = Place { root, revision, parent: &parent, clone: &clone };
    if let Err(error) = refresh(order, &place).await {
        order
            .events
            .emit(EventKind::tell(Tone::Problem, format!("Error preparing clone: {error}, deleting and retrying...")));
        order.local.remove_folder(&parent).await?;
        refresh(order, &place).await?;
    }
    Ok(Some(format!("{clone}/{prefix}")))
}

struct Place<'p> {
    root: &'p str,
    revision: &'p str,
    parent: &'p str,
    clone: &'p str,
}

async fn refresh(order: &BuildOrder<'_>, place: &Place<'_>) -> Result<(), BuildError> {
    let clone = place.clone;
    if order.local.exists(&format!("{clone}/.git")).await {
        order
            .events
            .emit(EventKind::tell(Tone::Info, format!("Resetting local clone as `{clone}/` already exists...")));
        // From the path itself: where the repository was when it was cloned does not matter.
        run(order, "fetch into the clone", &git(Some(clone), ["fetch", "--quiet", place.root, "HEAD"]), false).await?;
        run(order, "reset the clone", &git(Some(clone), ["reset", "--quiet", "--hard", place.revision]), false).await?;
        run(order, "clean the clone", &git(Some(clone), ["clean", "-fdxq"]), false).await?;
        if order.local.exists(&format!("{clone}/.gitmodules")).await {
            run(order, "update submodules", &git(Some(clone), ["submodule", "update", "--init"]), false).await?;
        }
    } else {
        order.events.emit(EventKind::tell(Tone::Info, format!("Cloning repo into build directory `{clone}/`...")));
        order.local.create_folder(place.parent).await?;
        let command = git(Some(place.parent), ["clone", "--quiet", place.root, "--recurse-submodules"]);
        run(order, "clone the repository", &command, false).await?;
    }
    let status = git(Some(clone), ["status", "--porcelain=v2", "--branch"]);
    let told = run(order, "check the clone", &status, false).await?;
    check(&told, place)
}

/// Reads `git status --porcelain=v2 --branch`: the right commit, and nothing changed.
fn check(told: &str, place: &Place<'_>) -> Result<(), BuildError> {
    let (clone, expected) = (place.clone, place.revision);
    let head = told.lines().find_map(|line| line.strip_prefix("# branch.oid ")).unwrap_or_default();
    if head != expected {
        return Err(BuildError::Unfit(format!(
            "Clone in {clone} is not on the correct revision, expected `{expected}` but got `{head}`"
        )));
    }
    let dirt: Vec<&str> = told.lines().filter(|line| !line.starts_with('#')).collect();
    if dirt.is_empty() {
        Ok(())
    } else {
        Err(BuildError::Unfit(format!("Clone in {clone} is dirty, {}", dirt.join("\n"))))
    }
}

fn git<const N: usize>(folder: Option<&str>, args: [&str; N]) -> Command {
    let mut all: Vec<String> = folder.iter().flat_map(|folder| ["-C".to_owned(), (*folder).to_owned()]).collect();
    all.extend(args.map(str::to_owned));
    Command::new("git", all)
}

/// Thirteen digits that tell projects apart. It names a folder of our own, so it need not be Kamal's sha256.
fn short_hash(text: &str) -> String {
    format!("{:016x}", kamal_core::plan::fnv1a(text.as_bytes())).chars().take(13).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_must_be_of_the_commit_and_clean() {
        let place = Place { root: "/r", revision: "abc", parent: "/c", clone: "/c/r" };
        let said = |told: &str| check(told, &place).map_err(|error| error.to_string());
        assert_eq!(said("# branch.oid abc\n# branch.head main\n"), Ok(()));
        assert!(said("# branch.oid def\n").unwrap_err().contains("expected `abc` but got `def`"));
        assert!(said("# branch.oid abc\n1 .M N... 100644 100644 100644 1 2 file\n").unwrap_err().contains("dirty"));
        assert!(said("").unwrap_err().contains("got ``"));
    }
}
