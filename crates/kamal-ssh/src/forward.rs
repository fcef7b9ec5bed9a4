//! Ports a host listens on for us: the embedded registry is reached by the hosts this way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::mpsc;

use crate::{connection::Connection, stream::Stream};

/// How many connections may wait to be accepted; further ones are refused.
const BACKLOG: usize = 64;

/// A port a host listens on; given up when dropped.
#[derive(Debug)]
pub struct RemoteForward {
    port: u16,
    bind: String,
    incoming: mpsc::Receiver<Stream>,
    connection: Arc<Connection>,
}

impl RemoteForward {
    pub(crate) fn new(bind: String, port: u16, incoming: mpsc::Receiver<Stream>, connection: Arc<Connection>) -> Self {
        Self { port, bind, incoming, connection }
    }

    /// The port, which the host chose if 0 was asked for.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next connection to the port; nothing once the connection to the host has ended.
    pub async fn accept(&mut self) -> Option<Stream> {
        self.incoming.recv().await
    }
}

impl Drop for RemoteForward {
    fn drop(&mut self) {
        self.connection.forwards().remove(self.port);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (connection, bind, port) = (self.connection.clone(), std::mem::take(&mut self.bind), self.port);
            runtime.spawn(async move { connection.cancel_forward(bind, port).await });
        }
    }
}

/// Who takes the connections to which port.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forwards(Arc<Mutex<HashMap<u16, mpsc::Sender<Stream>>>>);

impl Forwards {
    /// Begins to take connections to a port.
    pub(crate) fn add(&self, port: u16) -> mpsc::Receiver<Stream> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(port, sender);
        receiver
    }

    /// Room for one more connection to a port, if somebody takes them.
    pub(crate) fn place(&self, port: u32) -> Option<mpsc::OwnedPermit<Stream>> {
        let port = u16::try_from(port).ok()?;
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&port).cloned()?;
        sender.try_reserve_owned().ok()
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
