//! OpenSSH's client configuration, so that a host that `ssh HOST` reaches is reached here too (spec 5.5: Kamal reads
//! `~/.ssh/config` through Net::SSH, which knows a part of it).
//!
//! The first value of a keyword wins; `IdentityFile` and `CertificateFile` add up. Keywords without a meaning here are
//! passed over, and so is every `Match` that asks for something other than `all`, `host`, `originalhost`, `user` or
//! `localuser`: its section applies to no host.

mod include;
mod line;
mod tokens;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kamal_core::ports::TransportErrorKind;
use line::Line;
pub(crate) use tokens::{Tokens, home_path};

use crate::pattern::matches;

/// How deep files may include each other, as in OpenSSH.
const DEEPEST: usize = 16;

/// What the files say about one host. Text as it stands there, with neither `~` nor tokens expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) host_name: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) identity_files: Vec<String>,
    pub(crate) certificate_files: Vec<String>,
    pub(crate) identities_only: Option<bool>,
    pub(crate) identity_agent: Option<String>,
    pub(crate) forward_agent: Option<bool>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) user_known_hosts: Option<Vec<String>>,
    pub(crate) global_known_hosts: Option<Vec<String>>,
    pub(crate) host_key_alias: Option<String>,
    /// Whether new hosts are accepted, where the files leave no question.
    pub(crate) accept_new: Option<Option<bool>>,
    pub(crate) connect_timeout: Option<Option<Duration>>,
}

/// `ProxyJump` or `ProxyCommand`, whichever comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// `none`.
    None,
    Jump(String),
    Command(String),
}

/// What sections are chosen by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The host as the user names it.
    pub(crate) host: &'a str,
    /// The user to log in as, if that is settled.
    pub(crate) user: Option<&'a str>,
    pub(crate) local_user: &'a str,
    pub(crate) home: &'a Path,
}

/// Reads files, the most important first. A missing file is empty.
pub(crate) fn read(files: &[PathBuf], asked: Asked<'_>) -> Result<Settings, TransportErrorKind> {
    let mut settings = Settings::default();
    for file in files {
        read_file(file, asked, &mut settings, true, 0)?;
    }
    Ok(settings)
}

fn read_file(
    file: &Path,
    asked: Asked<'_>,
    settings: &mut Settings,
    mut active: bool,
    depth: usize,
) -> Result<(), TransportErrorKind> {
    let text = match std::fs::read(file) {
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
            "include" if active && depth >= DEEPEST => return Err(bad("files include each other too deeply")),
            "include" if active => {
                for pattern in &line.words {
                    for found in include::find(pattern, file, asked.home) {
                        read_file(&found, asked, settings, true, depth + 1)?;
                    }
                }
            }
            _ if active => settings.apply(&line).map_err(|why| bad(&why))?,
            _ => {}
        }
    }
    Ok(())
}

impl Settings {
    fn apply(&mut self, line: &Line) -> Result<(), String> {
        let Line { keyword, words, rest } = line;
        let Some(first) = words.first() else { return Ok(()) };
        let once = |slot: &mut Option<String>| {
            slot.get_or_insert_with(|| first.clone());
        };
        match keyword.as_str() {
            "hostname" => once(&mut self.host_name),
            "user" => once(&mut self.user),
            "identityagent" => once(&mut self.identity_agent),
            "hostkeyalias" => once(&mut self.host_key_alias),
            "port" => {
                let port = first.parse().ok().filter(|port| *port != 0).ok_or_else(|| format!("bad port {first:?}"))?;
                self.port.get_or_insert(port);
            }
            "identityfile" => self.identity_files.push(first.clone()),
            "certificatefile" => self.certificate_files.push(first.clone()),
            "identitiesonly" => set_flag(&mut self.identities_only, keyword, first)?,
            // The socket of another agent may stand here, which asks for forwarding too.
            "forwardagent" => {
                self.forward_agent.get_or_insert(!first.eq_ignore_ascii_case("no"));
            }
            "proxyjump" if self.proxy.is_none() => {
                self.proxy = Some(if is_none(first) { Proxy::None } else { Proxy::Jump(first.clone()) });
            }
            "proxycommand" if self.proxy.is_none() => {
                self.proxy = Some(if is_none(rest) { Proxy::None } else { Proxy::Command(rest.clone()) });
            }
            "userknownhostsfile" => {
                self.user_known_hosts.get_or_insert_with(|| words.clone());
            }
            "globalknownhostsfile" => {
                self.global_known_hosts.get_or_insert_with(|| words.clone());
            }
            "stricthostkeychecking" => {
                self.accept_new.get_or_insert(match first.to_ascii_lowercase().as_str() {
                    "yes" | "true" => Some(false),
                    "no" | "false" | "off" | "accept-new" => Some(true),
                    _ => None,
                });
            }
            "connecttimeout" => {
                let seconds = seconds(first).ok_or_else(|| format!("bad time {first:?}"))?;
                self.connect_timeout.get_or_insert(seconds);
            }
            _ => {}
        }
        Ok(())
    }
}

fn is_none(text: &str) -> bool {
    text.eq_ignore_ascii_case("none")
}

fn set_flag(slot: &mut Option<bool>, keyword: &str, word: &str) -> Result<(), String> {
    let value = match word.to_ascii_lowercase().as_str() {
        "yes" | "true" => true,
        "no" | "false" => false,
        _ => return Err(format!("{keyword} is yes or no, not {word:?}")),
    };
    slot.get_or_insert(value);
    Ok(())
}

/// A time as OpenSSH writes it: seconds, or numbers with `s`, `m`, `h`; `none` for no limit of its own.
fn seconds(text: &str) -> Option<Option<Duration>> {
    if is_none(text) {
        return Some(None);
    }
    let (mut total, mut number) = (0_u64, None::<u64>);
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(digit))?);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    let total = total.checked_add(number.unwrap_or(0))?;
    (!text.is_empty()).then_some(Some(Duration::from_secs(total)))
}

fn list_matches(patterns: &[String], subject: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern, subject) => return false,
            Some(_) => {}
            None => found |= matches(pattern, subject),
        }
    }
    found
}

fn match_matches(words: &[String], asked: Asked<'_>, settings: &Settings) -> bool {
    let mut words = words.iter();
    let mut any = false;
    while let Some(word) = words.next() {
        any = true;
        let (negated, criterion) = word.strip_prefix('!').map_or((false, word.as_str()), |word| (true, word));
        let criterion = criterion.to_ascii_lowercase();
        if criterion == "all" {
            if negated {
                return false;
            }
            continue;
        }
        let Some(list) = words.next() else { return false };
        let patterns: Vec<String> = list.to_ascii_lowercase().split(',').map(str::to_owned).collect();
        let subject = match criterion.as_str() {
            "host" => settings.host_name.as_deref().unwrap_or(asked.host),
            "originalhost" => asked.host,
            "user" => asked.user.or(settings.user.as_deref()).unwrap_or(asked.local_user),
            "localuser" => asked.local_user,
            _ => return false,
        };
        if list_matches(&patterns, &subject.to_ascii_lowercase()) == negated {
            return false;
        }
    }
    any
}

#[cfg(test)]
mod tests;
