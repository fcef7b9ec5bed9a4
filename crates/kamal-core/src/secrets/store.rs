//! Secrets by name: several files, each value resolved when it is asked for and only once.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use indexmap::IndexMap;
use zeroize::Zeroizing;

use super::dotenv::{Entry, Value, entries};
use super::expand::{Commands, Ran, expand};
use crate::{redact::Redactor, secret::Secret};

/// A secrets file that exists.
#[derive(Clone, Debug)]
pub struct SecretsFile {
    /// The path as it is to be shown, `.kamal/secrets`.
    pub path: String,
    /// Its text.
    pub text: Secret,
}

/// Why a secret could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// No file defines the key.
    #[error("Secret '{key}' not found in {}", files.join(", "))]
    NotFound {
        /// The key asked for.
        key: String,
        /// The files that exist.
        files: Vec<String>,
    },
    /// There is no file at all.
    #[error("Secret '{key}' not found, no secret files ({}) provided", candidates.join(", "))]
    NoFiles {
        /// The key asked for.
        key: String,
        /// The files that would be read.
        candidates: Vec<String>,
    },
    /// `export KEY` of a key that is not set above it.
    #[error("{path}:{line}: Line \"export {key}\" has an unset variable")]
    Unset {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },
    /// A command could not be run.
    #[error("{path}:{line}: {key}: {message}")]
    Command {
        /// The file.
        path: String,
        /// The line of the entry.
        line: usize,
        /// The entry's key.
        key: String,
        /// What went wrong, without the command's text, which may hold a secret.
        message: String,
    },
    /// Something needs a value that has nothing in it.
    #[error("{path}:{line}: Secret '{key}' is blank{}", why_blank(*.status))]
    Blank {
        /// The file.
        path: String,
        /// The line of the entry.
        line: usize,
        /// The entry's key.
        key: String,
        /// The exit status of the command that should have printed it, when that failed.
        status: Option<i32>,
    },
    /// A value refers to others so often that it would fill the memory.
    #[error("{path}:{line}: {key}: too large with all it refers to (over {MAX_VALUE} bytes, or {MAX_DEPTH} levels)")]
    TooLarge {
        /// The file.
        path: String,
        /// The line of the entry.
        line: usize,
        /// The entry's key.
        key: String,
    },
}

/// The variable, in a secrets file or in the environment, that lists the names which may be blank, with commas or
/// blanks between them. It is a variable and not a comment, so that Kamal reads the same file.
pub const ALLOW_BLANK: &str = "KAMAL_ALLOW_BLANK";

fn why_blank(status: Option<i32>) -> String {
    let cause = status.map(|status| format!(": its command ended with exit status {status}, what it said is above"));
    format!("{}; if it is meant to be, name it in {ALLOW_BLANK}", cause.unwrap_or_default())
}

/// More bytes than any secret has: `A=$A$A` a few dozen times is more than any machine has.
const MAX_VALUE: usize = 1 << 20;

/// Longer than any chain of secrets that refer to one another.
const MAX_DEPTH: usize = 100;

/// The secrets of the files of a destination. It may be asked from several threads at once, so that commands run side
/// by side; who needs a command that is already running waits for it.
#[derive(Debug, Default)]
pub struct Secrets {
    files: Vec<Parsed>,
    candidates: Vec<String>,
    /// What commands printed, by their text with the variables filled in.
    printed: Mutex<HashMap<Secret, Arc<Printed>>>,
    redactor: Redactor,
}

/// What a command printed and how it ended, or why it could not be run.
type Printed = OnceLock<Result<Resolved, String>>;

/// A value, and the exit status of a command in it that failed.
#[derive(Clone, Debug)]
struct Resolved {
    secret: Secret,
    failed: Option<i32>,
}

#[derive(Debug)]
struct Parsed {
    path: String,
    entries: Vec<Entry>,
    /// Resolved values, by index.
    values: Mutex<HashMap<usize, Resolved>>,
}

/// Resolves every entry of one file, as `kamal secrets print` shows them.
///
/// # Errors
///
/// The first entry that cannot be resolved.
pub fn parse(file: &SecretsFile, commands: &dyn Commands) -> Result<IndexMap<String, Secret>, SecretsError> {
    Secrets::new(std::slice::from_ref(file), std::slice::from_ref(&file.path))?.all(commands)
}

