//! Another transport than SSH: "hosts" that are this machine, each script run by a shell here. What takes a real one (an
//! agent, a cloud's command service, a container) is the same four methods.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::{os::unix::fs::PermissionsExt as _, process::Stdio, sync::Arc};

use async_trait::async_trait;
use kamal::{
    core::{
        name::HostName,
        op::Server,
        ports::{Chunk, Exec, Exit, Ssh, TransportError, TransportErrorKind},
        shell::Script,
    },
    prelude::*,
};
use tokio::io::AsyncWriteExt as _;

const DEPLOY: &str = "\
service: shop
image: acme/shop
servers: [here]
registry: { username: me, password: [PASSWORD] }
builder: { arch: amd64 }
";

#[derive(Debug)]
struct Here;

#[derive(Debug)]
struct Shell(HostName);

#[async_trait]
impl Ssh for Here {
    async fn connect(&self, host: &HostName) -> Result<Arc<dyn Exec>, TransportError> {
        Ok(Arc::new(Shell(host.clone())))
    }

    async fn forget(&self, _host: &HostName) {}
}

#[async_trait]
impl Exec for Shell {
    fn host(&self) -> &HostName {
        &self.0
    }

    async fn exec(
        &self,
        script: &Script,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, TransportError> {
        let failed =
            |error: std::io::Error| TransportError::new(&self.0, TransportErrorKind::Network(error.to_string()));
        let mut shell = tokio::process::Command::new("sh");
        // The script goes to standard input, as secrets may stand in it.
        shell.arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = shell.spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(script.expose().as_bytes()).await.map_err(failed)?;
        }
        let done = child.wait_with_output().await.map_err(failed)?;
        output(Chunk::Stdout(&done.stdout));
        output(Chunk::Stderr(&done.stderr));
        Ok(Exit(done.status.code().unwrap_or(137)))
    }

    async fn upload_watched(
        &self,
        content: &[u8],
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError> {
        let failed =
            |error: std::io::Error| TransportError::new(&self.0, TransportErrorKind::Network(error.to_string()));
        let home = std::env::var("HOME").unwrap_or_default();
        let path = std::path::Path::new(&home).join(to);
        let beside = path.with_extension("part");
        std::fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(failed)?;
        std::fs::write(&beside, content).map_err(failed)?;
        std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
        std::fs::rename(&beside, &path).map_err(failed)?;
        sent(content.len() as u64);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let project = Project::builder().text(DEPLOY).ssh(Arc::new(Here)).secret_map([("PASSWORD", "x")]).build().await?;
    let command = kamal::core::command_line::CommandLine::of(&["uname -sr".to_owned()]).ok_or("no command")?;
    let report = project.server(Server::Exec { command: Some(command), interactive: false }).run().await?;
    for answer in report.answers {
        println!(
            "{}: {}",
            answer.host.map_or_else(String::new, |host| host.to_string()),
            answer.outcome?.stdout.trim()
        );
    }
    Ok(())
}
