//! The user's terminal, handed to a command on a host.

use std::io::IsTerminal;

use kamal_core::{cancel::Cancel, error::HostError, name::HostName, ports::Exit, shell::Script};
use kamal_ssh::{Connector, Pty, Size, Terminal};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::failure::Failure;

/// True when standard input is a terminal.
pub(crate) fn is_one() -> bool {
    std::io::stdin().is_terminal()
}

/// Runs a script on a host, or a shell, attached to standard input and output, until it ends or this process is asked to.
pub(crate) async fn attach(
    connector: &Connector,
    cancel: &Cancel,
    host: &HostName,
    script: Option<&Script>,
    pty: bool,
) -> Result<Exit, Failure> {
    let (mut input, mut output, mut error) = (tokio::io::stdin(), tokio::io::stdout(), tokio::io::stderr());
    // Listened for before the size is read, so that no change falls between.
    let changes = signal(SignalKind::window_change());
    let (resized, size) = watch::channel(size());
    let pty = pty.then(|| Pty { term: std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned()), size });
    let watching = tokio::spawn(async move {
        let Ok(mut changes) = changes else { return };
        while changes.recv().await.is_some() && resized.send(self::size()).is_ok() {}
    });
    let raw = pty.is_some().then(Raw::enter);
    let terminal = Terminal { input: &mut input, output: &mut output, error: &mut error, pty };
    let exit = cancel.guard(connector.attach(host, script, terminal)).await;
    drop(raw);
    watching.abort();
    Ok(exit.ok_or(Failure::Interrupted)?.map_err(HostError::Transport)?)
}

fn size() -> Size {
    let size = tcgetwinsize(std::io::stdout()).ok().filter(|size| size.ws_col > 0);
    size.map_or(Size { columns: 80, rows: 24 }, |size| Size { columns: size.ws_col, rows: size.ws_row })
}

/// The terminal in raw mode: every key goes to the host, Ctrl-C included. Dropping it restores the mode before.
struct Raw(Option<Termios>);

impl Raw {
    fn enter() -> Self {
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(mut mode) = before.clone() {
            mode.make_raw();
            // A terminal that refuses stays as it is.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &mode);
        }
        Self(before)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(mode) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, mode);
        }
    }
}
