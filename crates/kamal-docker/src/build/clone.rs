//! A clean clone of the commit that is built, kept between builds in the temporary folder (spec 9.4, Clone), so that
//! what is not committed never gets into an image. It takes its objects from the work tree's repository, by hard links
//! where these can be had, and nothing from anywhere else.

use kamal_core::{
    event::{EventKind, Tone},
    ports::{BuildError, BuildOrder, Claim, Command},
};

use super::{
    git::{Repository, changes, reading, within},
    program::{Show, ask, must, run},
    submodules,
};

/// The folder to build in.
#[derive(Debug)]
pub(super) struct Prepared {
    /// `None` is the project's own, when `builder.context` says so or there is no repository.
    pub(super) folder: Option<String>,
    /// Keeps other builds out of the clone.
    _claim: Option<Claim>,
}

/// Prepares the folder to build in.
pub(super) async fn prepare(order: &BuildOrder<'_>) -> Result<Prepared, BuildError> {
    let as_it_is = Prepared { folder: None, _claim: None };
    if order.config.builder.context.is_some() {
        let changes = changes(order).await.unwrap_or_default();
        if !changes.is_empty() {
            let text = format!("Building with uncommitted changes:\n{changes}");
            order.events.emit(EventKind::tell(Tone::Warning, text));
        }
        return Ok(as_it_is);
    }
    let Some(repository) = Repository::of_project(order).await? else { return Ok(as_it_is) };
    let changes = changes(order).await?;
    if !changes.is_empty() {
        let text = format!("Building from a local git clone, so ignoring these uncommitted changes:\n{changes}");
        order.events.emit(EventKind::tell(Tone::Warning, text));
    }
    let (parent, claim) = claim(order).await?;
    let clone = format!("{parent}/{}", repository.name());
    let place = Place { repository: &repository, parent: &parent, clone: &clone };
    if let Err(error) = refresh(order, &place, "--local").await {
        order
            .events
            .emit(EventKind::tell(Tone::Problem, format!("Error preparing clone: {error}, deleting and retrying...")));
        order.local.remove_folder(&parent).await?;
        refresh(order, &place, "--no-local").await?;
    }
    let folder = format!("{clone}/{}", repository.prefix);
    check_committed(order, &folder).await?;
    note_pointers(order, &clone).await;
    Ok(Prepared { folder: Some(folder), _claim: Some(claim) })
}

struct Place<'p> {
    repository: &'p Repository,
    parent: &'p str,
    clone: &'p str,
}

/// The first folder for clones of this project that no other build is at work in.
async fn claim(order: &BuildOrder<'_>) -> Result<(String, Claim), BuildError> {
    let folders = order.local.folders();
    let temporary = folders.temporary.trim_end_matches('/');
    let name = format!("{temporary}/kamal-clones/{}-{}", order.config.service, short_hash(&folders.project));
    let mut number = 1;
    loop {
        let parent = if number == 1 { name.clone() } else { format!("{name}-{number}") };
        if let Some(claim) = order.local.claim(&format!("{parent}.lock")).await? {
            return Ok((parent, claim));
        }
        number += 1;
    }
}

async fn refresh(order: &BuildOrder<'_>, place: &Place<'_>, how: &str) -> Result<(), BuildError> {
    let (clone, store) = (place.clone, place.repository.store.as_str());
    let tell = |text: String| order.events.emit(EventKind::tell(Tone::Info, text));
    if order.local.exists(&format!("{clone}/.git")).await {
        tell(format!("Resetting local clone as `{clone}/` already exists..."));
        // From the path itself: where the repository was when it was cloned does not matter. It is the commit that is
        // fetched, on whatever branch it is or on none, and from a shallow repository too.
        let fetch =
            ["fetch", "--progress", "--no-recurse-submodules", "--update-shallow", "--tags", "--force", store, "HEAD"];
        run(order, "fetch into the clone", &reading(clone, store, fetch), Show::Progress).await?;
    } else {
        tell(format!("Cloning repo into build directory `{clone}/`..."));
        order.local.create_folder(place.parent).await?;
        let args = ["clone", "--progress", "--no-checkout", how, "--", store, clone];
        run(order, "clone the repository", &reading(place.parent, store, args), Show::Progress).await?;
    }
    run(order, "check the commit out", &checkout(place), Show::Progress).await?;
    must(order, &within(clone, ["clean", "-ffdxq"])).await?;
    submodules::update(order, place.repository, clone).await?;
    let told = must(order, &within(clone, ["status", "--porcelain=v2", "--branch"])).await?;
    check(&told, place)
}

/// Hooks that the user has for all repositories have no business in a clone.
fn checkout(place: &Place<'_>) -> Command {
    let revision = place.repository.revision.as_str();
    let (c, hooks) = ("-c", "core.hooksPath=/dev/null");
    match &place.repository.branch {
        Some(branch) => within(
            place.clone,
            [
                c,
                hooks,
                "checkout",
                "--progress",
                "--force",
                "--no-recurse-submodules",
                "--no-track",
                "-B",
                branch,
                revision,
            ],
        ),
        None => within(
            place.clone,
            [c, hooks, "checkout", "--progress", "--force", "--no-recurse-submodules", "--detach", revision],
        ),
    }
}

/// Reads `git status --porcelain=v2 --branch`: the right commit, and nothing changed.
fn check(told: &str, place: &Place<'_>) -> Result<(), BuildError> {
    let (clone, expected) = (place.clone, &place.repository.revision);
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

/// The clone holds what is committed; a Dockerfile that is not would be missed by docker, in words of its own.
async fn check_committed(order: &BuildOrder<'_>, folder: &str) -> Result<(), BuildError> {
    let builder = &order.config.builder;
    let dockerfile = &builder.dockerfile;
    let elsewhere = dockerfile.starts_with(['/', '~']) || dockerfile.contains(['$', '`']) || dockerfile == "-";
    if builder.pack.is_some() || elsewhere || order.local.exists(&format!("{folder}{dockerfile}")).await {
        return Ok(());
    }
    let fix = "commit it, or build the folder as it is with `context: .` in builder";
    Err(BuildError::Unfit(format!("{dockerfile} is not committed, and what is built is the commit; {fix}")))
}

/// Tells of files that stand for others, which git-lfs did not fetch.
async fn note_pointers(order: &BuildOrder<'_>, clone: &str) {
    let pattern = "^version https://git-lfs.github.com/spec/v1";
    let command = within(clone, ["grep", "-l", "-I", "-e", pattern, "--", ":(attr:filter=lfs)"]);
    let Some(found) = ask(order, &command).await else { return };
    let files: Vec<&str> = found.lines().collect();
    if let Some(first) = files.first() {
        let others = if files.len() > 1 { format!(" and {} more", files.len() - 1) } else { String::new() };
        let fix = "install git-lfs and run `git lfs pull`";
        let text = format!("The image gets pointers of Git LFS in place of {first}{others}; {fix}");
        order.events.emit(EventKind::tell(Tone::Warning, text));
    }
}

/// Thirteen digits that tell projects apart. It names a folder of our own, so it need not be Kamal's sha256.
fn short_hash(text: &str) -> String {
    format!("{:016x}", kamal_core::plan::fnv1a(text.as_bytes())).chars().take(13).collect()
}
