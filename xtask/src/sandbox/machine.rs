//! One machine of the sandbox: a host, or the builder, which is a host without sshd.
//!
//! Each daemon is entered by `setsid nsenter --net unshare --mount --uts sh enter FOLDER NAME DAEMON…`, all of which
//! replace themselves, so the pid we started is the daemon's. (`ip netns exec` would not do: it remounts /sys, which
//! hides the cgroups from Docker.) The folder of a machine:
//!
//! ```text
//! home/ run/ tmp/ lib/      its /root, /run, /tmp and /var/lib/docker
//! etc/                      its hosts, hostname, resolv.conf, shadow, and ssh/ with sshd's configuration and host key
//! dockerd.log, sshd.log     and dockerd.pid, sshd.pid
//! ```

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::layout::Layout;
use super::{REGISTRY, engine, keys, network, process};
use crate::error::{Context, Error, Result};

/// How long a daemon may take to answer. It takes a second; a machine that builds at the same time takes several.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Gives a daemon its private view. Mounts made here vanish with the last process that sees them.
///
/// The paths are relative and `mount -c` keeps them so, because the folder may itself be below `/root` or `/tmp`.
const ENTER: &str = r#"set -e
cd "$1"
hostname "$2"
shift 2
mkdir -p /var/lib/docker
for file in hosts hostname resolv.conf shadow ssh; do mount -c --bind "etc/$file" "/etc/$file"; done
mount -c --bind lib /var/lib/docker
mount -c --bind run /run
mount -c --bind tmp /tmp
mount -c --bind home /root
cd /root
exec "$@"
"#;

/// Its own sshd configuration: keys only, and as many connections at once as a deploying fleet opens.
const SSHD_CONFIG: &str = "\
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 100
PidFile none
Subsystem sftp internal-sftp
";

/// A host or the builder, up or not.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    pub(super) folder: PathBuf,
    enter_script: PathBuf,
    client_key: PathBuf,
    has_sshd: bool,
}

impl Machine {
    /// Host `number`, from 1.
    pub(super) fn host(layout: &Layout, number: u8) -> Self {
        let address = Ipv4Addr::new(10, 77, number, 2);
        Self::new(layout, format!("host{number}"), address, layout.host(number), true)
    }

    /// The machine images are built on.
    pub(super) fn builder(layout: &Layout) -> Self {
        Self::new(layout, "builder".to_owned(), Ipv4Addr::new(10, 77, 255, 2), layout.builder(), false)
    }

    /// Every machine of which anything is left: its folder or its network namespace.
    pub(super) fn all(layout: &Layout) -> Result<Vec<Self>> {
        let namespaces = network::namespaces()?;
        let exists = |machine: &Self| machine.folder.exists() || namespaces.contains(&machine.namespace());
        let hosts = (1..=u8::MAX).map(|number| Self::host(layout, number));
        Ok(hosts.chain([Self::builder(layout)]).filter(exists).collect())
    }

    fn new(layout: &Layout, name: String, address: Ipv4Addr, folder: PathBuf, has_sshd: bool) -> Self {
        let (enter_script, client_key) = (layout.enter_script(), layout.key());
        Self { name, address, folder, enter_script, client_key, has_sshd }
    }

    /// The name of its network namespace.
    pub(super) fn namespace(&self) -> String {
        format!("kamal-{}", self.name)
    }

    /// The name of the bridge's end of its cable; the kernel allows 15 bytes.
    pub(super) fn cable(&self) -> String {
        format!("kml-{}", self.name)
    }

    pub(super) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    pub(super) fn docker_socket(&self) -> PathBuf {
        self.folder.join("run/docker.sock")
    }

    /// Where the daemon's pid is recorded.
    pub(super) fn pid_file(&self, daemon: &str) -> PathBuf {
        self.folder.join(format!("{daemon}.pid"))
    }

    /// Makes it whole, and tells whether anything had to be done.
    pub(super) fn ensure(&self) -> Result<bool> {
        let mut changed = false;
        if !self.is_wired()? {
            // A namespace without its folder, or the other way about, is what is left of another life.
            process::kill_namespace(&self.namespace())?;
            network::remove(self)?;
            self.write_files()?;
            network::create(self)?;
            changed = true;
        }
        changed |= self.ensure_engine()?;
        if self.has_sshd {
            changed |= self.ensure_sshd()?;
        }
        Ok(changed)
    }

