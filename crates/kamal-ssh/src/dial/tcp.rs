//! The direct way: names and TCP.

use std::{net::SocketAddr, time::Duration};

use kamal_core::ports::TransportErrorKind;
use tokio::{net::TcpStream, time::timeout};

use crate::{fault, nonce::nonce, options::Options, target::Target};

/// Connects to the first of a host's addresses that answers.
pub(super) async fn open(options: &Options, target: &Target) -> Result<TcpStream, TransportErrorKind> {
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
                let jitter = u64::from(nonce()?.bytes().next().unwrap_or_default());
                tokio::time::sleep(Duration::from_secs_f64(seconds) + Duration::from_millis(jitter)).await;
            }
        }
    }
}
