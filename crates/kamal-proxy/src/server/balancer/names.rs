//! Targets behind names that stand for several addresses, each a target with checks of its own: they come and go as
//! containers do, and what leads requests to them finds them among the others.

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Balancer;
use crate::server::options::TargetOptions;
use crate::server::target::address::Address;
use crate::server::target::{Health, Role, Target};

/// How often a name is looked up.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an answer is waited for.
const LIMIT: Duration = Duration::from_secs(2);

/// Names, and the targets found behind them.
#[derive(Debug)]
pub(super) struct Names {
    names: Vec<(Address, Role)>,
    options: Arc<TargetOptions>,
    /// Whether what is found first is taken to be healthy, as it was when all this was saved.
    trusted: AtomicBool,
    found: Mutex<Vec<Found>>,
    lookups: Mutex<Vec<AbortHandle>>,
}

/// A target, the name it was found by, and what checks it.
#[derive(Debug)]
struct Found {
    name: usize,
    target: Arc<Target>,
    check: AbortHandle,
}

impl Names {
    pub(super) fn new(names: Vec<(Address, Role)>, options: &Arc<TargetOptions>, health: Health) -> Self {
        Self {
            names,
            options: Arc::clone(options),
            trusted: AtomicBool::new(health == Health::Healthy),
            found: Mutex::default(),
            lookups: Mutex::default(),
        }
    }

    /// Those of a role.
    pub(super) fn of(&self, role: Role) -> impl Iterator<Item = &Address> {
        self.names.iter().filter(move |(_, of)| *of == role).map(|(name, _)| name)
    }

    /// Looks for nothing and checks nothing any more.
    pub(super) fn stop(&self) {
        for lookup in self.lookups.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            lookup.abort();
        }
        for found in self.found.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            found.check.abort();
        }
    }
}

impl Balancer {
    /// Starts looking the names up.
    pub(super) fn start_lookups(self: &Arc<Self>) {
        let Some(names) = &self.names else { return };
        let lookups =
            names.names.iter().enumerate().map(|(at, (name, _))| {
                tokio::spawn(look_forever(Arc::downgrade(self), at, name.clone())).abort_handle()
            });
        names.lookups.lock().unwrap_or_else(PoisonError::into_inner).extend(lookups);
    }

    /// Has these addresses be the targets behind a name. Requests that are at one that has gone come to their end there.
    fn found(self: &Arc<Self>, name: usize, addresses: &[SocketAddrV4]) {
        let Some(names) = &self.names else { return };
        let Some((_, role)) = names.names.get(name) else { return };
        let addresses: Vec<Address> = addresses.iter().map(|address| Address::from(*address)).collect();
        let mut found = names.found.lock().unwrap_or_else(PoisonError::into_inner);
        let same = found.iter().filter(|known| known.name == name).count() == addresses.len();
        let knows = |found: &[Found], address: &Address| {
            found.iter().any(|known| known.name == name && known.target.address == *address)
        };
        if same && addresses.iter().all(|address| knows(&found, address)) {
            return;
        }
        found.retain(|known| {
            let stays = known.name != name || addresses.contains(&known.target.address);
            if !stays {
                known.check.abort();
                self.log.info("Target gone", &[("target", known.target.address.as_str().into())]);
            }
            stays
        });
        let health = if names.trusted.swap(false, Ordering::Relaxed) { Health::Healthy } else { Health::Adding };
        for address in addresses {
            if knows(&found, &address) {
                continue;
            }
            self.log.info("Target found", &[("target", address.as_str().into())]);
            let target = Arc::new(Target::new(address, *role, Arc::clone(&names.options), health));
            let check = self.start_check(&target, false);
            found.push(Found { name, target, check });
        }
        let peers = self.targets.load();
        let peers = peers.iter().filter(|target| target.role == Role::Peer).map(Arc::clone);
        self.targets.store(Arc::new(found.iter().map(|known| Arc::clone(&known.target)).chain(peers).collect()));
        drop(found);
        self.recompute();
    }
}

/// Looks a name up on a fixed beat. Where nobody says what it stands for, it stands for what it did: whoever knows names may
/// be away while the targets serve.
async fn look_forever(set: Weak<Balancer>, at: usize, name: Address) {
    let mut beat = interval(PAUSE);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let answer = timeout(LIMIT, lookup_host((name.host(), name.port()))).await;
        let Some(set) = set.upgrade() else { return };
        let Ok(Ok(answer)) = answer else { continue };
        let mut addresses: Vec<SocketAddrV4> = answer.filter_map(v4).collect();
        addresses.sort_unstable();
        addresses.dedup();
        if !addresses.is_empty() {
            set.found(at, &addresses);
        }
    }
}

fn v4(address: SocketAddr) -> Option<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    use super::super::{Members, Refused};
    use super::*;
    use crate::server::observe::log::{Level, Log};

    fn set(health: Health) -> Arc<Balancer> {
        let log = Log::start(Level::Error, std::io::sink()).unwrap();
        let writers = ["tasks.web:81".to_owned()];
        let members = Members { writers: &writers, each_address: true, ..Members::default() };
        Balancer::of(members, &Arc::default(), health, &log).unwrap()
    }

    fn at(hosts: &[u8]) -> Vec<SocketAddrV4> {
        hosts.iter().map(|host| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, *host), 81)).collect()
    }

    fn claimed(set: &Balancer) -> BTreeSet<String> {
        let claims = (0..8).filter_map(|_| set.claim(false, 0, None).ok());
        claims.map(|claim| claim.target().address.to_string()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn targets_come_and_go_with_the_addresses_of_a_name() {
        let set = set(Health::Adding);
        assert_eq!(set.claim(false, 0, None).unwrap_err(), Refused::NoneHealthy);
        set.found(0, &at(&[1, 2]));
        let [one, two] = &set.targets()[..] else { panic!("two targets") };
        assert_eq!(claimed(&set).len(), 0, "nothing is known of them yet");
        set.checked(two, &Ok(()));
        assert_eq!(set.wait_ready(Duration::ZERO).await, Ok(()), "one is enough");
        assert_eq!(claimed(&set), ["10.0.0.2:81".to_owned()].into());
        set.checked(one, &Ok(()));
        assert_eq!(claimed(&set).len(), 2);
        // Who stays is the same target, with what is known of it.
        let under_way = set.claim_another(super::super::Among::All, false, 0, &[two.number]).unwrap();
        set.found(0, &at(&[2, 3]));
        assert!(set.targets().iter().any(|target| Arc::ptr_eq(target, two)));
        assert_eq!(claimed(&set), ["10.0.0.2:81".to_owned()].into());
        assert_eq!(under_way.target().in_flight(), 1);
        assert_eq!(set.addresses(Role::Writer), ["tasks.web:81"], "the name is what was given");
        assert_eq!(set.unhealthy(), ["10.0.0.3:81"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_saved_is_trusted_once() {
        let set = set(Health::Healthy);
        set.found(0, &at(&[1, 2]));
        assert_eq!(claimed(&set).len(), 2);
        set.found(0, &at(&[1, 2, 3]));
        assert_eq!(claimed(&set).len(), 2, "the third came later");
    }
}
