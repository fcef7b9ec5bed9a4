//! The programs of this workspace, built to be tried: the kamal command, the static proxy it hands to hosts beside it,
//! and the example app's server.

use std::{env, fs, path::PathBuf, process::Command};

use crate::{
    command::{note, show},
    error::{Context, Result},
    hello::{STATIC_TARGET, require_static_target},
    workspace,
};

/// How they are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Optimised, but without the link-time work a release spends minutes on: for the demo and for measuring.
    Quick,
    /// As the tests themselves: what is built already for `cargo test` is not built again.
    Dev,
}

impl Profile {
    /// Cargo's name for it, and the name of the folder it builds into.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Quick => ("quick", "quick"),
            Self::Dev => ("dev", "debug"),
        }
    }
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The kamal command; the proxy lies beside it.
    pub kamal: PathBuf,
    /// The example app's server, static.
    pub server: PathBuf,
}

/// Builds them, or finds them built.
///
/// # Errors
///
/// When a build fails, or the static target cannot be installed.
pub fn build(profile: Profile) -> Result<Programs> {
    let (profile, folder) = profile.names();
    require_static_target()?;
    note("building kamal, kamal-proxy and the example app (a few minutes the first time)");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--profile", profile]).args(arguments);
        cargo.arg("--target-dir").arg(&target).current_dir(workspace());
        show(&mut cargo)
    };
    cargo(&["--package", "kamal-cli", "--bin", "kamal"])?;
    cargo(&["--package", "hello", "--bin", "hello", "--target", STATIC_TARGET])?;
    cargo(&["--package", "kamal-proxy", "--bin", "kamal-proxy", "--features", "server", "--target", STATIC_TARGET])?;
    let statics = target.join(STATIC_TARGET).join(folder);
    let folder = target.join(folder);
    let beside = folder.join("kamal-proxy-linux-amd64");
    fs::copy(statics.join("kamal-proxy"), &beside).context(|| format!("copying the proxy to {}", beside.display()))?;
    Ok(Programs { kamal: folder.join("kamal"), server: statics.join("hello") })
}
