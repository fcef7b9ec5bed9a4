//! A long-lived remote POSIX shell that takes scripts one after another, so that a script costs one round trip and
//! neither a session of sshd nor a login shell that reads its start-up files (spec 5.1: Kamal pays both for every
//! command).
//!
//! The login shell, whatever it is, is replaced by `sh`, which reads programs from its standard input. Each program
//! holds a script as a quoted text and evaluates it in a subshell, so that `exit`, `cd` and even a syntax error end
//! with it, then prints a mark with its status on both outputs. Nothing of a script is ever an argument of a process.

mod marker;
mod stream;

use kamal_core::ports::{Chunk, Exit, TransportErrorKind};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client::Msg};
use stream::Stream;
use zeroize::Zeroizing;

use crate::{displayable::displayable, nonce::nonce, quote::push_quoted};

/// A shell waiting for its next script. Dropping it closes its channel.
pub(crate) struct Shell {
    reader: ChannelReadHalf,
    /// Taken when closing.
    writer: Option<ChannelWriteHalf<Msg>>,
    nonce: String,
    out: Stream,
    err: Stream,
}

/// How a shell failed to finish a script.
#[derive(Debug)]
pub(crate) enum ShellFault {
    /// Nothing was run: the login shell ended, or the server refused, before it took a program.
    NeverStarted(String),
    /// The channel ended before the script's mark arrived, with the shell's own end if it was seen.
    Ended(Option<String>),
}

impl Shell {
    /// Starts a shell on a fresh channel without waiting for it: what is written next arrives in time.
    pub(crate) async fn start(channel: Channel<Msg>) -> Result<Self, TransportErrorKind> {
        let nonce = nonce()?;
        let (reader, writer) = channel.split();
        // `exec sh` means the same in every login shell there is. A failure to send shows as the end of the channel
        // when the first script waits for its mark.
        if writer.exec(true, "exec sh").await.is_ok() {
            let _ = writer.data_bytes(mark(&nonce, "0").into_bytes()).await;
        }
        let (out, err) = (Stream::new(&nonce), Stream::new(&nonce));
        Ok(Self { reader, writer: Some(writer), nonce, out, err })
    }

    /// Runs a script and streams its output. When this fails or is cancelled, the shell must not be used again.
    pub(crate) async fn run(
        &mut self,
        script: &str,
        output: &mut (dyn FnMut(Chunk<'_>) + Send),
    ) -> Result<Exit, ShellFault> {
        let program = program(script, &self.nonce);
        let Self { reader, writer, out, err, .. } = self;
        let Some(writer) = writer else { return Err(ShellFault::Ended(None)) };
        out.rewind();
        err.rewind();
        // Reading goes on while writing, or a script larger than the window would wait for ever.
        let write = writer.data(program.as_bytes());
        tokio::pin!(write);
        let (mut writing, mut status, mut err_done, mut end) = (true, None, false, None);
        loop {
            let message = tokio::select! {
                // A failed write needs no care: the channel's end follows.
                _ = &mut write, if writing => {
                    writing = false;
                    continue;
                }
                message = reader.wait() => message,
            };
            match message {
                Some(ChannelMsg::Data { data }) => {
                    status = status.or(out.feed(&data, |clear| output(Chunk::Stdout(clear))));
                }
                Some(ChannelMsg::ExtendedData { data, ext: 1 }) => {
                    err_done |= err.feed(&data, |clear| output(Chunk::Stderr(clear))).is_some();
                }
                Some(ChannelMsg::Failure) => {
                    return Err(ShellFault::NeverStarted("the server refuses to run commands".to_owned()));
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => end = Some(format!("with status {exit_status}")),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    end = Some(format!("by signal {}", displayable(&format!("{signal_name:?}"))));
                }
                Some(ChannelMsg::Close) | None => return Err(ended(end, out, err)),
                Some(_) => {}
            }
            if let (Some(status), true) = (status, err_done) {
                return Ok(Exit(status));
            }
        }
    }

    /// Throws away what arrives between scripts; returns when the channel ends. May be cancelled at any point.
    pub(crate) async fn idle(&mut self) {
        loop {
            match self.reader.wait().await {
                Some(ChannelMsg::Data { data }) => self.out.discard(&data),
                Some(ChannelMsg::ExtendedData { data, ext: 1 }) => self.err.discard(&data),
                Some(ChannelMsg::Close | ChannelMsg::Failure) | None => return,
                Some(_) => {}
            }
        }
    }

    /// Ends the shell and waits until the server has freed its session.
    pub(crate) async fn close(mut self) {
        if let Some(writer) = self.writer.take() {
            let _ = writer.eof().await;
            self.idle().await;
            let _ = writer.close().await;
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if let (Some(writer), Ok(runtime)) = (self.writer.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { writer.close().await });
        }
    }
}

impl std::fmt::Debug for Shell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shell").finish_non_exhaustive()
    }
}

/// The text a shell is given for a script. It goes through a variable because bash, when a signal ends a subshell,
/// prints the subshell's own text, which would show the script's secrets.
fn program(script: &str, nonce: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(script.len() + script.len() / 16 + 256));
    text.push_str("kamal_script=");
    push_quoted(&mut text, script);
    text.push_str("\n( eval \"$kamal_script\" ) </dev/null; kamal_status=$?; unset kamal_script; ");
    text.push_str(&mark(nonce, "\"$kamal_status\""));
    text
}

/// Prints the mark on both outputs.
fn mark(nonce: &str, status: &str) -> String {
    format!("printf '\\036{nonce} %d\\n' {status}; printf '\\036{nonce} %d\\n' {status} >&2\n")
}

fn ended(end: Option<String>, out: &Stream, err: &Stream) -> ShellFault {
    match end {
        // The server says that the shell ended by itself, and it never took a program.
        Some(end) if !out.greeted() => {
            let noise = [err.noise(), out.noise()].join(" ");
            let noise = noise.trim();
            let colon = if noise.is_empty() { "" } else { ": " };
            ShellFault::NeverStarted(format!("the login shell ended {end} before it ran anything{colon}{noise}"))
        }
        end => ShellFault::Ended(end.map(|end| format!("the remote shell ended {end}"))),
    }
}
