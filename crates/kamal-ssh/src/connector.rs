//! The way in: hands out hosts, each with one connection for the whole run.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use kamal_core::{
    name::HostName,
    ports::{Exec, Ssh, TransportError, TransportErrorKind},
};
use tokio::sync::Semaphore;

use crate::{
    connection::Connection, destination::Destination, dial, host::Host, keyring::Keyring, options::Options,
    target::Target,
};

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
    pub(crate) keyring: Keyring,
    pub(crate) starts: Semaphore,
}

impl Connector {
    /// A connector with no connection yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let starts = Semaphore::new(options.max_concurrent_starts.clamp(1, Semaphore::MAX_PERMITS));
        let dialer = Dialer { options, keyring: Keyring::default(), starts };
        Self { dialer: Arc::new(dialer), hosts: Mutex::default() }
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
        host.connection().await?;
        Ok(host)
    }
}

impl Dialer {
    /// Opens a connection whose first shell is already on its way.
    pub(crate) async fn dial(&self, to: &Destination) -> Result<Arc<Connection>, TransportErrorKind> {
        let target = Target::resolve(&self.options, to, false)?;
        let connection = dial::dial(self, target).await?;
        connection.warm_up().await;
        Ok(Arc::new(connection))
    }
}
