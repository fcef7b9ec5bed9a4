//! The life of the proxy: start, serve, stop (spec 10.1).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::control::server::ControlSocket;
use super::control::socket;
use super::front::Front;
use super::listen::connections::Connections;
use super::listen::{self, ListenError};
use super::observe::log::{Level, Log};
use super::observe::metrics::Metrics;
use super::router::Router;
use super::tls;

/// How long connections may take to end when the proxy is told to stop.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Where to listen and how much to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunOptions {
    pub(crate) debug: bool,
    pub(crate) http_port: u16,
    pub(crate) https_port: u16,
    /// Zero means that metrics are not published.
    pub(crate) metrics_port: u16,
    pub(crate) http3: bool,
}

/// Why the proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("listen unix {path}: bind: {error}")]
    Control { path: String, error: io::Error },
    #[error("setting up TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("starting: {0}")]
    Start(#[from] io::Error),
}

/// Runs until told to stop by SIGTERM or SIGINT.
pub(crate) fn run(options: RunOptions) -> Result<(), RunError> {
    raise_file_limit();
    let lowest = if options.debug { Level::Debug } else { Level::Info };
    let log = Log::start(lowest, io::stdout())?;
    let runtime = Runtime::new()?;
    let result = runtime.block_on(serve(options, &log));
    // What is still running is cut: its time was up.
    runtime.shutdown_background();
    log.flush();
    result
}

async fn serve(options: RunOptions, log: &Log) -> Result<(), RunError> {
    let metrics = Arc::new(Metrics::default());
    let router = Arc::new(Router::new(socket::state_path(), log.clone(), Arc::clone(&metrics)));
    router.restore().await;

    let metrics_listener = if options.metrics_port > 0 { Some(listen::bind(options.metrics_port)?) } else { None };
    let http = listen::bind(options.http_port)?;
    let https = listen::bind(options.https_port)?;
    let path = socket::socket_path();
    let failed = |error| RunError::Control { path: path.display().to_string(), error };
    let control = ControlSocket::bind(path.clone()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let front = Arc::new(Front {
        router: Arc::clone(&router),
        log: log.clone(),
        metrics: metrics_listener.is_some().then(|| Arc::clone(&metrics)),
    });
    match &metrics_listener {
        Some(_) => log.info("Metrics enabled", &[("address", format!(":{}", options.metrics_port).into())]),
        None => log.debug("Metrics server disabled", &[]),
    }
    let ports = [("http", port(&http)?.into()), ("https", port(&https)?.into())];
    log.info("Server started", &ports);

    if options.http3 {
        log.warn("HTTP/3 is not available; serving HTTP/1.1 and HTTP/2 only", &[]);
    }

    let connections = Arc::new(Connections::default());
    let tls = tls::server_config(Arc::clone(&router), log.clone())?;
    {
        let listeners = async {
            tokio::join!(
                spawned(listen::serve(http, None, Arc::clone(&front), Arc::clone(&connections))),
                spawned(listen::serve(https, Some(tls), Arc::clone(&front), Arc::clone(&connections))),
                control.serve(router, log.clone()),
                async {
                    match metrics_listener {
                        Some(listener) => spawned(listen::serve_metrics(listener, metrics, log.clone())).await,
                        None => std::future::pending().await,
                    }
                },
            )
        };
        tokio::select! {
            _ = listeners => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    log.debug("Closing RPC listener", &[("path", control.path().display().to_string().into())]);
    drop(control);
    if timeout(SHUTDOWN, connections.stop()).await.is_err() {
        log.warn("Closing active connections", &[]);
    }
    log.info("Server stopped", &[]);
    Ok(())
}

/// Lets the process open as many files as it may: two per request, and login shells allow for a thousand.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without it the proxy works as long as there are few connections.
    let _ = setrlimit(Resource::Nofile, limit);
}

fn port(listener: &TcpListener) -> io::Result<u16> {
    Ok(listener.local_addr()?.port())
}

/// Runs a listener as a task of its own, which ends when the caller stops waiting for it.
async fn spawned(listener: impl Future<Output = ()> + Send + 'static) {
    let task = tokio::spawn(listener);
    let _aborted = AbortOnDrop(task.abort_handle());
    // It only ends by being aborted.
    let _ = task.await;
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
