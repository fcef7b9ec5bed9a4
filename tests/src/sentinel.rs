//! Looks for a text that must be nowhere: in the arguments and the environments of all processes of this machine, which
//! are also those of the sandbox's hosts, and in files that others could read.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use base64::Engine as _;

/// Processes that ran before are looked at every so many rounds only: it is new ones that are given secrets.
const OLD: usize = 100;

/// A text, in its own spelling and in base64 at any place within something larger.
#[derive(Clone, Debug)]
pub struct Sentinel(Vec<String>);

impl Sentinel {
    /// Looks for this text: letters, digits and hyphens, which every quoting leaves alone; at least eight of them.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let within = |before: usize| {
            let bytes = [&b"\0\0"[..before], text.as_bytes()].concat();
            let encoded = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&bytes);
            // The characters at the ends hold bits of the neighbours.
            encoded[(before * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
        };
        Self([text.to_owned()].into_iter().chain((0..3).map(within)).collect())
    }

    /// What surrounds each place it is found at.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let around = |(at, found): (usize, &str)| {
            let start = text[..at].char_indices().rev().nth(30).map_or(0, |(start, _)| start);
            let rest = &text[at + found.len()..];
            let end = rest.char_indices().nth(30).map_or(rest.len(), |(end, _)| end);
            text[start..at + found.len() + end].to_owned()
        };
        self.0.iter().flat_map(|spelling| text.match_indices(spelling.as_str())).map(around).collect()
    }

    fn is_in(&self, text: &str) -> bool {
        self.0.iter().any(|spelling| text.contains(spelling.as_str()))
    }

    /// Files below a folder that hold it and can be read by others than their owner; folders nobody else can enter are
    /// not looked into.
    #[must_use]
    pub fn in_files(&self, root: &Path) -> Vec<String> {
        let (mut folders, mut found) = (vec![root.to_owned()], Vec::new());
        while let Some(folder) = folders.pop() {
            // Folders of running containers come and go.
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let Ok(about) = entry.metadata() else { continue };
                let mode = about.permissions().mode();
                if about.is_dir() && mode & 0o007 != 0 {
                    folders.push(entry.path());
                } else if about.is_file() && mode & 0o077 != 0 {
                    let places = self.found_in(&fs::read(entry.path()).unwrap_or_default());
                    let name = |place| format!("{} ({:o}): {place:?}", entry.path().display(), mode & 0o777);
                    found.extend(places.into_iter().map(name));
                }
            }
        }
        found
    }

    /// Watches all processes until it is done. `meant` tells whether a process with these arguments may have a variable
    /// in its environment, which is given whole.
    #[must_use]
    pub fn watch(&self, done: &AtomicBool, meant: impl Fn(&str, &str, &str) -> bool) -> Seen {
        let began = Instant::now();
        let mut seen = Seen::default();
        let before: HashSet<PathBuf> = processes().collect();
        let mut known: HashMap<PathBuf, String> = HashMap::new();
        while !done.load(Ordering::Relaxed) {
            for process in processes().filter(|process| seen.rounds % OLD == 0 || !before.contains(process)) {
                // Processes end at any time.
                let Ok(bytes) = fs::read(process.join("cmdline")) else { continue };
                let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
                // Without arguments it is ending, or about to become another program.
                if line.is_empty() || known.get(&process) == Some(&line) {
                    continue;
                }
                if self.is_in(&line) {
                    seen.told.insert(format!("arguments: {line}"));
                }
                // One cut short by the end of its process, or taken from the program it was before, tells of nobody.
                let Some(environment) = environment(&process) else { continue };
                for variable in environment.split('\0').filter(|variable| self.is_in(variable)) {
                    if !meant(&line, variable, &environment) {
                        seen.told.insert(format!("environment of {line}: {variable}"));
                    }
                }
                seen.arguments.insert(line.clone());
                known.insert(process, line);
            }
            seen.rounds += 1;
            thread::sleep(Duration::from_micros(500));
        }
        seen.took = began.elapsed();
        seen
    }
}

/// What a watch saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// The arguments of all processes.
    pub arguments: BTreeSet<String>,
    /// Where the sentinel was.
    pub told: BTreeSet<String>,
    /// How many times all new processes were looked at.
    pub rounds: usize,
    /// How long it watched.
    pub took: Duration,
}

impl Seen {
    /// Looks per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rounds as f64 / self.took.as_secs_f64()
    }
}

/// The whole environment a process was started with.
fn environment(process: &Path) -> Option<String> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // Fields 50 and 51 of proc(5) say where it begins and ends; the second, in parentheses, may itself have spaces.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(47).map(str::parse::<usize>);
    let (start, end) = (fields.next()?.ok()?, fields.next()?.ok()?);
    let bytes = fs::read(process.join("environ")).ok()?;
    (bytes.len() == end.checked_sub(start)?).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .map(|entry| entry.path())
}
