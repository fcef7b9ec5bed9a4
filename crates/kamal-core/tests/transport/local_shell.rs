//! A transport that goes no further than this machine: each script has a `sh` of its own.

use std::{path::PathBuf, process::Stdio, sync::Arc};

use async_trait::async_trait;
use kamal_core::{
    name::HostName,
    ports::{Chunk, Exec, Exit, Ssh, TransportError, TransportErrorKind},
    shell::{Script, escape::word},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    ScriptAsArgument,
    OneStream,
    OutputAsText,
    AnyFailureIsOne,
    HasInput,
    ElsewhereThanHome,
    UploadInPlace,
    UploadOpenly,
    UploadLitters,
}

#[derive(Clone, Debug)]
pub(crate) struct LocalShell {
    pub(crate) home: PathBuf,
    pub(crate) flaw: Option<Flaw>,
}

#[derive(Debug)]
struct Connection {
    shell: LocalShell,
    host: HostName,
}

#[async_trait]
impl Ssh for LocalShell {
    async fn connect(&self, host: &HostName) -> Result<Arc<dyn Exec>, TransportError> {
        Ok(Arc::new(Connection { shell: self.clone(), host: host.clone() }))
    }

    async fn forget(&self, _host: &HostName) {}
}

impl Connection {
    fn has(&self, flaw: Flaw) -> bool {
        self.shell.flaw == Some(flaw)
    }

    fn lost(&self, error: &std::io::Error) -> TransportError {
        TransportError::new(&self.host, TransportErrorKind::Lost(error.to_string()))
    }

    fn spawn(&self, program: &str) -> Result<Child, TransportError> {
        let folder = if self.has(Flaw::ElsewhereThanHome) { "/".into() } else { self.shell.home.clone() };
        let mut command = Command::new("sh");
        command.args(["-c", program]).env("HOME", &self.shell.home).current_dir(folder).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| self.lost(&error))
    }

    async fn feed(&self, child: &mut Child, bytes: &[u8]) -> Result<(), TransportError> {
        let mut input = child.stdin.take().unwrap();
        input.write_all(bytes).await.map_err(|error| self.lost(&error))
    }
}

#[async_trait]
impl Exec for Connection {
    fn host(&self) -> &HostName {
        &self.host
    }

    async fn exec(
        &self,
        script: &Script,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, TransportError> {
        let text = script.expose();
        let mut child = if self.has(Flaw::ScriptAsArgument) {
            let mut child = self.spawn(&text)?;
            child.stdin.take();
            child
        } else {
            let empty = if self.has(Flaw::HasInput) { "echo odd |" } else { "exec </dev/null;" };
            // The sign at the end keeps the last newlines, which `$( )` takes away.
            let mut child = self.spawn(&format!("s=$(cat; echo x); {empty} eval \"${{s%x}}\""))?;
            self.feed(&mut child, text.as_bytes()).await?;
            child
        };
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (mut of_out, mut of_err) = ([0; 8192], [0; 8192]);
        let (mut out_ended, mut err_ended) = (false, false);
        while !(out_ended && err_ended) {
            let (bytes, error) = tokio::select! {
                read = out.read(&mut of_out), if !out_ended => {
                    let read = read.map_err(|error| self.lost(&error))?;
                    out_ended = read == 0;
                    (&of_out[..read], false)
                }
                read = err.read(&mut of_err), if !err_ended => {
                    let read = read.map_err(|error| self.lost(&error))?;
                    err_ended = read == 0;
                    (&of_err[..read], true)
                }
            };
            let lossy = String::from_utf8_lossy(bytes).into_owned();
            let bytes = if self.has(Flaw::OutputAsText) { lossy.as_bytes() } else { bytes };
            if error && !self.has(Flaw::OneStream) {
                output(Chunk::Stderr(bytes));
            } else {
                output(Chunk::Stdout(bytes));
            }
        }
        let status = child.wait().await.map_err(|error| self.lost(&error))?;
        let status = status.code().unwrap_or(1);
        Ok(Exit(if self.has(Flaw::AnyFailureIsOne) { status.min(1) } else { status }))
    }

    async fn upload_watched(
        &self,
        content: &[u8],
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError> {
        let (folder, _) = to.rsplit_once('/').unwrap_or((".", to));
        let beside = word(&format!("./{folder}/.new-{mode:o}-{}", content.len()));
        let (folder, to) = (word(&format!("./{folder}")), word(&format!("./{to}")));
        let copy = if self.has(Flaw::UploadLitters) { "cp -p" } else { "mv -f" };
        let program = if self.has(Flaw::UploadInPlace) {
            format!("mkdir -p {folder}; cat > {to}; chmod {mode:o} {to}")
        } else {
            format!(
                "mkdir -p {folder} && n=$(mktemp {beside}-XXXXXX) && chmod {open} \"$n\" && cat > \"$n\" && chmod {mode:o} \"$n\" && {copy} \"$n\" {to}",
                open = if self.has(Flaw::UploadOpenly) { "0644" } else { "0600" },
            )
        };
        let mut child = self.spawn(&program)?;
        // In pieces, as a network takes them.
        let mut input = child.stdin.take().unwrap();
        let mut gone = 0;
        for piece in content.chunks(64 * 1024) {
            input.write_all(piece).await.map_err(|error| self.lost(&error))?;
            gone += piece.len() as u64;
            sent(gone);
            tokio::task::yield_now().await;
        }
        drop(input);
        let output = child.wait_with_output().await.map_err(|error| self.lost(&error))?;
        let refused = || TransportErrorKind::Protocol(String::from_utf8_lossy(&output.stderr).into_owned());
        if output.status.success() { Ok(()) } else { Err(TransportError::new(&self.host, refused())) }
    }
}
