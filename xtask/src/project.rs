//! A project to deploy: the example app in a git repository of its own, and the kamal command with a home folder of
//! its own, so that neither the demo nor a test touches the user's keys, known hosts or docker logins.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    command::run,
    error::{Context, Result},
    programs::Programs,
    sandbox::{Host, Sandbox},
};

const DOCKERFILE: &str = "\
# The server is a static binary, so the image needs no base.
FROM scratch AS final
COPY server /server
COPY assets /assets
CMD [\"/server\"]
";

/// A project.
#[derive(Debug)]
pub struct Project {
    folder: PathBuf,
    home: PathBuf,
    kamal: PathBuf,
    environment: Vec<(&'static str, String)>,
    /// The network the command is run in, where it is another than this machine's own.
    network: Option<PathBuf>,
}

impl Project {
    /// Makes a project in an empty folder. `deploy` is the text of config/deploy.yml, in which `SSHKEY` stands for the
    /// path of the sandbox's key; `secrets` that of .kamal/secrets.
    ///
    /// # Errors
    ///
    /// When files cannot be written or git refuses.
    pub fn create(folder: &Path, programs: &Programs, sandbox: &Sandbox, deploy: &str, secrets: &str) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder).context(|| format!("removing {}", folder.display()))?;
        }
        let project = Self {
            folder: folder.join("app"),
            home: folder.join("home"),
            kamal: programs.kamal.clone(),
            environment: sandbox.environment(),
            network: None,
        };
        let ssh = project.home.join(".ssh");
        fs::create_dir_all(&ssh).context(|| format!("creating {}", ssh.display()))?;
        let known = ssh.join("known_hosts");
        fs::copy(sandbox.known_hosts(), &known).context(|| format!("writing {}", known.display()))?;
        let deploy = deploy.replace("SSHKEY", &sandbox.key().display().to_string());
        project.write("config/deploy.yml", &deploy)?;
        project.write(".kamal/secrets", secrets)?;
        project.write("Dockerfile", DOCKERFILE)?;
        project.write("assets/app-1.js", "v1\n")?;
        let server = project.folder.join("server");
        fs::copy(&programs.server, &server).context(|| format!("writing {}", server.display()))?;
        project.git(&["init", "--quiet", "--initial-branch", "main"])?;
        project.git(&["config", "user.email", "a@b.c"])?;
        project.git(&["config", "user.name", "Ann"])?;
        project.commit()?;
        Ok(project)
    }

    /// Has the command run on the machine that builds: what is built there is pushed to the registry inside the command.
    #[must_use]
    pub fn at_the_builder(mut self, sandbox: &Sandbox) -> Self {
        self.network = sandbox.builder_network();
        self
    }

    /// Has ssh clients of this project know a host by another address, as `10.77.0.1:2222`.
    ///
    /// # Errors
    ///
    /// When their list cannot be read or written.
    pub fn knows(&self, host: &Host, address: &str) -> Result<()> {
        let path = self.home.join(".ssh/known_hosts");
        let mut known = fs::read_to_string(&path).context(|| format!("reading {}", path.display()))?;
        let own = format!("{} ", host.address);
        let (name, port) = address.rsplit_once(':').unwrap_or((address, "22"));
        let keys: Vec<_> = known.lines().filter_map(|line| line.strip_prefix(&own)).map(str::to_owned).collect();
        for key in keys {
            known.push_str(&format!("[{name}]:{port} {key}\n"));
        }
        fs::write(&path, known).context(|| format!("writing {}", path.display()))
    }

    /// The home folder of whoever runs kamal.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The folder kamal is run in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file of the project, creating its folder.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, path: &str, content: &str) -> Result<()> {
        let file = self.folder.join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).context(|| format!("creating {}", folder.display()))?;
        }
        fs::write(&file, content).context(|| format!("writing {}", file.display()))
    }

    /// Commits everything and returns the revision.
    ///
    /// # Errors
    ///
    /// When git refuses.
    pub fn commit(&self) -> Result<String> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "change"])?;
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_owned())
    }

    /// The kamal command in this project, to which the caller adds arguments.
    #[must_use]
    pub fn kamal(&self) -> Command {
        self.command(&self.kamal)
    }

    /// Another program in this project, with its environment.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = match &self.network {
            Some(network) => {
                let mut enter = Command::new("nsenter");
                enter.arg(format!("--net={}", network.display())).arg(program);
                enter
            }
            None => Command::new(program),
        };
        command.current_dir(&self.folder).env("HOME", &self.home);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        for unwanted in ["SSH_AUTH_SOCK", "VERSION", "XDG_DATA_HOME"] {
            command.env_remove(unwanted);
        }
        command
    }

    fn git(&self, arguments: &[&str]) -> Result<String> {
        run(Command::new("git").args(arguments).current_dir(&self.folder).env("HOME", &self.home))
    }
}
