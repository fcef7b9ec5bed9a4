//! The life of a proxy: start, serve, stop (spec 10.1).

use std::future::pending;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::runtime::{Builder, Handle as Runtime};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::builder::Options;
use super::connections::Connections;
use super::control;
use super::control::socket_file::SocketFile;
use super::front::Front;
use super::handle::{Handle, Home, Order, Running};
use super::handover::give::hand_over;
use super::handover::take::take;
#[cfg(feature = "http3")]
use super::listen::http3;
use super::observe::Observer;
use super::observe::log::Log;
use super::observe::metrics::Metrics;
use super::router::Router;
use super::sockets::{Accepting, Duplicates, Sockets};
use super::start::StartError;
use super::tasks::Tasks;
use super::tls;
use super::tls::automatic::Certificates;
use super::workers::{Threads, Workers, processors};

/// How long what is cut may take to end; only what blocks a thread takes any time.
const LAST: Duration = Duration::from_secs(1);

/// What whoever starts the proxy says to it, and hears of it.
struct Line {
    orders: Orders,
    ready: oneshot::Sender<Result<Running, StartError>>,
}

/// Starts a proxy; it serves when this returns.
pub(super) async fn start(options: Options, log: Log) -> Result<Handle, StartError> {
    let (orders, heard) = watch::channel(Order::Serve);
    let (ready, started) = oneshot::channel();
    let (over, mut ended) = watch::channel(false);
    let line = Line { orders: Orders(heard), ready };
    let certificates = options.certificates.clone();
    let mut home = match options.runtime.clone() {
        Some(runtime) => {
            runtime.spawn(on_theirs(options, log, line, over));
            Home::Theirs
        }
        None => {
            let thread = thread::Builder::new().name("proxy".into());
            Home::Own(Some(thread.spawn(move || on_its_own(options, &log, line, &over))?))
        }
    };
    let failed = match started.await {
        Ok(Ok(running)) => return Ok(Handle { running, certificates, orders, ended, home }),
        Ok(Err(error)) => error,
        Err(_) => io::Error::other("the proxy ended while it started").into(),
    };
    // Nothing is to be left of it.
    let _ = ended.wait_for(|ended| *ended).await;
    home.end();
    Err(failed)
}

/// Lives on threads of its own, of which this is one.
fn on_its_own(options: Options, log: &Log, line: Line, over: &watch::Sender<bool>) {
    let count = options.threads.unwrap_or_else(processors).max(1);
    let runtime = Builder::new_multi_thread().worker_threads(count).thread_name("proxy").enable_all().build();
    match runtime.and_then(|runtime| Ok((runtime, Threads::start(count)?))) {
        Ok((runtime, threads)) => {
            let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
            runtime.block_on(live(options, threads.workers(), tasks, log, line));
            // What is still running is cut: its time was up.
            runtime.shutdown_timeout(LAST);
            drop(threads);
        }
        Err(error) => drop(line.ready.send(Err(error.into()))),
    }
    log.close();
    // Nobody may want to know.
    let _ = over.send(true);
}

/// Lives on the runtime this is a task of.
async fn on_theirs(options: Options, log: Log, line: Line, over: watch::Sender<bool>) {
    let (runtime, cut) = (Runtime::current(), CancellationToken::new());
    // Also when the runtime ends first.
    let _cut = cut.clone().drop_guard();
    let workers = Workers::on(&runtime, cut.clone());
    live(options, workers, Tasks::new(runtime, cut.clone()), &log, line).await;
    cut.cancel();
    // One that cannot write must not hold up the runtime.
    let _ = spawn_blocking(move || log.close()).await;
    let _ = over.send(true);
}

async fn live(options: Options, workers: Arc<Workers>, tasks: Tasks, log: &Log, line: Line) {
    let Line { orders, ready } = line;
    tokio::select! {
        biased;
        () = orders.heard(Order::Cut) => {}
        () = async {
            match Serving::begin(options, workers, tasks, log).await {
                // Where nobody waits for it any more, it ends here.
                Ok((serving, running)) => if ready.send(Ok(running)).is_ok() { serving.serve(&orders).await },
                Err(error) => drop(ready.send(Err(error))),
            }
        } => {}
    }
}

