//! The commands that change what is served, and the routing table requests read (spec 4, 5, 6, 2.2).
//!
//! Commands are serialised by one lock, which requests never take; they read the current table through an `ArcSwap`.

mod error;
mod handover;
mod reload;
mod restore;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Guard};
use futures_util::future::join_all;
use tokio::sync::{Mutex, MutexGuard};

pub use self::error::{CommandError, Unhealthy};
use super::balancer::{Balancer, Members};
use super::control::protocol::{Deploy, Pause as PauseRequest, RolloutDeploy, RolloutSet, Stop as StopRequest, Watch};
use super::deployed::DeployedService;
use super::go_duration::GoDuration;
use super::observe::log::Log;
use super::observe::metrics::Metrics;
use super::options::DeploymentOptions;
use super::pause::{Pause, PauseState};
use super::rollout::Split;
use super::routes::Routes;
use super::service::{Assets, Service};
use super::state::{self, Element, Saved};
use super::surroundings::Surroundings;
use super::target::{Health, Role};
use super::tls::automatic::Certificates;

/// Everything that is deployed.
#[derive(Debug)]
pub(crate) struct Router {
    routes: ArcSwap<Routes>,
    surroundings: Surroundings,
    log: Log,
    metrics: Arc<Metrics>,
    certificates: Arc<Certificates>,
    /// Held by the command that changes the table. Holds the saved elements that could not be restored.
    changing: Mutex<Vec<Element>>,
    /// Whether another process decides now; set under the lock.
    handed_over: AtomicBool,
}

impl Router {
    pub(crate) fn new(
        surroundings: Surroundings,
        log: Log,
        metrics: Arc<Metrics>,
        certificates: Arc<Certificates>,
    ) -> Self {
        Self {
            routes: ArcSwap::default(),
            surroundings,
            log,
            metrics,
            certificates,
            changing: Mutex::default(),
            handed_over: AtomicBool::new(false),
        }
    }

    /// The table as it is now.
    pub(crate) fn routes(&self) -> Guard<Arc<Routes>> {
        self.routes.load()
    }

    /// Those that come from authorities.
    pub(crate) fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// Puts new targets in place of a service's, or makes the service; returns once the old targets are drained.
    pub(crate) async fn deploy(&self, request: Deploy) -> Result<(), CommandError> {
        let options = request.service_options.normalised();
        options.validate()?;
        let about = [
            ("service", request.service.as_str().into()),
            ("targets", [&request.targets[..], &request.readers].concat().into()),
            ("hosts", options.hosts.clone().into()),
            ("paths", options.path_prefixes.clone().into()),
            ("tls", options.tls_enabled.into()),
        ];
        self.log.info("Deploying", &about);
        let target_options = Arc::new(request.target_options);
        let members = Members {
            writers: &request.targets,
            readers: &request.readers,
            service: &request.service,
            peers: &options.policies.peers,
            each_address: options.policies.each_address,
        };
        let set = Balancer::of(members, &target_options, Health::Adding, &self.log)?;
        self.refuse_conflict(&self.routes(), &request.service, &options)?;
        make_ready(&set, request.deployment).await?;

        let mut kept = self.change().await?;
        let routes = self.routes.load_full();
        self.refuse_conflict(&routes, &request.service, &options)?;
        let assets = Assets::load(&request.service, &options, &self.surroundings.variables, &self.log)?;
        let options = Arc::new(options);
        let service = match routes.get(&request.service) {
            Some(current) => {
                Service { options, target_options, assets, active: Arc::clone(&set), ..Service::clone(current) }
            }
            None => Service {
                tls: super::service::TlsPolicy { enabled: false, redirect: false },
                name: request.service.clone(),
                options,
                target_options,
                assets,
                active: Arc::clone(&set),
                rollout: None,
                split: None,
                pause: Pause::new(PauseState::default()),
                in_flight: self.metrics.in_flight(&request.service),
                watched: Arc::default(),
            },
        };
        let next = changed(&routes, &request.service, Some(service));
        let without = kept.iter().filter(|element| state::name(element).as_deref() != Some(&request.service));
        let without: Vec<Element> = without.cloned().collect();
        self.save(&next, &without).await.map_err(Unsaved::or_nothing)?;
        *kept = without;
        self.set(next);
        drop(kept);

        if let Some(replaced) = routes.get(&request.service).map(|old| Arc::clone(&old.active)) {
            drop(routes);
            retire(&replaced, request.deployment.drain_timeout).await;
        }
        self.log.info("Deployed", &about);
        Ok(())
    }

