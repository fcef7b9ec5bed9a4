//! The sandbox, brought up once for all tests of a run, its programs built, and hosts lent to one test at a time.
//!
//! Under `cargo nextest` every test is a process of its own, so what is done once is remembered in files beside the
//! sandbox, and what must not happen at once is kept apart by locks on files.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
    thread,
    time::{Duration, UNIX_EPOCH},
};

use xtask::{
    programs::{self, Profile, Programs},
    project::Project,
    sandbox::{self, Host, Sandbox},
};

use crate::{images, postgres};

/// How many hosts the tests use.
pub const HOSTS: u8 = 8;

/// What a test works with.
#[derive(Debug)]
pub struct Rig {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// The programs under test.
    pub programs: Programs,
}

/// A host lent to one test, until this is dropped.
#[derive(Debug)]
pub struct Hold {
    /// The host's number.
    pub number: u8,
    /// Closing it unlocks it.
    _lock: File,
}

/// The rig, made when the first test asks for it.
///
/// # Panics
///
/// When it cannot be made: a test that cannot run must not pass.
pub fn rig() -> &'static Rig {
    static RIG: OnceLock<Rig> = OnceLock::new();
    RIG.get_or_init(|| {
        let folder = Sandbox::find().unwrap_or_else(|error| panic!("{error}")).folder().with_file_name("rig");
        fs::create_dir_all(&folder).expect("a folder for the rig can be made");
        let lock = open(&folder.join("lock"));
        lock.lock().expect("the rig can be locked");
        made_in_this_run(&folder).unwrap_or_else(|| {
            let programs = programs::build(Profile::Dev).unwrap_or_else(|error| panic!("{error}"));
            let sandbox = sandbox::up(HOSTS).unwrap_or_else(|error| panic!("{error}"));
            let rig = Rig { sandbox, programs };
            rig.once("images", || {
                images::push(&rig.programs, &rig.sandbox).unwrap_or_else(|error| panic!("{error}"));
            });
            let (kamal, server) = (rig.programs.kamal.display(), rig.programs.server.display());
            fs::write(folder.join("made"), format!("{}\n{kamal}\n{server}\n", run_id())).expect("a note can be left");
            rig
        })
    })
}

/// The rig, if another process of the same run made it. `KAMAL_TESTS_BUILT` takes that of any earlier run.
fn made_in_this_run(folder: &Path) -> Option<Rig> {
    let note = fs::read_to_string(folder.join("made")).ok()?;
    let mut lines = note.lines();
    let same_run = lines.next().is_some_and(|id| id == run_id() && !id.is_empty());
    if !same_run && std::env::var_os("KAMAL_TESTS_BUILT").is_none() {
        return None;
    }
    let (kamal, server) = (PathBuf::from(lines.next()?), PathBuf::from(lines.next()?));
    Some(Rig { sandbox: Sandbox::find().ok()?, programs: Programs { kamal, server } })
}

/// What nextest calls this run; empty elsewhere.
fn run_id() -> String {
    std::env::var("NEXTEST_RUN_ID").unwrap_or_default()
}

