//! A proxy that runs, in the hands of whoever started it.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use super::connections::Connections;
use super::control::protocol::{Pause, RolloutSet, Stop};
use super::deploy_options::{DeployOptions, RolloutOptions};
use super::deployed::DeployedService;
use super::options::OptionsError;
use super::router::{CommandError, Router};
use super::sockets::Addresses;
use super::switches::{MaintenanceOptions, PauseOptions};
use super::tasks::Tasks;

/// A proxy that runs. It serves for as long as this is kept; from the moment this is dropped it does not.
///
/// Commands may be given from any thread, runtime or executor, several at the same time. One whose future is dropped goes
/// on to its end.
///
/// Dropping it cuts what is under way, and waits until the listening sockets are closed and the threads have ended: for
/// less than a second, unless whoever the log is written to does not take it. On a runtime that was given this happens
/// as that runtime gets round to it. [`Handle::stop`] lets requests end first.
#[derive(Debug)]
#[must_use = "the proxy ends when this is dropped"]
pub struct Handle {
    pub(super) running: Running,
    pub(super) certificates: Option<PathBuf>,
    pub(super) orders: watch::Sender<Order>,
    pub(super) ended: watch::Receiver<bool>,
    pub(super) home: Home,
}

/// What of a proxy answers to its handle.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) router: Arc<Router>,
    pub(super) connections: Arc<Connections>,
    pub(super) tasks: Tasks,
    pub(super) addresses: Addresses,
}

/// Where a proxy lives.
#[derive(Debug)]
pub(super) enum Home {
    /// In a thread, until that was waited for.
    Own(Option<JoinHandle<()>>),
    /// On a runtime that was given.
    Theirs,
}

impl Home {
    /// Waits for a thread that is about to end.
    pub(super) fn end(&mut self) {
        if let Self::Own(thread) = self
            && let Some(thread) = thread.take()
        {
            // One that panicked has ended as well.
            let _ = thread.join();
        }
    }
}

/// What a proxy is told to do, each more than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Serve,
    /// Let what has begun come to its end.
    Stop,
    /// End at once.
    Cut,
}

