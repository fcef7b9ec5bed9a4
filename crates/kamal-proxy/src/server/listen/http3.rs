//! HTTP/3: QUIC on the UDP port of the same number as the HTTPS listener's (spec 8.1, 10.1).
//!
//! Requests go the way of all others; here are only the socket, the connections and their end. A connection ends with
//! GOAWAY: requests that have begun are answered, later ones are for a new connection.

mod request;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, EndpointConfig, IdleTimeout, Incoming, TokioRuntime, TransportConfig, VarInt};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::address::ListenAddress;
use super::heads::Heads;
use super::{HANDSHAKE_TIMEOUT, first};
use crate::server::client::{Client, Scheme};
use crate::server::connections::Stop;
use crate::server::front::Front;
use crate::server::start::StartError;
use crate::server::workers::Workers;

/// Without a packet for so long, a connection is gone. Milliseconds.
const IDLE: u32 = 30_000;
/// Requests of one client at the same time.
const STREAMS: u32 = 100;
/// Streams of a client's own that carry no request: control, and two of QPACK.
const CONTROL_STREAMS: u32 = 16;
/// Bytes a client may send of one request, and of all, before they are taken.
const STREAM_WINDOW: u32 = 1024 * 1024;
const WINDOW: u32 = 4 * 1024 * 1024;
/// Bytes kept for a client that does not take them.
const SEND_WINDOW: u64 = 4 * 1024 * 1024;
/// Bytes of a request's headers, as with HTTP/2.
const HEADERS: u64 = 128 * 1024;
/// With so many connections, a client has to show first that its address is its own.
const UNVALIDATED: usize = 1024;
/// Bytes the kernel keeps of what has not been read or sent.
const SOCKET_BUFFER: usize = 2 * 1024 * 1024;
/// The end of a response may still be on its way when there is nothing left to send.
const LINGER: Duration = Duration::from_secs(3);
/// How often it is tried to get the port from a predecessor that still needs it.
const PORT_PAUSE: Duration = Duration::from_millis(100);
/// From the end of a connection to its last packet having left.
const FAREWELL: Duration = Duration::from_millis(20);
/// `H3_NO_ERROR`.
const NO_ERROR: VarInt = VarInt::from_u32(0x100);

/// The listener; when this is dropped, it ends with its connections.
#[derive(Debug)]
pub(crate) struct Listening {
    open: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Listening {
    /// Sends clients away from here on; the port is free once the last has gone.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    /// Waits until the port is free.
    pub(crate) async fn closed(&mut self) {
        self.close();
        // One that panicked has ended as well.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens for packets.
pub(crate) fn bind(address: ListenAddress) -> Result<UdpSocket, StartError> {
    first(address, open).map_err(|error| StartError::listen("udp", address, error))
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Smaller ones work too.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// The certificates of the HTTPS listener for QUIC. Nothing is accepted before the handshake has ended.
pub(crate) fn config(tls: &ServerConfig) -> io::Result<quinn::ServerConfig> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE))))
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(CONTROL_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None);
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

/// Serves HTTP/3 at an address. Without a socket it waits for the port: a predecessor keeps it until its HTTP/3
/// connections have ended, and clients come by TCP meanwhile.
pub(crate) fn serve(
    socket: Option<UdpSocket>,
    (address, port): (ListenAddress, u16),
    config: quinn::ServerConfig,
    front: Arc<Front>,
    workers: Arc<Workers>,
) -> Listening {
    let (open, mut closed) = oneshot::channel();
    let task = tokio::spawn(async move {
        let socket = match socket {
            Some(socket) => socket,
            None => tokio::select! {
                socket = free(address) => socket,
                _ = &mut closed => return,
            },
        };
        let endpoint = match Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime)) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                return front.observer.log.error("HTTP/3 is not served", &[("error", error.to_string().into())]);
            }
        };
        tokio::select! {
            () = accept(&endpoint, port, &front, &workers) => {}
            _ = closed => {}
        }
        // Who comes now would wait for nothing; refused, it comes by TCP.
        tokio::select! {
            () = refuse(&endpoint) => {}
            () = endpoint.wait_idle() => {}
        }
    });
    Listening { open: Some(open), task }
}

async fn free(address: ListenAddress) -> UdpSocket {
    loop {
        match bind(address) {
            Ok(socket) => return socket,
            Err(_) => sleep(PORT_PAUSE).await,
        }
    }
}

async fn refuse(endpoint: &Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        incoming.refuse();
    }
}

async fn accept(endpoint: &Endpoint, port: u16, front: &Arc<Front>, workers: &Workers) {
    while let Some(incoming) = endpoint.accept().await {
        if !incoming.remote_address_validated() && endpoint.open_connections() > UNVALIDATED {
            // Fails only for one that was validated.
            let _ = incoming.retry();
            continue;
        }
        let Some(stop) = front.connections.enter() else {
            incoming.refuse();
            continue;
        };
        let front = Arc::clone(front);
        workers.spawn(|worker| converse(incoming, front, port, worker, stop));
    }
}

async fn converse(incoming: Incoming, front: Arc<Front>, port: u16, worker: usize, stop: Stop) {
    let client = Arc::new(Client::new(Scheme::Https, port, incoming.remote_address(), worker));
    let error = match timeout(HANDSHAKE_TIMEOUT, async { incoming.accept()?.await }).await {
        Ok(Ok(connection)) => {
            // What went wrong with a connection is the client's business.
            let _ = exchange(&connection, &front, &client, &stop).await;
            connection.close(NO_ERROR, b"");
            return sleep(FAREWELL).await;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "i/o timeout".to_owned(),
    };
    let text = format!("http: TLS handshake error from {}:{}: {error}", client.address_text(), client.port);
    front.observer.log.debug(&text, &[]);
}

/// Answers the requests of a connection until it ends, or is to end.
async fn exchange(
    connection: &quinn::Connection,
    front: &Arc<Front>,
    client: &Arc<Client>,
    stop: &Stop,
) -> Result<(), h3::error::ConnectionError> {
    let mut http: h3::server::Connection<h3_quinn::Connection, Bytes> = h3::server::builder()
        .max_field_section_size(HEADERS)
        .build(h3_quinn::Connection::new(connection.clone()))
        .await?;
    // Dropped with the connection, which ends what it has asked for.
    let mut requests = JoinSet::new();
    let heads = Arc::new(Heads::default());
    let (mut leaving, mut last) = (false, None);
    loop {
        tokio::select! {
            accepted = http.accept() => match accepted? {
                Some(request) => {
                    requests.spawn(request::answer(request, Arc::clone(front), Arc::clone(client), Arc::clone(&heads)));
                }
                None => break,
            },
            Some(_) = requests.join_next() => {
                last = Some(Instant::now());
                if leaving && requests.is_empty() {
                    break;
                }
            }
            () = stop.asked_to_leave(), if !leaving => {
                leaving = true;
                http.shutdown(0).await?;
                if requests.is_empty() {
                    break;
                }
            }
        }
    }
    while requests.join_next().await.is_some() {
        last = Some(Instant::now());
    }
    if let Some(last) = last {
        tokio::select! {
            _ = connection.closed() => {}
            () = sleep_until(last + LINGER) => {}
        }
    }
    Ok(())
}
