//! What images cost on their way from the registry inside the command to hosts.

mod distant;
mod many;

use std::{fs, path::PathBuf, process::Command};

use super::figures::Figures;
use crate::{
    error::{Context, Result},
    noise::noise,
    programs::{self, Profile, Programs},
    project::Project,
    sandbox::Sandbox,
};

/// Measures both: a small layer to a distant host, and a large one to many.
///
/// # Errors
///
/// When something is missing that is needed, or a command fails.
pub fn measure(hosts: u8, rounds: u32, profile: Profile, figures: &mut Figures) -> Result<()> {
    let kamal = programs::command(profile)?;
    // What runs in the image is of no matter, as nothing does.
    let programs = Programs { kamal, server: "/bin/true".into() };
    distant::measure(&programs, rounds, figures)?;
    many::measure(&programs, hosts, figures)
}

/// A project without a registry, whose image has a layer for each of some files; the command runs where it is built.
fn project(name: &str, programs: &Programs, sandbox: &Sandbox, hosts: &[String], files: &[&str]) -> Result<Project> {
    let hosts = hosts.iter().map(|host| format!("\"{host}\"")).collect::<Vec<_>>().join(", ");
    let deploy = format!(
        "service: {name}\nimage: {name}\nservers: [{hosts}]\nproxy: {{host: {name}.test}}\n\
         builder: {{arch: amd64, driver: docker, context: .}}\nssh: {{keys: [SSHKEY], keys_only: true}}\n"
    );
    let folder = sandbox.folder().with_file_name("bench").join(name);
    let project = Project::create(&folder, programs, sandbox, &deploy, "")?;
    let copied = files.iter().map(|file| format!("COPY {file} /{file}\n")).collect::<String>();
    project.write("Dockerfile", &format!("FROM scratch\n{copied}CMD [\"/none\"]\n"))?;
    project.write(".gitignore", &files.join("\n"))?;
    project.commit()?;
    Ok(project.at_the_builder(sandbox))
}

/// Gives a project a file of so many bytes that nothing can be spared of.
fn fill(project: &Project, file: &str, seed: u64, size: usize) -> Result<()> {
    let path: PathBuf = project.folder().join(file);
    fs::write(&path, noise(seed, size)).context(|| format!("writing {}", path.display()))
}

/// The command of a project, which is to print nothing.
fn quietly(project: &Project, arguments: &[&str]) -> Command {
    let mut kamal = project.kamal();
    kamal.args(arguments).arg("--quiet");
    kamal
}