    /// Kills everything that runs in it and removes it from the machine.
    pub(super) fn remove(&self) -> Result<()> {
        process::kill_namespace(&self.namespace())?;
        network::remove(self)?;
        engine::remove_cgroups(&self.folder.join("lib/containers"));
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).context(|| format!("removing {}", self.folder.display()))?;
        }
        Ok(())
    }

    /// Whether its sshd greets a client.
    pub(super) fn sshd_answers(&self) -> bool {
        let address = SocketAddr::from((self.address, 22));
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
        let mut greeting = [0; 4];
        stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
            && stream.read_exact(&mut greeting).is_ok()
            && &greeting == b"SSH-"
    }

    fn is_wired(&self) -> Result<bool> {
        // The folder was filled before the namespace was made, so both together mean both are whole.
        Ok(self.folder.exists() && network::namespaces()?.contains(&self.namespace()) && network::has_cable(self))
    }

    fn ensure_engine(&self) -> Result<bool> {
        let pid_file = self.pid_file("dockerd");
        if process::running(&pid_file).is_some() && engine::version(&self.docker_socket()).is_some() {
            return Ok(false);
        }
        // As after a power cut: an engine that finds its containers dead restarts those that ask for it, while one that
        // finds them alive stops them for good.
        process::kill_namespace(&self.namespace())?;
        process::forget(&pid_file)?;
        self.forget_engine()?;
        let arguments = ["dockerd", "--insecure-registry", REGISTRY];
        self.start("dockerd", &arguments, || engine::version(&self.docker_socket()).is_some())?;
        Ok(true)
    }

    /// Removes what a killed engine recorded of itself and its containerd: it would keep the next one from starting, where
    /// the machine's init is slow to reap the dead, or their pids are somebody else's by now.
    fn forget_engine(&self) -> Result<()> {
        for stale in ["run/docker.pid", "run/docker/containerd/containerd.pid"] {
            process::forget(&self.folder.join(stale))?;
        }
        Ok(())
    }

    /// Kills its engine and starts it again, while the containers go on, as they do with `live-restore`.
    pub(super) fn restart_engine(&self) -> Result<()> {
        let pid_file = self.pid_file("dockerd");
        let Some(running) = process::running(&pid_file) else {
            return Err(Error::Refused(format!("no dockerd runs on {}", self.name)));
        };
        // What containers have mounted is in the view of the one that made them, which goes on with them.
        let view = |kind: &str| {
            let path = format!("/proc/{}/ns/{kind}", running.pid);
            File::open(&path).context(|| format!("opening {path}"))
        };
        let (mounts, names) = (view("mnt")?, view("uts")?);
        let held = |kind: &str, file: &File| format!("--{kind}=/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        process::stop(&pid_file)?;
        self.forget_engine()?;
        let namespace = format!("--net=/run/netns/{}", self.namespace());
        let (mounts, names) = (held("mount", &mounts), held("uts", &names));
        let engine = ["dockerd", "--insecure-registry", REGISTRY, "--live-restore"];
        let command = [&["nsenter", &namespace, &mounts, &names], &engine[..]].concat();
        self.await_start("dockerd", &command, || engine::version(&self.docker_socket()).is_some())
    }

    /// The process of its sshd, which sees the machine as those do who log in.
    pub(super) fn sshd(&self) -> Option<i32> {
        process::running(&self.pid_file("sshd")).map(|running| running.pid)
    }

    fn ensure_sshd(&self) -> Result<bool> {
        let pid_file = self.pid_file("sshd");
        if process::running(&pid_file).is_some() && self.sshd_answers() {
            return Ok(false);
        }
        process::stop(&pid_file)?;
        // sshd wants to be called by its full path, since it runs itself again for every connection.
        self.start("sshd", &["/usr/sbin/sshd", "-D", "-e"], || self.sshd_answers())?;
        Ok(true)
    }

    fn start(&self, daemon: &str, arguments: &[&str], answers: impl Fn() -> bool) -> Result<()> {
        let namespace = format!("--net=/run/netns/{}", self.namespace());
        let mut command = vec!["nsenter", &namespace, "unshare", "--mount", "--uts", "sh"];
        let (enter, folder) = (self.enter_script.to_string_lossy(), self.folder.to_string_lossy());
        command.extend([&*enter, &*folder, &self.name]);
        command.extend(arguments);
        self.await_start(daemon, &command, answers)
    }

    fn await_start(&self, daemon: &str, command: &[&str], answers: impl Fn() -> bool) -> Result<()> {
        let log = self.folder.join(format!("{daemon}.log"));
        process::start(command, &self.pid_file(daemon), &log, START_LIMIT, answers)
            .map_err(|problem| Error::Refused(format!("{daemon} of {}: {problem}", self.name)))
    }

    fn write_files(&self) -> Result<()> {
        let name = &self.name;
        for (folder, mode) in [("home", 0o700), ("run", 0o755), ("tmp", 0o1777), ("lib", 0o710), ("etc/ssh", 0o755)] {
            make_folder(&self.folder.join(folder), mode)?;
        }
        // sshd insists on this empty folder for its unprivileged half.
        make_folder(&self.folder.join("run/sshd"), 0o755)?;
        write(&self.enter_script, ENTER, 0o600)?;
        let etc = self.folder.join("etc");
        write(&etc.join("hosts"), &format!("127.0.0.1 localhost\n{} {name}\n", self.address), 0o644)?;
        write(&etc.join("hostname"), &format!("{name}\n"), 0o644)?;
        // Nobody answers there, at once: looking up a name fails instead of hanging.
        write(&etc.join("resolv.conf"), "nameserver 10.77.0.1\n", 0o644)?;
        // A root without password is not locked, as it is on many machines; sshd would refuse even its key.
        write(&etc.join("shadow"), "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n", 0o600)?;
        if self.has_sshd {
            write(&etc.join("ssh/sshd_config"), SSHD_CONFIG, 0o644)?;
            keys::ensure_host_key(&etc.join("ssh"), name)?;
            make_folder(&self.home().join(".ssh"), 0o700)?;
            let authorized = keys::public_key(&self.client_key)?;
            write(&self.home().join(".ssh/authorized_keys"), &authorized, 0o600)?;
        }
        Ok(())
    }
}

fn make_folder(path: &Path, mode: u32) -> Result<()> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .context(|| format!("creating {}", path.display()))
}

/// Writes a file that is never seen half written, since several machines share the script.
fn write(path: &Path, content: &str, mode: u32) -> Result<()> {
    let temporary = path.with_extension(format!("new-{:?}", std::thread::current().id()));
    fs::write(&temporary, content)
        .and_then(|()| fs::set_permissions(&temporary, Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&temporary, path))
        .context(|| format!("writing {}", path.display()))
}
