//! How far the crates reach beyond this machine's compiler: the oldest Rust each says it needs, the web's target for the
//! engine, every set of features, and what others may know of our dependencies.
//!
//! What a check takes and this machine cannot get is no fault of the change that is checked: it is skipped, which the
//! summary says, and why.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

use crate::{
    ci::{Verdict, cargo},
    command::{find_program, note, run, show},
    error::{Error, Result},
    workspace,
};

/// The target without an operating system that everything pure builds for.
const WEB: &str = "wasm32-unknown-unknown";

/// Where crates that others add to their programs are. What is beside them runs here alone.
const PUBLISHED: &str = "crates/";

/// A crate that others add to their programs.
#[derive(Debug, PartialEq, Eq)]
struct Published {
    name: String,
    /// The oldest Rust it says it builds with.
    oldest: String,
    /// Its features, each with those of the same crate that it brings along.
    features: BTreeMap<String, BTreeSet<String>>,
}

/// The engine builds where there are no files, sockets, threads or clocks.
///
/// # Errors
///
/// When cargo cannot be started.
pub fn web() -> Result<Verdict> {
    let library =
        run(Command::new("rustc").args(["--print", "target-libdir", "--target", WEB]).current_dir(workspace()));
    let there =
        library.is_ok_and(|folder| std::fs::read_dir(folder.trim()).is_ok_and(|mut entries| entries.next().is_some()));
    if !there && let Err(why) = rustup(&["target", "add", WEB]) {
        return Ok(Verdict::Skipped(format!("no standard library for {WEB}: {why}")));
    }
    Ok(checked(cargo().args(["check", "--package", "kamal-core", "--all-features", "--target", WEB])))
}

/// Each crate builds with the oldest Rust it says it builds with.
///
/// # Errors
///
/// When cargo does not say what crates there are.
pub fn oldest() -> Result<Verdict> {
    let mut by_version: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Published { name, oldest, .. } in published()? {
        by_version.entry(oldest).or_default().push(name);
    }
    for (version, names) in by_version {
        if run(Command::new("rustup").args(["run", &version, "cargo", "--version"])).is_err()
            && let Err(why) = rustup(&["toolchain", "install", &version, "--profile", "minimal"])
        {
            return Ok(Verdict::Skipped(format!("no Rust {version}: {why}")));
        }
        let mut check = Command::new("rustup");
        check.args(["run", &version, "cargo", "check", "--all-features"]).current_dir(workspace());
        check.args(names.iter().flat_map(|name| ["--package", name]));
        if checked(&mut check) != Verdict::Passed {
            return Ok(Verdict::Failed);
        }
    }
    Ok(Verdict::Passed)
}

/// Each crate builds with every set of its features, and its tests are not what brings a feature along.
///
/// # Errors
///
/// When cargo does not say what crates there are.
pub fn features() -> Result<Verdict> {
    for krate in published()? {
        for set in krate.sets() {
            let features = set.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            let mut check = cargo();
            check.args([
                "check",
                "--quiet",
                "--package",
                &krate.name,
                "--no-default-features",
                "--features",
                &features,
            ]);
            if checked(&mut check) != Verdict::Passed {
                note(format_args!("{} does not build with the features [{features}]", krate.name));
                return Ok(Verdict::Failed);
            }
        }
    }
    Ok(Verdict::Passed)
}

