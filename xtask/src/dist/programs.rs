//! The programs of a release, static, for each kind of machine.
//!
//! For this machine's own architecture musl's compiler is enough. For others Zig is C compiler and linker in one, and comes
//! with musl for all of them; both come from PyPI.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::Machine;
use crate::ci::cargo;
use crate::command::{find_program, note, run, show};
use crate::error::{Error, Result};
use crate::hello::require_target;
use crate::programs::target;
use crate::sandbox::require_packages;

/// What is built for one kind of machine.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) machine: Machine,
    pub(super) kamal: PathBuf,
    pub(super) proxy: PathBuf,
}

/// Packages, programs and features of what is built.
const BUILT: [&str; 10] = [
    "--package",
    "kamal-cli",
    "--bin",
    "kamal",
    "--package",
    "kamal-proxy",
    "--bin",
    "kamal-proxy",
    "--features",
    "kamal-proxy/program,kamal-proxy/http3",
];

/// Zig and what makes cargo use it, of versions that were tried together.
const ZIG: [&str; 2] = ["ziglang==0.17.1", "cargo-zigbuild==0.24.1"];

pub(super) fn build(machine: Machine) -> Result<Programs> {
    require_target(machine.triple)?;
    let native = machine.name == env::consts::ARCH;
    let mut cargo = cargo();
    if native {
        require_packages(&[("musl-gcc", "musl-tools")])?;
        cargo.arg("build");
    } else {
        let zig = zig()?;
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([zig.join("bin")].into_iter().chain(env::split_paths(&path)));
        let path = path.map_err(|error| Error::Refused(format!("PATH cannot be extended: {error}")))?;
        cargo.env("PATH", path).env("PYTHONPATH", zig).arg("zigbuild");
    }
    cargo.args(["--quiet", "--locked", "--release", "--target", machine.triple]).args(BUILT);
    show(cargo.arg("--target-dir").arg(target()))?;
    let folder = target().join(machine.triple).join("release");
    Ok(Programs { machine, kamal: folder.join("kamal"), proxy: folder.join("kamal-proxy") })
}

/// The folder Zig is in, where pip puts it the first time.
fn zig() -> Result<PathBuf> {
    let folder = target().join("zig");
    if folder.join("bin/cargo-zigbuild").is_file() && folder.join("ziglang").is_dir() {
        return Ok(folder);
    }
    require_packages(&[("pip3", "python3-pip")])?;
    note("installing Zig, the C compiler for other machines");
    let pip = find_program("pip3").unwrap_or_else(|| "pip3".into());
    run(Command::new(pip).args(["install", "--quiet", "--upgrade", "--target"]).arg(&folder).args(ZIG))?;
    Ok(folder)
}
