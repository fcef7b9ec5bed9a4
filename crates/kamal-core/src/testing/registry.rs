//! The registry on the simulated machine: images go into it while it is served, and hosts pull from it while they reach it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use super::{EffectKind, How, SimFleet};
use crate::{
    name::{HostName, ImageRef},
    ports::{
        Access, Clock, Content, LocalRegistry, Pieces, ReachError, Reached, RegistryError, Relay, Relaying, Sent,
        Serving, StoredImage, TransportError, TransportErrorKind,
    },
    state::Image,
};

/// The registry, which shares its images with the fleet's.
#[derive(Clone, Debug)]
pub struct SimRegistry(pub(super) SimFleet);

/// Served until it is dropped.
#[derive(Debug)]
struct Served(SimFleet);

/// Reached until it is dropped.
#[derive(Debug)]
struct SimTunnel(SimFleet, HostName);

/// Leads hosts to one of them until it is dropped.
#[derive(Debug)]
struct SimRelaying(SimFleet);

/// A part of an archive.
#[derive(Debug)]
struct Text(String);

/// What the part before the last holds.
const LAYERS: &str = "sim layers";

/// What the last part of an archive begins with, before an image's name and its id.
pub(super) const ARCHIVE: &str = "sim image ";

#[async_trait]
impl LocalRegistry for SimRegistry {
    async fn start(&self, port: u16) -> Result<Arc<dyn Serving>, RegistryError> {
        let how = self.0.enter(None, EffectKind::Local, "serve the registry");
        self.0.0.clock.sleep(Duration::from_millis(1)).await;
        if how == Some(How::Fails) {
            return Err(RegistryError::PortTaken { port });
        }
        self.0.state().served += 1;
        Ok(Arc::new(Served(self.0.clone())))
    }
}

#[async_trait]
impl Serving for Served {
    async fn reach(&self, host: &HostName, _access: Access, sent: Sent) -> Result<Reached, ReachError> {
        let how = self.0.enter(Some(host), EffectKind::Reach, "reach the registry");
        self.0.0.clock.sleep(Duration::from_millis(20)).await;
        let problem = |text: &str| TransportError::new(host, TransportErrorKind::Network(text.to_owned()));
        match how {
            Some(How::Fails) => return Err(ReachError::Refused(format!("{host} was made to refuse"))),
            Some(How::LostBefore) => return Err(problem("connection reset by peer").into()),
            _ => {}
        }
        let mut state = self.0.state();
        if state.unplugged.contains(host) {
            return Err(problem("no route to host").into());
        }
        if state.hosts.get(host).is_some_and(|host| host.forbids_forwarding) {
            return Err(ReachError::Refused(format!("{host} forbids port forwarding")));
        }
        *state.reached.entry(host.clone()).or_default() += 1;
        let size = state.image_size;
        drop(state);
        sent(size);
        Ok(Box::new(SimTunnel(self.0.clone(), host.clone())))
    }

    async fn look_up(&self, image: &ImageRef) -> Result<Option<StoredImage>, RegistryError> {
        let state = self.0.state();
        let arches = vec!["amd64".to_owned()];
        Ok(state.registry.get(image.as_str()).map(|id| StoredImage { digest: id.clone(), arches }))
    }

    async fn room(&self, _image: &ImageRef, _arch: &str, held: &str) -> Result<Option<u64>, RegistryError> {
        // What a simulated host prints of its layers is that it has them.
        let size = self.0.state().image_size;
        Ok(Some(if held.is_empty() { size } else { size / 10 }))
    }

    async fn archives(
        &self,
        image: &ImageRef,
        _arch: &str,
        _held: &str,
    ) -> Result<Vec<Box<dyn Content>>, RegistryError> {
        let state = self.0.state();
        let id = state.registry.get(image.as_str()).ok_or_else(|| RegistryError::Missing { image: image.clone() })?;
        Ok(vec![Box::new(Text(LAYERS.to_owned())), Box::new(Text(format!("{ARCHIVE}{image} {id}")))])
    }

    async fn difference(
        &self,
        image: &ImageRef,
        arch: &str,
        there: &[Image],
    ) -> Result<Option<Box<dyn Content>>, RegistryError> {
        let new = self.0.state().image_size / 10;
        if there.is_empty() || new == 0 || new > LITTLE {
            return Ok(None);
        }
        Ok(self.archives(image, arch, "").await?.pop())
    }

    fn expect(&self, _relay: Relay) -> Option<Arc<dyn Relaying>> {
        let mut state = self.0.state();
        state.led = state.reached.iter().filter(|(_, ways)| **ways > 0).map(|(host, _)| host.clone()).collect();
        Some(Arc::new(SimRelaying(self.0.clone())))
    }
}

/// How much less than this is handed over.
const LITTLE: u64 = 10_000_000;

impl Content for Text {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self) -> Pieces<'_> {
        stream::iter(self.0.as_bytes().chunks(4).map(|piece| Ok(piece.to_vec()))).boxed()
    }
}

#[async_trait]
impl Relaying for SimRelaying {
    async fn shown(&self) {
        while !self.0.state().hosts.values().any(|host| host.relays) {
            self.0.0.clock.sleep(Duration::from_millis(10)).await;
        }
    }

    fn leave(&self, host: &HostName) {
        self.0.state().led.remove(host);
    }

    fn came_back(&self, _host: &HostName) -> bool {
        false
    }
}

impl Drop for SimRelaying {
    fn drop(&mut self) {
        self.0.state().led.clear();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.state().served -= 1;
    }
}

impl Drop for SimTunnel {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let ways = state.reached.entry(self.1.clone()).or_default();
        *ways -= 1;
        let last = *ways == 0;
        if let Some(host) = state.hosts.get_mut(&self.1).filter(|_| last) {
            // It ends by itself, and its container with it.
            host.relays = false;
        }
    }
}
