//! A Debian package, made of the same tree as the archive by Debian's own `dpkg-deb`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Machine, VERSION, copy, tree};
use crate::command::run;
use crate::error::{Context, Result};
use crate::sandbox::require_packages;

/// Packs the tree below `/usr` of a package.
pub(super) fn pack(root: &Path, machine: Machine, folder: &Path, changed: u64) -> Result<()> {
    require_packages(&[("dpkg-deb", "dpkg")])?;
    let package = root.with_extension("deb-root");
    if package.exists() {
        fs::remove_dir_all(&package).context(|| format!("emptying {}", package.display()))?;
    }
    for file in tree::files(root)? {
        copy(&root.join(&file), &package.join("usr").join(&file))?;
    }
    let control = package.join("DEBIAN/control");
    fs::create_dir_all(package.join("DEBIAN")).context(|| format!("creating {}", package.display()))?;
    fs::write(&control, text(machine, size(&package)?)).context(|| format!("writing {}", control.display()))?;
    let to = folder.join(format!("kamal_{VERSION}_{}.deb", machine.architecture));
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.args(["--root-owner-group", "-Zxz", "--build"]).arg(&package).arg(to);
    run(dpkg.env("SOURCE_DATE_EPOCH", changed.to_string())).map(drop)
}

/// In KiB, rounded up.
fn size(package: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in tree::files(package)? {
        let path = package.join(file);
        bytes += fs::metadata(&path).context(|| format!("reading {}", path.display()))?.len();
    }
    Ok(bytes.div_ceil(1024))
}

fn text(machine: Machine, size: u64) -> String {
    format!(
        "Package: kamal\n\
         Version: {VERSION}\n\
         Architecture: {}\n\
         Maintainer: The Kamal in Rust maintainers <maintainers@kamal-rs.dev>\n\
         Installed-Size: {size}\n\
         Recommends: git, openssh-client\n\
         Suggests: docker.io, docker-buildx\n\
         Section: admin\n\
         Priority: optional\n\
         Homepage: https://github.com/kamal-rs/kamal\n\
         Description: deploys web apps in containers without dropping a request\n \
         Kamal 2's configuration, command line and host layout as one program without\n \
         Ruby. Servers need nothing but SSH and Docker.\n",
        machine.architecture
    )
}
