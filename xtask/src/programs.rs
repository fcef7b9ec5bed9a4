//! The programs of this workspace, built to be tried: the kamal command, the static proxy it hands to hosts beside it,
//! and the example app's server.

use std::{env, fs, path::PathBuf, process::Command};

use crate::{
    command::{note, show},
    error::{Context, Result},
    hello::{STATIC_TARGET, require_static_target},
    workspace,
};

/// Cargo's profile for them: optimised, but without the link-time work a release spends minutes on.
const PROFILE: &str = "quick";

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
pub fn build() -> Result<Programs> {
    require_static_target()?;
    note("building kamal, kamal-proxy and the example app (a few minutes the first time)");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--profile", PROFILE]).args(arguments);
        cargo.arg("--target-dir").arg(&target).current_dir(workspace());
        show(&mut cargo)
    };
    cargo(&["--package", "kamal-cli", "--bin", "kamal"])?;
    cargo(&["--package", "hello", "--bin", "hello", "--target", STATIC_TARGET])?;
    cargo(&["--package", "kamal-proxy", "--bin", "kamal-proxy", "--features", "server", "--target", STATIC_TARGET])?;
    let folder = target.join(PROFILE);
    let statics = target.join(STATIC_TARGET).join(PROFILE);
    let beside = folder.join("kamal-proxy-linux-amd64");
    fs::copy(statics.join("kamal-proxy"), &beside).context(|| format!("copying the proxy to {}", beside.display()))?;
    Ok(Programs { kamal: folder.join("kamal"), server: statics.join("hello") })
}
