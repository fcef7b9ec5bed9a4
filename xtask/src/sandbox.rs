//! Hosts on this machine: what the demo and the end-to-end tests deploy to, over real sshd, to real Docker engines.
//!
//! A host is a network namespace on a bridge, with an address of its own (`10.77.N.2`), in which run an sshd on port 22
//! and a Docker engine. Both see the machine through a private mount namespace: their own `/root`, `/run`, `/tmp` and
//! `/var/lib/docker`, so that paths mean the same to the shell and to the engine, and nothing of one host is visible to
//! another. Beside the hosts there is a registry at `10.77.0.1:5000` and, where the machine has no fitting engine itself,
//! one to build images with. Nothing is routed: no host reaches anything outside this machine.
//!
//! All state is one folder, `target/sandbox` or `$KAMAL_SANDBOX_DIR`. `up` makes what is missing and heals what broke;
//! `down` removes everything again.

mod engine;
mod install;
mod keys;
mod layout;
mod machine;
mod network;
mod process;
mod registry;
mod status;

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

pub(crate) use self::install::require;
pub use self::install::{newest_engine, require_packages};
pub use self::registry::serve as serve_registry;
pub use self::status::{HostStatus, Status};

use self::layout::Layout;
use self::machine::Machine;
use crate::command::{note, run};
use crate::error::{Context, Error, Result};

/// Where the sandbox's registry listens, as images name it.
pub const REGISTRY: &str = "10.77.0.1:5000";

/// Most hosts a sandbox can have. The third byte of the address numbers them, and the last few are kept back.
pub const MAX_HOSTS: u8 = 250;

/// A sandbox that is up.
#[derive(Debug, Clone)]
pub struct Sandbox {
    layout: Layout,
    hosts: Vec<Host>,
    own_builder: bool,
}

/// One host of the sandbox.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Host {
    /// From 1.
    pub number: u8,
    /// What `hostname` says on it: `host1`.
    pub name: String,
    /// Where its sshd listens, on port 22, for the user root.
    pub address: Ipv4Addr,
    /// Its `/root`, seen from outside.
    pub home: PathBuf,
    /// Its engine's socket, seen from outside.
    pub docker_socket: PathBuf,
}

/// Brings the sandbox up with at least `hosts` hosts: makes what is missing, heals what broke, leaves the rest alone.
///
/// # Errors
///
/// When this is not Linux, the user is not root, a program is missing that cannot be installed, or a part of the sandbox
/// does not start; the error says which, and shows its log.
pub fn up(hosts: u8) -> Result<Sandbox> {
    if !(1..=MAX_HOSTS).contains(&hosts) {
        return Err(Error::Refused(format!("a sandbox has 1 to {MAX_HOSTS} hosts, not {hosts}")));
    }
    let started = Instant::now();
    let layout = Layout::find()?;
    require()?;
    let _lock = lock()?;
    network::require_ownership(&layout)?;
    layout.create()?;
    keys::ensure_client_key(&layout)?;
    network::ensure_bridge(&layout)?;

    let machines = (1..=hosts).map(|number| Machine::host(&layout, number)).collect::<Vec<_>>();
    let results = thread::scope(|scope| {
        let registry = scope.spawn(|| registry::ensure(&layout));
        let builder = scope.spawn(|| ensure_builder(&layout));
        let hosts = machines.iter().map(|machine| scope.spawn(|| machine.ensure())).collect::<Vec<_>>();
        let parts = [registry, builder].into_iter().chain(hosts);
        // Wait for all before reporting the first failure, so that nothing is still starting when the lock goes.
        parts.map(|part| part.join().map_err(|_| panicked())?).collect::<Vec<_>>()
    });
    let sandbox = Sandbox::of(layout);
    // Also when a part failed: the rest can be used, and looked into.
    keys::write_known_hosts(&sandbox)?;
    let changed = results.into_iter().try_fold(false, |changed, part| Ok::<_, Error>(changed | part?))?;
    let count = sandbox.hosts.len();
    if changed {
        note(format_args!("sandbox up: {count} host(s) in {:.1} s", started.elapsed().as_secs_f64()));
    } else {
        note(format_args!("sandbox is up already: {count} host(s), nothing to do"));
    }
    Ok(sandbox)
}

/// Takes the sandbox down and removes everything it made. Also of a sandbox that is half up, or not up at all.
///
/// # Errors
///
/// When something of it cannot be removed.
pub fn down() -> Result<()> {
    let layout = Layout::find()?;
    install::require_root()?;
    let _lock = lock()?;
    network::require_ownership(&layout)?;
    let machines = Machine::all(&layout)?;
    if machines.is_empty() && !layout.root().exists() && !network::bridge_exists() {
        note("no sandbox is up");
        return Ok(());
    }
    registry::stop(&layout)?;
    thread::scope(|scope| {
        let parts = machines.iter().map(|machine| scope.spawn(|| machine.remove())).collect::<Vec<_>>();
        let results = parts.into_iter().map(|part| part.join().map_err(|_| panicked())?).collect::<Vec<_>>();
        results.into_iter().collect::<Result<()>>()
    })?;
    network::remove_bridge()?;
    if layout.root().exists() {
        fs::remove_dir_all(layout.root()).context(|| format!("removing {}", layout.root().display()))?;
    }
    note("sandbox is down");
    Ok(())
}

/// Removes hosts again until only so many are left.
///
/// # Errors
///
/// When something of one cannot be removed.
pub fn shrink(hosts: u8) -> Result<()> {
    let layout = Layout::find()?;
    install::require_root()?;
    let _lock = lock()?;
    for number in layout.host_numbers().into_iter().filter(|number| *number > hosts) {
        Machine::host(&layout, number).remove()?;
    }
    keys::write_known_hosts(&Sandbox::of(layout))
}

