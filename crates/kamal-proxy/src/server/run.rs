//! The life of the proxy: start, serve, stop (spec 10.1).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::connections::Connections;
use super::control;
use super::control::socket;
use super::control::socket_file::SocketFile;
use super::front::Front;
use super::go_duration::GoDuration;
use super::handover;
use super::handover::give::hand_over;
use super::handover::take::{Taken, take};
#[cfg(feature = "http3")]
use super::listen::http3;
use super::listen::{self, ListenError};
use super::observe::Observer;
use super::observe::log::{Level, Log};
use super::observe::metrics::Metrics;
use super::router::Router;
use super::tls;
use super::tls::automatic::Certificates;
use super::workers::{Threads, Workers};

/// How long connections may take to end when the proxy is told to stop.
const SHUTDOWN: Duration = Duration::from_secs(10);
/// Files for other things than clients and what they ask for: threads, listeners, commands, health checks.
const OTHER_FILES: u64 = 96;
/// The names under which sockets are handed to a successor.
const HTTP: &str = "http";
const HTTPS: &str = "https";
const METRICS: &str = "metrics";

/// Where to listen and how much to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunOptions {
    pub(crate) debug: bool,
    pub(crate) http_port: u16,
    pub(crate) https_port: u16,
    /// Zero means that metrics are not published.
    pub(crate) metrics_port: u16,
    pub(crate) http3: bool,
    /// Connections of clients at the same time; zero means any number.
    pub(crate) max_connections: usize,
    /// Whether to take over from a proxy that runs, and how long that one may take to finish.
    pub(crate) takeover: Option<GoDuration>,
}

/// Why the proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("listen unix {path}: bind: {error}")]
    Control { path: String, error: io::Error },
    #[error("taking over from the server that is running: {0}")]
    Takeover(io::Error),
    #[error("setting up TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("starting: {0}")]
    Start(#[from] io::Error),
}

/// Runs until told to stop by SIGTERM or SIGINT, or until a successor has taken over.
pub(crate) fn run(options: RunOptions) -> Result<(), RunError> {
    let files = raise_file_limit();
    let options = RunOptions { max_connections: places(options.max_connections, files), ..options };
    let lowest = if options.debug { Level::Debug } else { Level::Info };
    let log = Log::start(lowest, io::stdout())?;
    let runtime = Runtime::new()?;
    let threads = Threads::start()?;
    let result = runtime.block_on(serve(options, threads.workers(), &log));
    // What is still running is cut: its time was up.
    runtime.shutdown_background();
    drop(threads);
    log.flush();
    result
}

