//! What the sandbox needs of the machine: installed where that is ours to do (root on Debian or Ubuntu), else named.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{find_program, note, run};
use crate::error::{Context, Error, Result};

/// Programs the sandbox runs, and the Debian package each is in.
const PROGRAMS: [(&str, &str); 12] = [
    ("dockerd", "docker.io"),
    // A package of its own since Debian 13; part of docker.io before.
    ("docker", "docker-cli"),
    ("iptables", "iptables"),
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("setsid", "util-linux"),
    ("mount", "mount"),
    ("hostname", "hostname"),
];

/// Asks packages not to start their services; see `invoke-rc.d(8)`. The sandbox starts its own.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Makes sure everything is there.
pub(crate) fn require() -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Err(Error::Refused("the sandbox is made of Linux namespaces; run it on Linux".to_owned()));
    }
    require_root()?;
    require_packages(&PROGRAMS)?;
    if !has_buildx() {
        note("installing docker-buildx");
        install_buildx()?;
    }
    if !has_buildx() {
        return Err(Error::Refused(
            "`docker buildx version` fails although the plugin was installed; \
             see https://docs.docker.com/build/install-buildx/"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Refuses to go on as anybody but root.
pub(super) fn require_root() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::Refused("the sandbox makes network namespaces and runs Docker engines; run it as root".to_owned()))
}

/// Installs the packages of those programs that are missing.
///
/// # Errors
///
/// When they cannot be installed here.
pub fn require_packages(programs: &[(&str, &str)]) -> Result<()> {
    let missing = |(program, _): &&(&str, &str)| find_program(program).is_none();
    let mut packages = programs.iter().filter(missing).map(|(_, package)| *package).collect::<Vec<_>>();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    if find_program("apt-get").is_none() || !rustix::process::geteuid().is_root() {
        let list = packages.join(", ");
        return Err(Error::Refused(format!(
            "missing: {list} (names of Debian packages); install them, or run this as root on Debian or Ubuntu"
        )));
    }
    // Where the client is part of docker.io there is no docker-cli, and installing docker.io brings it.
    if packages.contains(&"docker.io") {
        packages.retain(|package| *package != "docker-cli");
    }
    note(format_args!("installing {}", packages.join(", ")));
    let _quiet = Quiet::new()?;
    run(apt().arg("update"))?;
    run(apt().args(["install", "-y", "--no-install-recommends"]).args(&packages))?;
    if packages.contains(&"docker.io") && find_program("docker").is_none() {
        run(apt().args(["install", "-y", "--no-install-recommends", "docker-cli"]))?;
    }
    match programs.iter().find(missing) {
        None => Ok(()),
        Some((program, package)) => {
            Err(Error::Refused(format!("{program} is missing although {package} is installed; check `PATH`")))
        }
    }
}

fn has_buildx() -> bool {
    run(Command::new("docker").args(["buildx", "version"])).is_ok()
}

/// Installs buildx from the distribution, or, as Debian 12 has none, the package of Debian 13, which needs nothing but
/// libc.
fn install_buildx() -> Result<()> {
    let _quiet = Quiet::new()?;
    if run(apt().args(["install", "-y", "--no-install-recommends", "docker-buildx"])).is_ok() {
        return Ok(());
    }
    let folder = Scratch::new()?;
    let packages = download_from_trixie(&folder, &["docker-buildx"])?;
    run(Command::new("dpkg").arg("--install").args(packages)).map(drop)
}

/// The newest docker engine there is a package of, unpacked into a folder beside the machine's own: its programs are in
/// `usr/bin` and `usr/sbin` there.
///
/// # Errors
///
/// When it cannot be had here.
pub fn newest_engine() -> Result<PathBuf> {
    let unpacked = crate::workspace().join("target/docker-trixie");
    if unpacked.exists() {
        return Ok(unpacked);
    }
    let folder = Scratch::new()?;
    let fresh = unpacked.with_file_name(format!("docker-trixie.{}", std::process::id()));
    for package in download_from_trixie(&folder, &["docker.io", "containerd", "runc"])? {
        run(Command::new("dpkg").arg("--extract").arg(package).arg(&fresh))?;
    }
    match fs::rename(&fresh, &unpacked) {
        // Somebody else was faster.
        Err(_) if unpacked.exists() => fs::remove_dir_all(&fresh).context(|| format!("removing {}", fresh.display())),
        renamed => renamed.context(|| format!("creating {}", unpacked.display())),
    }?;
    Ok(unpacked)
}

/// Downloads packages of Debian 13 into a folder. apt verifies them with Debian's keys, in a state of its own, so the
/// machine's sources stay as they are.
fn download_from_trixie(folder: &Scratch, packages: &[&str]) -> Result<Vec<PathBuf>> {
    let sources = folder.0.join("sources.list");
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    fs::write(&sources, format!("deb [signed-by={keys}] http://deb.debian.org/debian trixie main\n"))
        .context(|| format!("writing {}", sources.display()))?;
    let trixie = || {
        let mut apt = apt();
        for (option, value) in [
            ("Dir::Etc::sourcelist", sources.as_path()),
            ("Dir::Etc::sourceparts", Path::new("/dev/null")),
            ("Dir::State::lists", &folder.0.join("lists")),
            ("Dir::Cache", &folder.0.join("cache")),
            ("Acquire::Languages", Path::new("none")),
            ("APT::Sandbox::User", Path::new("root")),
        ] {
            apt.arg("-o").arg(format!("{option}={}", value.display()));
        }
        apt.current_dir(&folder.0);
        apt
    };
    run(trixie().arg("update"))?;
    run(trixie().arg("download").args(packages))?;
    let entries = fs::read_dir(&folder.0).context(|| format!("reading {}", folder.0.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "deb")).collect::<Vec<_>>();
    if files.len() != packages.len() {
        return Err(Error::Refused(format!("apt downloaded {} of {}", files.len(), packages.join(", "))));
    }
    Ok(files)
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
    apt
}

/// While it lives, packages do not start their services.
#[derive(Debug)]
struct Quiet {
    ours: bool,
}

impl Quiet {
    fn new() -> Result<Self> {
        let path = Path::new(POLICY);
        if path.exists() {
            return Ok(Self { ours: false });
        }
        fs::write(path, "#!/bin/sh\nexit 101\n")
            .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755)))
            .context(|| format!("writing {POLICY}"))?;
        Ok(Self { ours: true })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if self.ours {
            // Left behind it would only keep later packages from starting; there is nobody to report to here.
            let _ = fs::remove_file(POLICY);
        }
    }
}

/// A folder that goes when we are done with it.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("kamal-sandbox-apt-{}", std::process::id()));
        for child in ["lists/partial", "cache/archives/partial"] {
            let path = folder.join(child);
            fs::create_dir_all(&path).context(|| format!("creating {}", path.display()))?;
        }
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A few megabytes in /tmp, at worst.
        let _ = fs::remove_dir_all(&self.0);
    }
}
