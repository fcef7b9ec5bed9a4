//! A connection to a simulated host. It acts out the steps a script was made of one by one, with the markers a shell
//! would print, and stops at the first failure as the shell would.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    EffectKind, How, SimFleet, SimHost,
    dialect::OBSERVE,
    host::{Around, Ended},
    invariants,
    registry::ARCHIVE,
    sim::State,
};
use crate::{
    batch::{Batch, begin_marker, end_marker},
    name::{ContainerName, HostName},
    ports::{Chunk, Clock, Exec, Exit, TransportError, TransportErrorKind},
    query::Query,
    shell::Script,
    state::ContainerState,
    step::Step,
};

/// One way to a host and back.
const ROUND_TRIP: Duration = Duration::from_millis(20);
/// How long docker takes from creating a container to starting it, at its slowest.
const BETWEEN: Duration = Duration::from_millis(160);
/// How long docker takes to restart.
const RESTART: Duration = Duration::from_secs(3);
/// What docker's client says meanwhile.
pub(super) const AWAY: &str =
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
/// How many bytes go to a host in a second.
const UPLINK: usize = 10_000_000;

/// A connection.
#[derive(Debug)]
pub(super) struct SimExec {
    fleet: SimFleet,
    host: HostName,
}

type Output<'o> = &'o mut (dyn for<'c> FnMut(Chunk<'c>) + Send);

/// What a script, or a part of one, does.
#[derive(Clone, Debug)]
enum Deed {
    Step(Step),
    /// Prints the host as it is, for this service, destination and lock.
    Observe(Observed),
    Query(Query),
    /// With the image it is an archive of, its name and its id.
    Upload(String, u32, Option<(String, String)>),
}

/// What an observation asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) service: String,
    pub(super) destination: String,
    pub(super) lock: String,
    /// The services of accessories.
    pub(super) accessories: Vec<String>,
}

impl SimExec {
    pub(super) fn new(fleet: SimFleet, host: HostName) -> Self {
        Self { fleet, host }
    }

    async fn batch(&self, batch: &Batch, text: &str, output: Output<'_>) -> Result<Exit, TransportError> {
        let observe = batch.observes.then(|| observation(text)).flatten().map(|deed| (deed, true));
        let deeds = batch.steps.iter().map(|step| (Deed::Step(step.clone()), step.is_tolerant()));
        for (i, (deed, tolerant)) in deeds.chain(observe).enumerate() {
            mark(output, &begin_marker(&batch.nonce, i));
            let ended = self.effect(deed).await?;
            let status = print(output, &ended);
            mark(output, &end_marker(&batch.nonce, i, status));
            if status != 0 && !tolerant {
                return Ok(Exit(status));
            }
        }
        Ok(Exit(0))
    }

    /// One effect, which may be the one that goes wrong.
    async fn effect(&self, deed: Deed) -> Result<Ended, TransportError> {
        if self.fleet.state().unplugged.contains(&self.host) {
            return Err(self.lost("no answer"));
        }
        let what = deed.to_string();
        let kind = if let Deed::Upload(..) = deed { EffectKind::Upload } else { EffectKind::Run };
        let how = self.fleet.enter(Some(&self.host), kind, &what);
        match how {
            Some(How::LostBefore | How::Unplugged) => return Err(self.lost(&what)),
            // Nobody is there any more who could send it.
            Some(How::Killed) => std::future::pending().await,
            Some(How::Fails) => {
                self.fleet.0.clock.sleep(Duration::from_millis(1)).await;
                return Ok(Err((1, "it was made to fail".to_owned())));
            }
            Some(How::DockerRestarts) => self.restart(),
            _ => {}
        }
        let needs_docker = deed.needs_docker();
        let takes = self.takes(&deed);
        let due = self.fleet.0.clock.elapsed() + takes;
        let mut flight = Flight { exec: self, deed: Some(deed), due };
        self.fleet.0.clock.sleep(takes).await;
        let ended = flight.deed.take().map_or_else(|| Ok(String::new()), |deed| do_it(&self.fleet, &self.host, &deed));
        match how {
            Some(How::LostAfter) => Err(self.lost(&what)),
            Some(How::DockerRestartsLate) => {
                self.restart();
                Ok(if needs_docker { Err((1, AWAY.to_owned())) } else { ended })
            }
            _ => Ok(ended),
        }
    }

