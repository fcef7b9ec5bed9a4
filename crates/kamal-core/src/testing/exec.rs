//! A connection to a simulated host. It acts out the steps a script was made of one by one, with the markers a shell
//! would print, and stops at the first failure as the shell would.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    EffectKind, How, SimFleet, SimHost,
    dialect::OBSERVE,
    host::{Around, Ended},
    invariants,
    sim::State,
};
use crate::{
    batch::{Batch, begin_marker, end_marker},
    name::{ContainerName, HostName},
    ports::{Chunk, Clock, Exec, Exit, TransportError, TransportErrorKind},
    render::tolerant,
    shell::Script,
    step::Step,
};

/// One way to a host and back.
const ROUND_TRIP: Duration = Duration::from_millis(20);
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
    /// Prints the host as it is, for this service and lock.
    Observe(String, String),
    LookForDocker,
    InstallDocker,
    /// Prints the lock's details.
    LockStatus,
    /// Stops containers, without complaint.
    StopAll(Vec<ContainerName>),
    Upload(String, u32),
}

impl SimExec {
    pub(super) fn new(fleet: SimFleet, host: HostName) -> Self {
        Self { fleet, host }
    }

    async fn batch(&self, batch: &Batch, text: &str, output: Output<'_>) -> Result<Exit, TransportError> {
        let observe = batch.observes.then(|| (observation(text), true));
        let deeds = batch.steps.iter().map(|step| (Deed::Step(step.clone()), tolerant(step)));
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
            Some(How::Fails) => {
                self.fleet.0.clock.sleep(Duration::from_millis(1)).await;
                return Ok(Err((1, "it was made to fail".to_owned())));
            }
            _ => {}
        }
        let takes = self.takes(&deed);
        let due = self.fleet.0.clock.elapsed() + takes;
        let mut flight = Flight { exec: self, deed: Some(deed), due };
        self.fleet.0.clock.sleep(takes).await;
        let ended = flight.deed.take().map_or_else(|| Ok(String::new()), |deed| do_it(&self.fleet, &self.host, &deed));
        if how == Some(How::LostAfter) { Err(self.lost(&what)) } else { Ok(ended) }
    }

    fn takes(&self, deed: &Deed) -> Duration {
        let state = self.fleet.state();
        let pace = Duration::from_millis(state.pace());
        match deed {
            Deed::Step(step) if state.hosts[&self.host].waits_in_vain(step, &state.sick) => match step {
                Step::SwitchTraffic(route) => Duration::from_secs(route.deploy_timeout),
                Step::AwaitReady { timeout, .. } => Duration::from_secs(*timeout),
                _ => pace,
            },
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
            None => Exit(print(output, &self.effect(deed(script.label(), &text)).await?)),
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
        let done = self.effect(Deed::Upload(to.to_owned(), mode)).await?;
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
        clock.after(self.due.saturating_sub(clock.elapsed()), move || drop(do_it(&fleet, &host, &deed)));
    }
}

fn do_it(fleet: &SimFleet, host: &HostName, deed: &Deed) -> Ended {
    let mut state = fleet.state();
    let ended = match deed {
        Deed::Step(step) => act(&mut state, host, step),
        Deed::StopAll(containers) => {
            for container in containers {
                drop(act(&mut state, host, &Step::Stop { container: container.clone(), timeout: None }));
            }
            Ok(String::new())
        }
        _ => {
            let machine = state.hosts.entry(host.clone()).or_default();
            other(machine, host, deed)
        }
    };
    invariants::after(&mut state, host);
    ended
}

fn act(state: &mut State, host: &HostName, step: &Step) -> Ended {
    invariants::before(state, host, step);
    let fresh_id = state.fresh_id();
    let State { hosts, registry, sick, .. } = state;
    hosts.entry(host.clone()).or_default().act(step, &Around { registry, sick, fresh_id })
}

fn other(machine: &mut SimHost, host: &HostName, deed: &Deed) -> Ended {
    match deed {
        Deed::Observe(service, lock) => {
            return Ok(serde_json::to_string(&machine.observed(host, service, lock)).unwrap_or_default());
        }
        Deed::LookForDocker if !machine.docker => return Err((1, String::new())),
        Deed::InstallDocker => machine.docker = true,
        Deed::LockStatus => return machine.locks.values().next().cloned().ok_or((1, String::new())),
        Deed::Upload(path, mode) => drop(machine.files.insert(path.clone(), *mode)),
        Deed::LookForDocker | Deed::Step(_) | Deed::StopAll(_) => {}
    }
    Ok(String::new())
}

/// What a script does that was not made of steps.
fn deed(label: &str, text: &str) -> Deed {
    match label {
        "observe" => observation(text),
        "look for docker" => Deed::LookForDocker,
        "install docker" => Deed::InstallDocker,
        "lock status" => Deed::LockStatus,
        _ => {
            let stopped = |line: &str| {
                let words = line.strip_prefix("docker stop ")?.split_whitespace();
                let mut words = words.skip_while(|word| *word == "-t" || word.parse::<u64>().is_ok());
                words.next()?.parse().ok()
            };
            Deed::StopAll(text.lines().filter_map(stopped).collect())
        }
    }
}

/// The observation in a script's text.
fn observation(text: &str) -> Deed {
    let line = text.lines().find_map(|line| line.strip_prefix(OBSERVE)).unwrap_or_default();
    let mut words = line.split_whitespace().map(str::to_owned);
    Deed::Observe(words.next().unwrap_or_default(), words.next().unwrap_or_default())
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

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Step(step) => write!(f, "{step}"),
            Self::Observe(..) => f.write_str("observe"),
            Self::LookForDocker => f.write_str("look for docker"),
            Self::InstallDocker => f.write_str("install docker"),
            Self::LockStatus => f.write_str("lock status"),
            Self::StopAll(containers) => write!(f, "stop {containers:?} without complaint"),
            Self::Upload(path, _) => write!(f, "upload {path}"),
        }
    }
}
