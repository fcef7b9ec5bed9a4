//! HTTP/1.1 with one client (RFC 9112): request after request on one connection, and the time between them.
//!
//! hyper's server parses, dispatches and writes as well as any; what a proxy pays it for is generality. Here one task
//! reads a head, runs the handler, and writes what comes of it, in one piece where it can, and everything a connection
//! keeps between two requests is the stream itself.

mod answer;
mod connection;
pub(crate) mod head;
pub(crate) mod hints;
mod upload;

use std::io;
use std::pin::pin;
use std::sync::Arc;

use http::{Method, Response, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite};

use self::connection::Connection;
use self::head::Head;
pub(crate) use self::upload::Incoming;
use super::connections::Stop;
use crate::server::body::response::ResponseBody;
use crate::server::front::{Client, Front, handle};
use crate::server::proxying::Session;
use crate::server::wire::fields;

/// Serves a connection to its end.
pub(super) async fn serve<S>(stream: S, front: Arc<Front>, client: Arc<Client>, stop: Stop)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut connection = Connection::new(stream);
    // How a connection ends is the client's business; what went wrong with a request is in its record.
    let Ok(Some(session)) = converse(&mut connection, &front, &client, &stop).await else { return };
    // From here on it is the session that is waited for.
    drop(stop);
    let (stream, early) = connection.into_parts();
    session.run(stream, early).await;
}

/// Serves requests until the connection ends, or something else than HTTP follows.
async fn converse<S>(
    connection: &mut Connection<S>,
    front: &Arc<Front>,
    client: &Arc<Client>,
    stop: &Stop,
) -> io::Result<Option<Box<Session>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut asked = pin!(stop.asked());
    loop {
        let head = match connection.next_head(asked.as_mut()).await? {
            Some(Ok(head)) => head,
            Some(Err(refusal)) => {
                connection.send(&answer::refusal(&refusal), &[]).await?;
                connection.linger().await;
                return Ok(None);
            }
            None => {
                connection.close().await;
                return Ok(None);
            }
        };
        let Head { request, framing, keeps, expects } = head;
        let head_only = *request.method() == Method::HEAD;
        let version = request.version();
        let body = connection.begin_upload(framing, expects && version == Version::HTTP_11);
        let handled = Box::pin(handle(Arc::clone(front), Arc::clone(client), request.map(|()| body)));
        let response = connection.until(handled, &client.hints).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return switch(connection, response).await;
        }
        let keeps = keeps && !fields::says(response.headers(), "close") && !stop.is_asked();
        if !answer::send(connection, response, &answer::Asked { head_only, version, keeps }).await? {
            connection.linger().await;
            return Ok(None);
        }
    }
}

async fn switch<S>(connection: &mut Connection<S>, response: Response<ResponseBody>) -> io::Result<Option<Box<Session>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut out = Vec::new();
    answer::switching(&response, &mut out);
    connection.send(&out, &[]).await?;
    Ok(response.into_body().into_session())
}