    /// Docker goes away for a while. What runs comes back with it.
    fn restart(&self) {
        let back = self.fleet.0.clock.elapsed() + RESTART;
        self.fleet.state().away.insert(self.host.clone(), back);
    }

    fn takes(&self, deed: &Deed) -> Duration {
        let state = self.fleet.state();
        let pace = Duration::from_millis(state.pace());
        match deed {
            Deed::Step(step) if state.hosts[&self.host].waits_in_vain(step, &state.sick) => match step {
                Step::SwitchTraffic(route) | Step::AwaitHealthy(route) | Step::StartRollout(route) => {
                    Duration::from_secs(route.deploy_timeout)
                }
                Step::AwaitReady { timeout, .. } => Duration::from_secs(*timeout),
                _ => pace,
            },
            Deed::Step(Step::Watch { guard, .. }) => guard.window,
            Deed::Step(Step::AwaitReady { delay, .. }) => Duration::from_secs(*delay) + pace,
            Deed::Step(Step::Pull { .. } | Step::SwitchTraffic(_) | Step::Stop { .. }) => 10 * pace,
            _ => pace,
        }
    }

    fn lost(&self, what: &str) -> TransportError {
        self.fleet.state().connected.remove(&self.host);
        TransportError::new(&self.host, TransportErrorKind::Lost(what.to_owned()))
    }
}

#[async_trait]
impl Exec for SimExec {
    fn host(&self) -> &HostName {
        &self.host
    }

    async fn exec(&self, script: &Script, output: Output<'_>) -> Result<Exit, TransportError> {
        self.fleet.0.clock.sleep(ROUND_TRIP / 2).await;
        let text = script.text().to_string();
        let exit = match script.batch() {
            Some(batch) => self.batch(batch, &text, output).await?,
            None => Exit(print(output, &self.effect(deed(script, &text)).await?)),
        };
        self.fleet.0.clock.sleep(ROUND_TRIP / 2).await;
        Ok(exit)
    }

    async fn upload_watched(
        &self,
        content: &[u8],
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError> {
        self.fleet.0.clock.sleep(ROUND_TRIP).await;
        let mut gone = 0;
        for piece in content.chunks(UPLINK / 10) {
            self.fleet.0.clock.sleep(Duration::from_millis(100)).await;
            gone += piece.len() as u64;
            sent(gone);
        }
        let text = std::str::from_utf8(content).ok().and_then(|text| text.strip_prefix(ARCHIVE)?.split_once(' '));
        let image = text.map(|(image, id)| (image.to_owned(), id.to_owned()));
        let done = self.effect(Deed::Upload(to.to_owned(), mode, image)).await?;
        let refused = |(_, message)| TransportError::new(&self.host, TransportErrorKind::Protocol(message));
        done.map(drop).map_err(refused)
    }
}

/// A deed under way. When nobody listens any more it may still come to its end.
struct Flight<'e> {
    exec: &'e SimExec,
    deed: Option<Deed>,
    due: Duration,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let Some(deed) = self.deed.take().filter(|_| self.exec.fleet.state().late) else { return };
        let (fleet, host) = (self.exec.fleet.clone(), self.exec.host.clone());
        let clock = fleet.0.clock.clone();
        clock.after(self.due.saturating_sub(clock.elapsed()), move || match &deed {
            Deed::Step(Step::Start(run)) => start_in_two(&fleet, &host, &deed, &run.name),
            _ => drop(do_it(&fleet, &host, &deed)),
        });
    }
}

/// Creating and starting a container are two requests to docker: who looks in between finds one that does not run yet.
fn start_in_two(fleet: &SimFleet, host: &HostName, start: &Deed, name: &ContainerName) {
    if do_it(fleet, host, start).is_err() {
        return;
    }
    let mut state = fleet.state();
    let Some(created) = state.hosts.get_mut(host).and_then(|host| host.named(name).ok()) else { return };
    created.state = ContainerState::Created;
    let id = created.id.clone();
    drop(state);
    let (later, host) = (fleet.clone(), host.clone());
    fleet.0.clock.after(BETWEEN, move || {
        let mut state = later.state();
        let containers = state.hosts.get_mut(&host).into_iter().flat_map(|host| &mut host.containers);
        for created in containers.filter(|found| found.id == id && found.state == ContainerState::Created) {
            created.state = ContainerState::Running;
        }
    });
}