async fn serve(options: RunOptions, workers: Arc<Workers>, log: &Log) -> Result<(), RunError> {
    socket::claim_data_dir()?;
    let mut taken = match options.takeover {
        Some(limit) => take(&handover::path(), limit).await.map_err(RunError::Takeover)?,
        None => None,
    };
    let metrics = Arc::new(Metrics::default());
    let certificates = Arc::new(Certificates::new(log.clone())?);
    let router =
        Arc::new(Router::new(socket::state_path(), log.clone(), Arc::clone(&metrics), Arc::clone(&certificates)));
    match &mut taken {
        Some(taken) => router.adopt(std::mem::take(&mut taken.estate)).await,
        None => router.restore().await,
    }
    let sockets = Sockets::open(options, taken.as_mut())?;
    let mut commands = bind_unix(socket::socket_path())?;
    let mut successors = bind_unix(handover::path())?;
    let mut signals =
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };

    let mut hangup = signal(SignalKind::hangup())?;

    let front = Arc::new(Front {
        router: Arc::clone(&router),
        observer: Arc::new(Observer {
            log: log.clone(),
            metrics: sockets.metrics.is_some().then(|| Arc::clone(&metrics)),
        }),
        connections: Arc::new(Connections::new(options.max_connections)),
        alt_svc: sockets.alt_svc(options)?,
    });
    match &sockets.metrics {
        Some(_) => log.info("Metrics enabled", &[("address", format!(":{}", options.metrics_port).into())]),
        None => log.debug("Metrics server disabled", &[]),
    }
    #[cfg(not(feature = "http3"))]
    if options.http3 {
        log.warn("HTTP/3 is not available; serving HTTP/1.1 and HTTP/2 only", &[]);
    }
    let tls = tls::server_config(Arc::clone(&router), log.clone())?;
    let duplicates = sockets.duplicates()?;
    let ports = [("http", port(&sockets.http)?.into()), ("https", port(&sockets.https)?.into())];
    #[cfg(feature = "http3")]
    let quic = sockets.serve_http3(options, &tls, &front, &workers)?;
    let keeping = tokio::spawn({
        let router = Arc::clone(&router);
        certificates.keep(move || router.routes().clone())
    });
    let keeping = AbortOnDrop(keeping.abort_handle());
    let accepting = sockets.serve(tls, &front, metrics, &workers);
    if let Some(taken) = taken {
        taken.ready().await.map_err(RunError::Takeover)?;
        log.info("Took over from another server", &ports);
    }
    log.info("Server started", &ports);

    let offered = duplicates.borrowed();
    let drain_timeout = loop {
        let successor = tokio::select! {
            () = control::server::serve(&commands, &router, &front.connections, log) => continue,
            () = signals.any() => break None,
            _ = hangup.recv() => {
                // What went wrong is in the log.
                let _ = router.reload().await;
                continue;
            }
            successor = successors.accept() => successor,
        };
        let handed = match successor {
            Ok(stream) => tokio::select! {
                handed = hand_over(stream, &router, &offered) => handed,
                () = control::server::serve(&commands, &router, &front.connections, log) => continue,
                () = signals.any() => break None,
            },
            Err(error) => Err(error),
        };
        match handed {
            Ok(limit) => break Some(limit),
            Err(error) => log.error("Not replaced by another server", &[("error", error.to_string().into())]),
        }
        // The one that failed may have had the paths already.
        for socket in [&mut commands, &mut successors] {
            if !socket.is_current() {
                *socket = bind_unix(socket.path().to_owned())?;
            }
        }
    };
    drop((accepting, keeping, duplicates));
    #[cfg(feature = "http3")]
    drop(quic);
    if let Some(limit) = drain_timeout {
        log.info("Another server has taken over", &[]);
        let left = tokio::select! {
            () = front.connections.leave(limit) => true,
            // Commands that had begun are passed on.
            () = control::server::serve(&commands, &router, &front.connections, log) => true,
            () = signals.any() => false,
        };
        log.debug("Left", &[("completely", left.into())]);
    }
    log.debug("Closing RPC listener", &[("path", commands.path().display().to_string().into())]);
    drop((commands, successors));
    if timeout(SHUTDOWN, front.connections.stop()).await.is_err() {
        log.warn("Closing active connections", &[]);
    }
    log.info("Server stopped", &[]);
    Ok(())
}

/// Lets the process open as many files as it may: two per request, and login shells allow for a thousand. Gives how many
/// that are; `None` means any number.
fn raise_file_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    // Without it the proxy works as long as there are few connections.
    if setrlimit(Resource::Nofile, raised).is_ok() { raised.current } else { limit.current }
}

/// How many clients may be connected at the same time: no more than were asked for, and than there are files for, each of
/// them with a connection to a target. With more, those that are served would fail, and no command would be heard.
fn places(asked: usize, files: Option<u64>) -> usize {
    let Some(files) = files else { return asked };
    let most = usize::try_from(files.saturating_sub(OTHER_FILES) / 2).unwrap_or(usize::MAX).max(1);
    if asked == 0 { most } else { asked.min(most) }
}

fn port(listener: &TcpListener) -> io::Result<u16> {
    Ok(listener.local_addr()?.port())
}

fn bind_unix(path: PathBuf) -> Result<SocketFile, RunError> {
    let shown = path.display().to_string();
    SocketFile::bind(path).map_err(|error| RunError::Control { path: shown, error })
}

