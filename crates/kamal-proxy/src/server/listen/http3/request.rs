//! One request over HTTP/3: a stream of QUIC, with a task of its own.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes};
use h3::error::{Code, StreamError};
use h3::server::{RequestResolver, RequestStream};
use h3_quinn::{Connection, RecvStream, SendStream};
use http::header::{CONNECTION, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, Method, Request, Response, Version};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::time::{error::Elapsed, timeout};

use crate::server::body::client::ClientBody;
use crate::server::body::quic::{Frames, QuicBody};
use crate::server::body::response::ResponseBody;
use crate::server::client::Client;
use crate::server::early_hints::{self, EarlyHints};
use crate::server::front::{Front, Handled, handle};
use crate::server::listen::complete::complete;
use crate::server::listen::heads::Heads;
use crate::server::wire::encode;

/// From the begin of a stream to the end of the request's head.
const HEAD: Duration = Duration::from_secs(30);
/// How long a client may take nothing of what is sent to it.
const STALL: Duration = Duration::from_secs(120);
/// How long the end of a request that was answered may be on its way.
const END: Duration = Duration::from_secs(2);
/// What only a connection of HTTP/1.1 has: a request that speaks of it is malformed (RFC 9114, 4.2).
static FOREIGN: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

type Sending = RequestStream<SendStream<Bytes>, Bytes>;
type Receiving = RequestStream<RecvStream, Bytes>;

/// Why a response was not sent to its end.
enum Unsent {
    /// There is none to send, or no rest of it.
    Cut,
    /// The client does not take it.
    Untaken,
}

impl From<StreamError> for Unsent {
    fn from(_: StreamError) -> Self {
        Self::Untaken
    }
}

impl From<Elapsed> for Unsent {
    fn from(_: Elapsed) -> Self {
        Self::Untaken
    }
}

/// Answers a request; `heads` is what its connection has room for.
pub(super) async fn answer(
    asked: RequestResolver<Connection, Bytes>,
    front: Arc<Front>,
    client: Arc<Client>,
    heads: Arc<Heads>,
) {
    // Whatever is wrong with a head, the client has been told.
    let Ok(Ok((request, stream))) = timeout(HEAD, asked.resolve_request()).await else { return };
    let (mut sending, mut receiving) = stream.split();
    let heads = &*heads;
    let Some(kept) = heads.keep(request.headers()) else {
        return sending.stop_stream(Code::H3_REQUEST_REJECTED);
    };
    let Some((body, frames)) = body(&request, &mut receiving).await else {
        return sending.stop_stream(Code::H3_MESSAGE_ERROR);
    };
    let method = request.method().clone();
    let mut request = request.map(|()| ClientBody::Quic(Box::new(body)));
    *request.version_mut() = Version::HTTP_3;
    let out = &mut sending;
    let answered = async move {
        let sent = heads.send(request.headers()).await;
        let response = respond_to(&mut request, out, &front, &client).await?;
        drop((request, kept, sent));
        send(out, response, &method).await
    };
    let result = tokio::select! {
        result = answered => result,
        () = cancelled(&mut receiving, frames) => Err(Unsent::Untaken),
    };
    match result {
        Ok(()) => end(&mut receiving).await,
        // Without this a response that was cut would look like a whole one.
        Err(Unsent::Cut) => sending.stop_stream(Code::H3_INTERNAL_ERROR),
        Err(Unsent::Untaken) => sending.stop_stream(Code::H3_REQUEST_CANCELLED),
    }
}

/// Waits for the handler, while hints go out.
async fn respond_to(
    request: &mut Request<ClientBody>,
    out: &mut Sending,
    front: &Arc<Front>,
    client: &Arc<Client>,
) -> Result<Response<ResponseBody>, Unsent> {
    let (waiting, mut left) = (EarlyHints::default(), early_hints::MOST);
    let mut handling = pin!(handle(front, client, &waiting, request));
    loop {
        let (hints, handled) = poll_fn(|cx| match (handling.as_mut().poll(cx), waiting.take()) {
            (Poll::Pending, hints) if hints.is_empty() => Poll::Pending,
            (handled, hints) => Poll::Ready((hints, handled)),
        })
        .await;
        for hint in hints.into_iter().take(left) {
            left -= 1;
            timeout(STALL, out.send_response(hint.into())).await??;
        }
        match handled {
            Poll::Pending => {}
            Poll::Ready(Ok(Handled::Response(response))) => return Ok(response),
            // Other protocols are switched to from HTTP/1.1 only.
            Poll::Ready(Ok(Handled::Switch(..)) | Err(_)) => return Err(Unsent::Cut),
        }
    }
}

/// The body of a request, and where its frames go; `None` for a request that is malformed.
async fn body(request: &Request<()>, receiving: &mut Receiving) -> Option<(QuicBody, Frames)> {
    let headers = request.headers();
    let te = headers.get_all(TE).iter().any(|value| value != "trailers");
    if te || FOREIGN.iter().any(|name| headers.contains_key(name)) {
        return None;
    }
    let (mut body, frames) = QuicBody::new(headers).ok()?;
    let bare = matches!(*request.method(), Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS);
    if bare && body.is_unannounced() {
        // These have no body as a rule, and a target should not be told to expect one.
        match timeout(HEAD, receiving.recv_data()).await.ok()?.ok()? {
            None => body.end(),
            Some(mut data) => {
                let first = data.copy_to_bytes(data.remaining());
                frames.send(Frame::data(first)).await;
            }
        }
    }
    Some((body, frames))
}

/// Passes on what the client sends, as fast as it is taken. Resolves when the client has given the request up.
async fn cancelled(receiving: &mut Receiving, frames: Frames) {
    if upload(receiving, frames).await.is_ok() {
        // The stream is kept as it is until the request has been answered: dropped, it would tell the client to stop.
        std::future::pending::<()>().await;
    }
}

/// Hears a client out whose request has been answered: the end of its stream may still be on its way. One that says more
/// than that is told that the rest is not needed, and that nothing is wrong (RFC 9114, 4.1).
async fn end(receiving: &mut Receiving) {
    if !matches!(timeout(END, receiving.recv_data()).await, Ok(Ok(None))) {
        receiving.stop_sending(Code::H3_NO_ERROR);
    }
}

async fn upload(receiving: &mut Receiving, frames: Frames) -> Result<(), StreamError> {
    while let Some(mut data) = receiving.recv_data().await? {
        let data = data.copy_to_bytes(data.remaining());
        if !frames.send(Frame::data(data)).await {
            return Ok(());
        }
    }
    if let Some(trailers) = receiving.recv_trailers().await? {
        frames.send(Frame::trailers(trailers)).await;
    }
    Ok(())
}

async fn send(to: &mut Sending, response: Response<ResponseBody>, method: &Method) -> Result<(), Unsent> {
    let (mut head, mut body) = response.into_parts();
    let follows = complete(&mut head.headers, head.status, &body, method);
    timeout(STALL, to.send_response(Response::from_parts(head, ()))).await??;
    while follows && let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unsent::Cut)?;
        match frame.into_data() {
            Ok(data) => timeout(STALL, to.send_data(data)).await??,
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    timeout(STALL, to.send_trailers(encode::may_trail(trailers))).await??;
                }
            }
        }
    }
    timeout(STALL, to.finish()).await??;
    body.delivered();
    Ok(())
}
