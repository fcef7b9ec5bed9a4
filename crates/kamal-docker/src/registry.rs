//! A container registry inside the program, so that a deploy needs no registry account and no registry container.
//!
//! Kamal's local registry runs the image `registry:3` from Docker Hub on the deploying machine and reaches the hosts
//! through a reverse tunnel. This one needs no image at all: it speaks the [OCI distribution API] as far as `docker push`,
//! `docker pull` and buildx use it, over any byte stream, so it can be served on a socket ([`serve`]) or directly on a
//! channel that a host opened through its SSH connection ([`serve_connection`]).
//!
//! It asks for no credentials, and accepts any, so `docker login` succeeds. What protects it is where it is served: a
//! loopback address, or the inside of an SSH connection.
//!
//! [OCI distribution API]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

mod answer;
mod blobs;
mod digest;
mod manifests;
mod names;
mod routes;
mod store;
mod uploads;

use std::convert::Infallible;
use std::io;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

pub use self::store::Store;

/// Serves the store to every connection `listener` accepts, for as long as the returned future is polled.
///
/// # Errors
///
/// Only when the listener itself fails for good; what goes wrong on one connection ends that connection alone.
pub async fn serve(listener: TcpListener, store: Store) -> io::Result<()> {
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The client gave up between its SYN and our accept.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        let store = store.clone();
        tokio::spawn(async move {
            // A client that vanished in the middle is its own affair; whole blobs are visible, half ones never are.
            let _ = serve_connection(stream, store).await;
        });
    }
}

/// Serves the store to the HTTP/1.1 client at the other end of `stream`, until it hangs up.
///
/// # Errors
///
/// When the client breaks the protocol or vanishes in the middle of a message. The store stays whole: a blob or a tag
/// appears under its name only when it is complete and its digest was checked.
pub async fn serve_connection<S>(stream: S, store: Store) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let store = store.clone();
        async move { Ok::<_, Infallible>(routes::respond(&store, request).await) }
    });
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
}

#[cfg(test)]
mod tests;
