//! The programs of this workspace, built to be tried: the kamal command, the static proxy it hands to hosts beside it,
//! and the example app's server. Where `KAMAL_PROGRAMS` names a folder, command and proxy are taken from there: those of a
//! release, or of an older one.

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
    /// As they are shipped: for measuring.
    Release,
    /// Optimised, but without the link-time work a release spends minutes on: for the demo.
    Quick,
    /// As the tests themselves: what is built already for `cargo test` is not built again.
    Dev,
}

impl Profile {
    /// Cargo's name for it, and the name of the folder it builds into.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Release => ("release", "release"),
            Self::Quick => ("quick", "quick"),
            Self::Dev => ("dev", "debug"),
        }
    }
}

/// What the proxy is called beside the command.
const PROXY: &str = "kamal-proxy-linux-amd64";

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
    let proxy = static_proxy(profile)?;
    note("building kamal and the example app (a few minutes the first time)");
    let kamal = command(profile)?;
    // Small, whatever the others are built for: it is hashed, packed and unpacked by every deploy of every test.
    cargo(Profile::Quick, &["--package", "hello", "--bin", "hello", "--target", STATIC_TARGET])?;
    let beside = kamal.with_file_name(PROXY);
    if proxy != beside {
        fs::copy(&proxy, &beside).context(|| format!("copying the proxy to {}", beside.display()))?;
    }
    Ok(Programs { kamal, server: target().join(STATIC_TARGET).join(Profile::Quick.names().1).join("hello") })
}

/// Builds the command alone, and tells where it is.
///
/// # Errors
///
/// When the build fails.
pub fn command(profile: Profile) -> Result<PathBuf> {
    if let Some(kamal) = given("kamal")? {
        return Ok(kamal);
    }
    cargo(profile, &["--package", "kamal-cli", "--bin", "kamal"])?;
    Ok(target().join(profile.names().1).join("kamal"))
}

/// Builds an example of the crate `kamal`, and tells where it is.
///
/// # Errors
///
/// When the build fails.
pub fn example(name: &str, profile: Profile) -> Result<PathBuf> {
    cargo(profile, &["--package", "kamal", "--example", name])?;
    Ok(target().join(profile.names().1).join("examples").join(name))
}

/// Builds the static proxy alone.
///
/// # Errors
///
/// As [`build`].
pub fn static_proxy(profile: Profile) -> Result<PathBuf> {
    require_static_target()?;
    if let Some(proxy) = given(PROXY)? {
        return Ok(proxy);
    }
    note("building kamal-proxy (a few minutes the first time)");
    let package =
        ["--package", "kamal-proxy", "--bin", "kamal-proxy", "--features", "program,http3", "--target", STATIC_TARGET];
    cargo(profile, &package)?;
    Ok(target().join(STATIC_TARGET).join(profile.names().1).join("kamal-proxy"))
}

/// A program that was built elsewhere.
fn given(name: &str) -> Result<Option<PathBuf>> {
    let Some(folder) = env::var_os("KAMAL_PROGRAMS") else { return Ok(None) };
    let program = PathBuf::from(folder).join(name);
    fs::metadata(&program).context(|| format!("KAMAL_PROGRAMS has no {}", program.display()))?;
    Ok(Some(program))
}

/// Where things are built, as an absolute path.
pub(crate) fn target() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    std::path::absolute(&target).unwrap_or(target)
}

fn cargo(profile: Profile, arguments: &[&str]) -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--profile", profile.names().0]).args(arguments);
    show(cargo.arg("--target-dir").arg(target()).current_dir(workspace()))
}
