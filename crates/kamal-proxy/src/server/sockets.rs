//! The listening sockets of a proxy, and the same kept at hand for a successor.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use http::HeaderValue;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::builder::Options;
use super::front::Front;
use super::handover::take::Taken;
use super::listen;
use super::listen::address::ListenAddress;
#[cfg(feature = "http3")]
use super::listen::http3;
use super::observe::metrics::Metrics;
use super::start::StartError;
use super::workers::Workers;

/// The names under which sockets are handed to a successor.
const HTTP: &str = "http";
const HTTPS: &str = "https";
const METRICS: &str = "metrics";

/// Where a proxy listens, with the ports it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// For HTTP.
    pub http: Option<SocketAddr>,
    /// For HTTPS, and for HTTP/3 where that is served.
    pub https: Option<SocketAddr>,
    /// For metrics.
    pub metrics: Option<SocketAddr>,
}

/// The listening sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    http: Option<TcpListener>,
    https: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

/// The same sockets, kept at hand for a successor.
#[derive(Debug)]
pub(super) struct Duplicates(Vec<(&'static str, OwnedFd)>);

/// What accepts connections, until dropped.
#[derive(Debug)]
pub(super) struct Accepting(Vec<JoinHandle<()>>);

impl Sockets {
    /// Those that were handed over, and new ones where none was or it is elsewhere.
    pub(super) fn open(options: &Options, mut taken: Option<&mut Taken>) -> Result<Self, StartError> {
        let mut open = |name: &str, address: Option<ListenAddress>| -> Result<Option<TcpListener>, StartError> {
            let Some(address) = address else { return Ok(None) };
            if let Some(taken) = &mut taken
                && let Some(listener) = taken.listener(name, address)?
            {
                return Ok(Some(listener));
            }
            listen::bind(address).map(Some)
        };
        let metrics = open(METRICS, options.metrics)?;
        Ok(Self { http: open(HTTP, options.http)?, https: open(HTTPS, options.https)?, metrics })
    }

    pub(super) fn addresses(&self) -> io::Result<Addresses> {
        let of = |listener: &Option<TcpListener>| listener.as_ref().map(TcpListener::local_addr).transpose();
        Ok(Addresses { http: of(&self.http)?, https: of(&self.https)?, metrics: of(&self.metrics)? })
    }

    pub(super) fn duplicates(&self) -> io::Result<Duplicates> {
        let named = [(HTTP, &self.http), (HTTPS, &self.https), (METRICS, &self.metrics)];
        let there = named.into_iter().filter_map(|(name, listener)| Some((name, listener.as_ref()?)));
        there
            .map(|(name, listener)| Ok((name, listener.as_fd().try_clone_to_owned()?)))
            .collect::<io::Result<_>>()
            .map(Duplicates)
    }

    /// Begins to accept connections.
    pub(super) fn serve(
        self,
        tls: Arc<ServerConfig>,
        front: &Arc<Front>,
        metrics: Arc<Metrics>,
        workers: &Arc<Workers>,
    ) -> Accepting {
        let serve = |listener, tls| tokio::spawn(listen::serve(listener, tls, Arc::clone(front), Arc::clone(workers)));
        let http = self.http.map(|listener| serve(listener, None));
        let https = self.https.map(|listener| serve(listener, Some(tls)));
        let published = |listener| tokio::spawn(listen::serve_metrics(listener, metrics, Arc::clone(front)));
        Accepting(http.into_iter().chain(https).chain(self.metrics.map(published)).collect())
    }
}

impl Addresses {
    /// What answers over HTTPS say of HTTP/3.
    pub(super) fn alt_svc(&self, options: &Options) -> Result<Option<HeaderValue>, StartError> {
        if !options.http3 {
            return Ok(None);
        }
        let port = self.https.ok_or(StartError::Http3WithoutHttps)?.port();
        if cfg!(not(feature = "http3")) {
            return Ok(None);
        }
        let value = HeaderValue::try_from(format!("h3=\":{port}\"; ma=2592000"));
        Ok(Some(value.map_err(io::Error::other)?))
    }

    /// Begins to serve HTTP/3 beside HTTPS, if asked to.
    #[cfg(feature = "http3")]
    pub(super) fn serve_http3(
        &self,
        options: &Options,
        tls: &ServerConfig,
        front: &Arc<Front>,
        workers: &Arc<Workers>,
    ) -> Result<Option<http3::Listening>, StartError> {
        let (Some(https), Some(asked), true) = (self.https, options.https, options.http3) else { return Ok(None) };
        let port = https.port();
        let address = asked.with_port(port);
        let socket = match http3::bind(address) {
            Ok(socket) => Some(socket),
            // The predecessor has it, and will leave it.
            Err(_) if options.takeover.is_some() => None,
            Err(error) => return Err(error),
        };
        let config = http3::config(tls)?;
        Ok(Some(http3::serve(socket, (address, port), config, Arc::clone(front), Arc::clone(workers))))
    }
}

impl Duplicates {
    pub(super) fn borrowed(&self) -> Vec<(&'static str, BorrowedFd<'_>)> {
        self.0.iter().map(|(name, socket)| (*name, socket.as_fd())).collect()
    }
}

impl Accepting {
    /// Ends it; the sockets are closed when this returns.
    pub(super) async fn end(mut self) {
        for task in self.0.drain(..) {
            task.abort();
            // Cut, which is how it ends.
            let _ = task.await;
        }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
