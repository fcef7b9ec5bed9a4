//! Secrets files of the project, read when the first secret is asked for.

use std::{
    collections::BTreeSet,
    iter,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use kamal_core::{
    config::Config,
    event::{EventKind, Tone},
    ports::{Events, Secrets},
    redact::Redactor,
    run::Needs,
    secret::Secret,
    secrets::{Commands, Ran, Secrets as Store, SecretsFile, Use, encrypted, notice, vendors::Programs},
};

use super::outside::Surroundings;

/// Secrets of `.kamal/secrets-common` and `.kamal/secrets[.DESTINATION]` (spec 3.1), and of encrypted files beside them.
#[derive(Debug)]
pub struct FileSecrets {
    candidates: Vec<String>,
    asked: Surroundings,
    store: OnceLock<Result<Store, String>>,
    redactor: Redactor,
    notices: Notices,
}

/// What users are told about secrets as they are used, each once.
#[derive(Debug, Default)]
struct Notices {
    events: Option<Arc<dyn Events>>,
    /// Keys of secrets that are variables of containers.
    variables: BTreeSet<String>,
    told: Mutex<BTreeSet<String>>,
}

impl Notices {
    fn new(config: &Config, events: Option<Arc<dyn Events>>) -> Self {
        let roles = config.roles.iter().map(|role| &role.env);
        let accessories = config.accessories.iter().map(|accessory| &accessory.env);
        let all = iter::once(&config.env).chain(config.env_tags.values()).chain(roles).chain(accessories);
        let variables = all.flat_map(|env| &env.secret).map(|secret| secret.key.clone()).collect();
        Self { events, variables, told: Mutex::default() }
    }

    fn of(&self, store: &Store, key: &str, value: &Secret) -> Option<String> {
        notice(store, key, value, if self.variables.contains(key) { Use::Variable } else { Use::Other })
    }

    fn say(&self, text: &str) {
        if let Some(events) = &self.events {
            events.emit(EventKind::tell(Tone::Warning, format!("warning: {text}")));
        }
    }

    fn tell(&self, store: &Store, key: &str, value: &Secret) {
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned())
            && let Some(text) = self.of(store, key, value)
        {
            self.say(&text);
        }
    }
}

/// The most threads for secrets. Most of them wait for the command another began, which is why it is not they that are
/// counted but the programs.
const THREADS: usize = 256;

impl FileSecrets {
    /// Secrets of a configuration's files. What is odd about one that is used is told to who listens.
    pub fn new(config: &Config, asked: Surroundings, redactor: Redactor, events: Option<Arc<dyn Events>>) -> Self {
        let path = &config.secrets_path;
        let own =
            config.destination.as_ref().map_or_else(|| path.clone(), |destination| format!("{path}.{destination}"));
        let candidates = vec![format!("{path}-common"), own];
        let notices = Notices::new(config, events);
        let secrets = Self { candidates, asked, store: OnceLock::new(), redactor, notices };
        secrets.plain(config);
        secrets
    }

    /// What the configuration needs and stands in the files in clear is covered from the beginning: commands such as
    /// `app logs` need no secret, but show what may repeat one. A secret that takes a command is covered once it is
    /// resolved. What is odd about them comes back.
    pub fn plain(&self, config: &Config) -> Vec<String> {
        // What is wrong with the files is said when a secret is needed.
        let Ok(store) = load(&self.asked.project, &self.candidates, None) else { return Vec::new() };
        let store = store.redacted_by(self.redactor.clone());
        let needs = Needs::all(config);
        let known = needs.keys().filter_map(|key| Some((key, store.get(key, &Commandless(&self.asked)).ok()?)));
        known.filter_map(|(key, value)| self.notices.of(&store, key, &value)).collect()
    }

    fn store(&self) -> Result<&Store, String> {
        let load = || {
            let store = load(&self.asked.project, &self.candidates, Some(&self.asked))?;
            for (path, lint) in store.lints() {
                self.notices.say(&format!("{path}:{}: {}", lint.line, lint.kind));
            }
            Ok(store.redacted_by(self.redactor.clone()))
        };
        let store = self.store.get_or_init(load);
        store.as_ref().map_err(Clone::clone)
    }
}

/// The machine, refusing commands.
struct Commandless<'a>(&'a Surroundings);

impl Commands for Commandless<'_> {
    fn env(&self, name: &str) -> Option<String> {
        Commands::env(self.0, name)
    }

    fn run(&self, _command: &str) -> Result<Ran, String> {
        Err("not asked for".to_owned())
    }

    fn inline_kamal(&self, _args: &[String]) -> Result<String, String> {
        Err("not asked for".to_owned())
    }
}