/// Licences, sources, crates that must not come in, and what is known of faults in dependencies.
///
/// # Errors
///
/// When cargo cannot be started.
pub fn dependencies() -> Result<Verdict> {
    if find_program("cargo-deny").is_none() {
        // Building it takes longer than most of what is checked here.
        let how = "there is no cargo-deny; `cargo install --locked cargo-deny` brings it";
        return Ok(Verdict::Skipped(how.to_owned()));
    }
    if checked(cargo().args(["deny", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))
        != Verdict::Passed
    {
        return Ok(Verdict::Failed);
    }
    if let Err(error) = run(cargo().args(["deny", "fetch", "db"])) {
        note(error);
        return Ok(Verdict::Skipped("all but advisories, whose database cannot be fetched".to_owned()));
    }
    Ok(checked(cargo().args(["deny", "check", "--disable-fetch", "advisories"])))
}

/// A check that passes when the command succeeds.
fn checked(command: &mut Command) -> Verdict {
    Verdict::of(show(command).is_ok())
}

/// Has rustup get something.
fn rustup(arguments: &[&str]) -> std::result::Result<(), String> {
    if find_program("rustup").is_none() {
        return Err("there is no rustup".to_owned());
    }
    note(format_args!("rustup {}", arguments.join(" ")));
    let got = run(Command::new("rustup").args(arguments));
    got.map(drop).map_err(|error| error.to_string().lines().last().unwrap_or_default().to_owned())
}

fn published() -> Result<Vec<Published>> {
    let text = run(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| Error::Refused(error.to_string()))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    Ok(packages.filter_map(Published::read).collect())
}

impl Published {
    /// A package as `cargo metadata` tells of it; `None` where it is not for others.
    fn read(package: &Value) -> Option<Self> {
        let manifest = package["manifest_path"].as_str()?.strip_prefix(workspace().to_str()?)?;
        if !manifest.trim_start_matches('/').starts_with(PUBLISHED) {
            return None;
        }
        let own = package["features"].as_object()?;
        let brings = |names: &Value| {
            let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
            names.filter(|name| own.contains_key(*name)).map(str::to_owned).collect()
        };
        // What `default` names can be chosen one by one.
        let chosen = own.iter().filter(|(name, _)| *name != "default");
        Some(Self {
            name: package["name"].as_str()?.to_owned(),
            oldest: package["rust_version"].as_str()?.to_owned(),
            features: chosen.map(|(name, names)| (name.clone(), brings(names))).collect(),
        })
    }

    /// Every set of features that is another than those before it: what a feature brings along is in a set with it.
    fn sets(&self) -> BTreeSet<BTreeSet<String>> {
        let mut sets = BTreeSet::from([BTreeSet::new()]);
        for name in self.features.keys() {
            let with = sets.iter().map(|set| self.closed(set, name)).collect::<Vec<_>>();
            sets.extend(with);
        }
        sets
    }

    /// A set, with a feature and what that brings along.
    fn closed(&self, set: &BTreeSet<String>, name: &str) -> BTreeSet<String> {
        let mut set = set.clone();
        if set.insert(name.to_owned()) {
            for brought in self.features.get(name).into_iter().flatten() {
                set = self.closed(&set, brought);
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sets(features: &Value) -> Vec<Vec<String>> {
        let manifest = workspace().join("crates/a/Cargo.toml");
        let package = json!({"name": "a", "manifest_path": manifest, "rust_version": "1.88", "features": features});
        let sets = Published::read(&package).unwrap().sets();
        sets.into_iter().map(|set| set.into_iter().collect()).collect()
    }

    #[test]
    fn sets_of_features_that_come_to_the_same_are_one() {
        assert_eq!(sets(&json!({})), [[""; 0]]);
        assert_eq!(
            sets(&json!({"default": ["a"], "a": [], "b": ["dep:x"]})),
            [vec![], vec!["a"], vec!["a", "b"], vec!["b"]]
        );
        // One of them brings the other along.
        assert_eq!(
            sets(&json!({"h3": ["server", "dep:h3"], "server": []})),
            [vec![], vec!["h3", "server"], vec!["server"]]
        );
    }

    #[test]
    fn what_runs_here_alone_is_nobody_elses_concern() {
        let package = json!({"name": "xtask", "manifest_path": workspace().join("xtask/Cargo.toml"),
            "rust_version": "1.88", "features": {}});
        assert_eq!(Published::read(&package), None);
        let names: Vec<String> = published().unwrap().into_iter().map(|krate| krate.name).collect();
        assert_eq!(names.len(), 6, "{names:?}");
    }
}
