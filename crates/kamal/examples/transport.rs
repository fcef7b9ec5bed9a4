//! Another transport than SSH: "hosts" that are this machine, each script run by a shell here. What takes a real one (an
//! agent, a cloud's command service, a container) is the same four methods. `testing::exec_suite` says whether they keep what the
//! engine relies on; this one is put through it in `crates/kamal/tests/examples.rs`.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::{io, os::unix::process::ExitStatusExt as _, path::PathBuf, process::Stdio, sync::Arc};

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
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
};

const DEPLOY: &str = "\
service: shop
image: acme/shop
servers: [here]
registry: { username: me, password: [PASSWORD] }
builder: { arch: amd64 }
";

/// Connects to every host there is.
#[derive(Debug)]
pub(crate) struct Here {
    /// Where scripts run and uploads go.
    pub(crate) home: PathBuf,
}

#[derive(Debug)]
struct Shell {
    host: HostName,
    home: PathBuf,
}

/// A script comes by standard input, as secrets may stand in it, and is not its own input. The sign at the end keeps the last
/// newlines, which `$( )` takes away.
const READ_AND_RUN: &str = r#"script=$(cat; echo x); exec </dev/null; eval "${script%x}""#;

/// A file is made beside its place, for its owner alone, and moved there when all of it is written.
const WRITE: &str = r#"mkdir -p "$(dirname "$1")" && new=$(mktemp "$1.XXXXXX") && cat >"$new" && chmod "$2" "$new" && mv -f "$new" "$1""#;

impl Shell {
    fn start(&self, arguments: &[&str]) -> Result<Child, TransportError> {
        let mut shell = Command::new("sh");
        shell.arg("-c").args(arguments).current_dir(&self.home).env("HOME", &self.home).kill_on_drop(true);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell.spawn().map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &io::Error) -> TransportError {
        TransportError::new(&self.host, TransportErrorKind::Lost(error.to_string()))
    }
}

#[async_trait]
impl Ssh for Here {
    async fn connect(&self, host: &HostName) -> Result<Arc<dyn Exec>, TransportError> {
        Ok(Arc::new(Shell { host: host.clone(), home: self.home.clone() }))
    }

    async fn forget(&self, _host: &HostName) {}
}

#[async_trait]
impl Exec for Shell {
    fn host(&self) -> &HostName {
        &self.host
    }

    async fn exec(
        &self,
        script: &Script,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, TransportError> {
        let lost = |error| self.lost(&error);
        let mut shell = self.start(&[READ_AND_RUN])?;
        let (mut input, mut out, mut err) = pipes(&mut shell).map_err(lost)?;
        // All of it is read before anything runs.
        input.write_all(script.expose().as_bytes()).await.map_err(lost)?;
        drop(input);
        let (mut of_out, mut of_err) = ([0; 8192], [0; 8192]);
        let (mut out_ended, mut err_ended) = (false, false);
        while !(out_ended && err_ended) {
            tokio::select! {
                read = out.read(&mut of_out), if !out_ended => {
                    let read = read.map_err(lost)?;
                    out_ended = read == 0;
                    output(Chunk::Stdout(&of_out[..read]));
                }
                read = err.read(&mut of_err), if !err_ended => {
                    let read = read.map_err(lost)?;
                    err_ended = read == 0;
                    output(Chunk::Stderr(&of_err[..read]));
                }
            }
        }
        let status = shell.wait().await.map_err(lost)?;
        // As shells tell of signals.
        Ok(Exit(status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255)))
    }

    async fn upload_watched(
        &self,
        content: &[u8],
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError> {
        let lost = |error| self.lost(&error);
        let mut shell = self.start(&[WRITE, "write", &format!("./{to}"), &format!("{mode:o}")])?;
        let (mut input, _out, mut err) = pipes(&mut shell).map_err(lost)?;
        let mut gone = 0;
        for piece in content.chunks(64 << 10) {
            input.write_all(piece).await.map_err(lost)?;
            gone += piece.len() as u64;
            sent(gone);
        }
        drop(input);
        let mut why = String::new();
        err.read_to_string(&mut why).await.map_err(lost)?;
        let status = shell.wait().await.map_err(lost)?;
        let refused = || TransportError::new(&self.host, TransportErrorKind::Protocol(why));
        if status.success() { Ok(()) } else { Err(refused()) }
    }
}

/// What leads to a shell and from it.
fn pipes(shell: &mut Child) -> io::Result<(ChildStdin, ChildStdout, ChildStderr)> {
    let pipes = shell.stdin.take().zip(shell.stdout.take()).zip(shell.stderr.take());
    pipes.map(|((input, out), err)| (input, out, err)).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = Here { home: std::env::current_dir()? };
    let project = Project::builder().text(DEPLOY).ssh(Arc::new(here)).secret_map([("PASSWORD", "x")]).build().await?;
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
