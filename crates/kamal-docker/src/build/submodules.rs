//! Submodules of a clone, taken from the work tree, where they lie checked out. Only what is not there is fetched, from
//! where the work tree would fetch it: an address that is relative is so to the work tree's own origin.

use kamal_core::{
    event::{EventKind, Tone},
    ports::{BuildError, BuildOrder, Command},
    secret::Secret,
};

use super::{
    git::{Repository, within},
    program::{Show, ask, must, run},
};

/// A submodule of a commit.
struct Submodule {
    name: String,
    path: String,
    commit: String,
}

/// A repository of the work tree: where it is checked out, if it is, and where git keeps it.
struct Source {
    checkout: String,
    store: String,
}

/// Brings the submodules of a clone, and theirs, to the commits that are recorded.
pub(super) async fn update(order: &BuildOrder<'_>, repository: &Repository, clone: &str) -> Result<(), BuildError> {
    let source = Source { checkout: repository.root.clone(), store: repository.store.clone() };
    let mut pending = vec![(source, clone.to_owned())];
    while let Some((source, clone)) = pending.pop() {
        for submodule in list(order, &clone).await? {
            let inside = format!("{clone}/{}", submodule.path);
            if let Some(store) = store(order, &source, &submodule).await {
                take(order, &clone, &submodule, &store).await?;
                let checkout = format!("{}/{}", source.checkout, submodule.path);
                pending.push((Source { checkout, store }, inside.clone()));
            } else {
                fetch(order, &source, &clone, &submodule).await?;
            }
            // One that is not to be checked out (`update = none`) has nothing to clean.
            if order.local.exists(&format!("{inside}/.git")).await {
                must(order, &within(&inside, ["clean", "-ffdxq"])).await?;
            }
        }
    }
    Ok(())
}

/// The submodules of what is checked out in a clone.
async fn list(order: &BuildOrder<'_>, clone: &str) -> Result<Vec<Submodule>, BuildError> {
    if !order.local.exists(&format!("{clone}/.gitmodules")).await {
        return Ok(Vec::new());
    }
    let asked = ["config", "--file", ".gitmodules", "--null", "--get-regexp", "^submodule\\..*\\.path$"];
    let Some(paths) = ask(order, &within(clone, asked)).await else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in paths.split('\0') {
        let Some((key, path)) = entry.split_once('\n') else { continue };
        let Some(name) = key.strip_prefix("submodule.").and_then(|key| key.strip_suffix(".path")) else { continue };
        let staged = within(clone, ["ls-files", "--stage", "-z", "--", &format!(":(literal){path}")]);
        let staged = ask(order, &staged).await.unwrap_or_default();
        // A folder of the name that holds no submodule has entries of other kinds.
        if let Some(commit) = staged.strip_prefix("160000 ").and_then(|rest| rest.split(' ').next()) {
            found.push(Submodule { name: name.to_owned(), path: path.to_owned(), commit: commit.to_owned() });
        }
    }
    Ok(found)
}

/// The repository in the work tree that holds the commit: the submodule's, or what git kept of it.
async fn store(order: &BuildOrder<'_>, source: &Source, submodule: &Submodule) -> Option<String> {
    let checkout = format!("{}/{}", source.checkout, submodule.path);
    let mut stores = Vec::new();
    if order.local.exists(&format!("{checkout}/.git")).await {
        stores.extend(ask(order, &trusting(within(&checkout, ["rev-parse", "--absolute-git-dir"]))).await);
    }
    // A work tree beside others keeps some things apart from them.
    let common = bare(&source.store, ["rev-parse", "--path-format=absolute", "--git-common-dir"]);
    let common = ask(order, &common).await;
    let kept = [Some(source.store.clone()), common].into_iter().flatten();
    stores.extend(kept.map(|store| format!("{store}/modules/{}", submodule.name)));
    let commit = format!("{}^{{commit}}", submodule.commit);
    for store in stores {
        if order.local.exists(&format!("{store}/HEAD")).await
            && ask(order, &bare(&store, ["cat-file", "-e", &commit])).await.is_some()
        {
            return Some(store);
        }
    }
    None
}

/// Takes a submodule from the work tree.
async fn take(order: &BuildOrder<'_>, clone: &str, submodule: &Submodule, store: &str) -> Result<(), BuildError> {
    let Submodule { name, path, .. } = submodule;
    let url = within(clone, ["config", &format!("submodule.{name}.url"), store]);
    must(order, &url).await?;
    if let Some(modules) = ask(order, &within(clone, ["rev-parse", "--git-path", "modules"])).await {
        let modules = if modules.starts_with('/') { modules } else { format!("{clone}/{modules}") };
        let config = format!("{modules}/{name}/config");
        // One that an earlier build made fetches from where it was made from.
        if order.local.exists(&config).await {
            let url = within(clone, ["config", "--file", &config, "remote.origin.url", store]);
            must(order, &url).await?;
        }
    }
    let literal = format!(":(literal){path}");
    let args = ["-c", "protocol.file.allow=always", "submodule", "update", "--init", "--force", "--", &literal];
    let command = trusting(within(clone, args));
    run(order, &format!("take the submodule {path}"), &command, Show::Nothing).await.map(drop)
}

/// Fetches a submodule the work tree does not hold.
async fn fetch(order: &BuildOrder<'_>, source: &Source, clone: &str, submodule: &Submodule) -> Result<(), BuildError> {
    let Submodule { name, path, .. } = submodule;
    let text = format!("Fetching the submodule {path}, which the work tree does not hold...");
    order.events.emit(EventKind::tell(Tone::Info, text));
    // An earlier build may have pointed it to the work tree.
    ask(order, &within(clone, ["config", "--unset-all", &format!("submodule.{name}.url")])).await;
    let origin = ask(order, &bare(&source.store, ["remote", "get-url", "origin"])).await;
    let origin = origin.map(|url| if url.starts_with('.') { format!("{}/{url}", source.checkout) } else { url });
    let told = |args: &[&str]| {
        let literal = format!(":(literal){path}");
        let args = ["submodule"].into_iter().chain(args.iter().copied()).chain(["--", &literal]);
        let mut command = within(clone, []);
        command.args.extend(args.map(str::to_owned));
        match &origin {
            Some(origin) => setting(command, "remote.origin.url", origin),
            None => command,
        }
    };
    must(order, &told(&["init"])).await?;
    must(order, &told(&["sync"])).await?;
    let update = told(&["update", "--init", "--recursive", "--force"]);
    run(order, &format!("fetch the submodule {path}"), &update, Show::Nothing).await.map(drop)
}

/// What git is to do in a repository's store. The work tree it says to have need not be there.
fn bare<const N: usize>(store: &str, args: [&str; N]) -> Command {
    let mut command = within(store, []);
    command.args.extend(["--git-dir", store, "--work-tree", store].into_iter().chain(args).map(str::to_owned));
    trusting(command)
}

/// The work tree is the user's own choice, so what lies in it is read, whoever owns it.
fn trusting(command: Command) -> Command {
    setting(command, "safe.directory", "*")
}

/// A setting for one command, in its environment: an address may hold a password.
fn setting(mut command: Command, key: &str, value: &str) -> Command {
    let settings = [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", key), ("GIT_CONFIG_VALUE_0", value)];
    command.env.extend(settings.map(|(name, value)| (name.to_owned(), Secret::new(value))));
    command
}