impl Secrets {
    /// Reads the files, later ones over earlier ones, without resolving anything. `candidates` are the paths that
    /// were looked for, for the message when none exists.
    ///
    /// # Errors
    ///
    /// [`SecretsError::Unset`].
    pub fn new(files: &[SecretsFile], candidates: &[String]) -> Result<Self, SecretsError> {
        let mut parsed = Vec::new();
        for file in files {
            let mut kept: Vec<Entry> = Vec::new();
            for entry in entries(file.text.expose()) {
                if entry.value != Value::Exported {
                    kept.push(entry);
                } else if !kept.iter().any(|known| known.key == entry.key) {
                    let (path, line, key) = (file.path.clone(), entry.line, entry.key);
                    return Err(SecretsError::Unset { path, line, key });
                }
            }
            parsed.push(Parsed { path: file.path.clone(), entries: kept, values: Mutex::default() });
        }
        Ok(Self { files: parsed, candidates: candidates.to_vec(), ..Self::default() })
    }

    /// Tells a redactor every value as soon as it is resolved.
    #[must_use]
    pub fn redacted_by(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// The value of a key: resolved now, with all it refers to, or from memory.
    ///
    /// # Errors
    ///
    /// When no file defines it, or a command could not be run.
    pub fn get(&self, key: &str, commands: &dyn Commands) -> Result<Secret, SecretsError> {
        let (file, index) = self.find(key)?;
        self.resolve(file, index, 0, commands).map(|resolved| resolved.secret)
    }

    /// The value of a key that something needs: as [`Secrets::get`], but it may be blank only where [`ALLOW_BLANK`]
    /// says so.
    ///
    /// # Errors
    ///
    /// As [`Secrets::get`], and [`SecretsError::Blank`].
    pub fn need(&self, key: &str, commands: &dyn Commands) -> Result<Secret, SecretsError> {
        let (file, index) = self.find(key)?;
        let Resolved { secret, failed } = self.resolve(file, index, 0, commands)?;
        if secret.expose().trim().is_empty() && !self.may_be_blank(key, commands)? {
            let (path, line) = (file.path.clone(), file.entries[index].line);
            return Err(SecretsError::Blank { path, line, key: key.to_owned(), status: failed });
        }
        Ok(secret)
    }

    /// Where a key is defined, the last file and line winning.
    fn find(&self, key: &str) -> Result<(&Parsed, usize), SecretsError> {
        for file in self.files.iter().rev() {
            if let Some(index) = file.entries.iter().rposition(|entry| entry.key == key) {
                return Ok((file, index));
            }
        }
        let key = key.to_owned();
        Err(if self.files.is_empty() {
            SecretsError::NoFiles { key, candidates: self.candidates.clone() }
        } else {
            SecretsError::NotFound { key, files: self.files.iter().map(|file| file.path.clone()).collect() }
        })
    }

    fn may_be_blank(&self, key: &str, commands: &dyn Commands) -> Result<bool, SecretsError> {
        let mut lists = commands.env(ALLOW_BLANK).unwrap_or_default();
        for file in &self.files {
            if let Some(index) = file.entries.iter().rposition(|entry| entry.key == ALLOW_BLANK) {
                lists.push(',');
                lists.push_str(self.resolve(file, index, 0, commands)?.secret.expose());
            }
        }
        Ok(lists.split([',', ' ', '\t', '\n']).any(|name| name == key))
    }

    /// Whether a file defines the key.
    #[must_use]
    pub fn defines(&self, key: &str) -> bool {
        self.files.iter().any(|file| file.entries.iter().any(|entry| entry.key == key))
    }

    /// The keys in order of first mention.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        let keys: IndexMap<&str, ()> =
            self.files.iter().flat_map(|file| &file.entries).map(|entry| (entry.key.as_str(), ())).collect();
        keys.into_keys().collect()
    }

    /// Every key with its value.
    ///
    /// # Errors
    ///
    /// The first that cannot be resolved.
    pub fn all(&self, commands: &dyn Commands) -> Result<IndexMap<String, Secret>, SecretsError> {
        self.keys().into_iter().map(|key| Ok((key.to_owned(), self.get(key, commands)?))).collect()
    }