    /// Forgets a service at once; what it is doing comes to its own end.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), CommandError> {
        let mut kept = self.change().await?;
        let before = kept.len();
        kept.retain(|element| state::name(element).as_deref() != Some(name));
        let routes = self.routes.load_full();
        let found = routes.get(name);
        if let Some(service) = found {
            service.sets().for_each(|set| set.stop_checks());
            self.set(changed(&routes, name, None));
        }
        if found.is_none() && kept.len() == before {
            return Err(CommandError::ServiceNotFound);
        }
        self.save(&self.routes(), &kept).await.map_err(Unsaved::done)
    }

    /// Makes requests wait; returns once those under way are done.
    pub(crate) async fn pause(&self, request: PauseRequest) -> Result<(), CommandError> {
        let (service, saved) = self.switch(&request.service, |pause| pause.pause(request.max_pause)).await?;
        self.log.info("Service paused", &[("service", request.service.as_str().into())]);
        self.drain(&service, request.drain_timeout).await;
        saved
    }

    /// Turns requests away; returns once those under way are done.
    pub(crate) async fn stop(&self, request: StopRequest) -> Result<(), CommandError> {
        let (service, saved) = self.switch(&request.service, |pause| pause.stop(request.message)).await?;
        self.log.info("Service stopped", &[("service", request.service.as_str().into())]);
        self.drain(&service, request.drain_timeout).await;
        saved
    }

    /// Serves again.
    pub(crate) async fn resume(&self, name: &str) -> Result<(), CommandError> {
        let (_, saved) = self.switch(name, Pause::resume).await?;
        self.log.info("Service resumed", &[("service", name.into())]);
        saved
    }

    /// Watches how a service answers; gives what was seen.
    pub(crate) async fn watch(&self, request: Watch) -> Result<String, CommandError> {
        let watched = Arc::clone(&self.find(&request.service)?.watched);
        watched.watch(&request.limits).await.map_err(CommandError::Breach)
    }

    /// Puts targets into a service's rollout slot; they get no requests until a split is set.
    pub(crate) async fn rollout_deploy(&self, request: RolloutDeploy) -> Result<(), CommandError> {
        let current = self.find(&request.service)?;
        let about = [
            ("service", request.service.as_str().into()),
            ("targets", [&request.targets[..], &request.readers].concat().into()),
        ];
        self.log.info("Deploying for rollout", &about);
        let options = &current.target_options;
        let set = Balancer::new(&request.targets, &request.readers, options, Health::Adding, &self.log)?;
        drop(current);
        make_ready(&set, request.deployment).await?;

        let kept = self.change().await?;
        // It may have been removed meanwhile, and must not come back.
        let current = self.find(&request.service)?;
        let routes = self.routes.load_full();
        let service = Service { rollout: Some(set), ..Service::clone(&current) };
        let next = changed(&routes, &request.service, Some(service));
        self.save(&next, &kept).await.map_err(Unsaved::or_nothing)?;
        self.set(next);
        drop(kept);
        drop(routes);
        if let Some(replaced) = &current.rollout {
            retire(replaced, request.deployment.drain_timeout).await;
        }
        self.log.info("Deployed for rollout", &about);
        Ok(())
    }

    /// Replaces the split of a service that has rollout targets.
    pub(crate) async fn rollout_set(&self, request: RolloutSet) -> Result<(), CommandError> {
        let kept = self.change().await?;
        let current = self.find(&request.service)?;
        if current.rollout.is_none() {
            return Err(CommandError::NoRollout);
        }
        let about = [
            ("service", request.service.as_str().into()),
            ("percentage", request.percentage.into()),
            ("allowlist", request.allowlist.clone().into()),
        ];
        let split = Some(Arc::new(Split::new(request.percentage, request.allowlist)));
        let service = Service { split, ..Service::clone(&current) };
        self.set(changed(&self.routes.load_full(), &request.service, Some(service)));
        self.log.info("Set rollout split", &about);
        self.save(&self.routes(), &kept).await.map_err(Unsaved::done)
    }

    /// Sends everybody to the active targets again; the rollout targets stay.
    pub(crate) async fn rollout_stop(&self, name: &str) -> Result<(), CommandError> {
        let kept = self.change().await?;
        let current = self.find(name)?;
        let service = Service { split: None, ..Service::clone(&current) };
        self.set(changed(&self.routes.load_full(), name, Some(service)));
        self.log.info("Stopped rollout", &[("service", name.into())]);
        self.save(&self.routes(), &kept).await.map_err(Unsaved::done)
    }

    /// What is deployed, by name.
    pub(crate) fn list(&self) -> Vec<DeployedService> {
        self.routes().services().map(|service| DeployedService::of(service)).collect()
    }

    /// Asks no target how it is any more, as nothing is served.
    pub(crate) fn rest(&self) {
        self.routes().services().flat_map(|service| service.sets()).for_each(|set| set.stop_checks());
    }

    /// The right to change what is served.
    async fn change(&self) -> Result<MutexGuard<'_, Vec<Element>>, CommandError> {
        let kept = self.changing.lock().await;
        if self.handed_over.load(Ordering::Relaxed) { Err(CommandError::HandedOver) } else { Ok(kept) }
    }

    fn find(&self, name: &str) -> Result<Arc<Service>, CommandError> {
        self.routes().get(name).map(Arc::clone).ok_or(CommandError::ServiceNotFound)
    }

    fn refuse_conflict(
        &self,
        routes: &Routes,
        name: &str,
        options: &super::options::ServiceOptions,
    ) -> Result<(), CommandError> {
        let Some(owner) = routes.conflict(name, options) else { return Ok(()) };
        self.log.error("Host settings conflict with another service", &[("service", owner.name.as_str().into())]);
        Err(CommandError::Conflict)
    }

    /// Gives the service, and whether what was done to it is saved as well.
    async fn switch(
        &self,
        name: &str,
        how: impl FnOnce(&Pause),
    ) -> Result<(Arc<Service>, Result<(), CommandError>), CommandError> {
        let kept = self.change().await?;
        let service = self.find(name)?;
        how(&service.pause);
        let saved = self.save(&self.routes(), &kept).await.map_err(Unsaved::done);
        Ok((service, saved))
    }

    async fn drain(&self, service: &Service, limit: GoDuration) {
        join_all(service.sets().map(|set| set.drain(limit.as_std()))).await;
        self.log.info("Service drained", &[("service", service.name.as_str().into())]);
    }

    /// Puts a table into force. The caller holds the lock.
    fn set(&self, routes: Routes) {
        self.routes.store(Arc::new(routes));
        self.certificates.wake();
    }

    /// Writes what a table holds to the state file. A failure is in the log as well. The caller holds the lock.
    async fn save(&self, routes: &Routes, kept: &[Element]) -> Result<(), Unsaved> {
        let Some(path) = self.surroundings.state.clone() else { return Ok(()) };
        let services: Vec<Saved> = routes.services().map(|service| saved(service)).collect();
        let (shown, kept) = (path.display().to_string(), kept.to_vec());
        let result = tokio::task::spawn_blocking(move || state::save(&path, &services, &kept)).await;
        let result = result.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let about = ("path", shown.as_str().into());
        match result {
            Ok(()) => {
                self.log.debug("Saved state", &[about]);
                Ok(())
            }
            Err(error) => {
                let error = error.to_string();
                self.log.error("Unable to save state", &[about, ("error", error.as_str().into())]);
                Err(Unsaved { path: shown, error })
            }
        }
    }
}

