//! Secrets by name: several files, each value resolved when it is asked for and only once.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use indexmap::IndexMap;
use zeroize::Zeroizing;

use super::CommandError;
use super::dotenv::{Entry, Value, entries};
use super::expand::{Command, Commands, Ran, expand, shell_construct};
use super::lint::{Lint, lints};
use crate::{ports::Exit, redact::Redactor, secret::Secret};

/// A secrets file that exists.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SecretsFile {
    /// The path as it is to be shown, `.kamal/secrets`.
    pub path: String,
    /// Its text.
    pub text: Secret,
}

impl SecretsFile {
    /// A file's path and text.
    pub fn new(path: impl Into<String>, text: Secret) -> Self {
        Self { path: path.into(), text }
    }
}

/// Why a secret could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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
    /// Constructs that only a shell knows.
    #[error("{}", shell_constructs(.0))]
    Shell(
        /// File, line and key of each, and what it is.
        Vec<(String, usize, String, String)>,
    ),
    /// A command gave no value.
    #[error("{path}:{line}: {key}: {error}{}", are_empty(empty))]
    Command {
        /// The file.
        path: String,
        /// The line of the entry.
        line: usize,
        /// The entry's key.
        key: String,
        /// What went wrong.
        error: Box<CommandError>,
        /// Variables among the command's words that are empty.
        empty: Vec<String>,
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

fn shell_constructs(found: &[(String, usize, String, String)]) -> String {
    let line = |(path, line, key, why): &(String, usize, String, String)| format!("{path}:{line}: {key}: {why}");
    let lines: Vec<String> = found.iter().map(line).collect();
    format!("{}\nhelp: in single quotes, or with a backslash before the $, it is taken as it is", lines.join("\n"))
}

fn are_empty(variables: &[String]) -> String {
    variables.iter().map(|name| format!("\nhelp: ${name} is empty")).collect()
}

fn why_blank(status: Option<i32>) -> String {
    let cause =
        status.map(|status| format!(": its command ended with exit status {}, what it said is above", Exit(status)));
    format!("{}; if it is meant to be, name it in {ALLOW_BLANK}", cause.unwrap_or_default())
}

/// More bytes than any secret has: `A=$A$A` a few dozen times is more than any machine has.
const MAX_VALUE: usize = 1 << 20;

/// The exit status of a shell that does not find a program.
const NOT_FOUND: i32 = 127;

/// Longer than any chain of secrets that refer to one another.
const MAX_DEPTH: usize = 100;

/// The secrets of the files of a destination. It may be asked from several threads at once, so that commands run side
/// by side; who needs a command that is already running waits for it.
#[derive(Debug, Default)]
pub struct Secrets {
    files: Vec<Parsed>,
    lints: Vec<(String, Lint)>,
    candidates: Vec<String>,
    /// What commands printed, by their text with the variables filled in.
    printed: Mutex<HashMap<Secret, Arc<Printed>>>,
    redactor: Redactor,
}

/// What a command printed and how it ended, or why it could not be run.
type Printed = OnceLock<Result<Resolved, CommandError>>;

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
    /// [`SecretsError::Unset`] and [`SecretsError::Shell`].
    pub fn new(files: &[SecretsFile], candidates: &[String]) -> Result<Self, SecretsError> {
        let mut parsed = Vec::new();
        let (mut constructs, mut passed_over) = (Vec::new(), Vec::new());
        for file in files {
            passed_over.extend(lints(file.text.expose()).into_iter().map(|lint| (file.path.clone(), lint)));
            let mut kept: Vec<Entry> = Vec::new();
            for entry in entries(file.text.expose()) {
                if let Value::Bare(text) | Value::Quoted(text) = &entry.value
                    && let Some(why) = shell_construct(text.expose(), matches!(entry.value, Value::Quoted(_)))
                {
                    constructs.push((file.path.clone(), entry.line, entry.key.clone(), why));
                }
                if entry.value != Value::Exported {
                    kept.push(entry);
                } else if !kept.iter().any(|known| known.key == entry.key) {
                    let (path, line, key) = (file.path.clone(), entry.line, entry.key);
                    return Err(SecretsError::Unset { path, line, key });
                }
            }
            parsed.push(Parsed { path: file.path.clone(), entries: kept, values: Mutex::default() });
        }
        if !constructs.is_empty() {
            return Err(SecretsError::Shell(constructs));
        }
        Ok(Self { files: parsed, lints: passed_over, candidates: candidates.to_vec(), ..Self::default() })
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
                let mut command = |it: Command<'_>| self.command(file, index, depth, it, commands).and_then(counted);
                expand(&text, matches!(entry.value, Value::Quoted(_)), &mut variable, &mut command)?
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
        depth: usize,
        command: Command<'_>,
        commands: &dyn Commands,
    ) -> Result<Resolved, SecretsError> {
        let entry = &file.entries[index];
        let failed = |error, empty| SecretsError::Command {
            path: file.path.clone(),
            line: entry.line,
            key: entry.key.clone(),
            error: Box::new(error),
            empty,
        };
        let empty = self.empty_words(file, index, depth, command.written, commands)?;
        if let Some((Some(option), variable)) = empty.iter().find(|(option, _)| option.is_some()) {
            let (option, variable) = ((*option).to_owned(), (*variable).to_owned());
            return Err(failed(CommandError::NoValue { option, variable }, Vec::new()));
        }
        let printed = Arc::clone(locked(&self.printed).entry(Secret::new(command.filled)).or_default());
        let printed = printed.get_or_init(|| run(command.filled, commands));
        let names = empty.iter().map(|(_, name)| (*name).to_owned()).collect();
        let resolved = printed.clone().map_err(|error| failed(error, names))?;
        if resolved.failed == Some(NOT_FOUND) && resolved.secret.expose().trim().is_empty() {
            return Err(failed(CommandError::NoProgram, Vec::new()));
        }
        Ok(resolved)
    }

    /// Variables that are words of a `kamal secrets …` by themselves and have nothing in them, so that the word is not
    /// there; each with the switch it should have been the value of.
    fn empty_words<'c>(
        &self,
        file: &Parsed,
        index: usize,
        depth: usize,
        command: &'c str,
        commands: &dyn Commands,
    ) -> Result<Vec<(Option<&'c str>, &'c str)>, SecretsError> {
        let mut found = Vec::new();
        let words: Vec<&str> =
            inline_kamal(command).map(|words| words.split_whitespace().collect()).unwrap_or_default();
        for (at, word) in words.iter().enumerate() {
            let Some(name) = word.strip_prefix('$').map(|name| name.trim_start_matches('{').trim_end_matches('}'))
            else {
                continue;
            };
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if is_name && self.variable(file, index, name, depth, commands)?.secret.expose().trim().is_empty() {
                let before = at.checked_sub(1).and_then(|before| words.get(before)).copied();
                found.push((before.filter(|word| word.starts_with('-') && !word.contains('=')), name));
            }
        }
        Ok(found)
    }

    /// What the files say in vain, each with its file.
    #[must_use]
    pub fn lints(&self) -> &[(String, Lint)] {
        &self.lints
    }

    /// Where a key is defined: the file and the line.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<(&str, usize)> {
        let (file, index) = self.find(key).ok()?;
        Some((&file.path, file.entries[index].line))
    }
}

/// A poisoned lock only says that another thread panicked; what it guards is never half written.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(command: &str, commands: &dyn Commands) -> Result<Resolved, CommandError> {
    let inline = inline_kamal(command);
    let Ran { mut printed, status } = match inline {
        Some(arguments) => {
            let words = crate::shell::split(arguments);
            let words = words.ok_or_else(|| CommandError::words("the quotes of `kamal secrets …` do not add up"))?;
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
