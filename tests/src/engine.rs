//! Docker engines by themselves, without a host around them: for what images go through.

use std::{
    fs,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use xtask::{command::SYSTEM_PATH, sandbox};

/// How long an engine may take to answer on a machine that is busy.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Which engine, and how it keeps images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The machine's own.
    Own,
    /// The newest there is a package of, keeping images as docker always has.
    Newest,
    /// The newest, keeping images with containerd, as is the default since Docker 29.
    NewestWithContainerd,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Own, Self::Newest, Self::NewestWithContainerd];

    /// A word for names of images.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Newest => "newest",
            Self::NewestWithContainerd => "containerd",
        }
    }
}

/// An engine that runs, with nothing in it, until it is dropped.
#[derive(Debug)]
pub struct Engine {
    daemon: Child,
    folder: TempDir,
}

impl Engine {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start(kind: Kind) -> Self {
        sandbox::require_packages(&[("dockerd", "docker.io"), ("docker", "docker-cli"), ("setpriv", "util-linux")])
            .unwrap_or_else(|error| panic!("{error}"));
        let path = match kind {
            Kind::Own => SYSTEM_PATH.to_owned(),
            Kind::Newest | Kind::NewestWithContainerd => {
                let unpacked = sandbox::newest_engine().unwrap_or_else(|error| panic!("{error}"));
                format!("{0}/usr/sbin:{0}/usr/bin:{SYSTEM_PATH}", unpacked.display())
            }
        };
        let folder = tempfile::Builder::new().prefix("kamal-engine-").tempdir().expect("a folder can be made");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let with_containerd = kind == Kind::NewestWithContainerd;
        let settings = serde_json::json!({ "features": { "containerd-snapshotter": with_containerd } });
        let settings = if kind == Kind::Own { "{}".to_owned() } else { settings.to_string() };
        fs::write(at("daemon.json"), settings).expect("settings can be written");
        let output = fs::File::create(at("log")).expect("a log can be made");
        // Ends with this process, if that is killed.
        let daemon = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "dockerd", "--bridge=none", "--iptables=false", "--ip6tables=false"])
            .args(["--config-file", &at("daemon.json"), "--data-root", &at("data"), "--exec-root", &at("run")])
            .args(["--pidfile", &at("pid"), "--host", &format!("unix://{}", at("socket"))])
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a log can be shared"))
            .stderr(output)
            .spawn()
            .expect("setpriv starts");
        let log = at("log");
        let engine = Self { daemon, folder };
        let begun = Instant::now();
        while !engine.docker(&["version"]).status.success() {
            assert!(begun.elapsed() < START_LIMIT, "{}", fs::read_to_string(&log).unwrap_or_default());
            thread::sleep(Duration::from_millis(100));
        }
        engine
    }

    /// Docker's command line for this engine.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut docker = Command::new("docker");
        docker.args(arguments).env("DOCKER_HOST", self.host());
        docker
    }

    fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }

    /// Runs docker's command line to its end.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn docker(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("docker starts")
    }

    /// What a shell script prints whose `docker` is this engine's.
    ///
    /// # Panics
    ///
    /// When there is no shell.
    #[must_use]
    pub fn shell(&self, script: &str) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).env("DOCKER_HOST", self.host());
        String::from_utf8_lossy(&shell.output().expect("there is a shell").stdout).into_owned()
    }

    /// What docker prints.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.docker(arguments);
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Builds an image of files, one layer for each.
    ///
    /// # Panics
    ///
    /// When docker refuses.
    pub fn build(&self, name: &str, layers: &[&[u8]]) {
        self.ok(&["build", "--quiet", "--tag", name, &context(layers).path().display().to_string()]);
    }

    /// The content of a file of an image.
    ///
    /// # Panics
    ///
    /// When there is no such image or file.
    #[must_use]
    pub fn file_of(&self, image: &str, path: &str) -> Vec<u8> {
        let container = self.ok(&["create", image, "none"]);
        let target = self.folder.path().join("copied");
        self.ok(&["cp", &format!("{container}:{path}"), &target.display().to_string()]);
        self.ok(&["rm", &container]);
        fs::read(target).expect("the file was copied")
    }

    /// The diff ids of an image.
    ///
    /// # Panics
    ///
    /// When there is no such image.
    #[must_use]
    pub fn layers(&self, image: &str) -> Vec<String> {
        let json = self.ok(&["image", "inspect", "--format", "{{json .RootFS.Layers}}", image]);
        serde_json::from_str(&json).expect("docker prints a list")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Asked rather than killed, so that its containerd ends as well and its mounts go.
        let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        let _ = self.daemon.wait();
    }
}

/// A folder to build an image in that has each of these as a layer, in files `/0`, `/1` and so on.
///
/// # Panics
///
/// When it cannot be made.
#[must_use]
pub fn context(layers: &[&[u8]]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut dockerfile = "FROM scratch\n".to_owned();
    for (number, layer) in layers.iter().enumerate() {
        let file = folder.path().join(number.to_string());
        fs::write(&file, layer).expect("a file can be written");
        // The same content is the same layer, whenever it is built.
        let file = fs::File::open(file).expect("a file can be opened");
        file.set_modified(std::time::UNIX_EPOCH).expect("a file's time can be set");
        dockerfile += &format!("COPY {number} /{number}\n");
    }
    fs::write(folder.path().join("Dockerfile"), dockerfile).expect("a file can be written");
    folder
}
