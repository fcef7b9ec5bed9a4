//! The way in: hands out hosts, each with one connection for the whole run.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use kamal_core::{
    name::HostName,
    ports::{Exec, Exit, Ssh, TransportError, TransportErrorKind},
    shell::Script,
};
use tokio::sync::Semaphore;

use crate::{
    attach::{self, Terminal},
    attendant::QuestionQueue,
    connection::Connection,
    destination::Destination,
    dial,
    forward::{Denial, ForwardError, RemoteForward},
    host::Host,
    host_key::Accepted,
    keyring::Keyring,
    options::Options,
    ssh_config::Machine,
    stream::Stream,
    target::{Part, Route, Target},
    trace::Trace,
};

/// How many hosts may lead to each other before it must be a circle.
const MOST_HOPS: usize = 8;

/// Connects to hosts over SSH and keeps the connections until it is dropped.
#[derive(Debug)]
pub struct Connector {
    dialer: Arc<Dialer>,
    hosts: Mutex<HashMap<HostName, Arc<Host>>>,
}

/// What all connections of a run share.
#[derive(Debug)]
pub(crate) struct Dialer {
    pub(crate) options: Options,
    pub(crate) desk: QuestionQueue,
    pub(crate) keyring: Keyring,
    pub(crate) accepted: Arc<Accepted>,
    pub(crate) starts: Semaphore,
    /// Hosts jumped over, by the way to them; each is locked while being connected to.
    hops: Mutex<HashMap<Vec<Destination>, Hop>>,
}

type Hop = Arc<tokio::sync::Mutex<Option<Arc<Connection>>>>;

impl Connector {
    /// A connector with no connection yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let starts = Semaphore::new(options.max_concurrent_starts.clamp(1, Semaphore::MAX_PERMITS));
        let dialer = Dialer {
            desk: QuestionQueue::new(options.attendant.clone()),
            options,
            keyring: Keyring::default(),
            accepted: Arc::default(),
            starts,
            hops: Mutex::default(),
        };
        Self { dialer: Arc::new(dialer), hosts: Mutex::default() }
    }

    /// Runs a script on a host with the caller's terminal, or with any other input and output, until it ends; without
    /// a script, the login shell. Raw mode of a local terminal is the caller's affair. Dropping the future hangs up.
    ///
    /// # Errors
    ///
    /// As for [`Exec::exec`]; and [`TransportErrorKind::Client`] when the caller's input or output fails.
    pub async fn attach(
        &self,
        host: &HostName,
        script: Option<&Script>,
        terminal: Terminal<'_>,
    ) -> Result<Exit, TransportError> {
        let host = self.host(host)?;
        let connection = host.live_connection().await?;
        attach::attach(&connection, script, terminal).await.map_err(|failure| host.error(failure.into_kind()))
    }

    /// Lets a host listen on a port of its loopback and hands over the connections made to it, as many and as long as
    /// somebody takes them. Commands go on beside them, over the same connection.
    ///
    /// # Errors
    ///
    /// [`ForwardError::Taken`] when something else has the port, [`ForwardError::Forbidden`] when the server forbids it.
    pub async fn forward_remote(&self, host: &HostName, port: u16) -> Result<RemoteForward, ForwardError> {
        let reached = self.host(host)?;
        let connection = reached.live_connection().await?;
        let forward = connection.forward(port).await.map_err(|kind| reached.error(kind))?;
        forward.map_err(|denial| match denial {
            Denial::Taken => ForwardError::Taken { host: host.clone(), port },
            Denial::Forbidden => ForwardError::Forbidden { host: host.clone() },
        })
    }

    /// Connects to an address as seen from a host.
    ///
    /// # Errors
    ///
    /// [`TransportErrorKind::Refused`] when nothing answers there, [`TransportErrorKind::Protocol`] when the server
    /// forbids forwarding.
    pub async fn open_tcp(&self, host: &HostName, to: &str, port: u16) -> Result<Stream, TransportError> {
        let host = self.host(host)?;
        let connection = host.live_connection().await?;
        let stream = connection.open_tcp(to, port).await.map_err(|kind| host.error(kind))?;
        Ok(stream.through(connection))
    }

    pub(crate) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    fn host(&self, name: &HostName) -> Result<Arc<Host>, TransportError> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(name) {
            return Ok(host.clone());
        }
        let destination = Destination::parse(name).map_err(|kind| TransportError::new(name, kind))?;
        let host = Arc::new(Host::new(name.clone(), destination, self.dialer.clone()));
        hosts.insert(name.clone(), host.clone());
        Ok(host)
    }
}

