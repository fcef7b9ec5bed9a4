//! Keys of the sandbox: one for its users, one per host, and the known_hosts file that vouches for the hosts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Sandbox;
use super::layout::Layout;
use crate::command::run;
use crate::error::{Context, Result};

/// Generates the users' key, unless there is one.
pub(super) fn ensure_client_key(layout: &Layout) -> Result<()> {
    ensure(&layout.key(), "kamal-sandbox")
}

/// Generates a host's key in its `/etc/ssh`, unless there is one.
pub(super) fn ensure_host_key(folder: &Path, host: &str) -> Result<()> {
    ensure(&folder.join("ssh_host_ed25519_key"), host)
}

/// The public half of the key at `path`, as one line of an authorized_keys file.
pub(super) fn public_key(path: &Path) -> Result<String> {
    let path = public_path(path);
    fs::read_to_string(&path).context(|| format!("reading {}", path.display()))
}

/// Writes the known_hosts file for all hosts there are.
pub(super) fn write_known_hosts(sandbox: &Sandbox) -> Result<()> {
    let mut text = String::new();
    for host in sandbox.hosts() {
        // A host whose making failed early has no key; that failure is reported, not this one.
        let key = sandbox.layout.host(host.number).join("etc/ssh/ssh_host_ed25519_key");
        let Ok(key) = public_key(&key) else { continue };
        let words = key.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" ");
        text.push_str(&format!("{} {words}\n", host.address));
    }
    let path = sandbox.known_hosts();
    let temporary = path.with_extension("new");
    fs::write(&temporary, text)
        .and_then(|()| fs::rename(&temporary, &path))
        .context(|| format!("writing {}", path.display()))
}

fn ensure(path: &Path, comment: &str) -> Result<()> {
    if path.exists() && public_path(path).exists() {
        return Ok(());
    }
    // ssh-keygen asks before it overwrites, so a half-made pair goes first.
    let _ = fs::remove_file(path);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(path);
    run(&mut keygen).map(drop)
}

fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}
