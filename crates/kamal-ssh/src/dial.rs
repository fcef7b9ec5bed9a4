//! Opens connections: the name, the network, the handshake, the login (spec 5.5).

use std::{sync::Arc, time::Duration};

use kamal_core::ports::TransportErrorKind;
use russh::{Preferred, cipher, client};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    authentication,
    client::Client,
    connection::Connection,
    connector::Dialer,
    fault::{self, Cause},
    host_key::HostKeyCheck,
    nonce::nonce,
    options::Options,
    target::{Route, Target},
};

/// How large a channel's window is: what a link of 1 Gbit/s and 100 ms has under way.
const WINDOW: u32 = 12 << 20;

/// Opens a connection to a host and logs in.
pub(crate) async fn dial(dialer: &Dialer, target: Target) -> Result<Connection, TransportErrorKind> {
    // An error means that the semaphore was closed, which nobody does; the connection may start all the same.
    let _turn = dialer.starts.acquire().await.ok();
    let stream = match &target.route {
        Route::Direct => tcp(&dialer.options, &target).await?,
        Route::Jump(_) | Route::Command(_) => return Err(TransportErrorKind::Client("no such route".to_owned())),
    };
    log_in(dialer, target, stream).await
}

async fn log_in<S>(dialer: &Dialer, target: Target, stream: S) -> Result<Connection, TransportErrorKind>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let address = target.address();
    let for_check = target.clone();
    let host_key = tokio::task::spawn_blocking(move || HostKeyCheck::load(for_check))
        .await
        .map_err(|error| TransportErrorKind::Client(error.to_string()))??;
    let config = Arc::new(config(&dialer.options, &host_key));
    let cause = Cause::default();
    let client = Client { host_key: Arc::new(host_key), cause: cause.clone() };
    let mut handle = timeout(target.connect_timeout, client::connect_stream(config, stream, client))
        .await
        .map_err(|_| {
            TransportErrorKind::TimedOut(format!("waiting for the SSH handshake of {address}; is it an SSH server?"))
        })?
        .map_err(|fault| fault.kind(&address))?;
    authentication::log_in(dialer, &target, &mut handle, &cause).await?;
    Ok(Connection::new(handle, cause))
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

async fn tcp(options: &Options, target: &Target) -> Result<TcpStream, TransportErrorKind> {
    let mut last = None;
    for address in lookup(options, target).await? {
        match timeout(target.connect_timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it, every message of a script waits for the acknowledgement of the one before.
                stream.set_nodelay(true).map_err(|error| fault::io(&error, &target.address()))?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = Some(fault::io(&error, &describe(target, address))),
            Err(_) => last = Some(fault::timed_out(&describe(target, address))),
        }
    }
    Err(last.unwrap_or_else(|| TransportErrorKind::Resolve(format!("{} has no address", target.host))))
}

fn describe(target: &Target, address: std::net::SocketAddr) -> String {
    let named = target.host.parse::<std::net::IpAddr>().is_ok();
    if named { address.to_string() } else { format!("{} ({address})", target.address()) }
}

/// Resolves the name, again and again as Kamal does: name servers of fresh machines are slow to learn.
async fn lookup(options: &Options, target: &Target) -> Result<Vec<std::net::SocketAddr>, TransportErrorKind> {
    let mut attempt = 0_u32;
    loop {
        match tokio::net::lookup_host((target.host.as_str(), target.port)).await {
            Ok(addresses) => return Ok(addresses.collect()),
            Err(error) if attempt >= options.dns_retries => {
                let system = error.to_string();
                let reason = system.rsplit(": ").next().unwrap_or(&system);
                return Err(TransportErrorKind::Resolve(format!(
                    "{:?} ({reason}, {} attempts); is it spelled right in deploy.yml?",
                    target.host,
                    attempt + 1
                )));
            }
            Err(_) => {
                attempt += 1;
                let seconds = (0.1 * f64::from(2_u32.saturating_pow(attempt - 1))).min(2.0);
                let jitter = u64::from(nonce()?.bytes().next().unwrap_or_default());
                tokio::time::sleep(Duration::from_secs_f64(seconds) + Duration::from_millis(jitter)).await;
            }
        }
    }
}