#[async_trait]
impl Ssh for Connector {
    async fn connect(&self, host: &HostName) -> Result<Arc<dyn Exec>, TransportError> {
        let host = self.host(host)?;
        host.live_connection().await?;
        Ok(host)
    }

    async fn forget(&self, host: &HostName) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
    }
}

impl Dialer {
    /// Opens a connection whose first shell is already on its way.
    pub(crate) async fn dial(self: &Arc<Self>, to: &Destination) -> Result<Arc<Connection>, TransportErrorKind> {
        let target = self.target(to).await?;
        let connection = dial::dial(self, target, &Trace::default()).await?;
        connection.warm_up().await;
        Ok(Arc::new(connection))
    }

    /// All that is known about a host to be deployed to.
    pub(crate) async fn target(&self, to: &Destination) -> Result<Target, TransportErrorKind> {
        let target = self.resolve(to, Part::Goal).await?;
        self.check_way(&target).await?;
        Ok(target)
    }

    /// The connection to the last of some hops, shared by all hosts behind it.
    pub(crate) async fn hop(&self, way: &[Destination]) -> Result<Arc<Connection>, TransportErrorKind> {
        let Some((last, before)) = way.split_last() else {
            return Err(TransportErrorKind::Client("the way to the host has no hop".to_owned()));
        };
        let hop = {
            let mut hops = self.hops.lock().unwrap_or_else(PoisonError::into_inner);
            hops.entry(way.to_vec()).or_default().clone()
        };
        let mut slot = hop.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        let mut target = self.first_hop(last).await?;
        if !before.is_empty() {
            target.route = Route::Jump(before.to_vec());
        }
        let connection = Arc::new(dial::dial(self, target, &Trace::default()).await?);
        *slot = Some(connection.clone());
        Ok(connection)
    }

    /// A host to jump over, with its own way to it.
    async fn first_hop(&self, hop: &Destination) -> Result<Target, TransportErrorKind> {
        let mut target = self.resolve(hop, Part::Hop).await?;
        if let Route::Jump(hops) = &target.route
            && let [only] = hops.as_slice()
            && (&only.host, only.port) == (&hop.host, hop.port)
        {
            // `Host *` with a ProxyJump holds for the jump host too, but it cannot jump over itself.
            target.route = Route::Direct;
        }
        Ok(target)
    }

    /// Makes sure that the hosts jumped over do not lead to each other in a circle, where each would wait for the next.
    async fn check_way(&self, target: &Target) -> Result<(), TransportErrorKind> {
        let mut route = target.route.clone();
        for _ in 0..MOST_HOPS {
            match &route {
                Route::Jump(hops) => match hops.first() {
                    Some(first) => route = self.first_hop(first).await?.route,
                    None => return Ok(()),
                },
                Route::Direct | Route::Command(_) => return Ok(()),
            }
        }
        Err(TransportErrorKind::Client(format!("ssh config jumps in a circle on the way to {}", target.address())))
    }

    async fn resolve(&self, to: &Destination, part: Part) -> Result<Target, TransportErrorKind> {
        let (options, to) = (self.options.clone(), to.clone());
        tokio::task::spawn_blocking(move || Target::resolve(&Machine, &options, &to, part))
            .await
            .map_err(|error| TransportErrorKind::Client(error.to_string()))?
    }
}
