//! The deploy lock of a run: taken, kept alive, taken over from the dead, and given back on every way out, a request to stop
//! included, which Kamal leaves it behind on. What it is on a host is in [`crate::lock`].

use std::{
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Either, select},
};

use super::{Cx, Runner};
use crate::{
    error::{Error, HostError},
    event::{EventKind, Tone},
    fleet::Fleet,
    lock::{AUTOMATIC, EXPIRY, HEARTBEAT, HELD, Held, Holder, LATE, LOST, Lease, Origin, Taking},
    name::HostName,
    naming,
    plan::{HostWork, Stage, Work},
    ports::Exit,
    state::HostState,
    step::Step,
};

/// How long giving the lock back may take where somebody insists on an end within a second.
const AT_MOST: Duration = Duration::from_millis(900);

/// A lock's three lines, without secrets: others read them.
#[must_use]
pub fn details(cx: &Cx<'_>, message: &str) -> String {
    let now = cx.fleet.world.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let user = if cx.run.user_name.trim().is_empty() { cx.fleet.performer } else { &cx.run.user_name };
    let version = cx.run.asked_version.as_ref().or(cx.version).map(ToString::to_string).unwrap_or_default();
    let text = format!("Locked by: {user} at {now}\nVersion: {version}\nMessage: {message}");
    cx.fleet.world.redactor.text(&text).into_owned()
}

impl Runner<'_, '_> {
    /// What is being done, for whoever finds the lock.
    pub(super) fn doing(&self) -> String {
        let version = self.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        format!("{}{version}", self.op.row().name())
    }

    /// Takes the lock and observes all hosts. They are connected meanwhile, which is what takes longest.
    pub(super) async fn lock(&mut self, host: &HostName) -> Result<(), Error> {
        let cx = self.cx;
        let hosts = self.hosts_of();
        let others: Vec<HostName> = hosts.iter().filter(|other| *other != host).cloned().collect();
        let doing = self.doing();
        let connecting = pin!(cx.fleet.on(&others, |other| cx.fleet.connect(other).boxed()));
        let (state, connected) = match select(pin!(self.lock.acquire(cx, host, &doing)), connecting).await {
            Either::Left((state, connecting)) => (state?, connecting.await),
            // Whoever is about to take it must not be kept from knowing that he has.
            Either::Right((connected, acquiring)) => (acquiring.await?, connected),
        };
        if !self.op.leaves_out_lost_hosts(cx.fleet.config) {
            connected?;
        }
        let mut states = self.observe_those_there(&others).await?;
        if hosts.contains(host) {
            self.check_docker(std::slice::from_ref(&state))?;
            states.push(state);
        }
        self.take_states(states);
        Ok(())
    }

    /// Observes all hosts once more while the lock is held. What they were brought must be what they have.
    pub(super) async fn look_again(&mut self) -> Result<(), Error> {
        let states = self.observe_those_there(&self.hosts_of()).await?;
        self.take_states(states);
        self.delivered.as_ref().map_or(Ok(()), |delivered| delivered.check(&self.states))
    }

    /// How hosts are, but for the lock, which is ours.
    fn take_states(&mut self, mut states: Vec<HostState>) {
        states.iter_mut().for_each(|state| state.lock = None);
        self.states = states;
    }

    pub(super) async fn unlock(&self) -> Result<(), Error> {
        self.lock.release(self.cx).await.map_err(|error| Error::Hosts(vec![error]))
    }

    /// The step that gives the lock back, where it can go along with the last script of the only host there is to it.
    pub(super) fn unlocks_along(&self, works: &[HostWork], rest: &[Stage]) -> Option<(HostName, Step)> {
        let Some(Work::Unlock { host }) = rest.first().map(|stage| &stage.work) else { return None };
        let alone = works.iter().all(|work| work.host == *host) && self.cx.fleet.world.interceptor.is_none();
        (self.lock.is_held() && alone).then(|| (host.clone(), self.lock.release_step(&self.cx.fleet)))
    }
}

