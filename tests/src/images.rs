//! Images the tests need in the sandbox's registry, made here since none can be pulled: the proxy under the name and
//! version Kamal starts, and a database that is the example app in disguise.

use std::{fs, path::Path, process::Command};

use xtask::{command::run, error::Result, programs::Programs, sandbox::Sandbox};

/// Builds and pushes them.
///
/// # Errors
///
/// When docker refuses.
pub fn push(programs: &Programs, sandbox: &Sandbox) -> Result<()> {
    let folder = sandbox.folder().with_file_name("images");
    fs::create_dir_all(&folder)
        .map_err(|source| xtask::error::Error::Io { what: "creating a folder".into(), source })?;
    let proxy = programs.kamal.with_file_name("kamal-proxy-linux-amd64");
    let registry = sandbox.registry();
    let proxy_image = "FROM scratch\nCOPY program /usr/local/bin/kamal-proxy\nENV PATH=/usr/local/bin HOME=/home/kamal-proxy\n\
        EXPOSE 80 443\nLABEL org.opencontainers.image.title=kamal-proxy\nCMD [\"kamal-proxy\", \"run\"]\n";
    let server_image = "FROM scratch\nCOPY program /server\nCMD [\"/server\"]\n";
    one(sandbox, &folder, &proxy, proxy_image, &format!("{registry}/basecamp/kamal-proxy:v0.9.2"))?;
    for name in ["postgres:16", "redis:7"] {
        one(sandbox, &folder, &programs.server, server_image, &format!("{registry}/{name}"))?;
    }
    Ok(())
}

fn one(sandbox: &Sandbox, folder: &Path, program: &Path, dockerfile: &str, tag: &str) -> Result<()> {
    let io = |source| xtask::error::Error::Io { what: format!("preparing the image {tag}"), source };
    fs::copy(program, folder.join("program")).map_err(io)?;
    fs::write(folder.join("Dockerfile"), dockerfile).map_err(io)?;
    build_and_push(sandbox, folder, tag)
}

/// Makes an image of a folder and puts it into the sandbox's registry.
pub(crate) fn build_and_push(sandbox: &Sandbox, folder: &Path, tag: &str) -> Result<()> {
    let docker = |arguments: &[&str]| {
        let mut docker = Command::new("docker");
        docker.args(arguments).envs(sandbox.docker_host().map(|host| ("DOCKER_HOST", host)));
        run(&mut docker)
    };
    docker(&["buildx", "build", "--load", "-t", tag, &folder.display().to_string()])?;
    docker(&["push", tag]).map(drop)
}
