//! The fleet itself: its hosts, its registry, its faults, and how an operation is run on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_channel::oneshot;
use futures_util::{
    FutureExt,
    future::{Either, OptionFuture, select},
};

use super::{
    Effect, EffectKind, Fault, How, Ran, Recorder, SimDocker, SimEntropy, SimHost, SimLocal, SimProxy, Stalled,
    TableSecrets, VirtualClock,
    chance::scatter,
    exec::SimExec,
    invariants::{self, Old},
    registry::SimRegistry,
    vault::PlainTemplates,
};
use crate::{
    cancel::Cancel,
    diagnosis::Evidence,
    lock::Origin,
    name::{HostName, RoleName, Version},
    ports::{Clock, Exec, Refusal, Ssh, TransportError, TransportErrorKind, World},
    redact::Redactor,
    run::hooks::HookFiles,
};

/// Hosts that behave. Clones are the same fleet.
#[derive(Clone, Debug)]
pub struct SimFleet(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: VirtualClock,
    entropy: Arc<SimEntropy>,
    events: Arc<Recorder>,
    secrets: Arc<TableSecrets>,
    redactor: Redactor,
    state: Mutex<State>,
}

/// Everything that changes.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) hosts: BTreeMap<HostName, SimHost>,
    pub(super) unplugged: BTreeSet<HostName>,
    /// Hosts whose docker is away, and until when.
    pub(super) away: BTreeMap<HostName, Duration>,
    /// Hosts a connection is open to.
    pub(super) connected: BTreeSet<HostName>,
    pub(super) registry: BTreeMap<String, String>,
    /// How many serve the registry of the local machine.
    pub(super) served: usize,
    /// How many ways to it a host has.
    pub(super) reached: BTreeMap<HostName, usize>,
    /// How many bytes every image has.
    pub(super) image_size: u64,
    /// Versions that never become healthy, and what is seen of them then.
    pub(super) sick: BTreeMap<String, Evidence>,
    /// Versions that become healthy and answer badly.
    pub(super) bad: BTreeSet<String>,
    /// Files of the project, and the exit status of those that are programs.
    pub(super) files: BTreeMap<String, (Vec<u8>, i32)>,
    pub(super) ran: Vec<Ran>,
    pub(super) old: Vec<Old>,
    pub(super) groups: Vec<Vec<HostName>>,
    /// What runs on a host when nobody listens any more goes on to the end of its step.
    pub(super) late: bool,
    effects: Vec<Effect>,
    fault: Option<Fault>,
    stop: Option<oneshot::Sender<()>>,
    kill: Option<oneshot::Sender<()>>,
    killed: Option<oneshot::Receiver<()>>,
    /// The number of the process that is at work, and the name of the machine it is on.
    process: u32,
    machine: u32,
    violations: Vec<String>,
    seed: u64,
    ids: u64,
    clock: Option<VirtualClock>,
    pub(super) outage: bool,
}

/// A role on a host, and the version and container that answer for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Serving {
    /// The host.
    pub host: HostName,
    /// The role.
    pub role: RoleName,
    /// The version.
    pub version: Version,
    /// The container's id.
    pub container: String,
}

impl SimFleet {
    /// Hosts with docker and nothing else.
    pub fn new<N: Into<String>>(hosts: impl IntoIterator<Item = N>) -> Self {
        let hosts = hosts
            .into_iter()
            .map(|name| (HostName::parse(name).expect("the name of a host"), SimHost::bare()))
            .collect();
        let clock = VirtualClock::default();
        Self(Arc::new(Shared {
            clock: clock.clone(),
            entropy: Arc::default(),
            events: Arc::default(),
            secrets: Arc::default(),
            redactor: Redactor::new(),
            state: Mutex::new(State { hosts, clock: Some(clock), ..State::default() }),
        }))
    }

