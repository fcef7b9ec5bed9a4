//! The machine, and what it takes to give an order on it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use kamal_core::{
    build::BuildTask,
    config::{self, Config, Source},
    event::{Event, EventKind, Sequence, Teller},
    keyring::Keyring,
    name::{HostName, ImageRef, Version},
    ports::{
        Access, BuildError, BuildOrder, Built, Chunk, Claim, Clock, Command, Content, Events, Exit, Local, LocalError,
        LocalFolders, ReachError, Reached, RegistryError, Scratch, Sent, Serving, StoredImage,
    },
    redact::Redactor,
    secret::Secret,
    testing::NoTemplateWorld,
};
use tempfile::TempDir;

/// A project and the machine it is on.
#[derive(Debug)]
pub(super) struct Bench {
    /// Removes it all in the end.
    _folder: TempDir,
    pub(super) config: Config,
    pub(super) machine: Machine,
    pub(super) heard: Arc<Heard>,
    teller: Teller,
    /// The registry on this machine.
    pub(super) registry: Option<Neighbour>,
    clock: Ticking,
}

/// A registry that notes who reaches it.
#[derive(Debug, Default)]
pub(super) struct Neighbour {
    pub(super) reached: Mutex<Vec<(String, Access)>>,
    pub(super) refuses: bool,
}

#[async_trait]
impl Serving for Neighbour {
    async fn reach(&self, host: &HostName, access: Access, _: Sent) -> Result<Reached, ReachError> {
        self.reached.lock().unwrap().push((host.to_string(), access));
        if self.refuses { Err(ReachError::Refused(format!("{host} forbids it"))) } else { Ok(Box::new(())) }
    }

    async fn look_up(&self, _: &ImageRef) -> Result<Option<StoredImage>, RegistryError> {
        Ok(None)
    }

    async fn room(&self, _: &ImageRef, _: &str, _: &str) -> Result<Option<u64>, RegistryError> {
        Ok(None)
    }

    async fn archives(&self, image: &ImageRef, _: &str, _: &str) -> Result<Vec<Box<dyn Content>>, RegistryError> {
        Err(RegistryError::Missing { image: image.clone() })
    }
}

#[derive(Debug)]
pub(super) struct Machine {
    /// Below it lie the projects, the temporary folder and the home folder.
    root: PathBuf,
    pub(super) project: PathBuf,
    /// What was run.
    pub(super) ran: Mutex<Vec<Command>>,
    /// What programs answer: the beginning of a command, its exit status, and what it prints.
    pub(super) answers: Vec<(&'static str, i32, &'static str)>,
    /// Programs that are not there.
    pub(super) missing: Vec<&'static str>,
    /// Variables everything is run with.
    pub(super) env: Vec<(String, String)>,
}

#[derive(Debug, Default)]
pub(super) struct Heard {
    events: Mutex<Vec<EventKind>>,
    pub(super) quiet: AtomicBool,
}

/// Goes on by half a second and more whenever it is looked at.
#[derive(Debug, Default)]
struct Ticking(AtomicU64);

impl Bench {
    /// A project that is no repository, with a Dockerfile and this builder.
    pub(super) fn new(builder: &str) -> Self {
        Self::of(&format!("registry: {{username: dhh, password: [P]}}\nbuilder: {{arch: amd64, {builder}}}"))
    }

    /// The same with a registry and a builder as given.
    pub(super) fn of(rest: &str) -> Self {
        let file = format!("service: app\nimage: dhh/app\nservers: [h]\n{rest}\n");
        let loaded = config::load(&Source::new("config/deploy.yml", file), None, &NoTemplateWorld).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let project = root.join("project");
        fs::create_dir_all(&project).unwrap();
        fs::create_dir_all(root.join("home")).unwrap();
        fs::write(project.join("Dockerfile"), "FROM scratch\n").unwrap();
        let machine = Machine {
            root,
            project,
            ran: Mutex::default(),
            answers: vec![("docker info", 0, "x86_64\n")],
            missing: Vec::new(),
            env: Vec::new(),
        };
        let heard = Arc::new(Heard::default());
        let (clock, redactor) = (Arc::new(Ticking::default()), Redactor::new());
        let teller = Teller::new(Sequence::under("build"), clock, heard.clone(), redactor);
        Self {
            _folder: folder,
            config: loaded.config,
            machine,
            heard,
            teller,
            registry: None,
            clock: Ticking::default(),
        }
    }

    pub(super) async fn perform(&self, task: &BuildTask) -> Result<String, BuildError> {
        self.built(task).await.map(|built| built.told)
    }

    pub(super) async fn built(&self, task: &BuildTask) -> Result<Built, BuildError> {
        let version = Version::parse("123").unwrap();
        let named = |key: &str| (key.to_owned(), Secret::new(format!("secret of {key}")));
        let secrets = ["P", "token_a", "token_b", "TOKEN"].map(named).into_iter().collect();
        super::super::perform(&self.order(task, Some(&version), &secrets)).await
    }

    pub(super) async fn push(&self) -> Result<String, BuildError> {
        self.perform(&BuildTask::Push { no_cache: false, output: "registry".to_owned() }).await
    }

    /// Prepares the clone alone.
    pub(super) async fn prepare(&self) -> Result<super::super::clone::Prepared, BuildError> {
        super::super::clone::prepare(&self.order(&BuildTask::Details, None, &Keyring::default())).await
    }

    fn order<'o>(&'o self, task: &'o BuildTask, version: Option<&'o Version>, secrets: &'o Keyring) -> BuildOrder<'o> {
        let mut order = BuildOrder::new(task, &self.config, &self.machine, secrets, &self.teller, &self.clock);
        order.version = version;
        order.registry = self.registry.as_ref().map(|registry| registry as &dyn Serving);
        order
    }

