//! Certificates from an authority (spec 8.11): got as soon as a service with names is deployed, and for services that
//! take any name when the first client asks; kept on disk; renewed in time.
//!
//! A handshake that finds its certificate takes one read lock. One that does not waits, with all others for the same
//! name, for one order; an order goes on when those who wait have left.

mod account;
mod authority;
mod cache;
mod challenges;
mod denials;
mod lifetime;
mod on_demand;
mod order;
mod outbound;
mod seal;
mod sharing;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use http::{Request, Response, StatusCode};
use rustls::sign::CertifiedKey;
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore};
use tokio::time::{Instant, sleep};

pub(crate) use self::authority::{Authority, STAGING};
use self::challenges::Challenges;
use self::denials::Denials;
use self::lifetime::Lifetime;
use self::order::{OrderError, order};
use self::outbound::Outbound;
use self::sharing::{Question, Told, Wanted};
pub(crate) use self::sharing::{Sharing, SharingError};
use super::certificate;
use crate::server::body::response::ResponseBody;
use crate::server::observe::log::Log;
use crate::server::routes::Routes;
use crate::server::service::Service;
use crate::server::tasks::Tasks;

/// Orders at the same time.
const ORDERS: usize = 4;
/// How long a name is left alone after the first failure; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// How often is looked for what is due.
const LOOK: Duration = Duration::from_secs(60);
const SHORTEST_LOOK: Duration = Duration::from_secs(1);
/// How often a peer is asked for what it is getting.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Locked for as long as an order takes.
type Shared<T> = Arc<AsyncMutex<T>>;

/// All certificates that come from authorities.
#[derive(Debug)]
pub(crate) struct Certificates {
    held: RwLock<HashMap<PathBuf, HashMap<String, Held>>>,
    attempts: Mutex<HashMap<(PathBuf, String), Shared<Attempt>>>,
    /// What is being ordered.
    ordering: Mutex<HashSet<(PathBuf, String)>>,
    pub(crate) challenges: Challenges,
    outbound: Outbound,
    denials: Denials,
    orders: Semaphore,
    changed: Notify,
    /// Where orders go on when those who wait have left.
    tasks: Tasks,
    log: Log,
}

#[derive(Debug, Clone)]
struct Held {
    pair: Arc<CertifiedKey>,
    /// The same as text, key and chain.
    pem: Arc<str>,
    lifetime: Lifetime,
}

/// What came of the last tries to get one certificate.
#[derive(Debug, Default)]
struct Attempt {
    failures: u32,
    not_before: Option<Instant>,
}

/// Why there is no certificate to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("acme: {0} is not a name an authority gives certificates for")]
    Name(String),
    #[error("acme: missing certificate for {0}; the last attempt to get one failed not long ago")]
    Failed(String),
    #[error("acme: {0}")]
    Order(String),
    #[error("{0}")]
    Denied(String),
}

impl Certificates {
    /// Trusts authorities with these certificates in DER besides those everybody trusts.
    pub(crate) fn new(trusted: &[Vec<u8>], tasks: Tasks, log: Log) -> Result<Self, rustls::Error> {
        Ok(Self {
            held: RwLock::default(),
            attempts: Mutex::default(),
            ordering: Mutex::default(),
            challenges: Challenges::default(),
            outbound: Outbound::new(trusted)?,
            denials: Denials::default(),
            orders: Semaphore::new(ORDERS),
            changed: Notify::new(),
            tasks,
            log,
        })
    }

    /// The certificate for a name, if it is at hand and good.
    pub(crate) fn held(&self, authority: &Authority, name: &str) -> Option<Arc<CertifiedKey>> {
        let held = self.find(authority, name)?;
        (!held.lifetime.is_over(SystemTime::now())).then_some(held.pair)
    }

