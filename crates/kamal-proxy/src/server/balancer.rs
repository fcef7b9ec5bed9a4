//! A set of targets: which are healthy, and whose turn it is (spec 7).

mod names;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use self::names::Names;
use super::observe::log::Log;
use super::options::TargetOptions;
use super::peers;
use super::target::address::{Address, AddressError};
use super::target::failure::{CheckFailure, SeenResponse};
use super::target::health::{CheckError, check, check_url};
use super::target::pool::{CONNECT_TIMEOUT, CONNECT_TIMEOUT_AMONG_OTHERS};
use super::target::{Claim, Health, Role, Target};

/// Targets that are replaced together.
#[derive(Debug)]
pub(crate) struct Balancer {
    targets: ArcSwap<Vec<Arc<Target>>>,
    /// Whether other hosts' proxies are among them.
    has_peers: bool,
    /// Names whose addresses are targets, which come and go with these.
    names: Option<Names>,
    healthy: ArcSwap<Healthy>,
    next_writer: AtomicUsize,
    next_reader: AtomicUsize,
    /// Latched once all targets were healthy at the same time.
    ready: watch::Sender<bool>,
    last_failure: Mutex<Option<CheckFailure>>,
    checks: Mutex<Vec<AbortHandle>>,
    log: Log,
}

/// What a set is made of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Members<'m> {
    pub(crate) writers: &'m [String],
    pub(crate) readers: &'m [String],
    /// The service's name, which peers know it by.
    pub(crate) service: &'m str,
    /// Proxies of other hosts that serve it too.
    pub(crate) peers: &'m [String],
    /// Whether each address that a name stands for is a target, rather than the name.
    pub(crate) each_address: bool,
}

#[derive(Debug, Default)]
struct Healthy {
    writers: Vec<Arc<Target>>,
    readers: Vec<Arc<Target>>,
    peers: Vec<Arc<Target>>,
}

/// Which targets a request may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Among {
    /// All of them, peers included.
    All,
    /// Those of this proxy: it comes from a peer.
    Own,
}

/// Why no target takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    NoneHealthy,
    Draining,
}

impl Balancer {
    /// Makes a set of writers followed by readers, all in the given state. Nothing is checked until
    /// [`Balancer::start_checks`].
    pub(crate) fn new(
        writers: &[String],
        readers: &[String],
        options: &Arc<TargetOptions>,
        health: Health,
        log: &Log,
    ) -> Result<Arc<Self>, AddressError> {
        Self::of(Members { writers, readers, ..Members::default() }, options, health, log)
    }

    /// Makes a set, all in the given state.
    pub(crate) fn of(
        members: Members<'_>,
        options: &Arc<TargetOptions>,
        health: Health,
        log: &Log,
    ) -> Result<Arc<Self>, AddressError> {
        let Members { writers, readers, service, peers, each_address } = members;
        let peers =
            peers.iter().map(|text| Ok(Arc::new(Target::peer(Address::parse(text)?, service, Arc::clone(options)))));
        let peers = peers.collect::<Result<Vec<_>, AddressError>>()?;
        let roles = writers.iter().map(|text| (text, Role::Writer)).chain(readers.iter().map(|t| (t, Role::Reader)));
        let given = roles.map(|(text, role)| Ok((Address::parse(text)?, role)));
        let given = given.collect::<Result<Vec<_>, AddressError>>()?;
        let has_peers = !peers.is_empty();
        let (names, own) = if each_address {
            (Some(Names::new(given, options, health)), Vec::new())
        } else {
            let target = |(address, role)| Arc::new(Target::new(address, role, Arc::clone(options), health));
            (None, given.into_iter().map(target).collect())
        };
        let set = Arc::new(Self {
            targets: ArcSwap::from_pointee(own.into_iter().chain(peers).collect()),
            has_peers,
            names,
            healthy: ArcSwap::default(),
            next_writer: AtomicUsize::new(0),
            next_reader: AtomicUsize::new(0),
            ready: watch::Sender::new(false),
            last_failure: Mutex::default(),
            checks: Mutex::default(),
            log: log.clone(),
        });
        set.recompute();
        Ok(set)
    }

