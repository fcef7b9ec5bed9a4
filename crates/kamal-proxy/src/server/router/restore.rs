//! Taking up the services of the state file at start (spec 2.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{CommandError, Router};
use crate::server::balancer::{Balancer, Members};
use crate::server::options::ServiceOptions;
use crate::server::pause::Pause;
use crate::server::routes::Routes;
use crate::server::service::{Assets, Service, TlsPolicy};
use crate::server::state::{self, Element, Loaded, Saved};
use crate::server::target::Health;

impl Router {
    /// Serves what was served before, without waiting for health. One that cannot be restored is logged and kept in
    /// the file; the others are not affected.
    pub(crate) async fn restore(&self) {
        let Some(state) = &self.surroundings.state else { return };
        let path = ("path", state.display().to_string().into());
        let loaded = match state::load(state) {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return self.log.info("No previous state to restore", &[path]),
            Err(error) => {
                return self.log.error("Failed to restore saved state", &[path, ("error", error.to_string().into())]);
            }
        };
        let mut kept = self.changing.lock().await;
        self.take_up(loaded, &BTreeMap::new(), &mut kept);
        self.log.info("Restored saved state", &[path]);
    }

    /// Puts everything that can be restored into the table; what cannot is kept. Of the targets, those named are taken
    /// to be unhealthy.
    pub(super) fn take_up(&self, loaded: Loaded, unhealthy: &BTreeMap<String, Vec<String>>, kept: &mut Vec<Element>) {
        let mut services = Vec::new();
        let skip = |name: Value, error: String| {
            self.log.error("Failed to restore service", &[("service", name), ("error", error.into())]);
        };
        for (element, error) in loaded.broken {
            skip(state::name(&element).into(), error);
            kept.push(element);
        }
        for (saved, element) in loaded.services {
            let name = saved.name.clone();
            match self.restored(saved, unhealthy.get(&name).map_or(&[], Vec::as_slice)) {
                Ok(service) => services.push(service),
                Err(error) => {
                    skip(name.into(), error.to_string());
                    kept.push(element);
                }
            }
        }
        self.set(Routes::new(services));
    }

    fn restored(&self, saved: Saved, unhealthy: &[String]) -> Result<Service, CommandError> {
        let mut options = saved.options.normalised();
        if !options.serves_root() {
            // Go's proxy saves what such a service only inherits, and then fails to restore it.
            options = ServiceOptions { tls_enabled: false, ..options };
        }
        let target_options = Arc::new(saved.target_options);
        let set = |members: Members<'_>| Balancer::of(members, &target_options, Health::Healthy, &self.log);
        let (writers, readers) = (saved.active_targets.unwrap_or_default(), saved.active_readers.unwrap_or_default());
        let active = set(Members {
            writers: &writers,
            readers: &readers,
            service: &saved.name,
            peers: &options.policies.peers,
            each_address: options.policies.each_address,
        })?;
        let writers = saved.rollout_targets.unwrap_or_default();
        let readers = saved.rollout_readers.unwrap_or_default();
        let in_rollout = Members { writers: &writers, readers: &readers, ..Members::default() };
        let rollout = if writers.is_empty() && readers.is_empty() { None } else { Some(set(in_rollout)?) };
        let assets = Assets::load(&saved.name, &options, &self.surroundings.variables, &self.log)?;
        for set in std::iter::once(&active).chain(&rollout) {
            set.distrust(unhealthy);
        }
        active.start_checks();
        rollout.iter().for_each(Balancer::start_checks);
        Ok(Service {
            in_flight: self.metrics.in_flight(&saved.name),
            watched: Arc::default(),
            name: saved.name,
            options: Arc::new(options),
            target_options,
            assets,
            active,
            rollout,
            split: saved.rollout_controller.map(Arc::new),
            pause: Pause::new(saved.pause_controller),
            tls: TlsPolicy { enabled: false, redirect: false },
        })
    }
}