/// The lock as one run knows it.
#[derive(Debug)]
pub(super) struct DeployLock {
    /// The name of its lease.
    id: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Where it is held.
    host: Option<HostName>,
    /// When it was last certain that it is held.
    confirmed: Duration,
    /// True from when it may have been given back, so that it is no wonder if it is not held.
    releasing: bool,
}

impl DeployLock {
    pub(super) fn new(id: String) -> Self {
        Self { id, state: Mutex::default() }
    }

    pub(super) fn is_held(&self) -> bool {
        self.host().is_some()
    }

    /// Takes the lock, waiting for it if the settings say so, and observes its host in the same round trip. A request to
    /// stop does not cut that round trip short, or nobody would know whose lock it is.
    pub(super) async fn acquire(&self, cx: &Cx<'_>, host: &HostName, doing: &str) -> Result<HostState, Error> {
        let state = self.take(cx, host, doing, None).await?;
        self.state().host = Some(host.clone());
        Ok(state)
    }

    /// Takes the lock and leaves it to whoever releases it.
    pub(super) async fn acquire_by_hand(&self, cx: &Cx<'_>, host: &HostName, message: &str) -> Result<(), Error> {
        self.take(cx, host, "lock acquire", Some(message)).await.map(drop)
    }

    async fn take(&self, cx: &Cx<'_>, host: &HostName, doing: &str, message: Option<&str>) -> Result<HostState, Error> {
        let world = cx.fleet.world;
        let mut origin = world.local.origin().await;
        origin.url = origin.url.map(|url| world.redactor.text(&url).into_owned());
        let mut taking = Taking {
            details: details(cx, message.unwrap_or(AUTOMATIC)),
            id: self.id.clone(),
            holder: Holder { origin, doing: world.redactor.text(doing).into_owned() },
            by_hand: message.is_some(),
            instead_of: None,
        };
        match cx.run.lock_wait {
            None => cx.say("Acquiring the deploy lock..."),
            Some((limit, _)) => cx.say(format!("Acquiring the deploy lock (waiting up to {}s)...", limit.as_secs())),
        }
        let fleet = cx.fleet.unstoppable();
        let mut queue = Queue { began: world.clock.elapsed(), told: false };
        loop {
            if cx.fleet.cancel.requested() {
                return Err(Error::Cancelled);
            }
            let began = world.clock.elapsed();
            let step = Step::AcquireLock { directory: directory(&fleet), taking: Box::new(taking.clone()) };
            match fleet.run_and_observe(host, "lock", std::slice::from_ref(&step)).await {
                Ok(state) => {
                    self.state().confirmed = began;
                    if let Some(dead) = &taking.instead_of {
                        tell(cx, taken_over(dead));
                    }
                    return Ok(state);
                }
                Err(HostError::Step { status: HELD, step: failed, .. }) if failed == step.to_string() => {}
                Err(error) => {
                    self.release_if_taken(&fleet, host).await;
                    return Err(Error::Hosts(vec![error]));
                }
            }
            let seen = fleet.observe(host).await.map_err(|error| Error::Hosts(vec![error]))?.lock;
            // Nobody holds it any more where nothing is seen.
            taking.instead_of = match seen {
                Some(held) => queue.next(cx, host, &taking.holder.origin, held).await?,
                None => None,
            };
        }
    }

    /// Lets the holder be heard of for as long as it is polled. Ends only when the lock is lost.
    pub(super) async fn keep(&self, cx: &Cx<'_>) -> Error {
        let clock = &cx.fleet.world.clock;
        loop {
            clock.sleep(HEARTBEAT).await;
            let Some(host) = self.host() else { continue };
            // A host that does not answer must not keep the next heartbeat from being tried.
            let renewal = pin!(self.renew(cx, &host));
            if let Either::Left((Err(Renewal::Lost), _)) = select(renewal, clock.sleep(HEARTBEAT)).await
                && !self.state().releasing
            {
                return self.lose(&host);
            }
        }
    }

