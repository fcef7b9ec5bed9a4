//! What the project's git repository tells: the commit, and who is at work.

use std::{path::Path, process::Command};

use kamal_core::{config::Config, name::Version, ports::Entropy as _};

use crate::{
    error::{Error, NoVersion},
    machine::{Environment, SystemEntropy},
};

/// The version of a project as it is: the variable `VERSION`, else the commit (spec 2.13). Runs git and waits for it.
///
/// # Errors
///
/// When the folder is in no git repository, or there is no commit yet.
pub fn version_of(config: &Config, project: &Path, environment: &Environment) -> Result<Version, Error> {
    if let Some(version) = version_wanted(environment)? {
        return Ok(version);
    }
    let revision = revision(project)?;
    let dirty = config.builder.context.is_some()
        && ask(project, &["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    let suffix = if dirty { format!("_uncommitted_{}", SystemEntropy::default().hex(16)) } else { String::new() };
    Ok(Version::parse(format!("{revision}{suffix}")).map_err(|error| NoVersion::Variable(error.to_string()))?)
}

/// The version that the variable `VERSION` asks for.
pub(crate) fn version_wanted(environment: &Environment) -> Result<Option<Version>, Error> {
    let wanted = environment.get("VERSION").map(Version::parse).transpose();
    Ok(wanted.map_err(|error| NoVersion::Variable(error.to_string()))?)
}

/// The commit of the project, or why there is none.
fn revision(project: &Path) -> Result<String, NoVersion> {
    let place = project.display().to_string();
    let asked = git(project, &["rev-parse", "--verify", "HEAD"]).output();
    let output = asked.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => NoVersion::NoGit,
        _ => NoVersion::Git(format!("it cannot be run: {error}")),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(if said.contains("dubious ownership") {
        NoVersion::ForeignRepository(place)
    } else if said.contains("not a git repository") || said.contains("Not a git repository") {
        NoVersion::NoRepository(place)
    } else if said.contains("Needed a single revision") {
        NoVersion::NoCommit(place)
    } else {
        NoVersion::Git(said.trim().to_owned())
    })
}

/// Who is at work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    /// For the lock: the name, else the system's user.
    pub(crate) name: String,
    /// For the audit log and hooks: the e-mail address, else the system's user.
    pub(crate) performer: String,
}

impl Identity {
    /// Whom git and the environment know.
    pub(crate) fn of(project: Option<&Path>, environment: &Environment) -> Self {
        let told = project.and_then(|project| ask(project, &["config", "--get-regexp", "^user\\.(name|email)$"]));
        let told = told.unwrap_or_default();
        let get = |key: &str| {
            let said = told.lines().rev().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
            said.map(str::trim).filter(|said| !said.is_empty()).map(str::to_owned)
        };
        let user = || environment.get("USER").or_else(|| environment.get("LOGNAME"));
        let performer = get("user.email").or_else(&user).unwrap_or_else(|| "unknown".to_owned());
        Self { name: get("user.name").or_else(user).unwrap_or_default(), performer }
    }
}

/// git, in the words that are read here, whatever the user's language.
fn git(project: &Path, args: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(args).current_dir(project).env("LC_ALL", "C");
    git
}

fn ask(project: &Path, args: &[&str]) -> Option<String> {
    let output = git(project, args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
