//! The hosts of an operation: the only way the engine touches a machine. Steps become one script, its output becomes
//! events, a failure becomes an error that names the step.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::{BoxFuture, join_all};

use crate::{
    batch::{self, Batch, Decoder, Fragment, Signal},
    cancel::Cancel,
    config::Config,
    error::{Error, HostError, StepFault},
    event::{EventKind, Outcome, Sequence, Teller},
    keyring::Keyring,
    name::HostName,
    output::{Lines, Tail},
    ports::{Access, Chunk, Content, Exec, Exit, ReachError, Reached, Render, Serving, World},
    render,
    shell::Script,
    state::HostState,
    step::Step,
};

/// How often it is told how far something is.
const PACE: Duration = Duration::from_secs(1);

/// Hosts, and what is needed to act on them.
#[derive(Debug)]
pub struct Fleet<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The ports.
    pub world: &'a World,
    /// Who is at work, for the audit log.
    pub performer: &'a str,
    /// The request to stop.
    pub cancel: Cancel,
    teller: Teller,
    connected: Mutex<BTreeSet<HostName>>,
    keyring: Mutex<Arc<Keyring>>,
}

/// What a script printed and how it ended.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Captured {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit status.
    pub status: i32,
}

/// Whether a host reaches the registry on this machine.
#[derive(Debug)]
pub enum RegistryReach {
    /// It does, until this is dropped.
    Open(Reached),
    /// It does not let it in, and why.
    Closed(String),
}

/// Told while steps run: the step's index and its exit status, or `None` when it begins.
pub type Progress<'p> = &'p mut (dyn FnMut(usize, Option<i32>) + Send);

impl<'a> Fleet<'a> {
    /// Hosts of a configuration, not yet connected.
    #[must_use]
    pub fn new(config: &'a Config, world: &'a World, performer: &'a str, cancel: Cancel) -> Self {
        let keyring = Mutex::new(Arc::new(Keyring::new(world.redactor.clone())));
        let teller = Teller::of(world, Sequence::begin(&*world.entropy));
        Self { config, world, performer, cancel, teller, connected: Mutex::default(), keyring }
    }

    /// Tells what happens here as part of a sequence that has begun.
    #[must_use]
    pub fn told_in(mut self, sequence: Sequence) -> Self {
        self.teller = Teller::of(self.world, sequence);
        self
    }

    /// Runs something on many hosts side by side and waits for all of them, even when some fail.
    ///
    /// # Errors
    ///
    /// What failed, host by host.
    pub async fn on<'f, T>(
        &'f self,
        hosts: &'f [HostName],
        work: impl Fn(&'f HostName) -> BoxFuture<'f, Result<T, HostError>>,
    ) -> Result<Vec<T>, Error> {
        gather(join_all(hosts.iter().map(work)).await)
    }

    /// Observes a host: one round trip.
    ///
    /// # Errors
    ///
    /// When the host cannot be reached, or the request to stop comes; when its answer makes no sense.
    pub async fn observe(&self, host: &HostName) -> Result<HostState, HostError> {
        let captured = self.capture(host, &self.observation()).await?;
        self.parse(host, &captured.stdout)
    }

    /// Runs steps on a host, then observes it: one round trip for both.
    ///
    /// # Errors
    ///
    /// As [`Fleet::run`] and [`Fleet::observe`].
    pub(crate) async fn run_and_observe(
        &self,
        host: &HostName,
        label: &str,
        steps: &[Step],
    ) -> Result<HostState, HostError> {
        let observe = Fragment { text: self.world.docker.observe(self.config), tolerant: true };
        let mut printed = Vec::new();
        self.batch(host, label, steps, Some(observe), &mut |_, _| {}, &mut printed).await?;
        self.parse(host, &String::from_utf8_lossy(&printed))
    }

    /// Runs steps on a host, one after another: one round trip.
    ///
    /// # Errors
    ///
    /// When the host cannot be reached, or the request to stop comes; when a step fails.
    pub async fn run(
        &self,
        host: &HostName,
        label: &str,
        steps: &[Step],
        progress: Progress<'_>,
    ) -> Result<(), HostError> {
        if steps.is_empty() {
            return Ok(());
        }
        self.batch(host, label, steps, None, progress, &mut Vec::new()).await
    }

    /// Runs a step beside everything else, of which nobody hears but by its exit status.
    ///
    /// # Errors
    ///
    /// When the host cannot be reached, or the request to stop comes.
    pub(crate) async fn quietly(&self, host: &HostName, step: &Step) -> Result<Exit, HostError> {
        let keyring = self.keyring();
        let text = render::step(self.world, step, &self.render(&keyring))
            .map_err(|source| HostError::Render { host: host.clone(), source })?;
        let batch = Batch { nonce: self.world.entropy.hex(16), steps: vec![step.clone()], observes: false };
        let script = batch::script(&step.to_string(), batch, &[Fragment { text, tolerant: false }]);
        let exec = self.connect(host).await?;
        Ok(self.guard(host, exec.exec(&script, &mut |_| ())).await??)
    }

