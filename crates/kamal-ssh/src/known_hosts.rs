//! known_hosts files as OpenSSH reads them: hashed names, wildcards, negations, ports, `@cert-authority`, `@revoked`.
//!
//! russh has a reader of its own, which knows none of the last four, takes an unreadable file for an empty one, and
//! takes a host known by another algorithm for a new one.

mod names;

use std::{
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use names::Names;
use russh::keys::{Algorithm, PublicKey};

use crate::options::Pin;

/// How keys written out in deploy.yml are called in messages.
const PINS: &str = "ssh/known_hosts of deploy.yml";

/// All entries of a list of files.
#[derive(Debug, Default)]
pub(crate) struct KnownHosts {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    place: Place,
    role: Role,
    names: Names,
    key: PublicKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Host,
    Authority,
    Revoked,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: Arc<PathBuf>,
    pub(crate) line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What the files say about a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is this host's.
    Known,
    /// The host was never seen.
    Unknown,
    /// The host has another key.
    Changed(Place, PublicKey),
    /// Nobody may use this key any more.
    Revoked(Place),
}

impl KnownHosts {
    /// Reads files; one that does not exist is empty, one that cannot be read is an error.
    pub(crate) fn load(files: &[PathBuf]) -> std::io::Result<Self> {
        let mut all = Self::default();
        for file in files {
            match std::fs::read(file) {
                Ok(bytes) => all.parse(file, &String::from_utf8_lossy(&bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(std::io::Error::new(error.kind(), format!("cannot read {}: {error}", file.display())));
                }
            }
        }
        Ok(all)
    }

    /// The keys a project vouches for: lines, and files that must exist. A line that cannot be read is an error.
    pub(crate) fn pinned(pins: &[Pin]) -> std::io::Result<Self> {
        let mut all = Self::default();
        for (index, pin) in pins.iter().enumerate() {
            match pin {
                Pin::File(file) => {
                    let text = std::fs::read(file).map_err(|error| {
                        std::io::Error::new(
                            error.kind(),
                            format!(
                                "cannot read {}, which ssh/known_hosts of deploy.yml names: {error}",
                                file.display()
                            ),
                        )
                    })?;
                    all.parse(file, &String::from_utf8_lossy(&text));
                }
                Pin::Line(line) => {
                    let place = Place { file: Arc::new(PathBuf::from(PINS)), line: index + 1 };
                    let (role, names, key) = parse_line(line).ok_or_else(|| {
                        std::io::Error::other(format!("{place}: {line:?} is no known_hosts line: NAMES TYPE KEY"))
                    })?;
                    all.entries.push(Entry { place, role, names, key });
                }
            }
        }
        Ok(all)
    }

    /// What a text says that stands in no file.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn of(text: &str) -> Self {
        let mut all = Self::default();
        all.parse(Path::new("known_hosts"), text);
        all
    }

    fn parse(&mut self, file: &Path, text: &str) {
        let file = Arc::new(file.to_owned());
        // Lines OpenSSH cannot make sense of either, such as keys of a type of the future, are passed over.
        self.entries.extend(text.lines().enumerate().filter_map(|(index, line)| {
            let (role, names, key) = parse_line(line)?;
            Some(Entry { place: Place { file: file.clone(), line: index + 1 }, role, names, key })
        }));
    }

    /// Judges the key a host shows. A host known by a key of another algorithm counts as changed, as in Net::SSH:
    /// otherwise an impostor would only need to offer an algorithm not yet seen.
    pub(crate) fn check(&self, host: &str, port: u16, key: &PublicKey) -> Verdict {
        if let Some(entry) = self.entries.iter().find(|entry| entry.role == Role::Revoked && entry.is(key)) {
            return Verdict::Revoked(entry.place.clone());
        }
        let mut known = self.hosts(host, port).peekable();
        if known.peek().is_none() {
            // A key recorded without its port is good for other ports, but proves nothing against them.
            let plain = port != 22 && self.hosts(host, 22).any(|entry| entry.is(key));
            return if plain { Verdict::Known } else { Verdict::Unknown };
        }
        let mut other = None;
        for entry in known {
            if entry.is(key) {
                return Verdict::Known;
            }
            // The line with the same algorithm is the one to name.
            let same = entry.key.algorithm() == key.algorithm();
            if other.is_none() || same {
                other = Some(entry);
            }
        }
        other.map_or(Verdict::Unknown, |entry| Verdict::Changed(entry.place.clone(), entry.key.clone()))
    }

    /// The algorithms of the keys known for a host, to be offered first.
    pub(crate) fn algorithms(&self, host: &str, port: u16) -> Vec<Algorithm> {
        let mut known: Vec<&Entry> = self.hosts(host, port).collect();
        if known.is_empty() {
            known = self.hosts(host, 22).collect();
        }
        known.iter().map(|entry| entry.key.algorithm()).collect()
    }

    /// The keys that may sign certificates of a host.
    pub(crate) fn authorities(&self, host: &str, port: u16) -> impl Iterator<Item = &PublicKey> {
        self.matching(Role::Authority, host, port).map(|entry| &entry.key)
    }

    fn hosts(&self, host: &str, port: u16) -> impl Iterator<Item = &Entry> {
        self.matching(Role::Host, host, port)
    }

    fn matching(&self, role: Role, host: &str, port: u16) -> impl Iterator<Item = &Entry> {
        let name = name(host, port);
        self.entries.iter().filter(move |entry| entry.role == role && entry.names.match_name(&name))
    }
}

impl Entry {
    fn is(&self, key: &PublicKey) -> bool {
        self.key.key_data() == key.key_data()
    }
}

/// How a host is written in known_hosts.
pub(crate) fn name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

fn parse_line(line: &str) -> Option<(Role, Names, PublicKey)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let mut first = words.next()?;
    let role = match first {
        "@cert-authority" => Role::Authority,
        "@revoked" => Role::Revoked,
        _ => Role::Host,
    };
    if role != Role::Host {
        first = words.next()?;
    }
    let (algorithm, data) = (words.next()?, words.next()?);
    let key = PublicKey::from_openssh(&format!("{algorithm} {data}")).ok()?;
    Some((role, Names::parse(first)?, key))
}

/// The line for a host's key.
pub(crate) fn line(host: &str, port: u16, key: &PublicKey) -> std::io::Result<String> {
    let mut key = key.clone();
    key.set_comment("");
    let key = key.to_openssh().map_err(std::io::Error::other)?;
    Ok(format!("{} {}\n", name(host, port), key.trim_end()))
}

/// Writes down a new host's key, creating the file for the user alone. Connections that start side by side take turns.
pub(crate) fn record(file: &Path, host: &str, port: u16, key: &PublicKey, hashed: bool) -> std::io::Result<()> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = file.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut line = line(host, port, key)?;
    if hashed && let Some((name, key)) = line.split_once(' ') {
        line = format!("{} {key}", names::hashed(name)?);
    }
    let old = std::fs::read(file).unwrap_or_default();
    // Another connection to the same host may have been quicker.
    let text = String::from_utf8_lossy(&old);
    let known = text.lines().filter_map(parse_line).any(|(role, names, known)| {
        role == Role::Host && names.match_name(&name(host, port)) && known.key_data() == key.key_data()
    });
    if known {
        return Ok(());
    }
    if old.last().is_some_and(|last| *last != b'\n') {
        line.insert(0, '\n');
    }
    // One write, so that another process that appends at the same time does not cut the line in two.
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests;