/// Does something for each item, on several threads. The answers have the order of the items.
pub(super) fn side_by_side<I: Sync, O: Send + Sync>(items: &[I], work: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let answers: Vec<OnceLock<O>> = items.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let take = || {
        while let Some((item, answer)) = at(items, &answers, next.fetch_add(1, Ordering::Relaxed)) {
            answer.get_or_init(|| work(item));
        }
    };
    thread::scope(|scope| {
        for _ in 1..items.len().min(THREADS) {
            scope.spawn(take);
        }
        take();
    });
    answers.into_iter().filter_map(OnceLock::into_inner).collect()
}

fn at<'s, I, O>(items: &'s [I], answers: &'s [OnceLock<O>], index: usize) -> Option<(&'s I, &'s OnceLock<O>)> {
    Some((items.get(index)?, answers.get(index)?))
}

/// Reads the files that are there. Encrypted ones are left out where there are no programs to decrypt them.
fn load(project: &Path, candidates: &[String], programs: Option<&dyn Programs>) -> Result<Store, String> {
    let mut files = Vec::new();
    for path in candidates.iter().flat_map(|path| encrypted::SUFFIXES.map(|suffix| format!("{path}{suffix}"))) {
        match std::fs::read(project.join(&path)) {
            Ok(bytes) => {
                if let Some(text) = encrypted::plain(&path, bytes, programs).map_err(|error| error.to_string())? {
                    files.push(SecretsFile { path, text });
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("cannot read {path}: {error}")),
        }
    }
    Store::new(&files, candidates).map_err(|error| error.to_string())
}

impl Secrets for FileSecrets {
    fn get(&self, key: &str) -> Result<Secret, String> {
        let store = self.store()?;
        let value = store.need(key, &self.asked).map_err(|error| error.to_string())?;
        self.notices.tell(store, key, &value);
        Ok(value)
    }

    fn get_many(&self, keys: &[&str]) -> Vec<Result<Secret, String>> {
        side_by_side(keys, |key| self.get(key))
    }

    fn all(&self) -> Result<Vec<(String, Secret)>, String> {
        let store = self.store()?;
        let value = |key: &&str| store.get(key, &self.asked).map(|secret| ((*key).to_owned(), secret));
        side_by_side(&store.keys(), value).into_iter().collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(project: &Path, text: &str) -> FileSecrets {
        std::fs::write(project.join("secrets"), text).unwrap();
        let asked = Surroundings::new(project, None, super::super::Environment::of_process());
        let candidates = vec!["secrets".to_owned()];
        let (redactor, notices) = (Redactor::new(), Notices::default());
        FileSecrets { candidates, asked, store: OnceLock::new(), redactor, notices }
    }

    /// Each command waits until all of them have begun, so that they end only when they run at the same time.
    fn meeting(names: &[&str]) -> String {
        let count = names.len();
        let wait = format!(
            "for i in $(seq 500); do [ $(ls met | wc -l) -ge {count} ] && break; sleep 0.02; done; [ \\$i -lt 500 ]"
        );
        names
            .iter()
            .map(|name| format!("{name}=$(mkdir -p met; echo >met/{name}; {wait} && echo {name} here)\n"))
            .collect()
    }

    #[test]
    fn commands_run_side_by_side_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];
        let text =
            format!("S=$(echo run >>runs; echo shared)\nK=$S\nL=[$S]\nUNUSED=$(touch unused)\n{}", meeting(&names));
        let secrets = secrets(folder.path(), &text);
        let keys: Vec<&str> = names.into_iter().chain(["K", "L"]).collect();
        let answers: Vec<String> =
            secrets.get_many(&keys).into_iter().map(|answer| answer.unwrap().expose().to_owned()).collect();
        let met = names.map(|name| format!("{name} here"));
        assert_eq!(answers, [&met[..], &["shared".to_owned(), "[shared]".to_owned()]].concat());
        assert_eq!(std::fs::read_to_string(folder.path().join("runs")).unwrap(), "run\n");
        assert!(!folder.path().join("unused").exists(), "a secret nobody asked for was resolved");
    }

    #[test]
    fn hooks_get_all_secrets_side_by_side_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["D", "B", "C", "A"];
        let secrets = secrets(folder.path(), &meeting(&names));
        let all: Vec<String> = secrets.all().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(all, names);
    }

    #[test]
    fn a_command_with_a_secret_in_it_is_no_argument_and_fails_by_its_status() {
        let folder = tempfile::tempdir().unwrap();
        let text = "T='s3ntinel-of-a-token'\nA=$(cat /proc/$$/cmdline | tr '\\0' ' '; : $T)\nB=$(: $T; exit 3)\nC=$(kill -9 $$)\n";
        let secrets = secrets(folder.path(), text);
        let seen = secrets.get("A").unwrap();
        assert!(seen.expose().starts_with("sh -c ") && !seen.expose().contains("s3ntinel"), "{}", seen.expose());
        assert!(
            secrets
                .get("B")
                .unwrap_err()
                .starts_with("secrets:3: Secret 'B' is blank: its command ended with exit status 3,")
        );
        assert!(secrets.get("C").unwrap_err().contains("exit status 137"));
    }
}
