//! An sshd of our own in a temporary folder.

use std::{
    fmt::Write as _,
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use kamal_core::{
    name::HostName,
    ports::{Chunk, Exec, Exit, Ssh as _, TransportError},
    shell::Script,
};
use kamal_ssh::{Connector, Options};
use tempfile::TempDir;

use crate::free_port::free_port;

/// A running sshd; killed when dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    folder: TempDir,
    child: Child,
}

impl Server {
    /// Starts one with the default configuration.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// Starts one with further lines of configuration, which win over the others.
    pub(crate) fn with(config: &str) -> Self {
        Self::on(free_port(), config)
    }

    /// Starts one on a port.
    pub(crate) fn on(port: u16, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        keygen(&["-t", "ed25519", "-f", &path(at, "host_key")]);
        keygen(&["-t", "ed25519", "-f", &path(at, "id_ed25519"), "-C", "test"]);
        std::fs::copy(at.join("id_ed25519.pub"), at.join("authorized_keys")).unwrap();
        for folder in ["home", "login"] {
            std::fs::create_dir(at.join(folder)).unwrap();
        }
        let mut text = String::from(config);
        write!(
            text,
            "\nPort {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\nPermitRootLogin yes\n\
             AuthorizedKeysFile {keys}\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PrintMotd no\nMaxStartups 200\nSetEnv HOME={login}\n",
            host_key = path(at, "host_key"),
            keys = path(at, "authorized_keys"),
            // Not this machine's own start-up files, which may be slow and say things.
            login = path(at, "login"),
        )
        .unwrap();
        std::fs::write(at.join("sshd_config"), text).unwrap();
        let sshd = Path::new("/usr/sbin/sshd");
        assert!(sshd.exists(), "these tests need OpenSSH's server: apt-get install openssh-server");
        std::fs::create_dir_all("/run/sshd").expect("these tests need root, to let sshd separate its privileges");
        let log = std::fs::File::create(at.join("log")).unwrap();
        let child = Command::new(sshd)
            .args(["-D", "-e", "-f", &path(at, "sshd_config")])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self { port, folder, child };
        server.wait();
        server
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "sshd does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What sshd logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A file in the server's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The host as deploy.yml would name it.
    pub(crate) fn host(&self) -> HostName {
        HostName::parse(format!("root@127.0.0.1:{}", self.port)).unwrap()
    }

    /// Options that fit the server.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::new(self.folder.path());
        options.keys = vec![self.file("id_ed25519")];
        options.known_hosts = vec![self.file("known_hosts")];
        options.accept_new = true;
        options.connect_timeout = Duration::from_secs(20);
        options
    }

    /// A connection.
    pub(crate) async fn connect(&self) -> Arc<dyn Exec> {
        Connector::new(self.options())
            .connect(&self.host())
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// Makes the server's logins begin with a program of ours in place of the login shell's own start-up files.
    pub(crate) fn login_program(name: &str, text: &str) -> (TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let line = format!("ForceCommand {}\n", file.display());
        (folder, line)
    }

    /// Runs a script that sleeps for a minute, until it has begun and `meanwhile` is done and something has ended it.
    pub(crate) async fn interrupted(&self, on: &dyn Exec, meanwhile: impl FnOnce()) -> TransportError {
        let begun = self.file("begun");
        let script = format!("touch {}; sleep 60", begun.display());
        let interrupt = async {
            while !begun.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            meanwhile();
        };
        let limit = Duration::from_secs(30);
        let both = async { tokio::join!(try_sh(on, &script), interrupt) };
        let (run, ()) = tokio::time::timeout(limit, both).await.expect("it is noticed");
        run.unwrap_err()
    }

    /// The processes that serve connections.
    pub(crate) fn sessions(&self) -> Vec<u32> {
        children(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for session in self.sessions() {
            kill(session);
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Ends a process.
pub(crate) fn kill(process: u32) {
    let _ = Command::new("kill").args(["-KILL", &process.to_string()]).stderr(Stdio::null()).status();
}

/// The children of a process.
pub(crate) fn children(process: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    text.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

/// Runs ssh-keygen without a passphrase.
pub(crate) fn keygen(args: &[&str]) {
    let passphrase: &[&str] = if args.contains(&"-t") && !args.contains(&"-N") { &["-N", ""] } else { &[] };
    let run = Command::new("ssh-keygen").arg("-q").args(passphrase).args(args).output();
    let run = run.expect("these tests need ssh-keygen: apt-get install openssh-client");
    assert!(run.status.success(), "{run:?}");
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// What a script printed and how it ended.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
    pub(crate) exit: i32,
}

/// Runs a script.
pub(crate) async fn try_sh(on: &dyn Exec, script: &str) -> Result<Run, TransportError> {
    let mut run = Run::default();
    let Run { out, err, .. } = &mut run;
    let mut take = |chunk: Chunk<'_>| match chunk {
        Chunk::Stdout(bytes) => out.extend_from_slice(bytes),
        Chunk::Stderr(bytes) => err.extend_from_slice(bytes),
    };
    let Exit(exit) = on.exec(&Script::write("test", script), &mut take).await?;
    run.exit = exit;
    Ok(run)
}

/// Runs a script that must succeed in being run, and gives its output and status.
pub(crate) async fn sh(on: &dyn Exec, script: &str) -> (String, String, i32) {
    let run = try_sh(on, script).await.unwrap();
    (String::from_utf8(run.out).unwrap(), String::from_utf8(run.err).unwrap(), run.exit)
}
