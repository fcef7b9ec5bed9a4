//! The direct way: names and TCP.

use std::{net::SocketAddr, time::Duration};

use kamal_core::ports::TransportErrorKind;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

use crate::{fault, nonce::nonce, options::Options, target::Target};

/// How long an address may keep silent before the next is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the first of a host's addresses that answers; the others are tried beside it, each a little later, since
/// a host may have an IPv6 address that leads nowhere.
pub(super) async fn open(options: &Options, target: &Target) -> Result<TcpStream, TransportErrorKind> {
    let mut attempts = JoinSet::new();
    for (index, address) in (0_u32..).zip(lookup(options, target).await?) {
        let limit = target.connect_timeout;
        attempts.spawn(async move {
            tokio::time::sleep(HEAD_START * index).await;
            (index, address, timeout(limit, TcpStream::connect(address)).await)
        });
    }
    let mut failure = None;
    while let Some(attempt) = attempts.join_next().await {
        let (index, address, outcome) = attempt.map_err(|error| TransportErrorKind::Client(error.to_string()))?;
        let kind = match outcome {
            Ok(Ok(stream)) => {
                // Without it, every message of a script waits for the acknowledgement of the one before.
                stream.set_nodelay(true).map_err(|error| fault::io(&error, &target.address()))?;
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
    Err(failure
        .map_or_else(|| TransportErrorKind::Resolve(format!("{} has no address", target.host)), |(_, kind)| kind))
}

fn describe(target: &Target, address: SocketAddr) -> String {
    let named = target.host.parse::<std::net::IpAddr>().is_err();
    if named { format!("{} ({address})", target.address()) } else { address.to_string() }
}

/// Resolves the name, again and again as Kamal does: name servers are slow to learn of fresh machines.
async fn lookup(options: &Options, target: &Target) -> Result<Vec<SocketAddr>, TransportErrorKind> {
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
                // Up to a tenth of a second by chance, so that hosts do not ask in step.
                let chance = u64::from_str_radix(nonce()?.get(..2).unwrap_or_default(), 16).unwrap_or_default();
                let jitter = Duration::from_millis(chance * 100 / 255);
                tokio::time::sleep(Duration::from_secs_f64(seconds) + jitter).await;
            }
        }
    }
}