    /// The certificate for a name, however long that takes.
    pub(crate) async fn obtain(
        self: &Arc<Self>,
        authority: &Arc<Authority>,
        name: &str,
    ) -> Result<Arc<CertifiedKey>, Unavailable> {
        if let Some(pair) = self.held(authority, name) {
            return Ok(pair);
        }
        let (certificates, authority, name) = (Arc::clone(self), Arc::clone(authority), name.to_owned());
        match self.tasks.spawn(async move { certificates.get(&authority, &name).await }).await {
            Ok(Some(got)) => got,
            Ok(None) => Err(Unavailable::Order("the proxy has been stopped".into())),
            Err(error) => Err(Unavailable::Order(error.to_string())),
        }
    }

    /// Says that services changed.
    pub(crate) fn wake(&self) {
        self.denials.forget();
        self.changed.notify_one();
    }

    /// Sees to it that the services that `routes` names have their certificates, for ever.
    pub(crate) async fn keep(self: Arc<Self>, routes: impl Fn() -> Arc<Routes>) {
        loop {
            let now = SystemTime::now();
            let mut next = LOOK;
            for (authority, name) in self.wanted(&routes()) {
                let due = self.find(&authority, &name).map_or(now, |held| held.lifetime.due(&name));
                match due.duration_since(now) {
                    Ok(left) if !left.is_zero() => next = next.min(left),
                    _ if self.is_pausing(&authority, &name) => {}
                    _ => {
                        let certificates = Arc::clone(&self);
                        self.tasks.spawn(async move { certificates.get(&authority, &name).await });
                    }
                }
            }
            tokio::select! {
                () = sleep(next.max(SHORTEST_LOOK)) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Asks whoever a service without names of its own leaves that to, unless the name has a certificate.
    pub(crate) async fn permit<A, F>(
        &self,
        authority: &Authority,
        service: &Arc<Service>,
        name: &str,
        ask: A,
    ) -> Result<(), Unavailable>
    where
        A: FnOnce(Arc<Service>, String, Request<()>) -> F,
        F: Future<Output = Result<Response<ResponseBody>, StatusCode>>,
    {
        if self.held(authority, name).is_some() || authority.keeps(name).await {
            return Ok(());
        }
        if let Some(why) = self.denials.find(&service.name, name) {
            return Err(Unavailable::Denied(why));
        }
        let asked = on_demand::may_have(&self.outbound, &self.log, service, name, ask).await;
        asked.map_err(|denial| {
            self.denials.remember(&service.name, name, &denial);
            Unavailable::Denied(denial.why)
        })
    }

    /// When the certificates that are held end: name and seconds since 1970, by name.
    pub(crate) fn ends(&self) -> Vec<(String, u64)> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let seconds =
            |held: &Held| held.lifetime.ends.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |t| t.as_secs());
        let mut ends: Vec<_> = held.values().flatten().map(|(name, held)| (name.clone(), seconds(held))).collect();
        ends.sort();
        ends
    }

    /// The names services have, and those that were asked for where they have none.
    fn wanted(&self, routes: &Routes) -> Vec<(Arc<Authority>, String)> {
        let mut wanted = Vec::new();
        for service in routes.services() {
            let Some(authority) = &service.assets.authority else { continue };
            let names: Vec<String> = if service.options.tls_on_demand_url.is_empty() {
                service.options.hosts.iter().map(|host| host.to_ascii_lowercase()).collect()
            } else {
                let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
                held.get(&authority.folder).into_iter().flatten().map(|(name, _)| name.clone()).collect()
            };
            wanted.extend(names.into_iter().map(|name| (Arc::clone(authority), name)));
        }
        wanted
    }

    /// Gets a certificate unless a good one is there: from disk, or from the authority. One try at a time for a name.
    async fn get(&self, authority: &Authority, name: &str) -> Result<Arc<CertifiedKey>, Unavailable> {
        if !is_public(name) {
            return Err(Unavailable::Name(name.to_owned()));
        }
        let attempt = self.attempt(authority, name);
        let mut attempt = attempt.lock().await;
        let now = SystemTime::now();
        // Whoever had the lock before, or another proxy, may have got it.
        let fresh = |held: &Held| held.lifetime.due(name) > now;
        let mut at_hand = self.find(authority, name);
        if !at_hand.as_ref().is_some_and(fresh)
            && let Some(kept) = authority.kept(name).await
            && let Some(kept) = Held::from_pem(&kept)
            && !kept.lifetime.is_over(now)
        {
            self.hold(authority, name, kept.clone());
            at_hand = Some(kept);
        }
        let good = at_hand.filter(|held| !held.lifetime.is_over(now));
        if let Some(held) = good.as_ref().filter(|held| fresh(held)) {
            return Ok(Arc::clone(&held.pair));
        }
        let result = if attempt.is_pausing() {
            Err(Unavailable::Failed(name.to_owned()))
        } else if let Some(held) = self.of_a_peer(authority, name).await {
            *attempt = Attempt::default();
            Ok(held.pair)
        } else {
            self.order(authority, name, &mut attempt).await
        };
        // One that is to be renewed does until then.
        match (result, good) {
            (Err(_), Some(held)) => Ok(held.pair),
            (result, _) => result,
        }
    }

    async fn order(
        &self,
        authority: &Authority,
        name: &str,
        attempt: &mut Attempt,
    ) -> Result<Arc<CertifiedKey>, Unavailable> {
        let key = (authority.folder.clone(), name.to_owned());
        lock(&self.ordering).insert(key.clone());
        // Never closed.
        let turn = self.orders.acquire().await;
        let ordered = async {
            let pem = order(authority, name, &self.challenges, &self.outbound).await?;
            let held = Held::from_pem(&pem).ok_or_else(|| OrderError::Other("the certificate is unusable".into()))?;
            self.keep_and_hold(authority, name, &held).await;
            Ok::<_, OrderError>(held)
        };
        let ordered = ordered.await;
        drop(turn);
        lock(&self.ordering).remove(&key);
        match ordered {
            Ok(held) => {
                *attempt = Attempt::default();
                self.log.info("ACME: certificate obtained", &[("host", name.into())]);
                self.wake();
                Ok(held.pair)
            }
            Err(error) => {
                let pause = attempt.fail();
                let about = [
                    ("host", name.into()),
                    ("error", error.to_string().into()),
                    ("retry_after", i64::try_from(pause.as_nanos()).unwrap_or(i64::MAX).into()),
                ];
                self.log.error("ACME: unable to get certificate", &about);
                Err(Unavailable::Order(error.to_string()))
            }
        }
    }

    /// The certificate a peer got, for as long as it is left to one to get it.
    async fn of_a_peer(&self, authority: &Authority, name: &str) -> Option<Held> {
        let sharing = authority.sharing.as_ref()?;
        let began = Instant::now();
        loop {
            let told = sharing.ask(Wanted::Certificate, name).await;
            let fresh = |held: &Held| held.lifetime.due(name) > SystemTime::now();
            let had = told.iter().flatten().filter_map(|told| match told {
                Told::Have(pem) => Held::from_pem(pem),
                _ => None,
            });
            if let Some(held) = had.filter(fresh).max_by_key(|held| held.lifetime.ends) {
                self.keep_and_hold(authority, name, &held).await;
                self.log.info("ACME: certificate of a peer", &[("host", name.into())]);
                self.wake();
                return Some(held);
            }
            if !sharing.is_left(&told, began.elapsed()) {
                return None;
            }
            sleep(ASK_AGAIN).await;
        }
    }

    /// What a peer that asks about the certificates of a service is told.
    pub(crate) async fn tell(&self, service: &Service, question: &str) -> Option<String> {
        let authority = service.assets.authority.as_ref()?;
        let sharing = authority.sharing.as_ref()?;
        let asked = Question::read(question)?;
        let name = asked.name;
        let options = &service.options;
        let is_its = options.hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
        if asked.wanted != Wanted::Answer && !is_its && options.tls_on_demand_url.is_empty() {
            return None;
        }
        let have = |found: Option<String>| found.map_or(Told::Nothing, Told::Have);
        let told = match asked.wanted {
            Wanted::Answer => have(self.challenges.own_answer(authority, name).await),
            Wanted::Proof => have(authority.proof(name).await),
            Wanted::Certificate => self.standing(authority, name),
        };
        sharing.tell(question, &told)
    }

    /// How it stands with a certificate.
    fn standing(&self, authority: &Authority, name: &str) -> Told {
        let key = (authority.folder.clone(), name.to_owned());
        let fresh = self.find(authority, name).filter(|held| held.lifetime.due(name) > SystemTime::now());
        match fresh {
            Some(held) => Told::Have(held.pem.to_string()),
            None if lock(&self.ordering).contains(&key) => Told::Ordering,
            None if self.attempt(authority, name).try_lock().is_ok_and(|attempt| attempt.is_pausing()) => Told::Failed,
            None => Told::Nothing,
        }
    }

    /// Puts a certificate to use, and on disk.
    async fn keep_and_hold(&self, authority: &Authority, name: &str, held: &Held) {
        if let Err(error) = authority.keep(name, &held.pem).await {
            let about = [("host", name.into()), ("error", error.to_string().into())];
            self.log.error("ACME: certificate could not be kept", &about);
        }
        self.hold(authority, name, held.clone());
    }

    fn find(&self, authority: &Authority, name: &str) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).get(&authority.folder)?.get(name).cloned()
    }

    fn hold(&self, authority: &Authority, name: &str, held: Held) {
        let mut all = self.held.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(authority.folder.clone()).or_default().insert(name.to_owned(), held);
    }

    fn attempt(&self, authority: &Authority, name: &str) -> Shared<Attempt> {
        let mut attempts = lock(&self.attempts);
        Arc::clone(attempts.entry((authority.folder.clone(), name.to_owned())).or_default())
    }

    /// Whether nothing is to be tried now: the last try failed, or one is under way.
    fn is_pausing(&self, authority: &Authority, name: &str) -> bool {
        self.attempt(authority, name).try_lock().map_or(true, |attempt| attempt.is_pausing())
    }
}

