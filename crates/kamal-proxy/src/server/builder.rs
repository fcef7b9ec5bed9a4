//! What a proxy is to be like, said before it starts.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;

use super::go_duration::GoDuration;
use super::handle::Handle;
use super::life;
use super::listen::address::ListenAddress;
use super::observe::log::{Level, Log};
use super::start::StartError;
use super::surroundings::{Surroundings, Variables};

/// How long connections may take to end when the proxy is told to stop and nobody says how long.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A proxy inside your program: HTTP and HTTPS in, requests to targets out, and switching between targets without
/// dropping a request.
///
/// Several may run in one process, each with addresses and a state file of its own. None reads the environment, handles
/// signals, or writes anywhere but where it is told to.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), kamal_proxy::server::StartError> {
/// use kamal_proxy::server::Proxy;
///
/// let proxy = Proxy::builder().listen(([127, 0, 0, 1], 0)).start().await?;
/// println!("listening at {:?}", proxy.addresses().http);
/// proxy.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum Proxy {}

impl Proxy {
    /// Begins to say what a proxy is to be like.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// What a proxy is to be like; see [`Proxy::builder`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// use std::fs::File;
///
/// use kamal_proxy::server::{Level, Proxy, StartError};
///
/// let start = Proxy::builder()
///     .listen(([127, 0, 0, 1], 0))
///     .https(([127, 0, 0, 1], 0))
///     .state(folder.join("proxy.state"))
///     .certificates(folder.join("certificates"))
///     .log(File::create(folder.join("proxy.log"))?, Level::Info)
///     .start();
/// match start.await {
///     Ok(proxy) => proxy.stop().await,
///     Err(StartError::AddressInUse { address, .. }) => println!("somebody else has {address}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "nothing happens before it is started"]
pub struct Builder {
    options: Options,
    log: Option<(Output, Level)>,
}

/// What a proxy is like.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) http: Option<ListenAddress>,
    pub(super) https: Option<ListenAddress>,
    pub(super) metrics: Option<ListenAddress>,
    pub(super) http3: bool,
    /// Connections of clients at the same time; zero means any number.
    pub(super) max_connections: usize,
    pub(super) stop_timeout: Duration,
    /// The socket commands come by.
    pub(super) control: Option<PathBuf>,
    /// The socket a successor comes by.
    pub(super) handover: Option<PathBuf>,
    /// Whether to take over from a proxy that runs, and how long that one may take to finish.
    pub(super) takeover: Option<GoDuration>,
    /// The folder for certificates of services that name none.
    pub(super) certificates: Option<PathBuf>,
    pub(super) surroundings: Surroundings,
    pub(super) threads: Option<usize>,
    pub(super) runtime: Option<Runtime>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            http: None,
            https: None,
            metrics: None,
            http3: false,
            max_connections: 0,
            stop_timeout: STOP_TIMEOUT,
            control: None,
            handover: None,
            takeover: None,
            certificates: None,
            surroundings: Surroundings::default(),
            threads: None,
            runtime: None,
        }
    }
}

/// Where lines of the log go.
struct Output(Box<dyn Write + Send>);

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}

impl Builder {
    /// Serves HTTP there: at a port of all addresses, or at one address.
    pub fn listen(mut self, address: impl Into<ListenAddress>) -> Self {
        self.options.http = Some(address.into());
        self
    }

    /// Serves HTTPS there, HTTP/1.1 and HTTP/2, for the services that have TLS.
    pub fn https(mut self, address: impl Into<ListenAddress>) -> Self {
        self.options.https = Some(address.into());
        self
    }

    /// Serves HTTP/3 too, on the UDP port of the same number as that of HTTPS.
    #[cfg(feature = "http3")]
    pub const fn http3(mut self, serve: bool) -> Self {
        self.options.http3 = serve;
        self
    }

    /// Publishes metrics there, in the text format of Prometheus, at any path.
    pub fn metrics(mut self, address: impl Into<ListenAddress>) -> Self {
        self.options.metrics = Some(address.into());
        self
    }

    /// Keeps what is deployed in a file, and begins with what is in it. One proxy to a file: of two, each would overwrite
    /// what the other has. Without a file a proxy begins with nothing and leaves nothing behind.
    ///
    /// The file is that of Go's kamal-proxy. What cannot be taken up of it is logged and kept in it, and does not keep
    /// the proxy from starting.
    pub fn state(mut self, file: impl Into<PathBuf>) -> Self {
        self.options.surroundings.state = Some(file.into());
        self
    }