/// Why the state file does not hold what it should.
#[derive(Debug)]
struct Unsaved {
    path: String,
    error: String,
}

impl Unsaved {
    /// Where it was to be saved before anything else was done.
    fn or_nothing(self) -> CommandError {
        CommandError::NotSaved { path: self.path, error: self.error }
    }

    /// Where it is done all the same.
    fn done(self) -> CommandError {
        CommandError::DoneNotSaved { path: self.path, error: self.error }
    }
}

/// A table that differs from another in one service.
fn changed(routes: &Routes, name: &str, service: Option<Service>) -> Routes {
    let others = routes.services().filter(|other| other.name != name).map(|other| Service::clone(other));
    Routes::new(others.chain(service))
}

fn saved(service: &Service) -> Saved {
    let rollout = |role| service.rollout.as_ref().map(|set| set.addresses(role));
    Saved {
        name: service.name.clone(),
        options: (*service.options).clone(),
        target_options: (*service.target_options).clone(),
        active_targets: Some(service.active.addresses(Role::Writer)),
        active_readers: Some(service.active.addresses(Role::Reader)),
        rollout_targets: rollout(Role::Writer),
        rollout_readers: rollout(Role::Reader),
        pause_controller: service.pause.state(),
        rollout_controller: service.split.as_deref().cloned(),
        ..Saved::default()
    }
}

/// Starts checking a set and waits until it is healthy, unless told not to wait.
async fn make_ready(set: &Arc<Balancer>, options: DeploymentOptions) -> Result<(), CommandError> {
    set.start_checks();
    if options.force {
        return Ok(());
    }
    let limit = options.deploy_timeout;
    set.wait_ready(limit.as_std()).await.map_err(|cause| Unhealthy { limit, cause: cause.map(Box::new) }.into())
}

/// Takes leave of a set that no longer gets requests.
async fn retire(set: &Balancer, limit: GoDuration) {
    set.stop_checks();
    set.drain(limit.as_std()).await;
}