    fn resolve(
        &self,
        file: &Parsed,
        index: usize,
        depth: usize,
        commands: &dyn Commands,
    ) -> Result<Resolved, SecretsError> {
        if let Some(known) = locked(&file.values).get(&index) {
            return Ok(known.clone());
        }
        let entry = &file.entries[index];
        let (path, line, key) = (&file.path, entry.line, &entry.key);
        let too_large = || SecretsError::TooLarge { path: path.clone(), line, key: key.clone() };
        let failed = Cell::new(None);
        let mut text = match &entry.value {
            Value::Literal(text) => Zeroizing::new(text.expose().to_owned()),
            Value::Exported => Zeroizing::default(),
            Value::Bare(text) | Value::Quoted(text) => {
                let text = match entry.value {
                    Value::Quoted(_) => {
                        let mode = self.variable(file, index, "DOTENV_LINEBREAK_MODE", depth, commands)?;
                        line_breaks(text.expose(), mode.secret.expose())
                    }
                    _ => Zeroizing::new(text.expose().to_owned()),
                };
                if depth > MAX_DEPTH {
                    return Err(too_large());
                }
                let inserted = Cell::new(0);
                let counted = |Resolved { secret, failed: status }: Resolved| {
                    failed.set(failed.get().or(status));
                    inserted.set(inserted.get() + secret.expose().len());
                    if inserted.get() > MAX_VALUE { Err(too_large()) } else { Ok(secret) }
                };
                let mut variable = |name: &str| self.variable(file, index, name, depth, commands).and_then(counted);
                let mut command = |text: &str| self.command(file, index, text, commands).and_then(counted);
                expand(&text, &mut variable, &mut command)?
            }
        };
        let resolved = Resolved { secret: Secret::new(std::mem::take(&mut *text)), failed: failed.get() };
        if key != ALLOW_BLANK {
            self.redactor.learn(&resolved.secret);
        }
        locked(&file.values).insert(index, resolved.clone());
        Ok(resolved)
    }

    /// A variable inside entry `index`: an earlier line of the same file, else the environment, else empty.
    fn variable(
        &self,
        file: &Parsed,
        index: usize,
        name: &str,
        depth: usize,
        commands: &dyn Commands,
    ) -> Result<Resolved, SecretsError> {
        match file.entries[..index].iter().rposition(|entry| entry.key == name) {
            Some(earlier) => self.resolve(file, earlier, depth + 1, commands),
            None => Ok(Resolved { secret: Secret::new(commands.env(name).unwrap_or_default()), failed: None }),
        }
    }

    fn command(
        &self,
        file: &Parsed,
        index: usize,
        text: &str,
        commands: &dyn Commands,
    ) -> Result<Resolved, SecretsError> {
        let printed = Arc::clone(locked(&self.printed).entry(Secret::new(text)).or_default());
        let printed = printed.get_or_init(|| run(text, commands));
        printed.clone().map_err(|message| SecretsError::Command {
            path: file.path.clone(),
            line: file.entries[index].line,
            key: file.entries[index].key.clone(),
            message,
        })
    }
}

/// A poisoned lock only says that another thread panicked; what it guards is never half written.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(command: &str, commands: &dyn Commands) -> Result<Resolved, String> {
    let inline = inline_kamal(command);
    let Ran { mut printed, status } = match inline {
        Some(arguments) => {
            let words = shlex::split(arguments).ok_or("the quotes of `kamal secrets …` do not add up")?;
            Ran::printed(commands.inline_kamal(&words)?)
        }
        None => commands.run(command)?,
    };
    // Ruby's chomp: one line end.
    if printed.ends_with('\n') {
        printed.pop();
        if printed.ends_with('\r') {
            printed.pop();
        }
    }
    Ok(Resolved { secret: Secret::new(std::mem::take(&mut *printed)), failed: (status != 0).then_some(status) })
}

/// The arguments of a command that is `kamal secrets …` (`/\A\s*kamal\s*secrets\s+/`).
fn inline_kamal(command: &str) -> Option<&str> {
    let rest = command.trim_start().strip_prefix("kamal")?.trim_start();
    rest.strip_prefix("secrets")?.starts_with(|c: char| c.is_ascii_whitespace()).then_some(rest)
}

/// `\n` in double quotes stays as it is, unless `DOTENV_LINEBREAK_MODE` asks for a line break.
pub(crate) fn line_breaks(text: &str, mode: &str) -> Zeroizing<String> {
    let (newline, carriage) = if mode == "legacy" { ("\n", "\r") } else { ("\\\\n", "\\\\r") };
    Zeroizing::new(Zeroizing::new(text.replace("\\n", newline)).replace("\\r", carriage))
}
