//! Docker engines: whether one answers, whether the machine's own will do for building, and what one leaves behind.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::REGISTRY;

/// How long a healthy engine may take to tell its version.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The version of the engine behind `socket`, if it answers.
pub(super) fn version(socket: &Path) -> Option<String> {
    Some(get(socket, "/version")?.get("Version")?.as_str()?.to_owned())
}

/// Whether the machine has an engine of its own that may push to the sandbox's registry.
pub(super) fn default_engine_fits() -> bool {
    let info = get(Path::new("/var/run/docker.sock"), "/info");
    info.is_some_and(|info| info["RegistryConfig"]["IndexConfigs"][REGISTRY]["Secure"] == Value::Bool(false))
}

/// Removes the control groups of containers that were killed with their engine; the kernel keeps them otherwise.
pub(super) fn remove_cgroups(containers: &Path) {
    let Ok(entries) = fs::read_dir(containers) else { return };
    let ids = entries.flatten().map(|entry| entry.file_name()).collect::<Vec<_>>();
    for hierarchy in cgroup_hierarchies() {
        let parent = hierarchy.join("docker");
        for id in &ids {
            // Not every hierarchy has one, and a last process may still be leaving: empty groups cost next to nothing.
            let _ = fs::remove_dir(parent.join(id));
        }
        // Refused by the kernel while another engine has groups in it.
        let _ = fs::remove_dir(parent);
    }
}

/// The one hierarchy of cgroup v2, and those of v1 below it.
fn cgroup_hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from("/sys/fs/cgroup");
    let children = fs::read_dir(&root).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    std::iter::once(root).chain(children).collect()
}

/// Asks the engine's API. HTTP/1.0, so that the answer ends where the connection does.
fn get(socket: &Path, path: &str) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(ANSWER_LIMIT)).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n").as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    serde_json::from_slice(&answer[body..]).ok()
}