    /// Starts checking every target, at once and side by side.
    pub(crate) fn start_checks(self: &Arc<Self>) {
        let targets = self.targets.load();
        let only_one = targets.len() == 1 && self.names.is_none();
        let checks = targets.iter().map(|target| self.start_check(target, only_one));
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).extend(checks);
        self.start_lookups();
    }

    fn start_check(self: &Arc<Self>, target: &Arc<Target>, only_one: bool) -> AbortHandle {
        tokio::spawn(check_forever(Arc::downgrade(self), Arc::clone(target), only_one)).abort_handle()
    }

    /// Stops all checks; the set keeps its last known health.
    pub(crate) fn stop_checks(&self) {
        for check in self.checks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            check.abort();
        }
        self.names.iter().for_each(Names::stop);
    }

    /// Waits until all targets have been healthy, or one where addresses come and go; `Err` carries the last failure seen, if any.
    pub(crate) async fn wait_ready(&self, limit: Duration) -> Result<(), Option<CheckFailure>> {
        let mut ready = self.ready.subscribe();
        match timeout(limit, ready.wait_for(|ready| *ready)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }

    /// Claims the next healthy target: a reader for reads where there is one, else a writer; or the one of a number, if
    /// it is among those.
    pub(crate) fn claim(&self, prefer_reader: bool, shard: usize, number: Option<u64>) -> Result<Claim, Refused> {
        let healthy = self.healthy.load();
        let by_reader = prefer_reader && !healthy.readers.is_empty();
        if self.has_peers() && !by_reader {
            return self.claim_of_all(&healthy, shard);
        }
        let (list, turn) =
            if by_reader { (&healthy.readers, &self.next_reader) } else { (&healthy.writers, &self.next_writer) };
        if list.is_empty() {
            return Err(Refused::NoneHealthy);
        }
        if let Some(target) = number.and_then(|number| list.iter().find(|target| target.number == number)) {
            return target.claim(shard).map_err(|_| Refused::Draining);
        }
        let at = if list.len() == 1 { 0 } else { turn.fetch_add(1, Ordering::Relaxed).wrapping_add(1) % list.len() };
        list[at].claim(shard).map_err(|_| Refused::Draining)
    }

    /// Claims the target with the fewest requests under way, peers included; of several, whose turn it is. Where none is
    /// healthy, one of this proxy's own that was: one that sometimes answers is better than none.
    fn claim_of_all(&self, healthy: &Healthy, shard: usize) -> Result<Claim, Refused> {
        let targets;
        let mut all: Vec<&Arc<Target>> = healthy.writers.iter().chain(&healthy.peers).collect();
        if all.is_empty() {
            targets = self.targets.load();
            all.extend(once_healthy(&targets));
        }
        if all.is_empty() {
            return Err(Refused::NoneHealthy);
        }
        let turn = self.next_writer.fetch_add(1, Ordering::Relaxed) % all.len();
        let (before, from_here) = all.split_at(turn);
        let least = from_here.iter().chain(before).min_by_key(|target| target.in_flight());
        least.map_or(Err(Refused::NoneHealthy), |target| target.claim(shard).map_err(|_| Refused::Draining))
    }

    /// Claims a healthy target of this proxy's own for a request that comes from a peer.
    pub(crate) fn claim_own(&self, shard: usize) -> Result<Claim, Refused> {
        let healthy = self.healthy.load();
        let least = healthy.writers.iter().min_by_key(|target| target.in_flight());
        least.map_or(Err(Refused::NoneHealthy), |target| target.claim(shard).map_err(|_| Refused::Draining))
    }

    /// Claims a healthy target that is none of these, by number, for a request that could not be given to them. With peers,
    /// one of this proxy's own that was healthy, where none is now: a proxy that stood still itself finds all of them late.
    pub(crate) fn claim_another(
        &self,
        among: Among,
        prefer_reader: bool,
        shard: usize,
        tried: &[u64],
    ) -> Option<Claim> {
        let (healthy, targets) = (self.healthy.load(), self.targets.load());
        let readers = healthy.readers.iter().filter(|_| prefer_reader);
        let peers = healthy.peers.iter().filter(|_| among == Among::All);
        let once = once_healthy(&targets).filter(|_| among == Among::All && self.has_peers());
        let all = readers.chain(&healthy.writers).chain(peers).chain(once);
        let mut others = all.filter(|target| !tried.contains(&target.number));
        others.find_map(|target| target.claim(shard).ok())
    }

    /// Whether a request would find a target.
    pub(crate) fn is_well(&self) -> bool {
        let healthy = self.healthy.load();
        !(healthy.writers.is_empty() && healthy.peers.is_empty())
    }

    /// Whether a request of a peer would find a target.
    pub(crate) fn has_own(&self) -> bool {
        !self.healthy.load().writers.is_empty()
    }

    /// Whether other hosts' proxies take their part.
    pub(crate) fn has_peers(&self) -> bool {
        self.has_peers
    }

    /// How long a target may take to accept a connection.
    pub(crate) fn connect_timeout(&self) -> Duration {
        let alone = !self.has_peers() && self.targets.load().len() < 2;
        if alone { CONNECT_TIMEOUT } else { CONNECT_TIMEOUT_AMONG_OTHERS }
    }

    /// Drains all targets side by side.
    pub(crate) async fn drain(&self, limit: Duration) {
        join_all(self.targets.load_full().iter().map(|target| target.drain(limit))).await;
    }

    pub(crate) fn has_readers(&self) -> bool {
        match &self.names {
            Some(names) => names.of(Role::Reader).next().is_some(),
            None => self.targets.load().iter().any(|target| target.role == Role::Reader),
        }
    }

    pub(crate) fn targets(&self) -> Arc<Vec<Arc<Target>>> {
        self.targets.load_full()
    }

    /// The addresses of a role, as given at deploy.
    pub(crate) fn addresses(&self, role: Role) -> Vec<String> {
        if let Some(names) = &self.names {
            return names.of(role).map(|name| name.as_str().to_owned()).collect();
        }
        self.targets.load().iter().filter(|t| t.role == role).map(|t| t.address.as_str().to_owned()).collect()
    }

    /// The addresses of targets that get no requests for now.
    pub(crate) fn unhealthy(&self) -> Vec<String> {
        let targets = self.targets.load();
        let own = targets.iter().filter(|target| target.role != Role::Peer);
        let unwell = own.filter(|target| target.health() != Health::Healthy);
        unwell.map(|target| target.address.as_str().to_owned()).collect()
    }

    /// Takes the targets at these addresses out until a check succeeds.
    pub(crate) fn distrust(&self, addresses: &[String]) {
        for target in self.targets.load().iter().filter(|target| addresses.iter().any(|a| a == target.address.as_str()))
        {
            target.checked(false);
        }
        self.recompute();
    }

    /// Takes a target out that failed too many requests in a row, until a check of it succeeds; not the last one, as one
    /// that sometimes answers is better than none.
    pub(crate) fn eject(&self, target: &Target) {
        let targets = self.targets.load();
        let healthy = targets.iter().filter(|other| other.role == target.role && other.health() == Health::Healthy);
        if healthy.count() > 1
            && let Some(was) = target.checked(false)
        {
            self.log.warn(
                "Target ejected after failed requests",
                &[("target", target.address.as_str().into()), ("was", was.name().into())],
            );
            self.recompute();
        }
    }

    fn recompute(&self) {
        let targets = self.targets.load();
        let of = |role| {
            let healthy = |t: &&Arc<Target>| t.role == role && t.health() == Health::Healthy;
            targets.iter().filter(healthy).map(Arc::clone).collect::<Vec<_>>()
        };
        let (writers, readers, peers) = (of(Role::Writer), of(Role::Reader), of(Role::Peer));
        let own = targets.iter().filter(|target| target.role != Role::Peer).count();
        // Of addresses that come and go some may be those of a host that just died.
        let enough = if self.names.is_some() { 1 } else { own };
        let all = own > 0 && writers.len() + readers.len() >= enough;
        self.healthy.store(Arc::new(Healthy { writers, readers, peers }));
        if all {
            self.ready.send_replace(true);
        }
    }

    fn checked(&self, target: &Target, result: &Result<(), CheckError>) {
        if let (Err(error), Some(_)) = (result, &target.peer) {
            // A deploy does not wait for it, and it may be none for long: only changes are told.
            if target.health() == Health::Healthy {
                let about = [("peer", target.address.as_str().into()), ("error", error.to_string().into())];
                self.log.warn("Peer lost", &about);
            }
        } else if let Err(error) = result {
            let url = check_url(&target.address, &target.options.health_check_config);
            self.log.info("Healthcheck failed", &[("url", url.as_str().into()), ("error", error.to_string().into())]);
            let response = match error {
                CheckError::Status(seen) => Some(SeenResponse::clone(seen)),
                _ => None,
            };
            let failure = CheckFailure { target: target.address.to_string(), url, error: error.to_string(), response };
            *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        }
        if let Some(was) = target.checked(result.is_ok()) {
            self.log.info(
                "Target health updated",
                &[
                    ("target", target.address.as_str().into()),
                    ("state", target.health().name().into()),
                    ("was", was.name().into()),
                ],
            );
        }
        self.recompute();
        if let (Err(_), Some(peer)) = (result, &target.peer) {
            // Who waits for it finds it gone from those he may ask.
            peer.lose();
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stop_checks();
    }
}

/// Those of a proxy's own that were healthy, whatever they are now.
fn once_healthy(targets: &[Arc<Target>]) -> impl Iterator<Item = &Arc<Target>> {
    targets.iter().filter(|target| target.role == Role::Writer && target.health() != Health::Adding)
}

/// Checks on a fixed beat; a slow check delays the next one. The only target of a set is trusted once it was healthy.
async fn check_forever(set: Weak<Balancer>, target: Arc<Target>, only_one: bool) {
    let options = &target.options.health_check_config;
    let mut beat = interval(if target.peer.is_some() { peers::PAUSE } else { options.pause() });
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        if only_one && target.health() == Health::Healthy {
            return;
        }
        let result = match &target.peer {
            Some(peer) => peer.check(&target.address).await,
            None => check(&target.address, options, target.options.h2c).await,
        };
        let Some(set) = set.upgrade() else { return };
        set.checked(&target, &result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::observe::log::Level;

    fn set(writers: &[&str], readers: &[&str], health: Health) -> Arc<Balancer> {
        let list = |of: &[&str]| of.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let log = Log::start(Level::Error, std::io::sink()).unwrap();
        Balancer::new(&list(writers), &list(readers), &Arc::default(), health, &log).unwrap()
    }

    fn claimed(set: &Balancer, reader: bool) -> String {
        set.claim(reader, 0, None).unwrap().target().address.to_string()
    }

    // spec 11.E.99, 11.E.101, 11.E.102, 11.E.103
    #[test]
    fn round_robin_over_the_right_list() {
        let both = set(&["w1", "w2"], &["r1"], Health::Healthy);
        assert_eq!(
            (both.addresses(Role::Writer), both.addresses(Role::Reader)),
            (vec!["w1".into(), "w2".into()], vec!["r1".to_owned()])
        );
        assert_eq!([claimed(&both, false), claimed(&both, false), claimed(&both, true)], ["w2", "w1", "r1"]);
        assert_eq!(claimed(&set(&["w1"], &[], Health::Healthy), true), "w1");
        assert_eq!(set(&["w1"], &[], Health::Adding).claim(false, 0, None).unwrap_err(), Refused::NoneHealthy);
    }

    // As when the proxy was kept from running: all checks are late, and whoever waits for a peer is told that it is lost.
    #[test]
    fn who_lost_a_peer_goes_to_a_target_of_its_own_that_was_healthy() {
        let log = Log::start(Level::Error, std::io::sink()).unwrap();
        let (own, peers) = (["own".to_owned()], ["peer".to_owned()]);
        let members = Members { writers: &own, service: "app", peers: &peers, ..Members::default() };
        let set = Balancer::of(members, &Arc::default(), Health::Healthy, &log).unwrap();
        let targets = set.targets();
        let [own, peer] = &targets[..] else { panic!("two targets") };
        for target in [own, peer] {
            set.checked(target, &Err(CheckError::Timeout));
        }
        let next = |among, tried: &[u64]| set.claim_another(among, false, 0, tried).map(|claim| claim.target().number);
        assert_eq!(next(Among::All, &[peer.number]), Some(own.number));
        assert_eq!(next(Among::All, &[peer.number, own.number]), None);
        assert_eq!(next(Among::Own, &[]), None, "a peer has others to ask");
    }

    // spec 11.E.100: readiness needs all at once, and stays.
    #[tokio::test(start_paused = true)]
    async fn ready_when_all_are_healthy() {
        let set = set(&["w1", "w2"], &[], Health::Adding);
        let targets = set.targets();
        let [first, second] = &targets[..] else { panic!("two targets") };
        set.checked(first, &Ok(()));
        set.checked(
            second,
            &Err(CheckError::Status(Box::new(SeenResponse::new(500, &http::HeaderMap::new(), b"why")))),
        );
        let wait = Duration::from_secs(1);
        let failure = set.wait_ready(wait).await.unwrap_err().unwrap();
        assert_eq!(failure.to_string(), "w2: unexpected status (500)");
        assert_eq!(failure.response.unwrap().body, "why");
        set.checked(second, &Ok(()));
        assert_eq!(set.wait_ready(wait).await, Ok(()));
        set.checked(first, &Err(CheckError::Timeout));
        assert_eq!(set.wait_ready(wait).await, Ok(()));
        assert_eq!([claimed(&set, false), claimed(&set, false)], ["w2", "w2"]);
    }
}
