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

    /// Takes no connection for the open one that is closed.
    async fn forget(&self, connection: &Arc<Connection>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection)) {
            *current = None;
        }
    }
}

/// Tries at something, of which there are two where the connection of the first was closed before anything was sent.
struct Tries<'h> {
    host: &'h Host,
    again: bool,
}

impl<'h> Tries<'h> {
    fn of(host: &'h Host) -> Self {
        Self { host, again: false }
    }

    /// How it ended; `None` where it is worth another try.
    async fn ended<T>(
        &mut self,
        connection: &Arc<Connection>,
        tried: Result<T, Failure>,
    ) -> Option<Result<T, TransportError>> {
        self.host.touch();
        let kind = match tried {
            Ok(done) => return Some(Ok(done)),
            Err(Failure::Kind(kind)) => kind,
            Err(Failure::Closed(why)) if self.again => {
                TransportErrorKind::Network(format!("the connection closed again at once ({why})"))
            }
            Err(Failure::Closed(_)) => {
                self.host.forget(connection).await;
                self.again = true;
                return None;
            }
        };
        Some(Err(self.host.error(kind)))
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
        let mut tries = Tries::of(self);
        loop {
            let connection = self.live_connection().await?;
            let tried = connection.exec(script.label(), &text, output).await;
            if let Some(ended) = tries.ended(&connection, tried).await {
                return ended;
            }
        }
    }

    async fn upload_watched(
        &self,
        content: &[u8],
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError> {
        let mut tries = Tries::of(self);
        loop {
            let connection = self.live_connection().await?;
            let tried = upload(&connection, content, to, mode, sent).await;
            if let Some(ended) = tries.ended(&connection, tried).await {
                return ended;
            }
        }
    }

    async fn upload_content(
        &self,
        content: &dyn Content,
        to: &str,
        mode: u32,
        sent: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), TransportError> {
        let mut tries = Tries::of(self);
        loop {
            let connection = self.live_connection().await?;
            let tried = upload_content(&connection, content, to, mode, sent).await;
            if let Some(ended) = tries.ended(&connection, tried).await {
                return ended;
            }
        }
    }
}
