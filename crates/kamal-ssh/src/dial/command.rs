//! The way through a local command (`ProxyCommand`).

use std::process::Stdio;

use kamal_core::ports::TransportErrorKind;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    process::Command,
    sync::oneshot,
};

use crate::displayable::displayable_bytes;

/// How much of the command's complaint is kept.
const COMPLAINT_KEPT: u64 = 400;

/// A connection through a command.
pub(super) struct Link<S> {
    pub(super) stream: S,
    /// What the command printed on standard error, once it has ended or printed much.
    pub(super) complaint: oneshot::Receiver<String>,
}

/// Starts a command whose input and output are the connection.
pub(super) fn open(
    command: &str,
) -> Result<Link<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>, TransportErrorKind> {
    let failed = |why: &str| TransportErrorKind::Client(format!("cannot start the proxy command {command:?}: {why}"));
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        // As OpenSSH does: no shell stays in between.
        .arg(format!("exec {command}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    let (Some(input), Some(output), Some(mut error)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(failed("it has no input and output"));
    };
    let (tell, complaint) = oneshot::channel();
    // The command ends when its input does, which is when the connection is dropped.
    tokio::spawn(async move {
        let mut text = Vec::new();
        let _ = (&mut error).take(COMPLAINT_KEPT).read_to_end(&mut text).await;
        // Nobody listens any more once the login is complete.
        let _ = tell.send(displayable_bytes(&text));
        let _ = tokio::io::copy(&mut error, &mut tokio::io::sink()).await;
        child.wait().await
    });
    Ok(Link { stream: tokio::io::join(output, input), complaint })
}