fn open(path: &Path) -> File {
    let opened = File::options().create(true).append(true).open(path);
    opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Rig {
    /// A host, from 1.
    ///
    /// # Panics
    ///
    /// When there is no such host.
    #[must_use]
    pub fn host(&self, number: u8) -> &Host {
        self.sandbox.hosts().iter().find(|host| host.number == number).expect("the sandbox has the host")
    }

    /// Borrows hosts, waiting for them one after the other. Ask in ascending order, lest two tests wait for each other.
    ///
    /// # Panics
    ///
    /// When they cannot be locked.
    #[must_use]
    pub fn hold(&self, numbers: &[u8]) -> Vec<Hold> {
        let hold = |&number| {
            let lock = open(&self.folder().join(format!("host{number}.lock")));
            lock.lock().expect("a host can be locked");
            self.lent(number, lock)
        };
        numbers.iter().map(hold).collect()
    }

    /// Borrows whichever of some groups of hosts is free first, as a whole.
    ///
    /// # Panics
    ///
    /// When they cannot be locked.
    #[must_use]
    pub fn hold_one_of(&self, groups: &[&[u8]]) -> Vec<Hold> {
        loop {
            if let Some(locks) = groups.iter().find_map(|group| self.try_hold(group)) {
                return locks.into_iter().map(|(number, lock)| self.lent(number, lock)).collect();
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// All hosts of a group, or none: what was locked is unlocked again when one of them is not free.
    fn try_hold(&self, group: &[u8]) -> Option<Vec<(u8, File)>> {
        let lock = |&number: &u8| {
            let lock = open(&self.folder().join(format!("host{number}.lock")));
            match lock.try_lock() {
                Ok(()) => Some((number, lock)),
                Err(TryLockError::WouldBlock) => None,
                Err(TryLockError::Error(error)) => panic!("host {number} cannot be locked: {error}"),
            }
        };
        group.iter().map(lock).collect()
    }

    /// A host that ran the programs as they were before is made clean, or an old proxy would be what is tested.
    fn lent(&self, number: u8, lock: File) -> Hold {
        self.once(&format!("host{number}"), || self.clean(number));
        Hold { number, _lock: lock }
    }

    fn folder(&self) -> PathBuf {
        self.sandbox.folder().with_file_name("rig")
    }

    /// Does something once for these programs in this sandbox. The caller holds a lock.
    fn once(&self, name: &str, work: impl FnOnce()) {
        let proxy = self.programs.kamal.with_file_name("kamal-proxy-linux-amd64");
        let age = |path: &Path| {
            let modified = fs::metadata(path).and_then(|about| about.modified()).ok();
            modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default().as_nanos()
        };
        // A sandbox made anew has a new key.
        let made_of = [age(&proxy), age(&self.programs.server), age(&self.sandbox.key())];
        let made_of = format!("{made_of:?}");
        let note = self.folder().join(format!("{name}.made"));
        if fs::read_to_string(&note).is_ok_and(|before| before == made_of) {
            return;
        }
        work();
        fs::write(note, made_of).expect("a note can be left");
    }

    /// Sees that the image of a real PostgreSQL is in the registry.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub fn postgres(&self) {
        let lock = open(&self.folder().join("postgres.lock"));
        lock.lock().expect("it can be locked");
        self.once("postgres", || postgres::push(&self.sandbox).unwrap_or_else(|error| panic!("{error}")));
    }

    /// Takes everything off a host.
    pub fn clean(&self, number: u8) {
        let script = "docker ps -aq | xargs -r docker rm -f; docker image ls -q | sort -u | xargs -r docker rmi -f; \
            docker volume ls -q | xargs -r docker volume rm; docker network rm kamal; true";
        self.docker_shell(number, script);
        // Absent is clean.
        drop(fs::remove_dir_all(self.host(number).home.join(".kamal")));
    }

    /// Runs a shell script whose `docker` is a host's, and returns what it printed.
    ///
    /// # Panics
    ///
    /// When there is no shell.
    pub fn docker_shell(&self, number: u8, script: &str) -> String {
        let socket = format!("unix://{}", self.host(number).docker_socket.display());
        let output = Command::new("sh").args(["-c", script]).env("DOCKER_HOST", socket).output();
        text(&output.expect("there is a shell"))
    }

    /// A fresh project of a name no other test uses.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[must_use]
    pub fn project(&self, name: &str, deploy: &str, secrets: &str) -> Project {
        let folder: PathBuf = self.sandbox.folder().with_file_name("projects").join(name);
        Project::create(&folder, &self.programs, &self.sandbox, deploy, secrets)
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Runs kamal and returns what it printed, whatever its exit status.
///
/// # Panics
///
/// When it cannot be started.
#[must_use]
pub fn kamal(project: &Project, arguments: &[&str]) -> Output {
    project.kamal().args(arguments).output().expect("kamal starts")
}

/// Both outputs as text.
#[must_use]
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
