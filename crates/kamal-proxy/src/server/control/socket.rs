//! Where things are: the control socket, the data directory, the state file (spec 1.3, 2.1, 2.4).

use std::env;
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

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

/// The data directory, made if it is missing; the temporary directory where that is impossible.
pub(crate) fn data_dir() -> PathBuf {
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    let directory = home.map(|home| PathBuf::from(home).join(".config/kamal-proxy"));
    directory
        .filter(|path| DirBuilder::new().recursive(true).mode(0o700).create(path).is_ok())
        .unwrap_or_else(env::temp_dir)
}

/// The state file in the data directory.
pub(crate) fn state_path() -> PathBuf {
    data_dir().join("kamal-proxy.state")
}

#[cfg(test)]
mod tests {
    use super::*;

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
