//! HTTP/1.1 on one connection of a client, and the time between its requests.
//!
//! What hyper keeps for a connection is some 20 KiB. A connection that has been quiet for a moment is therefore taken back
//! from hyper and waits alone; the first byte that comes sees it served again. An idle connection so costs about 1 KiB.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;

use super::connections::Stop;
use super::patience::Patient;
use crate::server::body::client::ClientBody;
use crate::server::front::{Client, Front, handle};

/// How long a connection may wait for its next request; longer than load balancers in front keep theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(620);

/// A stream that can say when there is something to read, without a buffer to read it into.
pub(super) trait Waiting {
    /// The socket below.
    fn socket(&self) -> &TcpStream;
}

impl Waiting for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Waiting for Box<TlsStream<TcpStream>> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A stream that went quiet, with what a client had begun to say.
type Parked<S> = (S, Bytes);

/// Serves a connection to its end.
pub(super) async fn serve<S>(stream: S, front: Arc<Front>, client: Arc<Client>, stop: Stop)
where
    S: AsyncRead + AsyncWrite + Waiting + Unpin + Send + 'static,
{
    let mut parked = (stream, Bytes::new());
    while let Some((stream, begun)) = Box::pin(converse(parked, &front, &client, &stop)).await {
        if begun.is_empty() {
            tokio::select! {
                biased;
                readable = stream.socket().readable() => if readable.is_err() { return },
                () = stop.asked() => return,
                () = sleep(IDLE_TIMEOUT) => return,
            }
        }
        parked = (stream, begun);
    }
}

/// Serves requests as long as they come one soon after the other; gives the stream back when it went quiet.
async fn converse<S>(
    (stream, begun): Parked<S>,
    front: &Arc<Front>,
    client: &Arc<Client>,
    stop: &Stop,
) -> Option<Parked<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = {
        let (front, client) = (Arc::clone(front), Arc::clone(client));
        service_fn(move |request: Request<Incoming>| {
            Box::pin(handle(Arc::clone(&front), Arc::clone(&client), request.map(ClientBody::Tcp)))
        })
    };
    let mut connection = http1::Builder::new()
        // The stream keeps the time itself.
        .header_read_timeout(None)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(Patient::new(stream, begun, Arc::clone(client))), service)
        .with_upgrades();
    // How a connection ends is the client's business; what went wrong with a request is in its record.
    let ended = tokio::select! {
        biased;
        ended = &mut connection => Some(ended),
        () = stop.asked() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let parts = connection.into_parts()?;
    // A client may send the beginning of a request along with the one before it; hyper then misses the rest.
    let whole = ended.map_or_else(|error| error.is_incomplete_message() && !parts.read_buf.is_empty(), |()| true);
    let stream = parts.io.into_inner().parked().filter(|_| whole)?;
    // Though empty it may be a large buffer.
    let begun = if parts.read_buf.is_empty() { Bytes::new() } else { parts.read_buf };
    Some((stream, begun))
}