    /// Runs a script and keeps what it prints. A non-zero exit is data.
    ///
    /// # Errors
    ///
    /// When the host cannot be reached, or the request to stop comes.
    pub async fn capture(&self, host: &HostName, script: &Script) -> Result<Captured, HostError> {
        let mut captured = (Vec::new(), Vec::new());
        let exit = self
            .exec(host, script, &mut |chunk| match chunk {
                Chunk::Stdout(bytes) => captured.0.extend_from_slice(bytes),
                Chunk::Stderr(bytes) => captured.1.extend_from_slice(bytes),
            })
            .await?;
        Ok(Captured {
            stdout: String::from_utf8_lossy(&captured.0).into_owned(),
            stderr: String::from_utf8_lossy(&captured.1).into_owned(),
            status: exit.0,
        })
    }

    /// Runs a script and hands on what it prints while it comes.
    ///
    /// # Errors
    ///
    /// When the host cannot be reached, or the request to stop comes.
    pub async fn exec(
        &self,
        host: &HostName,
        script: &Script,
        output: &mut (dyn FnMut(Chunk<'_>) + Send),
    ) -> Result<Exit, HostError> {
        let exec = self.connect(host).await?;
        let began = self.world.clock.elapsed();
        let exit = self.guard(host, exec.exec(script, output)).await??;
        self.round_trip(host, script.label(), began);
        Ok(exit)
    }

    /// Uploads a file: one round trip. One that takes long is told of every second.
    ///
    /// # Errors
    ///
    /// When the host cannot be reached, or the request to stop comes; when the file cannot be written.
    pub async fn upload(&self, host: &HostName, content: &[u8], to: &str, mode: u32) -> Result<(), HostError> {
        let exec = self.connect(host).await?;
        let began = self.world.clock.elapsed();
        let mut watch = self.uploading(host, to, content.len() as u64);
        self.guard(host, exec.upload_watched(content, to, mode, &mut watch)).await??;
        self.round_trip(host, "upload", began);
        Ok(())
    }

    /// As [`Fleet::upload`], for what is read while it goes.
    ///
    /// # Errors
    ///
    /// As [`Fleet::upload`], and when the content cannot be read.
    pub async fn upload_content(
        &self,
        host: &HostName,
        content: &dyn Content,
        to: &str,
        mode: u32,
    ) -> Result<(), HostError> {
        let exec = self.connect(host).await?;
        let began = self.world.clock.elapsed();
        let mut watch = self.uploading(host, to, content.size());
        self.guard(host, exec.upload_content(content, to, mode, &mut watch)).await??;
        self.round_trip(host, "upload", began);
        Ok(())
    }

    /// Tells every second how far an upload is.
    fn uploading<'u>(&'u self, host: &'u HostName, to: &'u str, total: u64) -> impl FnMut(u64) + Send + 'u {
        let mut told = self.world.clock.elapsed();
        move |sent| {
            if sent < total && self.since(told) >= PACE {
                told = self.world.clock.elapsed();
                self.emit(EventKind::Uploading { host: host.clone(), file: to.to_owned(), sent, total });
            }
        }
    }

    /// Makes the registry on this machine reachable from a host, and tells every second how much the host was sent.
    ///
    /// # Errors
    ///
    /// When the host cannot be reached, or the request to stop comes.
    pub async fn reach(
        &self,
        serving: &dyn Serving,
        host: &HostName,
        access: Access,
    ) -> Result<RegistryReach, HostError> {
        let began = self.world.clock.elapsed();
        let (teller, clock, puller) = (self.teller.clone(), self.world.clock.clone(), host.clone());
        let told = Mutex::new(began);
        let sent = Arc::new(move |sent| {
            let now = clock.elapsed();
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if now.saturating_sub(*told) >= PACE {
                *told = now;
                teller.emit(EventKind::Pulling { host: puller.clone(), sent });
            }
        });
        match self.guard(host, serving.reach(host, access, sent)).await? {
            Ok(reached) => {
                self.round_trip(host, "reach", began);
                Ok(RegistryReach::Open(reached))
            }
            Err(ReachError::Refused(why)) => Ok(RegistryReach::Closed(why)),
            Err(ReachError::Transport(error)) => Err(error.into()),
        }
    }

