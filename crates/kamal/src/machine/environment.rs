//! The environment of a project: the process's own, or one that is given. Templates may change it as Kamal's do: a
//! deploy.yml that loads `.env` does so for the secrets, hooks and builds that come after it. The process's real one is
//! never changed, which cannot be done safely while threads run.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Variables, and what has been changed since. Clones are the same environment.
#[derive(Clone, Default)]
pub struct Environment {
    /// Instead of the process's own.
    given: Option<Arc<BTreeMap<String, String>>>,
    /// What has been set, or taken away.
    changes: Arc<Mutex<BTreeMap<String, Option<String>>>>,
}

impl Environment {
    /// The process's own, read when it is asked for.
    #[must_use]
    pub fn of_process() -> Self {
        Self::default()
    }

    /// These variables and no others, for programs too: without `PATH` there are none of them.
    pub fn of<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let given = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { given: Some(Arc::new(given)), changes: Arc::default() }
    }

    /// The user's home folder: what `HOME` says, unless that depends on where somebody is.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        let home = self.get("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        home.unwrap_or_else(|| PathBuf::from("/root"))
    }

    /// A variable, if it is there and is text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let changed = self.changes().get(name).cloned();
        changed.unwrap_or_else(|| match &self.given {
            Some(given) => given.get(name).cloned(),
            // Rust knows no variable of such a name and would panic on it.
            None if name.is_empty() || name.contains(['=', '\0']) => None,
            None => std::env::var(name).ok(),
        })
    }

    /// All variables that are text.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, String> {
        let own = || {
            let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
                Some((name.into_string().ok()?, value.into_string().ok()?))
            };
            std::env::vars_os().filter_map(text).collect()
        };
        let mut all = self.given.as_ref().map_or_else(own, |given| BTreeMap::clone(given));
        for (name, value) in &*self.changes() {
            match value {
                Some(value) => drop(all.insert(name.clone(), value.clone())),
                None => drop(all.remove(name)),
            }
        }
        all
    }

    /// Sets a variable, or takes it away.
    pub fn set(&self, name: &str, value: Option<&str>) {
        self.changes().insert(name.to_owned(), value.map(str::to_owned));
    }

    /// Gives a program the environment as it is now.
    pub(super) fn give(&self, process: &mut Command) {
        if let Some(given) = &self.given {
            process.env_clear().envs(given.iter());
        }
        for (name, value) in &*self.changes() {
            match value {
                Some(value) => process.env(name, value),
                None => process.env_remove(name),
            };
        }
    }

    fn changes(&self) -> MutexGuard<'_, BTreeMap<String, Option<String>>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names alone: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let changed: Vec<String> = self.changes().keys().cloned().collect();
        let given = self.given.as_ref().map(|given| given.keys().cloned().collect::<Vec<_>>());
        f.debug_struct("Environment").field("given", &given).field("changed", &changed).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_all_there_is_and_changes_are_shared_by_clones() {
        let environment = Environment::of([("A", "1"), ("B", "2")]);
        let clone = environment.clone();
        clone.set("A", None);
        clone.set("C", Some("3"));
        assert_eq!((environment.get("A"), environment.get("B").as_deref()), (None, Some("2")));
        assert_eq!(environment.all().into_keys().collect::<Vec<_>>(), ["B", "C"]);
        assert_eq!(environment.get("PATH"), None);
        let mut process = Command::new("env");
        environment.give(&mut process);
        assert_eq!(process.get_envs().filter(|(_, value)| value.is_some()).count(), 2);
        assert!(!format!("{environment:?}").contains('2'), "{environment:?}");
    }

    #[test]
    fn the_process_s_own_is_left_alone() {
        let environment = Environment::of_process();
        assert_eq!(environment.get("PATH"), std::env::var("PATH").ok());
        environment.set("PATH", Some("elsewhere"));
        assert_eq!(environment.get("PATH").as_deref(), Some("elsewhere"));
        assert_eq!(Environment::of_process().get("PATH"), std::env::var("PATH").ok());
        assert_eq!((environment.get(""), environment.get("A=B")), (None, None));
    }
}