impl Held {
    fn from_pem(pem: &str) -> Option<Self> {
        let pair = certificate::from_pem(pem).ok()?;
        let lifetime = Lifetime::of(pair.cert.first()?)?;
        Some(Self { pair, pem: pem.into(), lifetime })
    }
}

impl Attempt {
    fn is_pausing(&self) -> bool {
        self.not_before.is_some_and(|time| Instant::now() < time)
    }

    fn fail(&mut self) -> Duration {
        let pause = PAUSE.saturating_mul(1 << self.failures.min(6)).min(LONGEST_PAUSE);
        self.failures += 1;
        self.not_before = Some(Instant::now() + pause);
        pause
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an authority can know a name: more than one label, and not an address.
fn is_public(name: &str) -> bool {
    name.trim_end_matches('.').contains('.') && name.parse::<std::net::IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_authorities_know() {
        for name in ["a.b", "*.example.com", "xn--bcher-kva.example"] {
            assert!(is_public(name), "{name}");
        }
        for name in ["", "localhost", "localhost.", "127.0.0.1"] {
            assert!(!is_public(name), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_followed_by_longer_and_longer_pauses() {
        let mut attempt = Attempt::default();
        assert!(!attempt.is_pausing());
        let pauses: Vec<_> = (0..9).map(|_| attempt.fail().as_secs()).collect();
        assert_eq!(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert!(attempt.is_pausing());
        tokio::time::advance(LONGEST_PAUSE).await;
        assert!(!attempt.is_pausing());
    }
}
