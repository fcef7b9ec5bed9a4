//! Opens connections: the way to the host, the handshake, the login (spec 5.5).

mod command;
mod tcp;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use command::Link;
use kamal_core::ports::TransportErrorKind;
use russh::{Preferred, client, keys::PublicKey};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use crate::{
    authentication::{self, Login, Tried},
    client::Client,
    connection::Connection,
    connector::Dialer,
    fault::{self, Cause, Fault},
    forward::Forwards,
    host_key::{self, HostKeyCheck},
    target::{Route, Target},
    trace::{Stage, Trace},
};

/// How large a channel's window is: what a link of 1 Gbit/s and 100 ms has under way.
const WINDOW: u32 = 12 << 20;

/// How long to wait for what a proxy command prints when it fails.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a connection did not come to be.
enum Setback {
    /// Somebody must be asked about the host's key; then it is called again.
    UnknownHost(Box<PublicKey>),
    /// The server bears no more keys on this connection, and there are others to try.
    MoreKeys,
    Kind(TransportErrorKind),
}

impl From<TransportErrorKind> for Setback {
    fn from(kind: TransportErrorKind) -> Self {
        Self::Kind(kind)
    }
}

/// Opens a connection to a host and logs in. Boxed, because the way to a host may lead over others.
pub(crate) fn dial<'d>(
    dialer: &'d Dialer,
    target: Target,
    trace: &'d Trace,
) -> Pin<Box<dyn Future<Output = Result<Connection, TransportErrorKind>> + Send + 'd>> {
    Box::pin(async move {
        target.warnings.iter().for_each(|warning| dialer.desk.warn(warning));
        let mut tried = Tried::default();
        loop {
            match call(dialer, &target, &mut tried, trace).await {
                Ok(connection) => return Ok(connection),
                Err(Setback::UnknownHost(key)) => {
                    host_key::ask(&dialer.desk, &dialer.accepted, &target, &key).await?;
                }
                Err(Setback::MoreKeys) => {}
                Err(Setback::Kind(kind)) => return Err(kind),
            }
        }
    })
}

async fn call(dialer: &Dialer, target: &Target, tried: &mut Tried, trace: &Trace) -> Result<Connection, Setback> {
    match &target.route {
        Route::Direct => {
            let _turn = turn(dialer).await;
            let stream = tcp::open(dialer, target, trace).await?;
            log_in(dialer, target, stream, None, tried, trace).await
        }
        Route::Command(command) => {
            let _turn = turn(dialer).await;
            trace.begin(Stage::Connect);
            let Link { stream, complaint } = command::open(command)?;
            trace.note(Stage::Connect, || format!("through the command {command}"));
            match log_in(dialer, target, stream, None, tried, trace).await {
                Err(Setback::Kind(TransportErrorKind::Network(why))) => {
                    // What the command printed says more than that its output ended.
                    let said = timeout(LAST_WORDS, complaint).await.ok().and_then(Result::ok);
                    let said = said.filter(|said| !said.is_empty());
                    let address = target.address();
                    let why = said.map_or(why, |said| format!("the proxy command to {address} said: {said}"));
                    Err(TransportErrorKind::Network(why).into())
                }
                done => done,
            }
        }
        Route::Jump(hops) => {
            // Only then a turn: hosts that wait for a hop must not keep the hop from connecting.
            trace.begin(Stage::Connect);
            let via = dialer.hop(hops).await?;
            let _turn = turn(dialer).await;
            let stream =
                timeout(target.connect_timeout, via.open_tcp(&target.host, target.port)).await.map_err(|_| {
                    TransportErrorKind::TimedOut(format!("connecting to {} through a jump host", target.address()))
                })??;
            trace.note(Stage::Connect, || {
                let names: Vec<&str> = hops.iter().map(|hop| hop.host.as_str()).collect();
                format!("{} over {}", target.address(), names.join(", then "))
            });
            log_in(dialer, target, stream, Some(via), tried, trace).await
        }
    }
}

async fn turn(dialer: &Dialer) -> Option<tokio::sync::SemaphorePermit<'_>> {
    // An error would mean that the semaphore was closed, which nobody does; the connection may start all the same.
    dialer.starts.acquire().await.ok()
}

async fn log_in<S>(
    dialer: &Dialer,
    target: &Target,
    stream: S,
    via: Option<Arc<Connection>>,
    tried: &mut Tried,
    trace: &Trace,
) -> Result<Connection, Setback>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let address = target.address();
    let (for_check, accepted) = (target.clone(), dialer.accepted.clone());
    trace.begin(Stage::HostKey);
    let host_key = tokio::task::spawn_blocking(move || HostKeyCheck::load(for_check, accepted))
        .await
        .map_err(|error| TransportErrorKind::Client(error.to_string()))??;
    trace.begin(Stage::Handshake);
    let config = Arc::new(config(target, &host_key));
    let (cause, forwards) = (Cause::default(), Forwards::default());
    let agent = target.agent.clone().filter(|_| target.forward_agent);
    let client = Client {
        host_key: Arc::new(host_key),
        cause: cause.clone(),
        forwards: forwards.clone(),
        agent: agent.clone(),
        trace: trace.clone(),
    };
    let mut handle = timeout(target.connect_timeout, client::connect_stream(config, stream, client))
        .await
        .map_err(|_| {
            TransportErrorKind::TimedOut(format!("waiting for the SSH handshake of {address}; is it an SSH server?"))
        })?
        .map_err(|fault| match fault {
            Fault::HostKey(kind) => Setback::Kind(kind),
            Fault::UnknownHost(key) => Setback::UnknownHost(key),
            Fault::Russh(error) => Setback::Kind(fault::handshake(&error, &address)),
        })?;
    trace.begin(Stage::Login);
    match authentication::log_in(dialer, target, &mut handle, &cause, tried, trace).await? {
        Login::In => Ok(Connection::new(handle, cause, forwards, agent.is_some(), via, target.connect_timeout)),
        Login::MoreKeys => Err(Setback::MoreKeys),
    }
}

fn config(target: &Target, host_key: &HostKeyCheck) -> client::Config {
    let preferred = target.algorithms.preferred();
    // A list of the user's own is in the order wanted, as in OpenSSH.
    let key = target.algorithms.host_keys.clone().unwrap_or_else(|| host_key.order(&preferred.key));
    client::Config {
        nodelay: true,
        window_size: WINDOW,
        keepalive_interval: target.alive.map(|(every, _)| every),
        keepalive_max: target.alive.map_or(0, |(_, unanswered)| unanswered),
        preferred: Preferred {
            host_key_certificates: if host_key.trusts_authorities() { key.clone().into() } else { Vec::new().into() },
            key: key.into(),
            ..preferred
        },
        ..client::Config::default()
    }
}
