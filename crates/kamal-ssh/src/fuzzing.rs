//! Entry points for the fuzz targets and for the tests that make hostile files up: whatever stands in the files of an
//! OpenSSH client, they are read or refused with a place, and what must hold of the result does.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use russh::keys::PublicKey;

use crate::{
    destination::Destination,
    known_hosts::{self, KnownHosts, Verdict},
    options::Options,
    pattern,
    ssh_config::{ClientMachine, Tokens},
    target::{Part, Route, Target},
};

/// Where the files of a text lie.
const HOME: &str = "/home/me";

/// Reads an ssh config for a host. The first line of the text is the host; then comes `~/.ssh/config`, and after each
/// line `== NAME` a further file in the same folder.
///
/// # Panics
///
/// When what comes out cannot be right.
pub fn ssh_config(text: &str) {
    let (host, files) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(to) = Destination::parse(host) else { return };
    let again = Destination::parse(&to.to_string());
    assert!(again.as_ref().is_ok_and(|again| *again == to), "{to:?} is read again as {again:?}");
    let outside = Folder::new(files);
    let mut options = Options::new(HOME);
    options.local_user = "me".to_owned();
    options.config_files = vec!["~/.ssh/config".into(), "/etc/ssh/ssh_config".into()];
    for part in [Part::Goal, Part::Hop] {
        let first = Target::resolve(&outside, &options, &to, part);
        match &first {
            Ok(target) => check(target, &to),
            Err(error) => assert!(!error.to_string().contains('\n'), "one line: {error}"),
        }
        let second = Target::resolve(&outside, &options, &to, part);
        assert_eq!(format!("{first:?}"), format!("{second:?}"), "the same files say the same");
    }
}

fn check(target: &Target, to: &Destination) {
    assert_ne!(target.port, 0);
    assert_ne!(target.key_port, 0);
    assert_eq!(target.port, to.port.unwrap_or(target.port), "the port in the host's name wins");
    assert_eq!(target.user, to.user.clone().unwrap_or_else(|| target.user.clone()), "so does the user");
    assert!(!target.known_name().is_empty());
    if let Route::Jump(hops) = &target.route {
        assert!(!hops.is_empty());
    }
    let tokens = Tokens {
        asked: &to.host,
        host: &target.host,
        port: target.port,
        user: &target.user,
        local_user: "me",
        home: Path::new(HOME),
        alias: &target.key_name,
    };
    for source in &target.sources {
        assert!(!source.contains('\n'), "one line: {source}");
        assert_eq!(tokens.expand(&source.replace('%', "%%")), *source);
    }
}

/// Reads a known_hosts file for a host. The first line of the text is the host, the rest the file.
///
/// # Panics
///
/// When a key written down for the host is not found again, or one that is revoked is not refused.
pub fn known_hosts(text: &str) {
    let (host, file) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(Destination { host, port, .. }) = Destination::parse(host) else { return };
    let port = port.unwrap_or(22);
    let Ok(key) = PublicKey::from_openssh(KEY) else { return };
    let known = KnownHosts::of(file);
    let verdict = known.check(&host, port, &key);
    // A hash or a key that is none must not make the other readings fail.
    let _ = known.algorithms(&host, port);
    let _ = known.authorities(&host, port).count();
    let Ok(line) = known_hosts::line(&host, port, &key) else { return };
    let line = line.trim_end();
    let refused = matches!(verdict, Verdict::Revoked(_));
    if !host.contains(['*', '?', '!', ',', '|', '@', '#']) {
        let recorded = KnownHosts::of(&format!("{file}\n{line}")).check(&host, port, &key);
        assert!(refused || recorded == Verdict::Known, "{line:?} is not found: {recorded:?}");
    }
    let revoked = KnownHosts::of(&format!("{file}\n@revoked * {KEY}")).check(&host, port, &key);
    assert!(matches!(revoked, Verdict::Revoked(_)), "{revoked:?}");
    if let Some(word) = file.split_whitespace().next().filter(|word| word.len() < 200) {
        assert!(pattern::matches("*", word) && pattern::matches(&"?".repeat(word.chars().count()), word));
    }
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

/// Files made up from a text.
#[derive(Debug)]
struct Folder(BTreeMap<PathBuf, String>);

impl Folder {
    fn new(text: &str) -> Self {
        let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
        let folder = Path::new(HOME).join(".ssh");
        let mut name = folder.join("config");
        for line in text.lines() {
            if let Some(next) = line.strip_prefix("== ") {
                name = folder.join(next);
                continue;
            }
            let file = files.entry(name.clone()).or_default();
            file.push_str(line);
            file.push('\n');
        }
        Self(files)
    }
}

impl ClientMachine for Folder {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        self.0.get(file).map(|text| text.clone().into_bytes()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn names(&self, folder: &Path) -> Vec<OsString> {
        let here = self.0.keys().filter(|file| file.parent() == Some(folder));
        here.filter_map(|file| file.file_name().map(ToOwned::to_owned)).collect()
    }

    fn succeeds(&self, command: &str) -> bool {
        command.len().is_multiple_of(2)
    }
}