    /// Keeps certificates from authorities in this folder, for services that name none of their own. Several proxies may
    /// share it.
    pub fn certificates(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.certificates = Some(folder.into());
        self
    }

    /// Keeps bodies that are buffered and do not fit into memory in this folder, in files without a name. Where nobody
    /// says, that is `/tmp`.
    pub fn temporary(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.surroundings.temporary = folder.into();
        self
    }

    /// Writes the log there: lines of JSON, one per request and event, of this level and above; nothing where nobody says.
    ///
    /// A thread of the log's own writes whole lines, many at a time. A writer that is slow holds up no request; lines
    /// there is no more room for are dropped and counted, and the count is logged.
    pub fn log(mut self, out: impl Write + Send + 'static, lowest: Level) -> Self {
        self.log = Some((Output(Box::new(out)), lowest));
        self
    }

    /// Closes connections of clients beyond this number at once; there may be any number where nobody says. Each needs two
    /// files, and a process has a limit of those.
    pub const fn max_connections(mut self, most: usize) -> Self {
        self.options.max_connections = most;
        self
    }

    /// Gives connections so long to end when the proxy is stopped, instead of ten seconds.
    pub const fn stop_timeout(mut self, limit: Duration) -> Self {
        self.options.stop_timeout = limit;
        self
    }

    /// Serves on so many threads, instead of one per processor. Of no effect on a runtime that is given.
    pub const fn threads(mut self, count: usize) -> Self {
        self.options.threads = Some(count);
        self
    }

    /// Serves on a runtime of yours, instead of on threads of its own; its timers and its I/O have to be enabled, and it
    /// has to run for as long as the proxy does.
    ///
    /// Requests then share that runtime's threads, and cross between them, with whatever else runs there; on threads of
    /// its own, a request stays on one.
    pub fn runtime(mut self, runtime: Runtime) -> Self {
        self.options.runtime = Some(runtime);
        self
    }

    /// Hears commands by a Unix socket at this path: `kamal-proxy deploy` and its like, with `KAMAL_PROXY_SOCKET`.
    pub fn control(mut self, socket: impl Into<PathBuf>) -> Self {
        self.options.control = Some(socket.into());
        self
    }

    /// Waits for a successor by a Unix socket at this path. It gets the listening sockets and what is served, and this
    /// proxy ends once it has finished what it had begun: [`Handle::ended`].
    pub fn handover(mut self, socket: impl Into<PathBuf>) -> Self {
        self.options.handover = Some(socket.into());
        self
    }

    /// Takes over from the proxy that waits at the path of [`Builder::handover`], if there is one, which may take so long
    /// to finish requests and connections. It may be in another process; no connection is refused meanwhile.
    pub fn take_over(mut self, drain_timeout: Duration) -> Self {
        self.options.takeover = Some(drain_timeout.into());
        self
    }

    /// Looks up variables that services name there, where their users for basic auth come from one. Without this there
    /// are none.
    pub fn variables(mut self, find: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.options.surroundings.variables = Variables::new(find);
        self
    }

    /// Trusts these certificates, in DER, besides Mozilla's roots, where the proxy itself asks: authorities that issue
    /// certificates, and URLs that say who may have one. What is no certificate is passed over.
    pub fn trusted_roots(mut self, certificates: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.options.surroundings.roots.extend(certificates);
        self
    }

    /// Asks for HTTP/3 whether or not it can be served; where it cannot, the log says so.
    #[cfg(feature = "program")]
    pub(super) const fn http3_if_there(mut self, serve: bool) -> Self {
        self.options.http3 = serve;
        self
    }

    /// Starts the proxy. It serves when this returns, what its state file holds as well.
    ///
    /// # Errors
    ///
    /// When it cannot listen where it should, [`StartError::AddressInUse`] if somebody else does; when there is nowhere
    /// to listen; when another proxy does not let itself be taken over from; or when the system has no thread left for
    /// it. Nothing of it is left then.
    pub async fn start(self) -> Result<Handle, StartError> {
        let options = self.options;
        if options.http.is_none() && options.https.is_none() {
            return Err(StartError::NothingToListenAt);
        }
        if options.http3 && options.https.is_none() {
            return Err(StartError::Http3WithoutHttps);
        }
        if options.takeover.is_some() && options.handover.is_none() {
            return Err(StartError::TakeoverWithoutPath);
        }
        let log = match self.log {
            Some((Output(out), lowest)) => Log::start(lowest, out)?,
            None => Log::none(),
        };
        life::start(options, log).await
    }
}
