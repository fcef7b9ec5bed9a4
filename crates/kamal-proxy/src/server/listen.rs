//! The listeners: accepting connections, TLS, and the protocol each connection speaks (spec 8.1, 10.1).

pub(crate) mod address;
mod complete;
mod heads;
pub(crate) mod http1;
mod http2;
#[cfg(feature = "http3")]
pub(crate) mod http3;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use hyper::server::conn;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use self::address::ListenAddress;
use super::body::response::ResponseBody;
use super::client::{Client, Scheme};
use super::connections::Stop;
use super::front::{self, Front};
use super::observe::metrics::Metrics;
use super::observe::state;
use super::start::StartError;
use super::tls;
use super::workers::Workers;

const BACKLOG: i32 = 4096;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may have to wait until its host has a certificate (spec 8.11).
const CERTIFICATE_TIMEOUT: Duration = Duration::from_secs(300);
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Listens for connections.
pub(crate) fn bind(address: ListenAddress) -> Result<TcpListener, StartError> {
    first(address, open).map_err(|error| StartError::listen("tcp", address, error))
}

/// What works at one of the addresses that will do, or the last error.
fn first<T>(address: ListenAddress, open: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    for candidate in address.candidates() {
        result = open(candidate);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves one listener until dropped; with a TLS configuration it is the HTTPS listener.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    front: Arc<Front>,
    workers: Arc<Workers>,
) {
    let port = listener.local_addr().map_or(0, |address| address.port());
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: let some connections end first.
                front.observer.log.warn("Error accepting connection", &[("error", error.to_string().into())]);
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(stop) = front.connections.enter() else { continue };
        let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
        let (front, tls) = (Arc::clone(&front), tls.clone());
        // It leaves this runtime's reactor for that of its worker.
        let Ok(stream) = stream.into_std() else { continue };
        workers.spawn(|worker| converse(stream, tls, front, Arc::new(Client::new(scheme, port, peer, worker)), stop));
    }
}

async fn converse(
    stream: std::net::TcpStream,
    tls: Option<Arc<ServerConfig>>,
    front: Arc<Front>,
    client: Arc<Client>,
    stop: Stop,
) {
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    // A connection that refuses the option works all the same.
    let _ = stream.set_nodelay(true);
    match tls {
        None => http1::serve(stream, front, client, stop).await,
        // What that needs is several times as large, and most of it only for the handshake.
        Some(config) => Box::pin(secure(stream, config, front, client, stop)).await,
    }
}

async fn secure(stream: TcpStream, config: Arc<ServerConfig>, front: Arc<Front>, client: Arc<Client>, stop: Stop) {
    let handshake = Box::pin(handshake(stream, config, &front));
    let error = match handshake.await {
        Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            return Box::pin(http2::serve(stream, front, client, stop)).await;
        }
        Ok(stream) => return http1::serve(Box::new(stream), front, client, stop).await,
        Err(error) => error,
    };
    let text = format!("http: TLS handshake error from {}:{}: {error}", client.address_text(), client.port);
    front.observer.log.debug(&text, &[]);
}

/// Agrees with a client on how to be private. The error is for the log.
async fn handshake(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    front: &Arc<Front>,
) -> Result<TlsStream<TcpStream>, String> {
    let late = || "i/o timeout".to_owned();
    let hello = timeout(HANDSHAKE_TIMEOUT, LazyConfigAcceptor::new(Acceptor::default(), stream));
    let start = hello.await.map_err(|_| late())?.map_err(|error| error.to_string())?;
    let ask = |service, name, request| front::ask(front, service, name, request);
    let prepared = timeout(CERTIFICATE_TIMEOUT, tls::prepare(&front.router, start.client_hello().into(), ask)).await;
    let (config, unavailable) = match prepared {
        Ok(Ok(own)) => (own.unwrap_or(config), None),
        // The client is to be told, by the alert for a missing certificate.
        Ok(Err(error)) => (config, Some(error.to_string())),
        Err(_) => (config, Some(late())),
    };
    let stream = timeout(HANDSHAKE_TIMEOUT, start.into_stream(config)).await;
    stream.map_err(|_| late())?.map_err(|error| unavailable.unwrap_or_else(|| error.to_string()))
}

/// Publishes metrics at any path, until dropped.
pub(crate) async fn serve_metrics(listener: TcpListener, metrics: Arc<Metrics>, front: Arc<Front>) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                front.observer.log.warn("Error accepting connection", &[("error", error.to_string().into())]);
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (metrics, front) = (Arc::clone(&metrics), Arc::clone(&front));
        open.spawn(async move {
            let service = service_fn(|_| {
                let mut response =
                    Response::new(ResponseBody::full(metrics.text() + &state::text(&front.router, &front.connections)));
                let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
                response.headers_mut().insert(CONTENT_TYPE, text);
                async { Ok::<_, Infallible>(response) }
            });
            let mut builder = conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HANDSHAKE_TIMEOUT);
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of what a function of these arguments makes.
    fn size<S, T, F, C, E, M>(_: impl FnOnce(S, T, F, C, E) -> M) -> usize {
        size_of::<M>()
    }

    // A proxy has thousands of connections nobody uses just then. What takes more, and not for long, is boxed.
    #[test]
    fn a_connection_takes_little() {
        let size = size(converse);
        assert!(size <= 576, "{size}");
    }
}