/// What ends the proxy.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The listening sockets.
struct Sockets {
    http: TcpListener,
    https: TcpListener,
    metrics: Option<TcpListener>,
}

/// The same sockets, kept at hand for a successor.
struct Duplicates(Vec<(&'static str, OwnedFd)>);

impl Sockets {
    /// Those that were handed over, and new ones where none was or it is for another port.
    fn open(options: RunOptions, mut taken: Option<&mut Taken>) -> Result<Self, RunError> {
        let mut open = |name: &str, port: u16| -> Result<TcpListener, RunError> {
            if let Some(taken) = &mut taken
                && let Some(listener) = taken.listener(name, port)?
            {
                return Ok(listener);
            }
            Ok(listen::bind(port)?)
        };
        let metrics = if options.metrics_port > 0 { Some(open(METRICS, options.metrics_port)?) } else { None };
        Ok(Self { http: open(HTTP, options.http_port)?, https: open(HTTPS, options.https_port)?, metrics })
    }

    fn duplicates(&self) -> io::Result<Duplicates> {
        let named = [(HTTP, Some(&self.http)), (HTTPS, Some(&self.https)), (METRICS, self.metrics.as_ref())];
        let there = named.into_iter().filter_map(|(name, listener)| Some((name, listener?)));
        there
            .map(|(name, listener)| Ok((name, listener.as_fd().try_clone_to_owned()?)))
            .collect::<io::Result<_>>()
            .map(Duplicates)
    }

    /// What answers over HTTPS say of HTTP/3.
    fn alt_svc(&self, options: RunOptions) -> io::Result<Option<HeaderValue>> {
        if !options.http3 || cfg!(not(feature = "http3")) {
            return Ok(None);
        }
        let value = format!("h3=\":{}\"; ma=2592000", port(&self.https)?);
        HeaderValue::try_from(value).map(Some).map_err(io::Error::other)
    }

    /// Begins to serve HTTP/3 beside HTTPS, if asked to; dropping the result ends that.
    #[cfg(feature = "http3")]
    fn serve_http3(
        &self,
        options: RunOptions,
        tls: &ServerConfig,
        front: &Arc<Front>,
        workers: &Arc<Workers>,
    ) -> Result<Option<http3::Listening>, RunError> {
        if !options.http3 {
            return Ok(None);
        }
        let port = port(&self.https)?;
        let socket = match http3::bind(port) {
            Ok(socket) => Some(socket),
            // The predecessor has it, and will leave it.
            Err(_) if options.takeover.is_some() => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Some(http3::serve(socket, port, http3::config(tls)?, Arc::clone(front), Arc::clone(workers))))
    }

    /// Begins to accept connections; dropping the result ends that.
    fn serve(
        self,
        tls: Arc<ServerConfig>,
        front: &Arc<Front>,
        metrics: Arc<Metrics>,
        workers: &Arc<Workers>,
    ) -> Vec<AbortOnDrop> {
        let mut tasks = vec![
            tokio::spawn(listen::serve(self.http, None, Arc::clone(front), Arc::clone(workers))),
            tokio::spawn(listen::serve(self.https, Some(tls), Arc::clone(front), Arc::clone(workers))),
        ];
        tasks.extend(
            self.metrics.map(|listener| tokio::spawn(listen::serve_metrics(listener, metrics, Arc::clone(front)))),
        );
        tasks.iter().map(|task| AbortOnDrop(task.abort_handle())).collect()
    }
}

impl Duplicates {
    fn borrowed(&self) -> Vec<(&'static str, BorrowedFd<'_>)> {
        self.0.iter().map(|(name, socket)| (*name, socket.as_fd())).collect()
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_files_left_for_targets_and_commands() {
        for (asked, files, places_there_are) in [
            (0, None, 0),
            (5, None, 5),
            (0, Some(256), 80),
            (50, Some(256), 50),
            (500, Some(256), 80),
            (0, Some(10), 1),
            (0, Some(u64::MAX), usize::MAX / 2 - 48),
        ] {
            assert_eq!(places(asked, files), places_there_are, "{asked} {files:?}");
        }
    }
}
