//! The registry on the deploying machine, as far as its way to this host goes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// After which time without a word from it the registry is gone: it says one every 5 s.
const SILENCE: Duration = Duration::from_secs(60);

/// The registry.
#[derive(Debug, Clone)]
pub(super) struct Source {
    at: SocketAddr,
    token: String,
}

impl Source {
    pub(super) const fn new(at: SocketAddr, token: String) -> Self {
        Self { at, token }
    }

    /// Shows who this is, and waits until nobody expects that any more.
    pub(super) async fn expects(&self) -> io::Result<()> {
        let mut answer = self.get("/v2/_layers").await?;
        while let Ok(Some(Ok(_))) = timeout(SILENCE, answer.frame()).await {}
        Ok(())
    }

    /// Asks for something. By the token it knows that this one is to be led nowhere else.
    pub(super) async fn get(&self, path: &str) -> io::Result<Response<Incoming>> {
        let stream = TcpStream::connect(self.at).await?;
        let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        let request = Request::get(path).header(HOST, self.at.to_string());
        let request = request.header(AUTHORIZATION, format!("Bearer {}", self.token)).body(Empty::<Bytes>::new());
        let answer = client.send_request(request.map_err(io::Error::other)?).await.map_err(io::Error::other)?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            status => Err(io::Error::other(format!("the registry answers {path} with {status}"))),
        }
    }
}
