//! The process's environment, as Kamal's templates may change it: a deploy.yml that loads `.env` does so for the
//! secrets, hooks and builds that come after it. The real one cannot be changed safely while threads run.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What has been set, or taken away, on top of what the process was started with.
static CHANGES: Mutex<BTreeMap<String, Option<String>>> = Mutex::new(BTreeMap::new());

fn changes() -> MutexGuard<'static, BTreeMap<String, Option<String>>> {
    CHANGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A variable.
pub(crate) fn get(name: &str) -> Option<String> {
    let changed = changes().get(name).cloned();
    // Rust knows no variable of such a name and would panic on it.
    let possible = !name.is_empty() && !name.contains(['=', '\0']);
    changed.unwrap_or_else(|| possible.then(|| std::env::var(name).ok())?)
}

/// All variables that are text.
pub(crate) fn all() -> BTreeMap<String, String> {
    let own =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut all: BTreeMap<String, String> = own.collect();
    for (name, value) in &*changes() {
        match value {
            Some(value) => drop(all.insert(name.clone(), value.clone())),
            None => drop(all.remove(name)),
        }
    }
    all
}

/// Sets a variable, or takes it away.
pub(crate) fn set(name: &str, value: Option<&str>) {
    changes().insert(name.to_owned(), value.map(str::to_owned));
}

/// Gives a program the environment as it is now.
pub(crate) fn give(process: &mut Command) {
    for (name, value) in &*changes() {
        match value {
            Some(value) => process.env(name, value),
            None => process.env_remove(name),
        };
    }
}