impl Handle {
    /// Where the proxy listens; where any port would do, the one it has.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.running.addresses
    }

    /// Makes a service, or puts new targets and options in place of those it has. Waits until the new targets are
    /// healthy, then until requests to the old ones have ended, of which none fails.
    ///
    /// ```no_run
    /// # async fn example(proxy: kamal_proxy::server::Handle) -> Result<(), Box<dyn std::error::Error>> {
    /// use kamal_proxy::server::{CommandError, DeployOptions};
    ///
    /// let options = DeployOptions::to("10.0.0.7:3000".parse()?).host("app.example.com");
    /// match proxy.deploy("app", options).await {
    ///     Ok(()) => println!("switched"),
    ///     Err(CommandError::Unhealthy(unhealthy)) => println!("still as before: {unhealthy}"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the targets do not become healthy in time, when another service has one of the hosts and paths, when options
    /// contradict each other or name files that cannot be used, or when the state file cannot be written: then all is as
    /// before.
    pub async fn deploy(&self, service: &str, options: DeployOptions) -> Result<(), CommandError> {
        let mut request = options.into_request(service);
        if service.is_empty() {
            return Err(OptionsError("the service has no name".into()).into());
        }
        if let Some(folder) = &self.certificates
            && request.service_options.acme_cache_path.is_empty()
        {
            request.service_options.acme_cache_path = folder.display().to_string();
        }
        if request.service_options.lacks_folder() {
            let what = "certificates from an authority need a folder to be kept in";
            return Err(OptionsError(what.into()).into());
        }
        self.command(|router| async move { router.deploy(request).await }).await
    }

    /// Forgets a service. Requests under way come to their end; later ones are for nobody.
    ///
    /// # Errors
    ///
    /// When there is no such service, or the state file cannot be written.
    pub async fn remove(&self, service: &str) -> Result<(), CommandError> {
        let service = service.to_owned();
        self.command(|router| async move { router.remove(&service).await }).await
    }

    /// What is deployed, by name.
    ///
    /// ```no_run
    /// # fn example(proxy: kamal_proxy::server::Handle) {
    /// for service in proxy.list() {
    ///     println!("{}: {} ({})", service.name, service.targets.join(", "), service.state.name());
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn list(&self) -> Vec<DeployedService> {
        self.running.router.list()
    }

    /// Lets requests for a service wait, and returns once those under way have ended.
    ///
    /// # Errors
    ///
    /// When there is no such service, or the state file cannot be written.
    pub async fn pause(&self, service: &str, options: PauseOptions) -> Result<(), CommandError> {
        let (max_pause, drain_timeout) = (options.max_pause.into(), options.drain_timeout.into());
        let request = Pause { service: service.to_owned(), drain_timeout, max_pause };
        self.command(|router| async move { router.pause(request).await }).await
    }

    /// Turns requests for a service away with a page that says so, and returns once those under way have ended.
    ///
    /// # Errors
    ///
    /// When there is no such service, or the state file cannot be written.
    pub async fn maintenance(&self, service: &str, options: MaintenanceOptions) -> Result<(), CommandError> {
        let MaintenanceOptions { message, drain_timeout } = options;
        let request = Stop { service: service.to_owned(), drain_timeout: drain_timeout.into(), message };
        self.command(|router| async move { router.stop(request).await }).await
    }

    /// Serves a service again that was paused or in maintenance; requests that wait go on.
    ///
    /// # Errors
    ///
    /// When there is no such service, or the state file cannot be written.
    pub async fn resume(&self, service: &str) -> Result<(), CommandError> {
        let service = service.to_owned();
        self.command(|router| async move { router.resume(&service).await }).await
    }

    /// Puts targets beside those a service has, or in place of those of its last rollout. They get no requests before
    /// [`Handle::split`] says which.
    ///
    /// # Errors
    ///
    /// When there is no such service, when the targets do not become healthy in time, or when the state file cannot be
    /// written.
    pub async fn rollout(&self, service: &str, options: RolloutOptions) -> Result<(), CommandError> {
        let request = options.into_request(service);
        self.command(|router| async move { router.rollout_deploy(request).await }).await
    }

    /// Sends a part of a service's requests to the targets of its rollout: of those with a cookie `kamal-rollout`, which
    /// the application sets, this many of a hundred by the cookie's value, and all with one of these values.
    ///
    /// # Errors
    ///
    /// When there is no such service, when it has no rollout, or when the state file cannot be written.
    pub async fn split(
        &self,
        service: &str,
        percent: u8,
        always: impl IntoIterator<Item = impl Into<String>> + Send,
    ) -> Result<(), CommandError> {
        let allowlist = always.into_iter().map(Into::into).collect();
        let request = RolloutSet { service: service.to_owned(), percentage: percent.min(100).into(), allowlist };
        self.command(|router| async move { router.rollout_set(request).await }).await
    }

    /// Sends all requests of a service to its own targets again. Those of its rollout stay, without requests.
    ///
    /// # Errors
    ///
    /// When there is no such service, or the state file cannot be written.
    pub async fn end_split(&self, service: &str) -> Result<(), CommandError> {
        let service = service.to_owned();
        self.command(|router| async move { router.rollout_stop(&service).await }).await
    }

    /// Reads again what services name on disk: certificates, error pages, users. No request notices.
    ///
    /// # Errors
    ///
    /// When files cannot be used; their service keeps what it has.
    pub async fn reload(&self) -> Result<(), CommandError> {
        self.command(|router| async move { router.reload().await }).await
    }

    /// Asks clients to connect anew for their next request, for so long, without cutting any off: where something leads
    /// new connections elsewhere, before a stop.
    ///
    /// # Errors
    ///
    /// When the proxy has been stopped.
    pub async fn leave(&self, limit: Duration) -> Result<(), CommandError> {
        let connections = Arc::clone(&self.running.connections);
        let command = |router: Arc<Router>| async move {
            // Another proxy serves what this one serves now, and would not hear of a change.
            let _held = router.hold().await;
            connections.see_off(limit).await;
            Ok(())
        };
        self.command(command).await
    }

    /// Stops listening, lets requests under way end for as long as the builder says, cuts what is left, and returns when
    /// the proxy has ended. What is deployed stays in the state file.
    pub async fn stop(&self) {
        self.orders.send_if_modified(|order| {
            *order < Order::Stop && {
                *order = Order::Stop;
                true
            }
        });
        self.ended().await;
    }

    /// Returns when the proxy has ended: because it was stopped, or because a successor took over and all that had begun
    /// here is done.
    pub async fn ended(&self) {
        // Where nobody is there to say it, it has ended too.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Has the proxy do something, which it does whoever waits for it.
    async fn command<F>(&self, command: impl FnOnce(Arc<Router>) -> F) -> Result<(), CommandError>
    where
        F: Future<Output = Result<(), CommandError>> + Send + 'static,
    {
        if *self.orders.borrow() != Order::Serve {
            return Err(CommandError::Stopped);
        }
        let (busy, command) = (self.running.connections.busy(), command(Arc::clone(&self.running.router)));
        let done = self.running.tasks.spawn(async move {
            let result = command.await;
            drop(busy);
            result
        });
        match done.await {
            Ok(Some(result)) => result,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Ok(None) | Err(_) => Err(CommandError::Stopped),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.orders.send_replace(Order::Cut);
        self.home.end();
    }
}
