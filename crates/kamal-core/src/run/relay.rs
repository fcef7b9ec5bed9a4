//! Layers that hosts get from one of them, so that each leaves this machine once. It is for speed alone: whoever does not
//! get a layer there gets it from here.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::{Either, select};

use super::{Cx, ship};
use crate::{
    error::{Error, HostError},
    event::{EventKind, Tone},
    name::{HostName, ImageRef},
    plan::HostWork,
    ports::{Reached, Relay, Relaying, Serving},
    secret::Secret,
    state::HostState,
    step::Step,
};

/// How long the host may take to show itself, once its container runs.
const PATIENCE: Duration = Duration::from_secs(10);

/// By what hosts reach the registry on this machine, for as long as they pull.
#[derive(Debug, Default)]
pub(super) struct Ways {
    _reached: Vec<Reached>,
    led: Option<Led>,
}

/// Hosts that are led to one of them.
#[derive(Debug)]
pub(super) struct Led {
    relaying: Arc<dyn Relaying>,
    asked: Asked,
    hosts: Vec<HostName>,
    /// Those that pull anew, from here.
    turned: Mutex<BTreeSet<HostName>>,
}

/// The host that is to hand layers on.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) host: HostName,
    at: SocketAddr,
    image: ImageRef,
}

impl Asked {
    /// Takes the step out of what hosts do: it is done before any of it.
    pub(super) fn take(works: &mut [HostWork]) -> Option<Self> {
        let mut asked = None;
        for work in works {
            work.steps.retain(|step| {
                let Step::RelayLayers { at, image, .. } = step else { return true };
                asked = Some(Self { host: work.host.clone(), at: *at, image: image.clone() });
                false
            });
        }
        asked
    }

    /// Has it hand layers on to hosts that reach the registry by now, it among them. Where it cannot, that is told, and they
    /// are led nowhere.
    pub(super) async fn begin(
        self,
        cx: &Cx<'_>,
        serving: &dyn Serving,
        states: &[HostState],
        hosts: &[HostName],
        needed: u64,
    ) -> Result<Option<Led>, Error> {
        let why = if !hosts.contains(&self.host) {
            "it does not reach the registry on this machine".to_owned()
        } else if is_tight(states, &self.host, needed) {
            // What it hands on lies there beside what it unpacks.
            "there is too little room for docker there".to_owned()
        } else {
            match self.start(cx, serving, states).await {
                Ok(Some(relaying)) => {
                    let (hosts, turned) = (hosts.to_vec(), Mutex::default());
                    return Ok(Some(Led { relaying, asked: self, hosts, turned }));
                }
                Ok(None) => format!("it was not heard of from {}", self.at),
                Err(HostError::Step { output, .. }) => {
                    output.lines().last().unwrap_or("the program on it failed").to_owned()
                }
                Err(error @ HostError::Archive { .. }) => error.to_string(),
                Err(error) => return Err(Error::Hosts(vec![error])),
            }
        };
        let text = format!("{} does not hand layers on ({why}); all hosts get them from this machine", self.host);
        cx.fleet.emit(EventKind::tell(Tone::Warning, text));
        Ok(None)
    }

    async fn start(
        &self,
        cx: &Cx<'_>,
        serving: &dyn Serving,
        states: &[HostState],
    ) -> Result<Option<Arc<dyn Relaying>>, HostError> {
        let (host, fleet) = (&self.host, &cx.fleet);
        let token = Secret::new(fleet.world.entropy.hex(32));
        fleet.world.redactor.learn(&token);
        let Some(relaying) = serving.expect(Relay::new(self.at, token.clone())) else { return Ok(None) };
        let has_image = states.iter().any(|state| state.host == *host && state.has_image(&self.image));
        let image = cx.proxy_images.iter().find(|image| image.reference == self.image);
        if let Some(image) = image.filter(|_| !has_image) {
            ship::hand(fleet, host, image).await?;
        }
        let step = Step::RelayLayers { at: self.at, image: self.image.clone(), token: Some(token) };
        fleet.run(host, "relay", &[step], &mut |_, _| {}).await?;
        let shown = select(relaying.shown(), fleet.world.clock.sleep(PATIENCE));
        let shown = fleet.cancel.guard(shown).await.map(|first| matches!(first, Either::Left(_)));
        let shown = shown.ok_or_else(|| HostError::Cancelled { host: host.clone() })?;
        Ok(Some(relaying).filter(|_| shown))
    }
}

/// Whether a host tells that it has no room for so much twice.
fn is_tight(states: &[HostState], host: &HostName, needed: u64) -> bool {
    let state = states.iter().find(|state| state.host == *host);
    state.and_then(|state| state.machine.free).is_some_and(|free| free < needed.saturating_mul(2))
}

impl Ways {
    pub(super) fn new(reached: Vec<Reached>, led: Option<Led>) -> Self {
        Self { _reached: reached, led }
    }

    /// Whether a host that failed is to pull once more, all of it from this machine: what it was led to may be why.
    pub(super) fn turns_back(&self, work: &HostWork, result: &Result<(), HostError>) -> bool {
        let Some(led) = &self.led else { return false };
        let pulls = work.steps.iter().any(|step| matches!(step, Step::Pull { .. }));
        if !pulls || !matches!(result, Err(HostError::Step { .. })) || !led.hosts.contains(&work.host) {
            return false;
        }
        led.relaying.leave(&work.host);
        led.turned.lock().unwrap_or_else(PoisonError::into_inner).insert(work.host.clone())
    }

    /// Tells who did not get all layers from the host they were led to.
    pub(super) fn tell(&self, cx: &Cx<'_>) {
        let Some(Led { relaying, asked, hosts, turned }) = &self.led else { return };
        let turned = turned.lock().unwrap_or_else(PoisonError::into_inner);
        for host in hosts.iter().filter(|host| turned.contains(*host) || relaying.came_back(host)) {
            let text = format!(
                "{host} did not get all layers from {} at {}; they came from this machine",
                asked.host, asked.at
            );
            cx.fleet.emit(EventKind::tell(Tone::Warning, text));
        }
    }
}