/// What the proxy was told.
struct Orders(watch::Receiver<Order>);

impl Orders {
    /// Resolves once this was ordered, or more, or nobody is there to order anything.
    async fn heard(&self, order: Order) {
        let _ = self.0.clone().wait_for(|heard| *heard >= order).await;
    }
}

/// A proxy that serves; when it is dropped it no longer does.
struct Serving {
    router: Arc<Router>,
    connections: Arc<Connections>,
    commands: Option<SocketFile>,
    successors: Option<SocketFile>,
    duplicates: Duplicates,
    accepting: Accepting,
    #[cfg(feature = "http3")]
    quic: Option<http3::Listening>,
    keeping: AbortOnDrop,
    checking: Checking,
    tasks: Tasks,
    log: Log,
    stop_timeout: Duration,
}

impl Serving {
    async fn begin(
        mut options: Options,
        workers: Arc<Workers>,
        tasks: Tasks,
        log: &Log,
    ) -> Result<(Self, Running), StartError> {
        let mut taken = match (&options.handover, options.takeover) {
            (Some(path), Some(limit)) => take(path, limit).await.map_err(StartError::Takeover)?,
            _ => None,
        };
        let metrics = Arc::new(Metrics::default());
        let surroundings = std::mem::take(&mut options.surroundings);
        let temporary = surroundings.temporary.clone();
        let certificates = Arc::new(Certificates::new(&surroundings.roots, tasks.clone(), log.clone())?);
        let router = Router::new(surroundings, log.clone(), Arc::clone(&metrics), Arc::clone(&certificates));
        let router = Arc::new(router);
        let checking = Checking(Arc::clone(&router));
        match &mut taken {
            Some(taken) => router.adopt(std::mem::take(&mut taken.estate)).await,
            None => router.restore().await,
        }
        let sockets = Sockets::open(&options, taken.as_mut())?;
        let commands = options.control.as_deref().map(bind).transpose()?;
        let successors = options.handover.as_deref().map(bind).transpose()?;

        let addresses = sockets.addresses()?;
        let connections = Arc::new(Connections::new(options.max_connections));
        let front = Arc::new(Front {
            router: Arc::clone(&router),
            observer: Arc::new(Observer {
                log: log.clone(),
                metrics: options.metrics.is_some().then(|| Arc::clone(&metrics)),
            }),
            connections: Arc::clone(&connections),
            alt_svc: addresses.alt_svc(&options)?,
            temporary,
        });
        match options.metrics {
            Some(address) => log.info("Metrics enabled", &[("address", address.to_string().into())]),
            None => log.debug("Metrics server disabled", &[]),
        }
        #[cfg(not(feature = "http3"))]
        if options.http3 {
            log.warn("HTTP/3 is not available; serving HTTP/1.1 and HTTP/2 only", &[]);
        }
        let tls = tls::server_config(Arc::clone(&router), log.clone())?;
        let duplicates = sockets.duplicates()?;
        #[cfg(feature = "http3")]
        let quic = addresses.serve_http3(&options, &tls, &front, &workers)?;
        let keeping = tokio::spawn({
            let router = Arc::clone(&router);
            certificates.keep(move || router.routes().clone())
        });
        let keeping = AbortOnDrop(keeping.abort_handle());
        let accepting = sockets.serve(tls, &front, metrics, &workers);
        let ports = [("http", addresses.http), ("https", addresses.https)];
        let ports = ports.into_iter().filter_map(|(name, address)| Some((name, address?.port().into())));
        let ports: Vec<_> = ports.collect();
        if let Some(taken) = taken {
            taken.ready().await.map_err(StartError::Takeover)?;
            log.info("Took over from another server", &ports);
        }
        log.info("Server started", &ports);
        let running = Running {
            router: Arc::clone(&router),
            connections: Arc::clone(&connections),
            tasks: tasks.clone(),
            addresses,
        };
        let serving = Self {
            router,
            connections,
            commands,
            successors,
            duplicates,
            accepting,
            #[cfg(feature = "http3")]
            quic,
            keeping,
            checking,
            tasks,
            log: log.clone(),
            stop_timeout: options.stop_timeout,
        };
        Ok((serving, running))
    }

