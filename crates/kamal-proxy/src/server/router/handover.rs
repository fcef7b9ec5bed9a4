//! What is served, on its way from one process to the next.

use std::sync::atomic::Ordering;

use serde_json::value::to_raw_value;
use tokio::sync::MutexGuard;

use super::{Router, saved};
use crate::server::handover::Estate;
use crate::server::state::{self, Element};

/// While this is held nothing changes what is served.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    router: &'a Router,
    kept: MutexGuard<'a, Vec<Element>>,
}

impl Router {
    /// Lets commands wait until the result is dropped.
    pub(crate) async fn hold(&self) -> Held<'_> {
        Held { router: self, kept: self.changing.lock().await }
    }

    /// Serves what another process served, each target as well as it was there.
    pub(crate) async fn adopt(&self, estate: Estate) {
        let loaded = state::sort(estate.services);
        let mut kept = self.changing.lock().await;
        self.take_up(loaded, &estate.unhealthy, &mut kept);
        // It may be kept elsewhere here than it was there.
        let _ = self.save(&self.routes(), &kept).await;
    }
}

impl Held<'_> {
    /// All services, to be handed over with the sockets of these names.
    pub(crate) fn estate(&self, sockets: Vec<String>) -> serde_json::Result<Estate> {
        let routes = self.router.routes();
        let services = routes.services().map(|service| to_raw_value(&saved(service)));
        let services = services.chain(self.kept.iter().cloned().map(Ok)).collect::<serde_json::Result<_>>()?;
        let unhealthy = routes.services().map(|service| {
            let addresses = service.sets().flat_map(|set| set.unhealthy()).collect();
            (service.name.clone(), addresses)
        });
        Ok(Estate { sockets, services, unhealthy: unhealthy.collect() })
    }

    /// From now on another process decides what is served: commands are refused here.
    pub(crate) fn give_up(self) {
        self.router.handed_over.store(true, Ordering::Relaxed);
        // The successor checks them.
        self.router.rest();
    }
}
