//! Interactive commands (spec 5.6: Kamal replaces itself by the `ssh` program; here it is a channel like any other).

use kamal_core::{
    ports::{Exit, TransportErrorKind},
    shell::Script,
};
use russh::{ChannelMsg, ChannelWriteHalf, Sig, client::Msg};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::watch,
};

use crate::{
    connection::{Connection, Failure},
    nonce::nonce,
    quote::quoted,
};

/// What an interactive command talks to.
pub struct Terminal<'a> {
    /// What the user types. Its end is passed on.
    pub input: &'a mut (dyn AsyncRead + Send + Unpin),
    /// What the command prints.
    pub output: &'a mut (dyn AsyncWrite + Send + Unpin),
    /// What it prints as errors; with a pty, that arrives in `output` too.
    pub error: &'a mut (dyn AsyncWrite + Send + Unpin),
    /// A terminal on the host; `None` for plain pipes.
    pub pty: Option<Pty>,
}

/// A terminal on the host.
#[derive(Clone, Debug)]
pub struct Pty {
    /// What kind of terminal it is (`TERM`).
    pub term: String,
    /// Its size, and every new one.
    pub size: watch::Receiver<Size>,
}

/// A terminal's size in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

impl std::fmt::Debug for Terminal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("pty", &self.pty).finish_non_exhaustive()
    }
}

/// Runs a script, or the login shell, with a terminal.
pub(crate) async fn attach(
    connection: &Connection,
    script: Option<&Script>,
    terminal: Terminal<'_>,
) -> Result<Exit, Failure> {
    let label = script.map_or("the login shell", Script::label).to_owned();
    let command = match script {
        Some(script) => Some(command(connection, script).await?),
        None => None,
    };
    let (channel, _permit) = connection.session().await?;
    let (mut reader, writer) = channel.split();
    let Terminal { input, output, error, pty } = terminal;
    let mut size = pty.as_ref().map(|pty| pty.size.clone());
    if let Some(Pty { term, size }) = &pty {
        let Size { columns, rows } = *size.borrow();
        let asked = writer.request_pty(false, term, columns.into(), rows.into(), 0, 0, &[]).await;
        asked.map_err(|_| connection.lost(&label, None))?;
    }
    let started = match command {
        Some(command) => writer.exec(true, command).await,
        None => writer.request_shell(true).await,
    };
    started.map_err(|_| connection.lost(&label, None))?;
    let local =
        |error: std::io::Error| Failure::Kind(TransportErrorKind::Client(format!("the terminal failed: {error}")));
    let (mut end, mut typing, mut buffer) = (None, true, vec![0; 32 << 10]);
    loop {
        tokio::select! {
            message = reader.wait() => match message {
                Some(ChannelMsg::Data { data }) => {
                    output.write_all(&data).await.map_err(local)?;
                    output.flush().await.map_err(local)?;
                }
                Some(ChannelMsg::ExtendedData { data, ext: 1 }) => {
                    error.write_all(&data).await.map_err(local)?;
                    error.flush().await.map_err(local)?;
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => end = Some(i32::try_from(exit_status).unwrap_or(255)),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => end = Some(128 + number(&signal_name)),
                Some(ChannelMsg::Failure) => {
                    return Err(TransportErrorKind::Protocol("the server refuses to run commands".to_owned()).into());
                }
                Some(ChannelMsg::Close) | None => break,
                Some(_) => {}
            },
            // A program that does not read fills the window; what it prints must still be seen then.
            typed = input.read(&mut buffer), if typing => {
                typing = type_in(&writer, buffer.get(..typed.map_err(local)?).unwrap_or_default()).await;
            }
            Some(Size { columns, rows }) = resized(&mut size) => {
                // A failure shows as the channel's end.
                let _ = writer.window_change(columns.into(), rows.into(), 0, 0).await;
            }
        }
    }
    let _ = writer.close().await;
    end.map(Exit).ok_or_else(|| connection.lost(&label, None).into())
}

/// Passes on what was typed; false at its end.
async fn type_in(writer: &ChannelWriteHalf<Msg>, typed: &[u8]) -> bool {
    // A failure shows as the channel's end.
    if typed.is_empty() {
        let _ = writer.eof().await;
        return false;
    }
    writer.data(typed).await.is_ok()
}

/// Waits for the next size.
async fn resized(size: &mut Option<watch::Receiver<Size>>) -> Option<Size> {
    if let Some(receiver) = size
        && receiver.changed().await.is_ok()
    {
        return Some(*receiver.borrow_and_update());
    }
    // No more sizes will come.
    *size = None;
    std::future::pending().await
}

/// The command for sshd. Standard input is the user's here, so a script has to be an argument; one that holds a secret
/// is therefore left in a private file first, which it deletes before anything else.
async fn command(connection: &Connection, script: &Script) -> Result<String, Failure> {
    let text = script.expose();
    if *text == script.text().to_string() {
        return Ok(format!("exec sh -c {}", quoted(&text)));
    }
    let file = format!(".kamal-{}", nonce()?);
    let content = zeroize::Zeroizing::new(format!("rm -f {file}\n{}\n", *text));
    crate::upload::upload(connection, content.as_bytes(), &file, 0o600).await?;
    Ok(format!("exec sh ./{file}"))
}

fn number(signal: &Sig) -> i32 {
    match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        Sig::Custom(_) => 127,
    }
}