    /// Another fleet whose hosts, registry, project and secrets are as they are here now. What happens to one leaves the
    /// other alone.
    #[must_use]
    pub fn fork(&self) -> Self {
        let (clock, state) = (VirtualClock::default(), self.state());
        let copy = State {
            hosts: state.hosts.clone(),
            registry: state.registry.clone(),
            image_size: state.image_size,
            sick: state.sick.clone(),
            bad: state.bad.clone(),
            files: state.files.clone(),
            seed: state.seed,
            ids: state.ids,
            clock: Some(clock.clone()),
            ..State::default()
        };
        Self(Arc::new(Shared {
            clock,
            entropy: Arc::default(),
            events: Arc::default(),
            secrets: Arc::new(self.0.secrets.copy()),
            redactor: Redactor::new(),
            state: Mutex::new(copy),
        }))
    }

    /// Its ports.
    #[must_use]
    pub fn world(&self) -> World {
        World {
            ssh: Arc::new(self.clone()),
            docker: Arc::new(SimDocker),
            builder: Arc::new(SimDocker),
            hooks: Arc::new(HookFiles),
            interceptor: None,
            proxy: Arc::new(SimProxy),
            local: Arc::new(SimLocal(self.clone())),
            clock: Arc::new(self.0.clock.clone()),
            entropy: self.0.entropy.clone(),
            events: self.0.events.clone(),
            secrets: self.0.secrets.clone(),
            templates: Arc::new(PlainTemplates),
            registry: Arc::new(SimRegistry(self.clone())),
            redactor: self.0.redactor.clone(),
        }
    }

    /// Runs a future to its end, and then lets everything on the hosts come to rest.
    ///
    /// # Errors
    ///
    /// As [`VirtualClock::drive`].
    pub fn drive<T>(&self, future: impl Future<Output = T>) -> Result<T, Stalled> {
        let value = self.0.clock.drive(future);
        self.0.clock.settle();
        value
    }

    /// Begins an operation that boots these groups of hosts one after another: effects are counted from here on, and
    /// what serves now must go on serving. Returns the request to stop it.
    pub fn begin(&self, groups: &[Vec<HostName>], fault: Option<Fault>) -> Cancel {
        let (stop, stopped) = oneshot::channel();
        let (kill, killed) = oneshot::channel();
        let mut state = self.state();
        state.old = if state.outage { Vec::new() } else { invariants::serving(&state) };
        groups.clone_into(&mut state.groups);
        state.effects.clear();
        state.ran.clear();
        state.fault = fault;
        state.late = false;
        state.connected.clear();
        state.stop = Some(stop);
        (state.kill, state.killed) = (Some(kill), Some(killed));
        self.0.events.clear();
        // A request that can no longer come never comes.
        Cancel::when(stopped.then(|asked| async move {
            if asked.is_err() {
                std::future::pending::<()>().await;
            }
        }))
    }

    /// Runs a future to its end as [`SimFleet::drive`] does, or until the program is killed ([`How::Killed`]): then it is
    /// dropped at once and there is nothing.
    ///
    /// # Errors
    ///
    /// As [`VirtualClock::drive`].
    pub fn drive_until_killed<T>(&self, future: impl Future<Output = T> + Send) -> Result<Option<T>, Stalled> {
        let killed = self.state().killed.take();
        let killed = async move {
            let Some(Ok(())) = OptionFuture::from(killed).await else { return std::future::pending().await };
        };
        let value = self.0.clock.drive(async {
            match select(pin!(killed), pin!(future)).await {
                Either::Left(_) => None,
                Either::Right((value, _)) => Some(value),
            }
        });
        self.0.clock.settle();
        value
    }

    /// The program has come to its end: what is run from now on is another process.
    pub fn next_process(&self) {
        self.state().process += 1;
    }

    /// From now on the program is run on another machine.
    pub fn next_machine(&self) {
        self.state().machine += 1;
    }

    /// From now on nothing has to go on serving: what comes is meant to stop it.
    pub fn expect_outage(&self) {
        self.state().outage = true;
    }