fn do_it(fleet: &SimFleet, host: &HostName, deed: &Deed) -> Ended {
    let mut state = fleet.state();
    let ended = match deed {
        Deed::Step(step) => act(&mut state, host, step),
        Deed::Query(query) if state.is_away(host) && !matches!(query, Query::Shell { .. }) => Err((1, AWAY.to_owned())),
        Deed::Query(Query::PostMortem { container, stop, .. }) => {
            let evidence = state.evidence(host, container);
            if stop.is_some() {
                // Without complaint.
                drop(act(
                    &mut state,
                    host,
                    &Step::Stop { container: container.clone(), timeout: None, tolerant: true },
                ));
            }
            Ok(serde_json::to_string(&evidence).unwrap_or_default())
        }
        _ => {
            let elapsed = fleet.0.clock.elapsed();
            if let (Deed::Observe(asked), true) = (deed, state.is_away(host)) {
                return Ok(state.hosts[host].without_docker().told(host, asked, elapsed).to_string());
            }
            let machine = state.hosts.entry(host.clone()).or_default();
            other(machine, host, deed, elapsed)
        }
    };
    invariants::after(&mut state, host);
    ended
}

fn act(state: &mut State, host: &HostName, step: &Step) -> Ended {
    invariants::before(state, host, step);
    let fresh_id = state.fresh_id();
    let (now, elapsed, away) = (state.now(), state.elapsed(), state.is_away(host));
    let State { hosts, registry, sick, bad, reached, led, relayed, pulls, .. } = state;
    let reaches = reached.get(host).is_some_and(|ways| *ways > 0);
    let led = led.contains(host) && hosts.values().any(|host| host.relays);
    let ended = hosts
        .entry(host.clone())
        .or_default()
        .act(step, &Around { reaches, led, registry, sick, bad, fresh_id, now, elapsed, away });
    if let (Step::Pull { image, .. }, Ok(_)) = (step, &ended)
        && image.starts_with("localhost:")
        && (!led || relayed.insert(image.to_string()))
    {
        *pulls += 1;
    }
    ended
}

fn other(machine: &mut SimHost, host: &HostName, deed: &Deed, elapsed: Duration) -> Ended {
    match deed {
        Deed::Observe(asked) => Ok(machine.told(host, asked, elapsed).to_string()),
        Deed::Query(query) => machine.answer(query),
        Deed::Upload(path, mode, image) => {
            machine.files.insert(path.clone(), *mode);
            machine.archives.extend(image.clone().map(|image| (path.clone(), image)));
            Ok(String::new())
        }
        Deed::Step(step) => Err((126, format!("no simulated host can {step}"))),
    }
}

/// What a script does that was not made of steps. One that nothing is known of is a fault of whoever sends it.
fn deed(script: &Script, text: &str) -> Deed {
    match script.query() {
        Some(Query::Survey) => observation(text).unwrap_or(Deed::Query(Query::Survey)),
        Some(query) => Deed::Query(query.clone()),
        None => observation(text).unwrap_or_else(|| panic!("no simulated host understands the script {text:?}")),
    }
}

/// The observation in a script's text.
fn observation(text: &str) -> Option<Deed> {
    let line = text.lines().find_map(|line| line.strip_prefix(OBSERVE))?;
    let mut words = line.trim_start().split(' ').map(str::to_owned);
    let mut next = || words.next().unwrap_or_default();
    let (service, destination, lock) = (next(), next(), next());
    Some(Deed::Observe(Observed { service, destination, lock, accessories: words.collect() }))
}

fn mark(output: Output<'_>, marker: &str) {
    output(Chunk::Stdout(marker.as_bytes()));
    output(Chunk::Stderr(marker.as_bytes()));
}

fn print(output: Output<'_>, ended: &Ended) -> i32 {
    match ended {
        Ok(printed) => {
            output(Chunk::Stdout(printed.as_bytes()));
            0
        }
        Err((status, printed)) => {
            output(Chunk::Stderr(printed.as_bytes()));
            *status
        }
    }
}

impl Deed {
    /// Whether docker has a part in it.
    fn needs_docker(&self) -> bool {
        match self {
            Self::Step(step) => SimHost::needs_docker(step),
            Self::Observe(_) | Self::Upload(..) => false,
            Self::Query(query) => !matches!(query, Query::Shell { .. }),
        }
    }
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Step(step) => write!(f, "{step}"),
            Self::Observe(_) => f.write_str("observe"),
            Self::Query(query) => write!(f, "{query}"),
            Self::Upload(path, ..) => write!(f, "upload {path}"),
        }
    }
}
