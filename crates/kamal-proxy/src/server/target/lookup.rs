//! The addresses behind a target's name, asked for each time a connection is made: a container that is started again may be
//! somewhere else.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::lookup_host;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::address::Address;

/// How long an answer is waited for. Whoever knows containers' names says them at once; one that is not among these may be
/// asked for elsewhere, and in vain.
const LIMIT: Duration = Duration::from_secs(1);

/// What was found, and when.
type Found = (Instant, Result<Vec<SocketAddr>, String>);

/// One question at a time, whose answer is for all who wait.
#[derive(Debug, Default)]
pub(super) struct Lookup(Mutex<Option<Found>>);

impl Lookup {
    pub(super) async fn find(&self, address: &Address) -> Result<Vec<SocketAddr>, String> {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((at, found)) = &*last
            && *at >= asked
        {
            return found.clone();
        }
        let found = match timeout(LIMIT, lookup_host((address.host(), address.port()))).await {
            Ok(Ok(found)) => Ok(found.collect()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("nobody said in time where it is".to_owned()),
        };
        *last = Some((Instant::now(), found.clone()));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_answered_together() {
        let lookup = Lookup::default();
        let address = Address::parse("127.0.0.1:81").unwrap();
        let held = lookup.0.lock().await;
        let asking = async {
            let waiting = tokio::join!(lookup.find(&address), lookup.find(&address));
            assert_eq!(waiting.0, Err("unknown".to_owned()));
            assert_eq!(waiting.1, Err("unknown".to_owned()));
        };
        let answering = async {
            let mut held = held;
            tokio::time::sleep(Duration::from_millis(20)).await;
            *held = Some((Instant::now(), Err("unknown".to_owned())));
        };
        tokio::join!(asking, answering);
        assert_eq!(lookup.find(&address).await, Ok(vec!["127.0.0.1:81".parse().unwrap()]), "that was before");
    }
}
