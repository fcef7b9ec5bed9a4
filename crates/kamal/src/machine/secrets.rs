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

use async_trait::async_trait;
use kamal_core::{
    config::Config,
    event::{EventKind, Teller, Tone},
    ports::{SecretError, Secrets},
    redact::Redactor,
    run::Needs,
    secret::Secret,
    secrets::{CommandError, Commands, Ran, Secrets as Store, SecretsFile, Use, encrypted, notice, vendors::Programs},
};

use super::template_world::Surroundings;

/// Secrets of `.kamal/secrets-common` and `.kamal/secrets[.DESTINATION]` (spec 3.1), and of encrypted files beside them.
#[derive(Clone, Debug)]
pub struct FileSecrets(Arc<Files>);

#[derive(Debug)]
struct Files {
    candidates: Vec<String>,
    asked: Surroundings,
    store: OnceLock<Result<Store, SecretError>>,
    redactor: Redactor,
    notices: Notices,
}

/// What users are told about secrets as they are used, each once.
#[derive(Debug, Default)]
struct Notices {
    events: Option<Teller>,
    /// Keys of secrets that are variables of containers.
    variables: BTreeSet<String>,
    told: Mutex<BTreeSet<String>>,
}

impl Notices {
    fn new(config: &Config, events: Option<Teller>) -> Self {
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
    pub fn new(config: &Config, asked: Surroundings, redactor: Redactor, events: Option<Teller>) -> Self {
        let path = &config.secrets_path;
        let own =
            config.destination.as_ref().map_or_else(|| path.clone(), |destination| format!("{path}.{destination}"));
        let candidates = vec![format!("{path}-common"), own];
        let notices = Notices::new(config, events);
        let secrets = Self(Arc::new(Files { candidates, asked, store: OnceLock::new(), redactor, notices }));
        secrets.plain(config);
        secrets
    }

    /// What the configuration needs and stands in the files in clear is covered from the beginning: commands such as
    /// `app logs` need no secret, but show what may repeat one. A secret that takes a command is covered once it is
    /// resolved. What is odd about them comes back.
    pub fn plain(&self, config: &Config) -> Vec<String> {
        let Files { candidates, asked, redactor, notices, .. } = &*self.0;
        // What is wrong with the files is said when a secret is needed.
        let Ok(store) = load(&asked.project, candidates, None) else { return Vec::new() };
        let store = store.redacted_by(redactor.clone());
        let needs = Needs::all(config);
        let known = needs.keys().filter_map(|key| Some((key, store.get(key, &Commandless(asked)).ok()?)));
        known.filter_map(|(key, value)| notices.of(&store, key, &value)).collect()
    }

    /// Asks the files where programs may be waited for.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Files) -> T + Send + 'static,
    ) -> Result<T, SecretError> {
        let files = self.0.clone();
        let asked = tokio::task::spawn_blocking(move || question(&files)).await;
        asked.map_err(|error| SecretError::unavailable(format!("secrets were not looked up to the end: {error}")))
    }
}

impl Files {
    fn store(&self) -> Result<&Store, SecretError> {
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

    fn get(&self, key: &str) -> Result<Secret, SecretError> {
        let store = self.store()?;
        let value = store.need(key, &self.asked)?;
        self.notices.tell(store, key, &value);
        Ok(value)
    }

    fn all(&self) -> Result<Vec<(String, Secret)>, SecretError> {
        let store = self.store()?;
        let value = |key: &&str| Ok(((*key).to_owned(), store.get(key, &self.asked)?));
        side_by_side(&store.keys(), value).into_iter().collect()
    }
}

/// The machine, refusing commands.
struct Commandless<'a>(&'a Surroundings);

impl Commands for Commandless<'_> {
    fn env(&self, name: &str) -> Option<String> {
        Commands::env(self.0, name)
    }

    fn run(&self, _command: &str) -> Result<Ran, CommandError> {
        Err(CommandError::NotRun("not asked for".to_owned()))
    }

    fn inline_kamal(&self, _args: &[String]) -> Result<String, CommandError> {
        Err(CommandError::NotRun("not asked for".to_owned()))
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
fn load(project: &Path, candidates: &[String], programs: Option<&dyn Programs>) -> Result<Store, SecretError> {
    let mut files = Vec::new();
    for path in candidates.iter().flat_map(|path| encrypted::SUFFIXES.map(|suffix| format!("{path}{suffix}"))) {
        match std::fs::read(project.join(&path)) {
            Ok(bytes) => {
                let plain = encrypted::plain(&path, bytes, programs);
                if let Some(text) = plain.map_err(|error| SecretError::unavailable(error.to_string()))? {
                    files.push(SecretsFile::new(path, text));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(SecretError::unavailable(format!("cannot read {path}: {error}"))),
        }
    }
    Ok(Store::new(&files, candidates)?)
}

#[async_trait]
impl Secrets for FileSecrets {
    async fn get(&self, key: &str) -> Result<Secret, SecretError> {
        let key = key.to_owned();
        self.ask(move |files| files.get(&key)).await?
    }

    async fn get_many(&self, keys: &[&str]) -> Vec<Result<Secret, SecretError>> {
        let names: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let answers = self.ask(move |files| side_by_side(&names, |name| files.get(name))).await;
        answers.unwrap_or_else(|error| keys.iter().map(|_| Err(error.clone())).collect())
    }

    async fn all(&self) -> Result<Vec<(String, Secret)>, SecretError> {
        self.ask(Files::all).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(project: &Path, text: &str) -> Files {
        std::fs::write(project.join("secrets"), text).unwrap();
        let asked = Surroundings::new(project, None, super::super::Environment::of_process());
        let candidates = vec!["secrets".to_owned()];
        let (redactor, notices) = (Redactor::new(), Notices::default());
        Files { candidates, asked, store: OnceLock::new(), redactor, notices }
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
        let answers: Vec<String> = side_by_side(&keys, |key| secrets.get(key))
            .into_iter()
            .map(|answer| answer.unwrap().expose().to_owned())
            .collect();
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
                .message
                .starts_with("secrets:3: Secret 'B' is blank: its command ended with exit status 3,")
        );
        assert!(secrets.get("C").unwrap_err().message.contains("exit status 137"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_slow_secret_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = FileSecrets(Arc::new(secrets(folder.path(), "A=$(sleep 1; echo a)\nB=$(sleep 1; echo b)\n")));
        let ticking = async {
            let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
            for tick in 0.. {
                ticks.tick().await;
                if tick == 10 {
                    break;
                }
            }
        };
        let began = std::time::Instant::now();
        let asking = async { (secrets.get_many(&["A", "B"]).await, began.elapsed()) };
        let ((answers, answered), ticked) = tokio::join!(asking, async {
            ticking.await;
            began.elapsed()
        });
        let answers: Vec<String> = answers.into_iter().map(|answer| answer.unwrap().expose().to_owned()).collect();
        assert_eq!(answers, ["a", "b"]);
        assert!(ticked < answered, "the other task ended after {ticked:?}, the secrets came after {answered:?}");
    }
}