    /// The connection to a host, opened when it is first needed.
    ///
    /// # Errors
    ///
    /// When the host cannot be reached, or the request to stop comes.
    pub async fn connect(&self, host: &HostName) -> Result<Arc<dyn Exec>, HostError> {
        let began = self.world.clock.elapsed();
        let exec = self.guard(host, self.world.ssh.connect(host)).await??;
        let first = self.connected.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone());
        if first {
            let took = self.since(began);
            self.emit(EventKind::Connected { host: host.clone(), took });
        }
        Ok(exec)
    }

    /// Tells that something happened, without secrets.
    pub fn emit(&self, event: EventKind) {
        self.teller.emit(event);
    }

    /// Who tells what happens here.
    #[must_use]
    pub fn teller(&self) -> &Teller {
        &self.teller
    }

    /// A copy of this fleet that no request stops any more: for putting things right after one.
    #[must_use]
    pub(crate) fn unstoppable(&self) -> Self {
        let connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self {
            config: self.config,
            world: self.world,
            performer: self.performer,
            cancel: Cancel::never(),
            teller: self.teller.clone(),
            connected: Mutex::new(connected),
            keyring: Mutex::new(self.keyring()),
        }
    }

    /// The secrets that were looked up for what is done here.
    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        self.keyring.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the secrets of what is done next.
    pub(crate) fn take_keys(&self, keyring: Keyring) {
        *self.keyring.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
    }

    fn render<'r>(&'r self, keyring: &'r Keyring) -> Render<'r> {
        Render::new(self.config, keyring, self.world, self.performer)
    }

    fn observation(&self) -> Script {
        Script::read("observe", self.world.docker.observe(self.config))
    }

    fn parse(&self, host: &HostName, printed: &str) -> Result<HostState, HostError> {
        let unreadable = |source| HostError::Unreadable { host: host.clone(), source };
        self.world.docker.parse(self.config, host, printed).map_err(unreadable)
    }

    async fn guard<T>(&self, host: &HostName, work: impl Future<Output = T> + Send) -> Result<T, HostError> {
        self.cancel.guard(work).await.ok_or_else(|| HostError::Cancelled { host: host.clone() })
    }

    fn since(&self, began: Duration) -> Duration {
        self.world.clock.elapsed().saturating_sub(began)
    }

    fn round_trip(&self, host: &HostName, label: &str, began: Duration) {
        let took = self.since(began);
        self.emit(EventKind::RoundTrip { host: host.clone(), label: label.to_owned(), took });
    }

    async fn batch(
        &self,
        host: &HostName,
        label: &str,
        steps: &[Step],
        then: Option<Fragment>,
        progress: Progress<'_>,
        captured: &mut Vec<u8>,
    ) -> Result<(), HostError> {
        let keyring = self.keyring();
        let cx = self.render(&keyring);
        let mut fragments = Vec::with_capacity(steps.len() + 1);
        for step in steps {
            let text = render::step(self.world, step, &cx)
                .map_err(|source| HostError::Render { host: host.clone(), source })?;
            fragments.push(Fragment { text, tolerant: step.is_tolerant() });
        }
        let commands: Vec<String> = fragments.iter().map(|fragment| fragment.text.to_string()).collect();
        let nonce = self.world.entropy.hex(16);
        let batch = Batch { nonce: nonce.clone(), steps: steps.to_vec(), observes: then.is_some() };
        fragments.extend(then);
        let script = batch::script(label, batch, &fragments);
        let mut watch = Watch {
            fleet: self,
            host,
            steps,
            commands: &commands,
            progress,
            captured,
            printing: Default::default(),
            current: None,
            failed: None,
        };
        let mut decoder = Decoder::new(&nonce);
        let exit = self.exec(host, &script, &mut |chunk| decoder.feed(chunk, &mut |signal| watch.take(signal))).await;
        decoder.finish(&mut |signal| watch.take(signal));
        watch.end(exit?)
    }
}

/// Turns the signals of a running script into events and, at its end, into a result.
struct Watch<'w, 'a> {
    fleet: &'w Fleet<'a>,
    host: &'w HostName,
    steps: &'w [Step],
    commands: &'w [String],
    progress: Progress<'w>,
    captured: &'w mut Vec<u8>,
    /// Unfinished lines of standard output and standard error, and whose they are.
    printing: [(Option<usize>, Lines); 2],
    current: Option<Current>,
    failed: Option<(usize, i32, Tail)>,
}

struct Current {
    fragment: usize,
    began: Duration,
    tail: Tail,
    /// Layers of an image that is fetched, and whether the host has them by now.
    layers: BTreeMap<String, bool>,
}