    /// Makes sure that the lock is still held, if that has not been certain for a while: whoever was asleep or cut off for so
    /// long may have been taken for dead.
    pub(super) async fn confirm(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let since = cx.fleet.world.clock.elapsed().saturating_sub(self.state().confirmed);
        let Some(host) = self.host().filter(|_| since >= HEARTBEAT * 2) else { return Ok(()) };
        if self.state().releasing {
            return Ok(());
        }
        match self.renew(cx, &host).await {
            Ok(()) => Ok(()),
            Err(Renewal::Lost) => Err(self.lose(&host)),
            Err(Renewal::Unknown(error)) => Err(Error::Hosts(vec![error])),
        }
    }

    async fn renew(&self, cx: &Cx<'_>, host: &HostName) -> Result<(), Renewal> {
        let fleet = cx.fleet.unstoppable();
        let began = cx.fleet.world.clock.elapsed();
        let step = Step::RenewLock { directory: directory(&fleet), id: self.id.clone() };
        match fleet.quietly(host, &step).await {
            Ok(Exit(0)) => {
                self.state().confirmed = began;
                Ok(())
            }
            Ok(Exit(LOST)) => Err(Renewal::Lost),
            Ok(Exit(status)) => Err(Renewal::Unknown(HostError::Step {
                host: host.clone(),
                step: step.to_string(),
                status,
                output: String::new(),
                diagnosis: None,
                fault: crate::error::StepFault::Other,
            })),
            Err(error) => Err(Renewal::Unknown(error)),
        }
    }

    fn lose(&self, host: &HostName) -> Error {
        self.state().host = None;
        Error::LockLost { host: host.clone() }
    }

    /// The step that gives it back, for somebody who is about to do it.
    pub(super) fn release_step(&self, fleet: &Fleet<'_>) -> Step {
        self.state().releasing = true;
        Step::ReleaseLock { directory: directory(fleet), id: Some(self.id.clone()) }
    }

    /// Notes that it was given back, and says so if it was no more ours to give.
    pub(super) fn released(&self, cx: &Cx<'_>, result: Result<(), HostError>) -> Result<(), HostError> {
        let step = self.release_step(&cx.fleet).to_string();
        let result = match result {
            Err(HostError::Step { status: LOST, step: failed, host, .. }) if failed == step => {
                tell(cx, format!("The deploy lock on {host} was not ours any more and is left as it is."));
                Ok(())
            }
            other => other,
        };
        if result.is_ok() {
            self.state().host = None;
        }
        result
    }

    /// Gives it back.
    pub(super) async fn release(&self, cx: &Cx<'_>) -> Result<(), HostError> {
        let Some(host) = self.host() else { return Ok(()) };
        cx.say("Releasing the deploy lock...");
        let fleet = cx.fleet.unstoppable();
        let result = fleet.run(&host, "unlock", &[self.release_step(&fleet)], &mut |_, _| {}).await;
        self.released(cx, result)
    }

    /// Gives it back after a failure. Failing at that too is only said: the first failure is what matters.
    pub(super) async fn release_after_failure(&self, cx: &Cx<'_>) {
        if let Err(error) = self.release(cx).await {
            let text = format!(
                "Error releasing the deploy lock: {error}\nWhoever comes next takes it over when nothing was heard for {} s.",
                EXPIRY.as_secs()
            );
            cx.fleet.emit(EventKind::tell(Tone::Problem, text));
        }
    }

    /// Gives it back, or gives up: somebody insists on an end.
    pub(super) async fn release_at_once(&self, cx: &Cx<'_>) {
        let release = pin!(self.release_after_failure(cx));
        select(release, cx.fleet.world.clock.sleep(AT_MOST)).await;
    }

