//! The direct way: names and TCP.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use kamal_core::ports::TransportErrorKind;
use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::timeout,
};

use crate::{
    connector::Dialer,
    fault,
    nonce::nonce,
    ssh_config::Family,
    target::Target,
    trace::{Stage, Trace},
};

/// How long an address may keep silent before the next is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects, as often as ssh config's `ConnectionAttempts` says.
pub(super) async fn open(dialer: &Dialer, target: &Target, trace: &Trace) -> Result<TcpStream, TransportErrorKind> {
    let mut left = target.attempts;
    loop {
        left = left.saturating_sub(1);
        match attempt(dialer, target, trace).await {
            Err(kind)
                if left > 0 && !matches!(kind, TransportErrorKind::Resolve(_) | TransportErrorKind::Client(_)) =>
            {
                // As OpenSSH does.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            done => return done,
        }
    }
}

/// Connects to the first of a host's addresses that answers; the others are tried beside it, each a little later, since
/// a host may have an IPv6 address that leads nowhere.
async fn attempt(dialer: &Dialer, target: &Target, trace: &Trace) -> Result<TcpStream, TransportErrorKind> {
    trace.begin(Stage::Resolve);
    let from = match &target.bind_address {
        Some(name) => Some(own_address(name).await?),
        None => None,
    };
    let addresses: Vec<SocketAddr> = lookup(dialer, target)
        .await?
        .into_iter()
        .filter(|address| match target.family {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        })
        .filter(|address| from.is_none_or(|from| from.is_ipv4() == address.is_ipv4()))
        .collect();
    trace.note(Stage::Resolve, || {
        let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        format!("{} is {}", target.host, addresses.join(", "))
    });
    let mut attempts = JoinSet::new();
    for (index, address) in (0_u32..).zip(addresses) {
        let limit = target.connect_timeout;
        attempts.spawn(async move {
            tokio::time::sleep(HEAD_START * index).await;
            (index, address, timeout(limit, connect(from, address)).await)
        });
    }
    let mut failure = None;
    trace.begin(Stage::Connect);
    while let Some(attempt) = attempts.join_next().await {
        let (index, address, outcome) = attempt.map_err(|error| TransportErrorKind::Client(error.to_string()))?;
        let kind = match outcome {
            Ok(Ok(stream)) => {
                // Without it, every message of a script waits for the acknowledgement of the one before.
                stream.set_nodelay(true).map_err(|error| fault::io(&error, &target.address()))?;
                trace.note(Stage::Connect, || describe(target, address));
                return Ok(stream);
            }
            Ok(Err(error)) => fault::io(&error, &describe(target, address)),
            Err(_) => fault::timed_out(&describe(target, address)),
        };
        // The address the system prefers is the one to name.
        if failure.as_ref().is_none_or(|(first, _)| index < *first) {
            failure = Some((index, kind));
        }
    }
    Err(failure.map_or_else(
        || TransportErrorKind::Resolve(format!("{} has no address of the family asked for", target.host)),
        |(_, kind)| kind,
    ))
}

async fn connect(from: Option<IpAddr>, to: SocketAddr) -> std::io::Result<TcpStream> {
    let Some(from) = from else { return TcpStream::connect(to).await };
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(to).await
}

/// The address of ours that ssh config's `BindAddress` names.
async fn own_address(name: &str) -> Result<IpAddr, TransportErrorKind> {
    let bad = |why: &str| TransportErrorKind::Client(format!("BindAddress {name} in ssh config: {why}"));
    let found = tokio::net::lookup_host((name, 0)).await.map_err(|error| bad(&error.to_string()))?.next();
    Ok(found.ok_or_else(|| bad("it has no address"))?.ip())
}

fn describe(target: &Target, address: SocketAddr) -> String {
    let named = target.host.parse::<IpAddr>().is_err();
    if named { format!("{} ({address})", target.address()) } else { address.to_string() }
}

/// Resolves the name, again and again as Kamal does: name servers are slow to learn of fresh machines.
async fn lookup(dialer: &Dialer, target: &Target) -> Result<Vec<SocketAddr>, TransportErrorKind> {
    let mut attempt = 0_u32;
    loop {
        let error = match tokio::net::lookup_host((target.host.as_str(), target.port)).await {
            Ok(addresses) => return Ok(addresses.collect()),
            Err(error) => error.to_string(),
        };
        let reason = error.rsplit(": ").next().unwrap_or(&error);
        if attempt >= dialer.options.dns_retries {
            return Err(TransportErrorKind::Resolve(format!(
                "{:?} ({reason}, {} attempts); is it spelled right in deploy.yml?",
                target.host,
                attempt + 1
            )));
        }
        attempt += 1;
        let seconds = (0.1 * f64::from(2_u32.saturating_pow(attempt - 1))).min(2.0);
        // Up to a tenth of a second by chance, so that hosts do not ask in step.
        let chance = u64::from_str_radix(nonce()?.get(..2).unwrap_or_default(), 16).unwrap_or_default();
        let pause = Duration::from_secs_f64(seconds) + Duration::from_millis(chance * 100 / 255);
        dialer.desk.warn(&format!(
            "DNS lookup of {} failed ({reason}); retrying in {:.2} s ({attempt} of {})",
            target.host,
            pause.as_secs_f64(),
            dialer.options.dns_retries
        ));
        tokio::time::sleep(pause).await;
    }
}
