//! What the lines that hold for a host say.

use std::time::Duration;

use super::{line::Line, sections::list_matches};
use crate::host_key::UnknownHosts;

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
    /// What becomes of hosts never seen before.
    pub(crate) unknown_hosts: Option<UnknownHosts>,
    pub(crate) hash_known_hosts: Option<bool>,
    pub(crate) connect_timeout: Option<Option<Duration>>,
    pub(crate) connection_attempts: Option<u32>,
    /// `None` inside: never ask whether the peer is alive.
    pub(crate) alive_interval: Option<Option<Duration>>,
    pub(crate) alive_count: Option<u32>,
    pub(crate) bind_address: Option<String>,
    pub(crate) family: Option<Family>,
    pub(crate) batch_mode: Option<bool>,
    pub(crate) password: Option<bool>,
    pub(crate) keyboard: Option<bool>,
    pub(crate) kex: Option<String>,
    pub(crate) ciphers: Option<String>,
    pub(crate) macs: Option<String>,
    pub(crate) host_key_algorithms: Option<String>,
    /// Patterns of `IgnoreUnknown`.
    pub(crate) ignored: Vec<String>,
    /// Words that are no keyword of OpenSSH, and where they stand.
    pub(super) strange: Vec<(String, String)>,
    /// The lines that hold, each with its place.
    pub(crate) sources: Vec<String>,
    /// Whether a section asks for a second reading.
    pub(super) wants_last: bool,
}

/// `ProxyJump` or `ProxyCommand`, whichever comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// `none`.
    None,
    Jump(String),
    Command(String),
}

/// Which addresses are called (`AddressFamily`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Any,
    V4,
    V6,
}

impl Settings {
    /// Takes in a line; its keyword is one of OpenSSH's. True when it has a meaning here.
    pub(super) fn apply(&mut self, line: &Line) -> Result<bool, String> {
        let Line { keyword, words, rest } = line;
        let Some(first) = words.first() else { return Ok(false) };
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
            "identityfile" => add(&mut self.identity_files, first),
            "certificatefile" => add(&mut self.certificate_files, first),
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
                self.unknown_hosts.get_or_insert(match first.to_ascii_lowercase().as_str() {
                    "yes" | "true" => UnknownHosts::Refuse,
                    "no" | "false" | "off" | "accept-new" => UnknownHosts::Accept,
                    "ask" => UnknownHosts::Ask,
                    _ => return Err(format!("{keyword} is yes, no, ask, accept-new or off, not {first:?}")),
                });
            }
            "hashknownhosts" => set_flag(&mut self.hash_known_hosts, keyword, first)?,
            "batchmode" => set_flag(&mut self.batch_mode, keyword, first)?,
            "passwordauthentication" => set_flag(&mut self.password, keyword, first)?,
            "kbdinteractiveauthentication" | "challengeresponseauthentication" => {
                set_flag(&mut self.keyboard, keyword, first)?;
            }
            "bindaddress" => once(&mut self.bind_address),
            "kexalgorithms" => once(&mut self.kex),
            "ciphers" => once(&mut self.ciphers),
            "macs" => once(&mut self.macs),
            "hostkeyalgorithms" => once(&mut self.host_key_algorithms),
            "addressfamily" => {
                self.family.get_or_insert(match first.to_ascii_lowercase().as_str() {
                    "any" => Family::Any,
                    "inet" => Family::V4,
                    "inet6" => Family::V6,
                    _ => return Err(format!("{keyword} is any, inet or inet6, not {first:?}")),
                });
            }
            "connectionattempts" => set_number(&mut self.connection_attempts, keyword, first)?,
            "serveralivecountmax" => set_number(&mut self.alive_count, keyword, first)?,
            "serveraliveinterval" => {
                let seconds = seconds(first).ok_or_else(|| format!("bad time {first:?}"))?;
                self.alive_interval.get_or_insert(seconds.filter(|every| !every.is_zero()));
            }
            "ignoreunknown" if self.ignored.is_empty() => {
                self.ignored = words.iter().flat_map(|list| list.split(',')).map(str::to_ascii_lowercase).collect();
            }
            "connecttimeout" => {
                let seconds = seconds(first).ok_or_else(|| format!("bad time {first:?}"))?;
                self.connect_timeout.get_or_insert(seconds);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Words passed over that the user should know of.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        let strange = self.strange.iter().filter(|(word, _)| !list_matches(&self.ignored, word));
        strange.map(|(word, place)| format!("{place}: {word:?} is no keyword of ssh_config and is passed over"))
    }
}

/// Files are read twice for `Match final`, which must not add a file twice.
fn add(files: &mut Vec<String>, file: &str) {
    if !files.iter().any(|known| known == file) {
        files.push(file.to_owned());
    }
}

fn set_number(slot: &mut Option<u32>, keyword: &str, word: &str) -> Result<(), String> {
    let value = word.parse().ok().filter(|value| *value > 0);
    slot.get_or_insert(value.ok_or_else(|| format!("{keyword} is a number above 0, not {word:?}"))?);
    Ok(())
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
