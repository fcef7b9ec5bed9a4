//! Interactive commands (spec 5.6: Kamal replaces itself by the `ssh` program; here it is a channel like any other).

use kamal_core::{
    ports::{Exit, TransportErrorKind},
    shell::Script,
};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, client::Msg};
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
    // Three things at once: a program that does not read must not keep its output from being seen.
    let end = tokio::select! {
        end = print(&mut reader, output, error) => end?,
        error = type_in(&writer, input) => return Err(local(&error)),
        () = resize(&writer, pty) => None,
    };
    let _ = writer.close().await;
    end.map(Exit).ok_or_else(|| connection.lost(&label, None).into())
}

/// Shows what the command prints until it ends; its status, if it has one.
async fn print(
    reader: &mut ChannelReadHalf,
    output: &mut (dyn AsyncWrite + Send + Unpin),
    error: &mut (dyn AsyncWrite + Send + Unpin),
) -> Result<Option<i32>, Failure> {
    let mut end = None;
    while let Some(message) = reader.wait().await {
        match message {
            ChannelMsg::Data { data } => show(output, &data).await?,
            ChannelMsg::ExtendedData { data, ext: 1 } => show(error, &data).await?,
            ChannelMsg::ExitStatus { exit_status } => end = Some(i32::try_from(exit_status).unwrap_or(255)),
            ChannelMsg::ExitSignal { signal_name, .. } => end = Some(128 + number(&signal_name)),
            ChannelMsg::Failure => {
                return Err(TransportErrorKind::Protocol("the server refuses to run commands".to_owned()).into());
            }
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    Ok(end)
}

async fn show(on: &mut (dyn AsyncWrite + Send + Unpin), data: &[u8]) -> Result<(), Failure> {
    on.write_all(data).await.map_err(|error| local(&error))?;
    on.flush().await.map_err(|error| local(&error))
}

fn local(error: &std::io::Error) -> Failure {
    TransportErrorKind::Client(format!("the terminal failed: {error}")).into()
}

/// Passes on what is typed; returns only when that cannot be read.
async fn type_in(writer: &ChannelWriteHalf<Msg>, input: &mut (dyn AsyncRead + Send + Unpin)) -> std::io::Error {
    let mut buffer = vec![0; 32 << 10];
    loop {
        let typed = match input.read(&mut buffer).await {
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) => return error,
        };
        // A failure to send shows as the channel's end.
        if typed.is_empty() {
            let _ = writer.eof().await;
            return std::future::pending().await;
        }
        let _ = writer.data(typed).await;
    }
}

/// Passes on new sizes of the terminal; never returns.
async fn resize(writer: &ChannelWriteHalf<Msg>, pty: Option<Pty>) {
    if let Some(Pty { mut size, .. }) = pty {
        while size.changed().await.is_ok() {
            let Size { columns, rows } = *size.borrow_and_update();
            let _ = writer.window_change(columns.into(), rows.into(), 0, 0).await;
        }
    }
    std::future::pending::<()>().await;
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
    crate::upload::upload(connection, content.as_bytes(), &file, 0o600, &mut |_| ()).await?;
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
