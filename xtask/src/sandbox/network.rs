//! The sandbox's own network: a bridge with the machine's address on it, and a cable from it to each namespace.
//!
//! A bridge needs no forwarding and no rules of the machine's firewall, so hosts reach each other and the registry, and
//! the machine's own settings stay as they are. The bridge's alias names the folder of the sandbox it belongs to, because
//! the addresses exist once per machine.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::layout::Layout;
use super::machine::Machine;
use crate::command::run;
use crate::error::{Context, Error, Result};

const BRIDGE: &str = "kamal0";
const NAMESPACES: &str = "/run/netns";

/// Refuses to touch the sandbox of another folder.
pub(super) fn require_ownership(layout: &Layout) -> Result<()> {
    let Ok(owner) = fs::read_to_string(format!("/sys/class/net/{BRIDGE}/ifalias")) else { return Ok(()) };
    let owner = owner.trim_end();
    if owner.is_empty() || Path::new(owner) == layout.root() {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the sandbox in {owner} is up on this machine, and there is room for one; \
         take it down with `KAMAL_SANDBOX_DIR={owner} cargo xtask sandbox down`"
    )))
}

pub(super) fn bridge_exists() -> bool {
    Path::new("/sys/class/net").join(BRIDGE).exists()
}

/// Makes the bridge, or completes it.
pub(super) fn ensure_bridge(layout: &Layout) -> Result<()> {
    if !bridge_exists() {
        run(Command::new("ip").args(["link", "add", BRIDGE, "type", "bridge"]))?;
    }
    let owner = layout.root().to_string_lossy();
    run(Command::new("ip").args(["link", "set", BRIDGE, "alias", &owner]))?;
    ip(&[], &[format!("address replace 10.77.0.1/16 dev {BRIDGE}"), format!("link set {BRIDGE} up")])
}

pub(super) fn remove_bridge() -> Result<()> {
    if bridge_exists() { ip(&[], &[format!("link delete {BRIDGE}")]) } else { Ok(()) }
}

/// The network namespaces whose names are ours.
pub(super) fn namespaces() -> Result<BTreeSet<String>> {
    let entries = match fs::read_dir(NAMESPACES) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(Error::Io { what: format!("reading {NAMESPACES}"), source: error }),
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter(|name| name.starts_with("kamal-")).collect())
}

pub(super) fn has_cable(machine: &Machine) -> bool {
    Path::new("/sys/class/net").join(machine.cable()).exists()
}

/// Makes the machine's namespace and plugs it into the bridge.
pub(super) fn create(machine: &Machine) -> Result<()> {
    let (namespace, cable) = (machine.namespace(), machine.cable());
    run(Command::new("ip").args(["netns", "add", &namespace]))?;
    ip(
        &[],
        &[
            format!("link add {cable} type veth peer name eth0 netns {namespace}"),
            format!("link set {cable} master {BRIDGE} up"),
        ],
    )?;
    ip(
        &["-netns", &namespace],
        &[
            "link set lo up".to_owned(),
            format!("address add {}/16 dev eth0", machine.address),
            "link set eth0 up".to_owned(),
            // Leads nowhere, but packets for elsewhere are refused at once instead of having no route.
            "route add default via 10.77.0.1".to_owned(),
        ],
    )
}

/// Unplugs the machine and removes its namespace, as far as they are there. Nothing may run in it any more.
pub(super) fn remove(machine: &Machine) -> Result<()> {
    if has_cable(machine) {
        ip(&[], &[format!("link delete {}", machine.cable())])?;
    }
    if namespaces()?.contains(&machine.namespace()) {
        run(Command::new("ip").args(["netns", "delete", &machine.namespace()]))?;
    }
    Ok(())
}

/// Runs several `ip` commands in one process.
fn ip(options: &[&str], commands: &[String]) -> Result<()> {
    let script = commands.join("\n");
    let failed = |what: &str| format!("{what} `ip` for: {}", commands.join("; "));
    let mut child = Command::new("ip")
        .args(options)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context(|| failed("starting"))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(script.as_bytes()).and_then(|()| input.write_all(b"\n")).context(|| failed("writing to"))?;
    }
    let output = child.wait_with_output().context(|| failed("waiting for"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Command {
        command: format!("ip {} -batch: {}", options.join(" "), commands.join("; ")),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