impl Sandbox {
    /// The sandbox that is up.
    ///
    /// # Errors
    ///
    /// When none is up, or a part of it does not answer.
    pub fn attach() -> Result<Self> {
        let sandbox = Self::find()?;
        let broken = sandbox.status().hosts.into_iter().find(|host| !host.healthy());
        match broken {
            _ if sandbox.hosts.is_empty() => {
                Err(Error::Refused("no sandbox is up; run `cargo xtask sandbox up 2`".to_owned()))
            }
            Some(host) => Err(Error::Refused(format!(
                "{} of the sandbox does not answer; run `cargo xtask sandbox up {}` to heal it",
                host.name,
                sandbox.hosts.len()
            ))),
            None => Ok(sandbox),
        }
    }

    /// The sandbox, whatever state it is in, even with no hosts at all.
    ///
    /// # Errors
    ///
    /// When the environment names an impossible folder.
    pub fn find() -> Result<Self> {
        Ok(Self::of(Layout::find()?))
    }

    fn of(layout: Layout) -> Self {
        let machines = layout.host_numbers().into_iter().map(|number| (number, Machine::host(&layout, number)));
        let hosts = machines
            .map(|(number, machine)| Host {
                number,
                home: machine.home(),
                docker_socket: machine.docker_socket(),
                address: machine.address,
                name: machine.name,
            })
            .collect();
        let own_builder = Machine::builder(&layout).folder.exists();
        Self { layout, hosts, own_builder }
    }

    /// The hosts, by number.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The private key that root of every host accepts: OpenSSH format, ed25519, without passphrase.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.layout.key()
    }

    /// A known_hosts file with the key of every host.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.layout.known_hosts()
    }

    /// The registry every engine of the sandbox may push to and pull from, without TLS and with any credentials.
    #[must_use]
    pub fn registry(&self) -> &'static str {
        REGISTRY
    }

    /// What `DOCKER_HOST` must be to build images; `None` when the machine's own default engine does.
    #[must_use]
    pub fn docker_host(&self) -> Option<String> {
        self.own_builder.then(|| format!("unix://{}", Machine::builder(&self.layout).docker_socket().display()))
    }

    /// The network of the machine images are built on, where that is one of the sandbox's: what is built there finds a
    /// program's ports on the loopback only of programs that run in it.
    #[must_use]
    pub fn builder_network(&self) -> Option<PathBuf> {
        self.own_builder.then(|| Path::new("/run/netns").join(Machine::builder(&self.layout).namespace()))
    }

    /// The folder with everything in it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.layout.root()
    }

    /// What every part of the sandbox is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        status::of(self)
    }

    /// The variables with which scripts and tests find the sandbox.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("KAMAL_SANDBOX_KEY", self.key().display().to_string()),
            ("KAMAL_SANDBOX_KNOWN_HOSTS", self.known_hosts().display().to_string()),
            ("KAMAL_SANDBOX_REGISTRY", REGISTRY.to_owned()),
        ];
        variables.extend(self.docker_host().map(|socket| ("DOCKER_HOST", socket)));
        variables
    }

    /// The host a user means by `1`, `host1` or `10.77.1.2`.
    ///
    /// # Errors
    ///
    /// When there is no such host.
    pub fn host(&self, called: &str) -> Result<&Host> {
        let means = |host: &&Host| {
            called == host.name || called == host.address.to_string() || called == host.number.to_string()
        };
        self.hosts.iter().find(means).ok_or_else(|| {
            let names = self.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(", ");
            Error::Refused(format!("no host {called} in the sandbox; there are {names}"))
        })
    }

    /// Kills the engine of a host and starts it again, while its containers go on.
    pub(crate) fn restart_engine(&self, host: &Host) -> Result<()> {
        Machine::host(&self.layout, host.number).restart_engine()
    }

    /// Runs a program with the files of those who log in to a host.
    pub(crate) fn inside(&self, host: &Host, program: &[&str]) -> Result<String> {
        let sshd = Machine::host(&self.layout, host.number).sshd();
        let sshd = sshd.ok_or_else(|| Error::Refused(format!("no sshd runs on {}", host.name)))?;
        run(Command::new("nsenter").args(["--mount", "--target", &sshd.to_string()]).args(program))
    }

    /// An ssh client to `host`, to which the caller adds a command. Uses neither the user's keys nor their settings.
    #[must_use]
    pub fn ssh(&self, host: &Host) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"])
            .args(["-o", "StrictHostKeyChecking=yes"])
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", self.known_hosts().display()))
            .arg("-i")
            .arg(self.key())
            .arg(format!("root@{}", host.address));
        ssh
    }
}

/// Uses the machine's own engine to build with, when it may talk to the registry; otherwise starts one.
fn ensure_builder(layout: &Layout) -> Result<bool> {
    let builder = Machine::builder(layout);
    if !builder.folder.exists() && engine::default_engine_fits() {
        return Ok(false);
    }
    builder.ensure()
}

/// One `up` or `down` at a time on this machine, since the addresses are the machine's.
fn lock() -> Result<File> {
    let path = "/run/lock/kamal-sandbox.lock";
    fs::create_dir_all("/run/lock").context(|| "creating /run/lock".to_owned())?;
    let file = File::create(path).context(|| format!("opening {path}"))?;
    file.lock().context(|| format!("locking {path}"))?;
    Ok(file)
}

fn panicked() -> Error {
    Error::Refused("a part of the sandbox panicked; see above".to_owned())
}
