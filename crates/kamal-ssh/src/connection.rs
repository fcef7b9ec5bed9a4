//! One open connection and the channels on it: idle shells kept for the next script, and no more sessions at once than
//! the server allows (sshd's `MaxSessions`, 10 unless configured).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kamal_core::ports::{Chunk, Exit, TransportErrorKind};
use russh::{
    Channel, ChannelOpenFailure,
    client::{Handle, Msg},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    client::Client,
    fault::Cause,
    forward::{Denial, Forwards, LOOPBACK, RemoteForward},
    pool::Idle,
    shell::{Shell, ShellFault},
    stream::Stream,
};

/// sshd frees a session a moment after its channel is closed, so ten in use at once would be refused now and then.
const SESSIONS: usize = 8;

/// How long to wait for a session that the server may free by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that is logged in.
pub(crate) struct Connection {
    handle: Handle<Client>,
    cause: Cause,
    forwards: Forwards,
    /// Whether sessions may use the local agent.
    forward_agent: bool,
    /// The connection this one leads through, kept open with it.
    _via: Option<Arc<Connection>>,
    idle: Mutex<Vec<Idle>>,
    sessions: Semaphore,
    /// How many sessions may be in use at once; lowered when the server refuses one.
    limit: Mutex<usize>,
    /// How long the server may take to open a session or to say no.
    patience: Duration,
}

/// Why something could not be done on a connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection had ended before anything was sent: another one may be tried.
    Closed(String),
    /// The outcome is as the kind says.
    Kind(TransportErrorKind),
}

impl Failure {
    /// The kind, for callers that do not try again.
    pub(crate) fn into_kind(self) -> TransportErrorKind {
        match self {
            Self::Closed(why) => TransportErrorKind::Network(format!("the connection closed ({why})")),
            Self::Kind(kind) => kind,
        }
    }
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
    pub(crate) fn new(
        handle: Handle<Client>,
        cause: Cause,
        forwards: Forwards,
        forward_agent: bool,
        via: Option<Arc<Connection>>,
        patience: Duration,
    ) -> Self {
        Self {
            handle,
            cause,
            forwards,
            forward_agent,
            _via: via,
            idle: Mutex::new(Vec::new()),
            sessions: Semaphore::new(SESSIONS),
            limit: Mutex::new(SESSIONS),
            patience,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Starts a shell ahead of the first script, while nobody waits for it.
    pub(crate) async fn warm_up(&self) {
        if let Ok(channel) = self.open_session().await
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

    /// Connects to an address as seen from the host.
    pub(crate) async fn open_tcp(&self, to: &str, port: u16) -> Result<Stream, TransportErrorKind> {
        match self.handle.channel_open_direct_tcpip(to, port.into(), LOOPBACK, 0).await {
            Ok(channel) => Ok(Stream::new(channel)),
            Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited)) => {
                Err(TransportErrorKind::Protocol(format!(
                    "the server forbids to connect to {to}:{port} through it; set AllowTcpForwarding yes in its sshd_config"
                )))
            }
            Err(russh::Error::ChannelOpenFailure(_)) => {
                Err(TransportErrorKind::Refused(format!("{to}:{port}, seen from the host in between")))
            }
            Err(_) => Err(self.gone()),
        }
    }

    /// Lets the host listen for us on a port of its loopback.
    pub(crate) async fn forward(
        self: &Arc<Self>,
        port: u16,
    ) -> Result<Result<RemoteForward, Denial>, TransportErrorKind> {
        // Before the host listens, since the first connection may come with its answer.
        let Some(incoming) = self.forwards.add(port) else { return Ok(Err(Denial::Taken)) };
        match self.handle.tcpip_forward(LOOPBACK, port.into()).await {
            Ok(_) => Ok(Ok(RemoteForward::new(port, incoming, self.clone()))),
            Err(error) => {
                self.forwards.remove(port);
                match error {
                    russh::Error::RequestDenied => Ok(Err(self.why_denied(port).await)),
                    _ => Err(self.gone()),
                }
            }
        }
    }

    /// A server does not say why it does not listen. Somebody who answers there has the port; else it is the port that is
    /// wrong if the server listens on another one.
    async fn why_denied(&self, port: u16) -> Denial {
        if self.open_tcp(LOOPBACK, port).await.is_ok() {
            return Denial::Taken;
        }
        match self.handle.tcpip_forward(LOOPBACK, 0).await {
            Ok(chosen) => {
                let _ = self.handle.cancel_tcpip_forward(LOOPBACK, chosen).await;
                Denial::Taken
            }
            Err(_) => Denial::Forbidden,
        }
    }

    /// Ends a forward. When the connection has ended, so has the forward.
    pub(crate) async fn cancel_forward(&self, port: u16) {
        let _ = self.handle.cancel_tcpip_forward(LOOPBACK, port.into()).await;
    }

    pub(crate) fn forwards(&self) -> &Forwards {
        &self.forwards
    }

    /// The error for something under way when its channel ended.
    pub(crate) fn lost(&self, label: &str, why: Option<String>) -> TransportErrorKind {
        let cause = why.or_else(|| self.cause.text()).map_or_else(String::new, |why| format!(" ({why})"));
        TransportErrorKind::Lost(format!("{label}{cause}"))
    }

    async fn open_session(&self) -> Result<Channel<Msg>, russh::Error> {
        let opening = tokio::time::timeout(self.patience, self.handle.channel_open_session());
        let channel = opening.await.map_err(|_| russh::Error::ConnectionTimeout)??;
        if self.forward_agent {
            // A server that forbids it says no, and everything else goes on.
            channel.agent_forward(false).await?;
        }
        Ok(channel)
    }

    fn gone(&self) -> TransportErrorKind {
        self.closed().into_kind()
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
            match self.open_session().await {
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
                Err(russh::Error::ConnectionTimeout) => {
                    return Err(TransportErrorKind::TimedOut(
                        "waiting for the server to open a session; is the host overloaded?".to_owned(),
                    )
                    .into());
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
