//! Opens connections: the way to the host, the handshake, the login (spec 5.5).

mod command;
mod tcp;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use command::Link;
use kamal_core::ports::TransportErrorKind;
use russh::{Preferred, cipher, client};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use crate::{
    authentication,
    client::Client,
    connection::Connection,
    connector::Dialer,
    fault::Cause,
    forward::Forwards,
    host_key::HostKeyCheck,
    options::Options,
    target::{Route, Target},
};

/// How large a channel's window is: what a link of 1 Gbit/s and 100 ms has under way.
const WINDOW: u32 = 12 << 20;

/// How long to wait for what a proxy command prints when it fails.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Opens a connection to a host and logs in. Boxed, because the way to a host may lead over others.
pub(crate) fn dial(
    dialer: &Dialer,
    target: Target,
) -> Pin<Box<dyn Future<Output = Result<Connection, TransportErrorKind>> + Send + '_>> {
    Box::pin(async move {
        match target.route.clone() {
            Route::Direct => {
                let _turn = turn(dialer).await;
                let stream = tcp::open(&dialer.options, &target).await?;
                log_in(dialer, target, stream, None).await
            }
            Route::Command(command) => {
                let _turn = turn(dialer).await;
                let Link { stream, complaint } = command::open(&command)?;
                let address = target.address();
                match log_in(dialer, target, stream, None).await {
                    Err(TransportErrorKind::Network(why)) => {
                        // What the command printed says more than that its output ended.
                        let said = timeout(LAST_WORDS, complaint).await.ok().and_then(Result::ok);
                        let said = said.filter(|said| !said.is_empty());
                        let why = said.map_or(why, |said| format!("the proxy command to {address} said: {said}"));
                        Err(TransportErrorKind::Network(why))
                    }
                    done => done,
                }
            }
            Route::Jump(hops) => {
                // Only then a turn: hosts that wait for a hop must not keep the hop from connecting.
                let via = dialer.hop(&hops).await?;
                let _turn = turn(dialer).await;
                let stream = timeout(target.connect_timeout, via.open_tcp(&target.host, target.port)).await.map_err(
                    |_| TransportErrorKind::TimedOut(format!("connecting to {} through a jump host", target.address())),
                )??;
                log_in(dialer, target, stream, Some(via)).await
            }
        }
    })
}

async fn turn(dialer: &Dialer) -> Option<tokio::sync::SemaphorePermit<'_>> {
    // An error would mean that the semaphore was closed, which nobody does; the connection may start all the same.
    dialer.starts.acquire().await.ok()
}

async fn log_in<S>(
    dialer: &Dialer,
    target: Target,
    stream: S,
    via: Option<Arc<Connection>>,
) -> Result<Connection, TransportErrorKind>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let address = target.address();
    let for_check = target.clone();
    let host_key = tokio::task::spawn_blocking(move || HostKeyCheck::load(for_check))
        .await
        .map_err(|error| TransportErrorKind::Client(error.to_string()))??;
    let config = Arc::new(config(&dialer.options, &host_key));
    let (cause, forwards) = (Cause::default(), Forwards::default());
    let agent = target.agent.clone().filter(|_| target.forward_agent);
    let client =
        Client { host_key: Arc::new(host_key), cause: cause.clone(), forwards: forwards.clone(), agent: agent.clone() };
    let mut handle = timeout(target.connect_timeout, client::connect_stream(config, stream, client))
        .await
        .map_err(|_| {
            TransportErrorKind::TimedOut(format!("waiting for the SSH handshake of {address}; is it an SSH server?"))
        })?
        .map_err(|fault| fault.kind(&address))?;
    authentication::log_in(dialer, &target, &mut handle, &cause).await?;
    Ok(Connection::new(handle, cause, forwards, agent.is_some(), via))
}

fn config(options: &Options, host_key: &HostKeyCheck) -> client::Config {
    let supported = Preferred::default();
    let key = host_key.order(&supported.key);
    client::Config {
        nodelay: true,
        window_size: WINDOW,
        // Three questions unanswered end the connection, a quarter of the limit before it.
        keepalive_interval: Some((options.keepalive / 4).max(Duration::from_millis(100))),
        keepalive_max: 2,
        preferred: Preferred {
            // GCM is the fastest where the processor has instructions for it, and every server of ours has.
            cipher: vec![
                cipher::AES_256_GCM,
                cipher::CHACHA20_POLY1305,
                cipher::AES_256_CTR,
                cipher::AES_192_CTR,
                cipher::AES_128_CTR,
            ]
            .into(),
            host_key_certificates: if host_key.trusts_authorities() { key.clone().into() } else { Vec::new().into() },
            key: key.into(),
            ..supported
        },
        ..client::Config::default()
    }
}
