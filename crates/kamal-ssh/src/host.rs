//! One host as the engine sees it. It outlives its connection: one found closed before anything was sent is replaced
//! in silence, since a build of half an hour is enough for a router to forget an idle connection.

use std::{
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Instant,
};

use async_trait::async_trait;
use kamal_core::{
    name::HostName,
    ports::{Chunk, Content, Exec, Exit, TransportError, TransportErrorKind},
    shell::Script,
};
use tokio::sync::Mutex;

use crate::{
    connection::{Connection, Failure},
    connector::Dialer,
    destination::Destination,
    upload::{upload, upload_content},
};

/// A host and the connection to it, if there is one.
#[derive(Debug)]
pub(crate) struct Host {
    name: HostName,
    destination: Destination,
    dialer: Arc<Dialer>,
    /// Locked while connecting, so that a host is connected to once even when asked for by many.
    current: Mutex<Option<Arc<Connection>>>,
    /// When it was last asked for, or done with.
    used: StdMutex<Instant>,
}

impl Host {
    pub(crate) fn new(name: HostName, destination: Destination, dialer: Arc<Dialer>) -> Self {
        Self { name, destination, dialer, current: Mutex::new(None), used: StdMutex::new(Instant::now()) }
    }

    /// The open connection, or a new one.
    pub(crate) async fn live_connection(&self) -> Result<Arc<Connection>, TransportError> {
        let mut current = self.current.lock().await;
        let is_usable = |connection: &&Arc<Connection>| !connection.is_closed() && !self.has_expired(connection);
        let usable = current.as_ref().filter(is_usable).cloned();
        self.touch();
        if let Some(connection) = usable {
            return Ok(connection);
        }
        let connection = self.dialer.dial(&self.destination).await.map_err(|kind| self.error(kind))?;
        *current = Some(connection.clone());
        Ok(connection)
    }

    /// Whether nobody has used a connection for so long that it is to be replaced: what is in between may have forgotten
    /// it without a word, and a server may have rules of its own.
    fn has_expired(&self, connection: &Arc<Connection>) -> bool {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = Arc::strong_count(connection) == 1;
        is_idle && self.dialer.options.idle_timeout.is_some_and(|limit| used.elapsed() > limit)
    }

    fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// An error of this host.
    pub(crate) fn error(&self, kind: TransportErrorKind) -> TransportError {
        TransportError::new(&self.name, kind)
    }

    /// After a failure: nothing when it is worth another connection, else the error to give up with.
    pub(crate) async fn give_up(
        &self,
        connection: &Arc<Connection>,
        failure: Failure,
        tried: bool,
    ) -> Option<TransportError> {
        match failure {
            Failure::Kind(kind) => Some(self.error(kind)),
            Failure::Closed(why) if tried => {
                Some(self.error(TransportErrorKind::Network(format!("the connection closed again at once ({why})"))))
            }
            Failure::Closed(_) => {
                let mut current = self.current.lock().await;
                if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection)) {
                    *current = None;
                }
                None
            }
        }
    }
}

#[async_trait]
impl Exec for Host {
    fn host(&self) -> &HostName {
        &self.name
    }

    async fn exec(
        &self,
        script: &Script,
        output: &mut (dyn for<'c> FnMut(Chunk<'c>) + Send),
    ) -> Result<Exit, TransportError> {
        let text = script.expose();
        let mut tried = false;
        loop {
            let connection = self.live_connection().await?;
            let ended = connection.exec(script.label(), &text, output).await;
            self.touch();
            let failure = match ended {
                Ok(exit) => return Ok(exit),
                Err(failure) => failure,
            };
            if let Some(error) = self.give_up(&connection, failure, tried).await {
                return Err(error);
            }
            tried = true;
        }
    }

    async fn upload_watched(
        &self,
        content: &[u8],
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError> {
        let mut tried = false;
        loop {
            let connection = self.live_connection().await?;
            let ended = upload(&connection, content, to, mode, sent).await;
            self.touch();
            let Err(failure) = ended else { return Ok(()) };
            if let Some(error) = self.give_up(&connection, failure, tried).await {
                return Err(error);
            }
            tried = true;
        }
    }

    async fn upload_content(
        &self,
        content: &dyn Content,
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError> {
        let mut tried = false;
        loop {
            let connection = self.live_connection().await?;
            let ended = upload_content(&connection, content, to, mode, sent).await;
            self.touch();
            let Err(failure) = ended else { return Ok(()) };
            if let Some(error) = self.give_up(&connection, failure, tried).await {
                return Err(error);
            }
            tried = true;
        }
    }
}
