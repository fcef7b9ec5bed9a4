//! The sandbox, brought up once for all tests of a run, its programs built, and hosts made clean between tests.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    sync::OnceLock,
};

use xtask::{
    programs::{self, Profile, Programs},
    project::Project,
    sandbox::{self, Host, Sandbox},
};

use crate::images;

/// How many hosts the tests use.
pub const HOSTS: u8 = 4;

/// What a test works with.
#[derive(Debug)]
pub struct Rig {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// The programs under test.
    pub programs: Programs,
}

/// The rig, made when the first test asks for it.
///
/// # Panics
///
/// When it cannot be made: a test that cannot run must not pass.
pub fn rig() -> &'static Rig {
    static RIG: OnceLock<Rig> = OnceLock::new();
    RIG.get_or_init(|| {
        let programs = programs::build(Profile::Dev).unwrap_or_else(|error| panic!("{error}"));
        let sandbox = sandbox::up(HOSTS).unwrap_or_else(|error| panic!("{error}"));
        images::push(&programs, &sandbox).unwrap_or_else(|error| panic!("{error}"));
        Rig { sandbox, programs }
    })
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

    /// Takes everything off a host.
    pub fn clean(&self, number: u8) {
        let host = self.host(number);
        let script = "docker ps -aq | xargs -r docker rm -f; docker image ls -q | sort -u | xargs -r docker rmi -f; \
            docker volume ls -q | xargs -r docker volume rm; docker network rm kamal; true";
        let output = Command::new("sh")
            .args(["-c", script])
            .env("DOCKER_HOST", format!("unix://{}", host.docker_socket.display()))
            .output();
        drop(output);
        // Absent is clean.
        drop(fs::remove_dir_all(host.home.join(".kamal")));
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