impl Watch<'_, '_> {
    fn take(&mut self, signal: Signal) {
        match signal {
            Signal::Started(fragment) => {
                let began = self.fleet.world.clock.elapsed();
                self.current = Some(Current { fragment, began, tail: Tail::default(), layers: BTreeMap::new() });
                if let Some(step) = self.steps.get(fragment) {
                    (self.progress)(fragment, None);
                    self.fleet.emit(EventKind::StepStarted {
                        host: Some(self.host.clone()),
                        step: step.to_string(),
                        command: self.commands.get(fragment).cloned().unwrap_or_default(),
                    });
                }
            }
            Signal::Printed { fragment, bytes, error } => self.printed(fragment, &bytes, error),
            Signal::Finished { fragment, status } => self.finished(fragment, status),
        }
    }

    fn printed(&mut self, fragment: Option<usize>, bytes: &[u8], error: bool) {
        if fragment.is_some_and(|fragment| fragment >= self.steps.len()) {
            if !error {
                self.captured.extend_from_slice(bytes);
            }
            return;
        }
        let stream = usize::from(error);
        if self.printing[stream].0 != fragment {
            self.flush();
            self.printing[stream].0 = fragment;
        }
        let mut lines = std::mem::take(&mut self.printing[stream].1);
        lines.feed(bytes, &mut |line| self.line(line, error));
        self.printing[stream].1 = lines;
    }

    /// Hands on lines that will have no end.
    fn flush(&mut self) {
        for stream in 0..2 {
            let mut lines = std::mem::take(&mut self.printing[stream].1);
            lines.end(&mut |line| self.line(line, stream == 1));
        }
    }

    fn line(&mut self, line: &str, error: bool) {
        match &mut self.current {
            Some(current) => current.tail.push(line),
            // Printed by the shell itself: the script could not even be read.
            None => self.failed.get_or_insert_with(|| (0, 2, Tail::default())).2.push(line),
        }
        let speaks = |current: &Current| self.steps.get(current.fragment).is_some_and(Step::speaks);
        if self.current.as_ref().is_some_and(speaks) {
            self.fleet.emit(EventKind::say(format!("  {line}")));
        } else if !line.is_empty() {
            self.fleet.emit(EventKind::Output { host: Some(self.host.clone()), line: line.to_owned(), error });
            self.progress(line);
        }
    }

    /// Tells how many layers of an image are there, whenever that changes.
    fn progress(&mut self, line: &str) {
        let Some(current) = &mut self.current else { return };
        let step = self.steps.get(current.fragment);
        let Some(layer) = step.and_then(|step| self.fleet.world.docker.layer(step, line)) else { return };
        if current.layers.insert(layer.id, layer.here) != Some(layer.here) {
            let done = current.layers.values().filter(|here| **here).count() as u64;
            let total = current.layers.len() as u64;
            let what = "layers of the image".to_owned();
            self.fleet.emit(EventKind::Progress { host: Some(self.host.clone()), what, done, total });
        }
    }

    fn finished(&mut self, fragment: usize, status: i32) {
        self.flush();
        let Some(current) = self.current.take() else { return };
        let Some(step) = self.steps.get(fragment) else { return };
        (self.progress)(fragment, Some(status));
        let outcome = match status {
            0 => Outcome::Ok,
            _ if step.is_tolerant() => Outcome::Ignored,
            _ => Outcome::Failed(format!("exit status {}", Exit(status))),
        };
        if matches!(outcome, Outcome::Failed(_)) {
            self.failed = Some((fragment, status, current.tail));
        }
        let took = self.fleet.since(current.began);
        self.fleet.emit(EventKind::StepFinished {
            host: Some(self.host.clone()),
            step: step.to_string(),
            outcome,
            took,
        });
    }

    fn end(mut self, exit: Exit) -> Result<(), HostError> {
        self.flush();
        if exit.success() {
            return Ok(());
        }
        // A step that ended the shell itself has no end marker.
        if let Some(current) = self.current.take() {
            (self.progress)(current.fragment, Some(exit.0));
            self.failed = Some((current.fragment, exit.0, current.tail));
        }
        let (fragment, status, output) = self.failed.take().unwrap_or((0, exit.0, Tail::default()));
        let output = output.text();
        let failed = self.steps.get(fragment);
        let step = failed.map_or_else(|| "run the script".to_owned(), ToString::to_string);
        let fault = failed.map_or(StepFault::Other, |step| self.fault(step, status, &output));
        Err(HostError::Step { host: self.host.clone(), step, status, output, diagnosis: None, fault })
    }

    fn fault(&self, step: &Step, status: i32, output: &str) -> StepFault {
        match self.fleet.world.docker.fault(step, status, output) {
            StepFault::Other if step.awaits_health() => StepFault::Unhealthy,
            fault => fault,
        }
    }
}

/// All results, or all errors.
pub(crate) fn gather<T>(results: Vec<Result<T, HostError>>) -> Result<Vec<T>, Error> {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.push(error),
        }
    }
    Error::of_hosts(errors).map_or(Ok(values), Err)
}
