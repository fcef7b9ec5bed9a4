//! One open connection and the channels on it: idle shells kept for the next script, and no more sessions at once than
//! the server allows (sshd's `MaxSessions`, 10 unless configured).

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use kamal_core::ports::{Chunk, Exit, TransportErrorKind};
use russh::{
    Channel,
    client::{Handle, Msg},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    client::Client,
    fault::Cause,
    pool::Idle,
    shell::{Shell, ShellFault},
};

/// sshd frees a session a moment after its channel is closed, so ten in use at once would be refused now and then.
const SESSIONS: usize = 8;

/// How long to wait for a session that the server may free by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that is logged in.
pub(crate) struct Connection {
    handle: Handle<Client>,
    cause: Cause,
    idle: Mutex<Vec<Idle>>,
    sessions: Semaphore,
    /// How many sessions may be in use at once; lowered when the server refuses one.
    limit: Mutex<usize>,
}

/// Why something could not be done on a connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection had ended before anything was sent: another one may be tried.
    Closed(String),
    /// The outcome is as the kind says.
    Kind(TransportErrorKind),
}

impl From<TransportErrorKind> for Failure {
    fn from(kind: TransportErrorKind) -> Self {
        Self::Kind(kind)
    }
}

/// What a turn got: a shell that waited, or a new channel.
enum Turn<'a> {
    Shell(Shell, SemaphorePermit<'a>),
    Channel(Channel<Msg>, SemaphorePermit<'a>),
}

impl Connection {
    pub(crate) fn new(handle: Handle<Client>, cause: Cause) -> Self {
        Self {
            handle,
            cause,
            idle: Mutex::new(Vec::new()),
            sessions: Semaphore::new(SESSIONS),
            limit: Mutex::new(SESSIONS),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Starts a shell ahead of the first script, while nobody waits for it.
    pub(crate) async fn warm_up(&self) {
        if let Ok(channel) = self.handle.channel_open_session().await
            && let Ok(shell) = Shell::start(channel).await
        {
            self.keep(shell);
        }
    }

    /// Runs a script in a shell of its own.
    pub(crate) async fn exec(
        &self,
        label: &str,
        script: &str,
        output: &mut (dyn FnMut(Chunk<'_>) + Send),
    ) -> Result<Exit, Failure> {
        let (mut shell, permit) = match self.turn(true).await? {
            Turn::Shell(shell, permit) => (shell, permit),
            Turn::Channel(channel, permit) => (Shell::start(channel).await?, permit),
        };
        // When this future is dropped on the way, so is the shell, which closes its channel.
        let result = shell.run(script, output).await;
        match result {
            Ok(exit) => {
                self.keep(shell);
                drop(permit);
                Ok(exit)
            }
            Err(ShellFault::NeverStarted(why)) => Err(TransportErrorKind::Protocol(why).into()),
            Err(ShellFault::Ended(why)) => Err(self.lost(label, why).into()),
        }
    }

    /// Opens a session of its own; the permit keeps its place among the server's sessions.
    pub(crate) async fn session(&self) -> Result<(Channel<Msg>, SemaphorePermit<'_>), Failure> {
        loop {
            match self.turn(false).await? {
                Turn::Channel(channel, permit) => return Ok((channel, permit)),
                Turn::Shell(shell, _) => shell.close().await,
            }
        }
    }

    /// The error for something under way when its channel ended.
    pub(crate) fn lost(&self, label: &str, why: Option<String>) -> TransportErrorKind {
        let cause = why.or_else(|| self.cause.text()).map_or_else(String::new, |why| format!(" ({why})"));
        TransportErrorKind::Lost(format!("{label}{cause}"))
    }

    fn closed(&self) -> Failure {
        Failure::Closed(self.cause.text().unwrap_or_else(|| "the server closed it".to_owned()))
    }

    fn keep(&self, shell: Shell) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(Idle::new(shell));
    }

    fn pop(&self) -> Option<Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    async fn turn(&self, want_shell: bool) -> Result<Turn<'_>, Failure> {
        let mut waited = Duration::ZERO;
        let mut permit = self.sessions.acquire().await.map_err(|_| self.closed())?;
        loop {
            if self.is_closed() {
                return Err(self.closed());
            }
            if want_shell {
                while let Some(idle) = self.pop() {
                    if let Some(shell) = idle.take().await {
                        return Ok(Turn::Shell(shell, permit));
                    }
                }
            }
            match self.handle.channel_open_session().await {
                Ok(channel) => return Ok(Turn::Channel(channel, permit)),
                Err(russh::Error::ChannelOpenFailure(reason)) => {
                    // The server has no session left. An idle shell can give up its own; else another user's end
                    // must be waited for, and never so many be used at once again; else the server's.
                    if let Some(idle) = self.pop() {
                        if let Some(shell) = idle.take().await {
                            shell.close().await;
                        }
                    } else if self.shrink() {
                        permit.forget();
                        permit = self.sessions.acquire().await.map_err(|_| self.closed())?;
                    } else if waited < PATIENCE {
                        let pause = Duration::from_millis(20) + waited / 4;
                        tokio::time::sleep(pause).await;
                        waited += pause;
                    } else {
                        return Err(TransportErrorKind::Protocol(format!(
                            "the server opens no session ({reason:?}); raise MaxSessions in its sshd_config"
                        ))
                        .into());
                    }
                }
                Err(_) => return Err(self.closed()),
            }
        }
    }

    /// Lowers the limit by the caller's session, unless the caller has the only one.
    fn shrink(&self) -> bool {
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        let shrinks = limit.saturating_sub(self.sessions.available_permits()) > 1;
        if shrinks {
            *limit -= 1;
        }
        shrinks
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}