    /// Gives the lock back if it was taken: its answer was lost, or what followed it in the script failed.
    async fn release_if_taken(&self, fleet: &Fleet<'_>, host: &HostName) {
        match fleet.quietly(host, &self.release_step(fleet)).await {
            Ok(Exit(0 | LOST)) => {}
            Ok(Exit(status)) => unsure(fleet, &format!("exit status {status}")),
            Err(error) => unsure(fleet, &error.to_string()),
        }
    }

    fn host(&self) -> Option<HostName> {
        self.state().host.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a heartbeat came to nothing.
enum Renewal {
    /// Somebody else holds the lock, or nobody.
    Lost,
    /// The host did not say.
    Unknown(HostError),
}

/// Waiting for the lock.
struct Queue {
    began: Duration,
    told: bool,
}

impl Queue {
    /// Waits until it makes sense to try again; says whose lease is to be taken over then.
    async fn next(&mut self, cx: &Cx<'_>, host: &HostName, us: &Origin, held: Held) -> Result<Option<Lease>, Error> {
        let clock = &cx.fleet.world.clock;
        let (lease, details) = (held.lease.as_ref(), held.to_string());
        if let Some(dead) = lease.filter(|lease| lease.silent.is_some()) {
            let origin = dead.holder.as_ref().map(|holder| &holder.origin);
            let gone = match origin.filter(|origin| origin.space == us.space && origin.user == us.user) {
                Some(origin) => cx.fleet.world.local.has_ended(origin).await,
                None => false,
            };
            if dead.expired() || gone {
                return Ok(held.lease);
            }
        }
        if held.by_hand() {
            return Err(Error::LockHeld { host: host.clone(), details, by_hand: true });
        }
        let expires = lease.and_then(|lease| Some(EXPIRY.saturating_sub(Duration::from_secs(lease.silent?))));
        let late = lease.is_some_and(|lease| lease.silent.is_some_and(|silent| silent >= LATE.as_secs()));
        let pause = match (cx.run.lock_wait, expires) {
            (Some((limit, interval)), _) => {
                if !std::mem::replace(&mut self.told, true) {
                    tell(cx, format!("Deploy lock is held by:\n{details}"));
                }
                let left = limit.saturating_sub(clock.elapsed().saturating_sub(self.began));
                if left < Duration::from_secs(1) {
                    return Err(Error::LockTimeout { host: host.clone(), details });
                }
                let pause = interval.min(left);
                cx.say(format!("Retrying in {}s ({}s remaining)...", pause.as_secs(), left.as_secs()));
                pause
            }
            (None, Some(expires)) if late => {
                let seconds = expires.as_secs();
                tell(
                    cx,
                    format!(
                        "The holder of the deploy lock is late; {seconds} s more and it counts as dead.\n{details}"
                    ),
                );
                expires
            }
            _ => return Err(Error::LockHeld { host: host.clone(), details, by_hand: false }),
        };
        cx.fleet.cancel.guard(clock.sleep(pause)).await.ok_or(Error::Cancelled)?;
        Ok(None)
    }
}

fn taken_over(dead: &Lease) -> String {
    let how = match dead.silent.filter(|_| dead.expired()) {
        Some(silent) => format!("nothing was heard of it for {silent} s"),
        None => "its process has ended".to_owned(),
    };
    format!("Took over the deploy lock of {}: {how}. What it left behind is put right by what is done now.", dead.who())
}

fn unsure(fleet: &Fleet<'_>, why: &str) {
    let text = format!("Could not find out whether the deploy lock was taken: {why}");
    fleet.emit(EventKind::tell(Tone::Problem, text));
}

fn tell(cx: &Cx<'_>, text: String) {
    cx.fleet.emit(EventKind::tell(Tone::Warning, text));
}

fn directory(fleet: &Fleet<'_>) -> String {
    naming::lock_directory(fleet.config)
}

/// Gives the lock back, whoever holds it.
pub(super) async fn release_any(fleet: &Fleet<'_>, host: &HostName) -> Result<(), HostError> {
    let step = Step::ReleaseLock { directory: directory(fleet), id: None };
    fleet.run(host, "unlock", &[step], &mut |_, _| {}).await
}
