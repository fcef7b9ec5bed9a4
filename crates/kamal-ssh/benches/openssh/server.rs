//! The sshd both sides talk to, and how.

use std::{
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use kamal_core::name::HostName;
use kamal_ssh::Options;
use tempfile::TempDir;

use super::free_port::free_port;

/// A running sshd; killed when dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    folder: TempDir,
    child: Child,
}

impl Server {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let file = |name: &str| folder.path().join(name).display().to_string();
        for key in ["host_key", "id"] {
            let keygen = ["-q", "-t", "ed25519", "-N", "", "-f", &file(key)];
            assert!(Command::new("ssh-keygen").args(keygen).status().unwrap().success());
        }
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nPermitRootLogin yes\nStrictModes no\n\
             AuthorizedKeysFile {}\nUsePAM no\nMaxStartups 1000\nPrintMotd no\nUseDNS no\nSubsystem sftp internal-sftp\n",
            file("host_key"),
            file("id.pub")
        );
        std::fs::write(file("sshd_config"), config).unwrap();
        std::fs::create_dir_all("/run/sshd").unwrap();
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &file("sshd_config")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { port, folder, child }
    }

    /// A file beside its configuration.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The host, reached without a relay.
    pub(crate) fn host(&self) -> HostName {
        HostName::parse(format!("root@127.0.0.1:{}", self.port)).expect("a host")
    }

    pub(crate) fn options(&self) -> Options {
        let mut options = Options::new(self.folder.path());
        options.keys = vec![self.file("id")];
        options.known_hosts = vec![self.file("known_hosts")];
        options.accept_new = true;
        options
    }

    /// OpenSSH's `ssh` or `scp`, which takes neither anybody's keys nor their settings.
    pub(crate) fn openssh(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"]);
        command
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i"])
            .arg(self.file("id"));
        command.args(["-o", &format!("Port={}", self.port)]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub(crate) fn wait_for(ready: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !ready() {
        assert!(Instant::now() < deadline, "what was started does not answer");
        std::thread::sleep(Duration::from_millis(10));
    }
}
