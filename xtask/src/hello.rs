//! The example app, ready to be deployed: a static binary, beside the Dockerfile and the configuration that deploy it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{find_program, note, run};
use crate::error::{Context, Error, Result};
use crate::programs;
use crate::sandbox::require_packages;
use crate::workspace;

/// The target whose binaries need no libc, and so no base image.
pub const STATIC_TARGET: &str = "x86_64-unknown-linux-musl";

/// Builds the app's server and gives its path.
///
/// # Errors
///
/// When the target or the C compiler for it is missing and cannot be installed, or the build fails.
pub fn build() -> Result<PathBuf> {
    build_static("hello", "hello", &[])
}

/// Builds the binary `name` of `package` for [`STATIC_TARGET`], in release mode, and gives its path.
///
/// # Errors
///
/// When the target or the C compiler for it is missing and cannot be installed, or the build fails.
pub fn build_static(package: &str, name: &str, options: &[&str]) -> Result<PathBuf> {
    require_static_target()?;
    let target = programs::target();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--package", package, "--bin", name, "--target", STATIC_TARGET]);
    cargo.arg("--target-dir").arg(&target).args(options).current_dir(workspace());
    run(&mut cargo)?;
    Ok(target.join(STATIC_TARGET).join("release").join(name))
}

/// Makes `folder` the app's own: Dockerfile, `config/deploy.yml`, `.kamal/secrets` and the built server.
///
/// # Errors
///
/// As [`build`], and when the files cannot be written.
pub fn stage(folder: &Path) -> Result<()> {
    let server = build()?;
    copy_tree(&workspace().join("examples/hello/deploy"), folder)?;
    let copy = folder.join("server");
    fs::copy(&server, &copy).context(|| format!("copying {} to {}", server.display(), copy.display()))?;
    Ok(())
}

/// Installs the target and its C compiler where they are missing.
///
/// # Errors
///
/// When they cannot be installed; the error says what to run.
pub fn require_static_target() -> Result<()> {
    require_packages(&[("musl-gcc", "musl-tools")])?;
    require_target(STATIC_TARGET)
}

/// Installs Rust's standard library for a target where it is missing.
pub(crate) fn require_target(target: &str) -> Result<()> {
    let sysroot = run(Command::new("rustc").args(["--print", "sysroot"]).current_dir(workspace()))?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib");
    if library.is_dir() {
        return Ok(());
    }
    if find_program("rustup").is_none() {
        return Err(Error::Refused(format!(
            "the Rust target {target} is missing and there is no rustup to add it; install it, e.g. from \
             https://rustup.rs"
        )));
    }
    note(format_args!("adding the Rust target {target}"));
    run(Command::new("rustup").args(["target", "add", target]).current_dir(workspace())).map(drop)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).context(|| format!("creating {}", to.display()))?;
    for entry in fs::read_dir(from).context(|| format!("reading {}", from.display()))? {
        let entry = entry.context(|| format!("reading {}", from.display()))?;
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &copy)?;
        } else {
            fs::copy(&source, &copy).context(|| format!("copying {} to {}", source.display(), copy.display()))?;
        }
    }
    Ok(())
}
