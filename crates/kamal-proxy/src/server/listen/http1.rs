//! HTTP/1.1 with one client (RFC 9112): request after request on one connection, and the time between them.
//!
//! hyper's server parses, dispatches and writes as well as any; what a proxy pays it for is generality. Here one task
//! reads a head, runs the handler, and writes what comes of it, in one piece where it can, and everything a connection
//! keeps between two requests is the stream itself.

mod answer;
mod connection;
pub(crate) mod head;

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;

use http::{Method, Request, Version};
use tokio::io::{AsyncRead, AsyncWrite};

pub(super) use self::connection::IDLE;
use self::connection::{Connection, Next};
use self::head::Head;
use crate::server::client::Client;
use crate::server::connections::Stop;
use crate::server::early_hints::EarlyHints;
use crate::server::front::{Front, Handled, handle};
use crate::server::proxying::Session;
use crate::server::wire::fields;

/// How a conversation ended.
enum Ended {
    /// The client asks nothing for now.
    Quiet,
    /// The connection is of no further use.
    Over,
    /// Something else than HTTP follows.
    Switched(Box<Session>),
}

/// Serves a connection to its end.
pub(super) fn serve<S>(stream: S, front: Arc<Front>, client: Arc<Client>, stop: Stop) -> impl Future<Output = ()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    // What is made before the future is in it once; what it makes out of an argument has room beside that.
    let mut connection = Connection::new(stream);
    async move {
        // How a connection ends is the client's business; what went wrong with a request is in its record.
        let Ok(Some(session)) = wait_and_converse(&mut connection, &front, &client, &stop).await else { return };
        // From here on it is the session that is waited for.
        drop(stop);
        let (stream, early) = connection.into_parts();
        Box::pin(session.run(stream, early)).await;
    }
}

/// Waits until a client asks something, and then makes what it takes to answer. A connection nobody uses has none of that.
async fn wait_and_converse<S>(
    connection: &mut Connection<S>,
    front: &Arc<Front>,
    client: &Arc<Client>,
    stop: &Stop,
) -> io::Result<Option<Box<Session>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut asked = pin!(stop.asked());
    while connection.next_bytes(asked.as_mut()).await? {
        match Box::pin(converse(connection, front, client, stop, asked.as_mut())).await? {
            Ended::Quiet => {}
            Ended::Over => return Ok(None),
            Ended::Switched(session) => return Ok(Some(session)),
        }
    }
    Box::pin(connection.close()).await;
    Ok(None)
}

/// Answers requests as long as they come one soon after the other.
async fn converse<S>(
    connection: &mut Connection<S>,
    front: &Arc<Front>,
    client: &Arc<Client>,
    stop: &Stop,
    mut asked: Pin<&mut impl Future<Output = ()>>,
) -> io::Result<Ended>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut request, hints) = (Request::default(), EarlyHints::default());
    loop {
        let Head { framing, keeps, expects } = match connection.next_head(asked.as_mut(), &mut request).await? {
            Next::Request(head) => head,
            Next::Refused(refusal) => {
                connection.send(&answer::refusal(&refusal), &[]).await?;
                connection.linger().await;
                return Ok(Ended::Over);
            }
            Next::Quiet => return Ok(Ended::Quiet),
            Next::End => {
                connection.close().await;
                return Ok(Ended::Over);
            }
        };
        let head_only = *request.method() == Method::HEAD;
        let version = request.version();
        *request.body_mut() = connection.begin_upload(framing, expects && version == Version::HTTP_11);
        let handled = {
            let handled = pin!(handle(front, client, &hints, &mut request));
            connection.until(handled, &hints).await?
        };
        // What is left of its body is not wanted.
        drop(std::mem::take(&mut request));
        let response = match handled {
            Handled::Response(response) => response,
            Handled::Switch(response, session) => {
                let mut out = Vec::new();
                answer::switching(&response, &mut out);
                connection.send(&out, &[]).await?;
                return Ok(Ended::Switched(session));
            }
        };
        let keeps = keeps && !fields::says(response.headers(), "close") && !stop.is_asked();
        if !answer::send(connection, response, &answer::RequestFacts { head_only, version, keeps }).await? {
            connection.linger().await;
            return Ok(Ended::Over);
        }
    }
}
