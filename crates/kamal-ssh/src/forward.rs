//! Ports a host listens on for us: the embedded registry is reached by the hosts this way.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kamal_core::{name::HostName, ports::TransportError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{connection::Connection, stream::Stream};

/// Where a host listens: whoever is not on it has no business there.
pub(crate) const LOOPBACK: &str = "127.0.0.1";

/// How many connections to a port there may be at once; further ones are refused. `docker pull` makes a handful.
const CONNECTIONS: usize = 64;

/// How long a connection to a port may hold up the others by sending what nobody reads.
const PATIENCE: Duration = Duration::from_secs(5);

/// A port of a host's loopback that is listened on for us; given up when dropped.
#[derive(Debug)]
pub struct RemoteForward {
    port: u16,
    incoming: mpsc::UnboundedReceiver<Stream>,
    connection: Arc<Connection>,
}

/// Why a host does not listen for us.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// The server lets nobody forward ports this way, or not this one.
    #[error("{host}: the server forbids port forwarding; set AllowTcpForwarding yes in its sshd_config")]
    Forbidden {
        /// The host.
        host: HostName,
    },
    /// Something else has the port, or it is one that only root may listen on.
    #[error("{host}: port {port} of 127.0.0.1 is taken there; stop what listens on it (`ss -ltnp`), or choose another")]
    Taken {
        /// The host.
        host: HostName,
        /// The port.
        port: u16,
    },
    /// The host cannot be reached.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// Why a server said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    Forbidden,
    Taken,
}

impl RemoteForward {
    pub(crate) fn new(port: u16, incoming: mpsc::UnboundedReceiver<Stream>, connection: Arc<Connection>) -> Self {
        Self { port, incoming, connection }
    }

    /// The next connection to the port; nothing once the connection to the host has ended. A connection that sends what
    /// is not read, and goes on doing so, is cut off rather than hold up what else goes through the connection.
    pub async fn accept(&mut self) -> Option<Stream> {
        self.incoming.recv().await
    }
}

impl Drop for RemoteForward {
    fn drop(&mut self) {
        self.connection.forwards().remove(self.port);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (connection, port) = (self.connection.clone(), self.port);
            runtime.spawn(async move { connection.cancel_forward(port).await });
        }
    }
}

/// Who takes the connections to which port.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forwards(Arc<Mutex<HashMap<u16, Taker>>>);

#[derive(Debug)]
struct Taker {
    streams: mpsc::UnboundedSender<Stream>,
    places: Arc<Semaphore>,
}

/// Room for one more connection to a port.
pub(crate) struct Place {
    streams: mpsc::UnboundedSender<Stream>,
    permit: OwnedSemaphorePermit,
}

impl Place {
    /// Hands a connection to whoever takes those of its port.
    pub(crate) fn send(self, channel: russh::Channel<russh::client::Msg>) {
        // Nobody may be there any more; then it is closed.
        let _ = self.streams.send(Stream::limited(channel, PATIENCE, self.permit));
    }
}

impl Forwards {
    /// Begins to take connections to a port, unless somebody does already.
    pub(crate) fn add(&self, port: u16) -> Option<mpsc::UnboundedReceiver<Stream>> {
        let mut takers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry::Vacant(vacant) = takers.entry(port) else { return None };
        let (streams, receiver) = mpsc::unbounded_channel();
        vacant.insert(Taker { streams, places: Arc::new(Semaphore::new(CONNECTIONS)) });
        Some(receiver)
    }

    /// Room for one more connection to a port, if somebody takes them.
    pub(crate) fn place(&self, port: u32) -> Option<Place> {
        let port = u16::try_from(port).ok()?;
        let takers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taker = takers.get(&port)?;
        Some(Place { streams: taker.streams.clone(), permit: taker.places.clone().try_acquire_owned().ok()? })
    }

    /// Stops taking connections.
    pub(crate) fn remove(&self, port: u16) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&port);
    }

    /// Ends all of them, when the connection has.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