    /// The effects since the operation began.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.state().effects.clone()
    }

    /// What did not hold since the fleet began: that routes lead to what runs, and, of operations that were begun by
    /// [`SimFleet::begin`], that what served goes on serving.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// What answers for each role on each host.
    #[must_use]
    pub fn serving(&self) -> Vec<Serving> {
        let state = self.state();
        let serving = |old: Old| {
            let found = state.hosts[&old.host].containers.iter().find(|container| container.id == old.id)?;
            let version = found.version();
            Some(Serving { host: old.host.clone(), role: old.role, version, container: old.id })
        };
        invariants::serving(&state).into_iter().filter_map(serving).collect()
    }

    /// A host as it is now.
    ///
    /// # Panics
    ///
    /// When there is no such host.
    #[must_use]
    pub fn host(&self, name: &str) -> SimHost {
        self.state().hosts[name].clone()
    }

    /// Changes a host behind everybody's back.
    ///
    /// # Panics
    ///
    /// When there is no such host.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut SimHost)) {
        let mut state = self.state();
        let Some(host) = state.hosts.get_mut(name) else { panic!("there is no host {name}") };
        change(host);
    }

    /// Makes a host unreachable.
    pub fn unplug(&self, name: &str) {
        self.state().unplugged.insert(HostName::parse(name).expect("the name of a host"));
    }

    /// Makes all hosts reachable, and their docker answer.
    pub fn plug_in(&self) {
        let mut state = self.state();
        state.unplugged.clear();
        state.away.clear();
    }

    /// Makes containers of a version start and never become healthy.
    pub fn sicken(&self, version: &str) {
        self.sicken_with(version, Evidence::default());
    }

    /// The same, and this is what is seen of them.
    pub fn sicken_with(&self, version: &str, evidence: Evidence) {
        self.state().sick.insert(version.to_owned(), evidence);
    }

    /// Makes containers of a version become healthy and answer too many requests with errors.
    pub fn spoil(&self, version: &str) {
        self.state().bad.insert(version.to_owned());
    }

    /// Makes containers of all versions healthy, and answer well.
    pub fn heal(&self) {
        let mut state = self.state();
        state.sick.clear();
        state.bad.clear();
    }

    /// Puts an image into the registry, in the place of what has that name there, and returns its digest.
    pub fn publish(&self, image: &str) -> String {
        let mut state = self.state();
        let id = format!("sha256:{}", state.fresh_id());
        state.registry.insert(image.to_owned(), id.clone());
        id
    }

    /// Has every image of the registry of the local machine be of a size; a tenth of it is new to a host that has one.
    pub fn weigh(&self, bytes: u64) {
        self.state().image_size = bytes;
    }

    /// Takes an image out of the registry.
    pub fn unpublish(&self, image: &str) {
        self.state().registry.remove(image);
    }

    /// How many ways to the registry of the local machine are open, its own among them.
    #[must_use]
    pub fn open_ways(&self) -> usize {
        let state = self.state();
        state.served + state.reached.values().sum::<usize>()
    }

    /// Puts a file into the project.
    pub fn project_file(&self, path: &str, content: &str) {
        self.state().files.insert(path.to_owned(), (content.as_bytes().to_vec(), 0));
    }

    /// Puts a hook into the project that ends with an exit status.
    pub fn hook(&self, name: &str, status: i32) {
        let content = format!("hook {name} says so\n").into_bytes();
        self.state().files.insert(format!(".kamal/hooks/{name}"), (content, status));
    }

    /// The local programs run since the operation began.
    #[must_use]
    pub fn ran(&self) -> Vec<Ran> {
        self.state().ran.clone()
    }

    /// Has steps take other times, so that hosts overtake each other in another way.
    pub fn reseed(&self, seed: u64) {
        self.state().seed = seed;
    }

    /// Its secrets.
    #[must_use]
    pub fn secrets(&self) -> &TableSecrets {
        &self.0.secrets
    }

    /// Its events.
    #[must_use]
    pub fn events(&self) -> &Recorder {
        &self.0.events
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &VirtualClock {
        &self.0.clock
    }

    /// An effect of a test's own on the local machine, such as what an own hook or step does: it takes a moment, is counted,
    /// and can be made to go wrong as all others.
    ///
    /// # Errors
    ///
    /// When it was made to fail.
    pub async fn own_effect(&self, what: &str) -> Result<(), Refusal> {
        let how = self.enter(None, EffectKind::Local, what);
        let pace = self.state().pace();
        self.0.clock.sleep(Duration::from_millis(pace)).await;
        if how == Some(How::Fails) { Err("it was made to fail".into()) } else { Ok(()) }
    }

    /// Begins an effect; says how it is to go wrong, if it is.
    pub(super) fn enter(&self, host: Option<&HostName>, kind: EffectKind, what: &str) -> Option<How> {
        let mut state = self.state();
        let index = state.effects.len();
        state.effects.push(Effect { host: host.cloned(), kind, what: what.to_owned() });
        let how = state.fault.filter(|fault| fault.at == index)?.how;
        match (how, host) {
            (How::Killed | How::KilledLate, _) => {
                state.late = how == How::KilledLate;
                let kill = state.kill.take();
                drop(state);
                // Nobody may run it to be killed.
                kill.and_then(|kill| kill.send(()).ok());
            }
            (How::Unplugged, Some(host)) => drop(state.unplugged.insert(host.clone())),
            (How::Stopped | How::StoppedLate, _) => {
                state.late = how == How::StoppedLate;
                let stop = state.stop.take();
                // Waking whoever waits for it must not find the state locked.
                drop(state);
                // Nobody may listen any more.
                stop.and_then(|stop| stop.send(()).ok());
            }
            _ => {}
        }
        Some(how)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn violation(&mut self, text: &str) {
        let after = self.effects.last().map(ToString::to_string).unwrap_or_default();
        self.violations.push(format!("{text} (after {after})"));
    }

    /// Whether a host's docker is away.
    pub(super) fn is_away(&self, host: &HostName) -> bool {
        self.away.get(host).is_some_and(|back| *back > self.elapsed())
    }

    /// Now, in RFC 3339.
    pub(super) fn now(&self) -> String {
        self.clock.as_ref().map(|clock| clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
    }

    /// How long everything has been going on.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.as_ref().map(Clock::elapsed).unwrap_or_default()
    }

    /// The program that is at work.
    pub(super) fn origin(&self) -> Origin {
        let machine = format!("laptop-{}", self.machine);
        Origin {
            user: "ann".to_owned(),
            space: machine.clone(),
            machine,
            process: self.process + 1,
            began: "today".to_owned(),
            url: None,
        }
    }

    /// What is to be seen of a container that did not come up.
    pub(super) fn evidence(&self, host: &HostName, container: &str) -> Evidence {
        let found = self.hosts.get(host).and_then(|host| host.container(container));
        let sick = found.and_then(|found| self.sick.get(found.version().as_str()).cloned()).unwrap_or_default();
        Evidence { state: sick.state.or(found.map(|found| found.state)), ..sick }
    }

    pub(super) fn fresh_id(&mut self) -> String {
        self.ids += 1;
        (0..4).map(|part| format!("{:016x}", scatter(self.ids * 4 + part))).collect()
    }

    /// How many milliseconds something takes: always the same for the same seed and the same moment.
    pub(super) fn pace(&self) -> u64 {
        3 + scatter(self.seed.wrapping_mul(1 << 20) + self.effects.len() as u64) % 40
    }
}

#[async_trait]
impl Ssh for SimFleet {
    async fn connect(&self, host: &HostName) -> Result<Arc<dyn Exec>, TransportError> {
        let problem = |text: &str| Err(TransportError::new(host, TransportErrorKind::Network(text.to_owned())));
        if !self.state().connected.contains(host) {
            let how = self.enter(Some(host), EffectKind::Connect, "connect");
            let pace = self.state().pace();
            self.0.clock.sleep(Duration::from_millis(pace)).await;
            if how == Some(How::LostBefore) {
                return problem("connection reset by peer");
            }
            let mut state = self.state();
            if state.unplugged.contains(host) {
                return problem("no route to host");
            }
            if !state.hosts.contains_key(host) {
                return Err(TransportError::new(host, TransportErrorKind::Resolve("no such host".to_owned())));
            }
            state.connected.insert(host.clone());
        }
        Ok(Arc::new(SimExec::new(self.clone(), host.clone())))
    }

    async fn forget(&self, host: &HostName) {
        self.state().connected.remove(host);
    }
}
