//! OpenSSH's client configuration, so that a host that `ssh HOST` reaches is reached here too (spec 5.5: Kamal reads
//! `~/.ssh/config` through Net::SSH, which knows a part of it).
//!
//! The first value of a keyword wins; `IdentityFile` and `CertificateFile` add up. Keywords of OpenSSH without a meaning
//! here are passed over; words that are no keyword at all are passed over with a warning, where OpenSSH gives up.

mod client_machine;
mod include;
mod keywords;
mod line;
mod sections;
mod settings;
mod tokens;

use std::path::{Path, PathBuf};

pub(crate) use client_machine::{ClientMachine, Machine};
use kamal_core::ports::TransportErrorKind;
use line::Line;
use sections::{list_matches, match_matches};
pub(crate) use settings::{Family, Proxy, Settings};
pub(crate) use tokens::{Tokens, home_path};

/// How deep files may include each other, as in OpenSSH.
const DEEPEST: usize = 16;

/// How many files are read for one host: a few that include each other twice would be read for ever.
const MOST_FILES: usize = 1000;

/// What sections are chosen by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MatchSubject<'a> {
    /// The host as the user names it.
    pub(crate) host: &'a str,
    /// The user to log in as, if that is settled.
    pub(crate) user: Option<&'a str>,
    pub(crate) local_user: &'a str,
    pub(crate) home: &'a Path,
    pub(crate) outside: &'a dyn ClientMachine,
    /// Whether the files are read once more, for `Match final`.
    pub(crate) last: bool,
}

/// Reads files, the most important first. A missing file is empty.
pub(crate) fn read(files: &[PathBuf], asked: MatchSubject<'_>) -> Result<Settings, TransportErrorKind> {
    let mut settings = Settings::default();
    let mut way = ReadBudget { depth: 0, files: 0 };
    for last in [false, true] {
        for file in files {
            read_file(file, MatchSubject { last, ..asked }, &mut settings, true, &mut way)?;
        }
        if !settings.wants_last {
            break;
        }
    }
    Ok(settings)
}

/// How far the reading has got.
struct ReadBudget {
    depth: usize,
    files: usize,
}

fn read_file(
    file: &Path,
    asked: MatchSubject<'_>,
    settings: &mut Settings,
    mut active: bool,
    way: &mut ReadBudget,
) -> Result<(), TransportErrorKind> {
    let text = match asked.outside.read(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(TransportErrorKind::Client(format!("cannot read {}: {error}", file.display()))),
    };
    let included_if = active;
    for (index, line) in text.lines().enumerate() {
        let Some(line) = Line::parse(line) else { continue };
        let bad = |why: &str| TransportErrorKind::Client(format!("{}:{}: {why}", file.display(), index + 1));
        match line.keyword.as_str() {
            // Upper and lower case differ here, and here alone.
            "host" => active = included_if && list_matches(&line.words, asked.host),
            "match" => active = included_if && match_matches(&line.words, asked, settings),
            "include" if active && way.depth >= DEEPEST => return Err(bad("files include each other too deeply")),
            "include" if active => {
                way.depth += 1;
                for found in line.words.iter().flat_map(|pattern| include::find(pattern, file, asked)) {
                    way.files += 1;
                    if way.files > MOST_FILES {
                        return Err(bad("files include each other too often"));
                    }
                    read_file(&found, asked, settings, true, way)?;
                }
                way.depth -= 1;
            }
            keyword if !keywords::is_one(keyword) => {
                settings.strange.push((keyword.to_owned(), format!("{}:{}", file.display(), index + 1)));
            }
            _ if active => {
                let matters = settings.apply(&line).map_err(|why| bad(&why))?;
                if matters && !asked.last {
                    let place = format!("{}:{}", file.display(), index + 1);
                    settings.sources.push(format!("{place}: {} {}", line.keyword, line.rest));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