    /// The commands that were run, as they would be typed, but for git's.
    pub(super) fn ran(&self) -> Vec<String> {
        let ran = self.machine.ran.lock().unwrap();
        ran.iter().filter(|command| command.program != "git").map(ToString::to_string).collect()
    }

    /// What git was told to do.
    pub(super) fn git_ran(&self) -> Vec<String> {
        let ran = self.machine.ran.lock().unwrap();
        ran.iter().filter(|command| command.program == "git").map(ToString::to_string).collect()
    }

    /// The command that builds.
    pub(super) fn build(&self) -> Command {
        let ran = self.machine.ran.lock().unwrap();
        let builds = |command: &&Command| {
            command.to_string().contains(" build ") || command.to_string().contains("buildx build")
        };
        ran.iter().find(builds).unwrap().clone()
    }

    /// The sentences that were told.
    pub(super) fn told(&self) -> String {
        let events = self.heard.events.lock().unwrap();
        let sentences = events.iter().filter_map(|event| match event {
            EventKind::Say { text, .. } => Some(text.as_str()),
            _ => None,
        });
        sentences.collect::<Vec<_>>().join("\n")
    }

    /// The lines of programs that were shown.
    pub(super) fn shown(&self) -> String {
        let events = self.heard.events.lock().unwrap();
        let lines = events.iter().filter_map(|event| match event {
            EventKind::Output { line, .. } => Some(line.as_str()),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Runs git in a folder below the machine's root, and returns what it says.
    pub(super) fn git(&self, folder: &str, args: &[&str]) -> String {
        let mut git = std::process::Command::new("git");
        git.args(args).current_dir(self.machine.root.join(folder));
        self.machine.environment(&mut git);
        let output = git.output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes a file below the machine's root.
    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.machine.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes a folder a repository, or goes on in it, and commits all that is there.
    pub(super) fn commit(&self, folder: &str) -> String {
        if !self.machine.root.join(folder).join(".git").exists() {
            self.git(folder, &["init", "--quiet", "--initial-branch", "main"]);
        }
        self.git(folder, &["add", "--all"]);
        self.git(folder, &["commit", "--quiet", "--allow-empty", "--message", "a change"]);
        self.git(folder, &["rev-parse", "HEAD"])
    }

    pub(super) fn root(&self) -> &Path {
        &self.machine.root
    }
}

impl Machine {
    fn environment(&self, command: &mut std::process::Command) {
        command.env("HOME", self.root.join("home")).env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_CEILING_DIRECTORIES", &self.root).env_remove("GIT_DIR");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "a@b.c");
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.project.join(path)
    }
}

#[async_trait]
impl Local for Machine {
    async fn run(
        &self,
        command: &Command,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, LocalError> {
        self.ran.lock().unwrap().push(command.clone());
        if self.missing.contains(&command.program.as_str()) {
            return Err(LocalError::Missing { program: command.program.clone() });
        }
        if command.program != "git" {
            let line = command.to_string();
            let answer = self.answers.iter().rev().find(|(begin, ..)| line.starts_with(begin));
            let (_, status, text) = answer.copied().unwrap_or(("", 0, ""));
            let text = text.as_bytes();
            output(if status == 0 { Chunk::Stdout(text) } else { Chunk::Stderr(text) });
            return Ok(Exit(status));
        }
        let mut git = std::process::Command::new("git");
        git.args(&command.args).stdin(Stdio::null());
        git.current_dir(command.folder.as_deref().map_or_else(|| self.project.clone(), |folder| self.path(folder)));
        self.environment(&mut git);
        git.envs(self.env.iter().map(|(name, value)| (name, value)));
        for name in command.without {
            git.env_remove(name);
        }
        git.envs(command.env.iter().map(|(name, value)| (name, value.expose())));
        let ended = git.output().map_err(|source| LocalError::Io { what: "git".to_owned(), source })?;
        output(Chunk::Stdout(&ended.stdout));
        output(Chunk::Stderr(&ended.stderr));
        Ok(Exit(ended.status.code().unwrap_or(255)))
    }

    async fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, LocalError> {
        fs::read(self.path(path)).map_err(|source| LocalError::Io { what: path.to_owned(), source })
    }

    async fn mode(&self, _: &str) -> Result<u32, LocalError> {
        Ok(0o644)
    }

    async fn list(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    async fn tree(&self, _: &str) -> Option<Vec<String>> {
        None
    }

    async fn create_folder(&self, path: &str) -> Result<(), LocalError> {
        fs::create_dir_all(self.path(path)).map_err(|source| LocalError::Io { what: path.to_owned(), source })
    }

    async fn remove_folder(&self, path: &str) -> Result<(), LocalError> {
        fs::remove_dir_all(self.path(path)).map_err(|source| LocalError::Io { what: path.to_owned(), source })
    }

    async fn claim(&self, path: &str) -> Result<Option<Claim>, LocalError> {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs::File::create(path).unwrap();
        Ok(file.try_lock().is_ok().then(|| Box::new(file) as Claim))
    }

    async fn scratch(&self) -> Result<Scratch, LocalError> {
        Ok(Scratch::new(self.root.join("scratch").to_string_lossy(), ()))
    }

    fn folders(&self) -> LocalFolders {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        LocalFolders::new(text(&self.project), text(&self.root.join("tmp")))
    }
}

impl Events for Heard {
    fn emit(&self, event: Event) {
        self.events.lock().unwrap().push(event.kind);
    }

    fn shows_output(&self) -> bool {
        !self.quiet.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.fetch_add(700, Ordering::Relaxed))
    }

    async fn sleep(&self, _: Duration) {}
}
