//! Where things are for the program: the control socket, the data directory and what is in it (spec 1.3, 2.1, 2.4).

#![expect(clippy::disallowed_methods, reason = "where things are for the program is in its environment")]

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The control socket, for server and client alike.
pub(crate) fn socket_path() -> PathBuf {
    socket_path_from(|name| env::var_os(name))
}

fn socket_path_from(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    if let Some(path) = set("KAMAL_PROXY_SOCKET") {
        return path.into();
    }
    let directory = set("XDG_RUNTIME_DIR").or_else(|| set("TMPDIR")).unwrap_or_else(|| "/tmp".into());
    PathBuf::from(directory).join("kamal-proxy.sock")
}

/// The data directory, made if it is missing; where that is impossible one of its own among the temporary files.
pub(crate) fn data_dir() -> PathBuf {
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    let directory = home.map(|home| PathBuf::from(home).join(".config/kamal-proxy"));
    directory
        .filter(|path| DirBuilder::new().recursive(true).mode(0o700).create(path).is_ok())
        .unwrap_or_else(|| env::temp_dir().join(format!("kamal-proxy-{}", geteuid().as_raw())))
}

/// Makes the data directory if it is missing. Among temporary files anybody may have made it, to say what is served.
pub(crate) fn claim_data_dir() -> io::Result<()> {
    claim(&data_dir(), &env::temp_dir())
}

fn claim(directory: &Path, temporary: &Path) -> io::Result<()> {
    if directory.parent() != Some(temporary) {
        return Ok(());
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(directory)?;
    if found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    let shown = directory.display();
    Err(io::Error::other(format!("{shown} is not this user's own; set HOME, or remove it")))
}

/// The state file in the data directory.
pub(crate) fn state_path() -> PathBuf {
    data_dir().join("kamal-proxy.state")
}

/// Where a running proxy waits for its successor: beside the state file, since whoever takes over the one takes over
/// the other.
pub(crate) fn handover_path() -> PathBuf {
    data_dir().join("kamal-proxy.handover")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn among_temporary_files_the_directory_is_ones_own() {
        let temporary = tempfile::tempdir().unwrap();
        let own = temporary.path().join("kamal-proxy-0");
        claim(&own, temporary.path()).unwrap();
        claim(&own, temporary.path()).unwrap();
        assert_eq!(fs::metadata(&own).unwrap().mode() & 0o777, 0o700);
        let linked = temporary.path().join("linked");
        std::os::unix::fs::symlink(&own, &linked).unwrap();
        let open = temporary.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        for wrong in [linked, open] {
            let error = claim(&wrong, temporary.path()).unwrap_err().to_string();
            assert!(error.contains("is not this user's own; set HOME"), "{error}");
        }
        claim(Path::new("/does/not/matter"), temporary.path()).unwrap();
    }

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let path = |set: &[(&str, &str)]| {
            let set: Vec<_> = set.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
            socket_path_from(|name| set.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()))
        };
        let (own, runtime, temporary) =
            (("KAMAL_PROXY_SOCKET", "/s"), ("XDG_RUNTIME_DIR", "/run"), ("TMPDIR", "/var/t"));
        assert_eq!(path(&[own, runtime, temporary]), PathBuf::from("/s"));
        assert_eq!(path(&[runtime, temporary]), PathBuf::from("/run/kamal-proxy.sock"));
        assert_eq!(path(&[temporary]), PathBuf::from("/var/t/kamal-proxy.sock"));
        assert_eq!(path(&[]), PathBuf::from("/tmp/kamal-proxy.sock"));
    }
}