    /// Serves until told to stop, or until a successor has taken over; then ends what has begun.
    async fn serve(mut self, orders: &Orders) {
        let successor = self.until_replaced(orders).await;
        let Self { router, connections, commands, successors, tasks, log, stop_timeout, .. } = self;
        drop((self.keeping, self.duplicates));
        self.accepting.end().await;
        #[cfg(feature = "http3")]
        let mut quic = self.quic;
        #[cfg(feature = "http3")]
        quic.iter_mut().for_each(http3::Listening::close);
        if let Some(limit) = successor {
            log.info("Another server has taken over", &[]);
            let left = tokio::select! {
                () = connections.leave(limit) => true,
                // Commands that had begun are passed on.
                () = hear(commands.as_ref(), &router, &connections, &tasks, &log) => true,
                () = orders.heard(Order::Stop) => false,
            };
            log.debug("Left", &[("completely", left.into())]);
        }
        if let Some(commands) = &commands {
            log.debug("Closing RPC listener", &[("path", commands.path().display().to_string().into())]);
        }
        drop((commands, successors));
        if timeout(stop_timeout, connections.stop()).await.is_err() {
            log.warn("Closing active connections", &[]);
        }
        #[cfg(feature = "http3")]
        if let Some(listening) = &mut quic {
            // It is cut then.
            let _ = timeout(LAST, listening.closed()).await;
        }
        drop(self.checking);
        log.info("Server stopped", &[]);
    }

    /// Serves until told to stop, or until a successor has taken over: then gives how long there is to finish.
    async fn until_replaced(&mut self, orders: &Orders) -> Option<Duration> {
        let Self { router, connections, commands, successors, duplicates, tasks, log, .. } = self;
        let offered = duplicates.borrowed();
        loop {
            let successor = tokio::select! {
                () = hear(commands.as_ref(), router, connections, tasks, log) => continue,
                () = orders.heard(Order::Stop) => return None,
                successor = accept(successors.as_ref()) => successor,
            };
            let handed = match successor {
                Ok(stream) => tokio::select! {
                    handed = hand_over(stream, router, &offered) => handed,
                    () = hear(commands.as_ref(), router, connections, tasks, log) => continue,
                    () = orders.heard(Order::Stop) => return None,
                },
                Err(error) => Err(error),
            };
            match handed {
                Ok(limit) => return Some(limit),
                Err(error) => log.error("Not replaced by another server", &[("error", error.to_string().into())]),
            }
            // The one that failed may have had the paths already.
            for socket in [&mut *commands, &mut *successors].into_iter().flatten() {
                if !socket.is_current() {
                    match bind(socket.path()) {
                        Ok(anew) => *socket = anew,
                        Err(error) => log.error("Unable to listen again", &[("error", error.to_string().into())]),
                    }
                }
            }
        }
    }
}

/// Answers commands, for ever.
async fn hear(
    commands: Option<&SocketFile>,
    router: &Arc<Router>,
    connections: &Arc<Connections>,
    tasks: &Tasks,
    log: &Log,
) {
    match commands {
        Some(socket) => control::server::serve(socket, router, connections, tasks, log).await,
        None => pending().await,
    }
}

async fn accept(successors: Option<&SocketFile>) -> io::Result<UnixStream> {
    match successors {
        Some(socket) => socket.accept().await,
        None => pending().await,
    }
}

fn bind(path: &Path) -> Result<SocketFile, StartError> {
    SocketFile::bind(path.to_owned()).map_err(|source| StartError::Socket { path: path.to_owned(), source })
}

/// Lets the checks of targets end with whoever wanted them.
struct Checking(Arc<Router>);

impl Drop for Checking {
    fn drop(&mut self) {
        self.0.rest();
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
