//! One request over HTTP/2: a stream, with a task of its own.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame};
use tokio::time::{error::Elapsed, timeout};

use crate::server::body::client::ClientBody;
use crate::server::body::http2::{Http2Body, Unread};
use crate::server::body::response::ResponseBody;
use crate::server::client::Client;
use crate::server::early_hints::{self, EarlyHints};
use crate::server::front::{Front, Handled, handle};
use crate::server::listen::complete::complete;
use crate::server::listen::heads::Heads;
use crate::server::wire::{encode, framing};

/// How long a client may take nothing of what is sent to it.
pub(super) const STALL: Duration = Duration::from_secs(120);
/// Bytes of an answer that are kept back where the client has not sent all of its request yet. They go out together with
/// the word that the rest is not wanted: curl 7.88 reads no more after the last byte, and waits for ever for room to send
/// the rest; and together with the head it takes the answer for none.
const LAST: usize = 128;

/// Why a response was not sent to its end.
enum Unsent {
    /// There is none to send, or no rest of it.
    Cut,
    /// The client does not take it.
    Untaken,
    /// It has taken nothing for long.
    Stalled,
}

impl From<h2::Error> for Unsent {
    fn from(_: h2::Error) -> Self {
        Self::Untaken
    }
}

impl From<Elapsed> for Unsent {
    fn from(_: Elapsed) -> Self {
        Self::Stalled
    }
}

/// What a response ends with.
enum End {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// Answers a request; `heads` is what its connection has room for. Gives whether the client took nothing for too long.
pub(super) async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    front: Arc<Front>,
    client: Arc<Client>,
    heads: Arc<Heads>,
) -> bool {
    let Ok(length) = framing::length(request.headers()) else {
        respond.send_reset(Reason::PROTOCOL_ERROR);
        return false;
    };
    // It may well come again when others are done.
    let Some(kept) = heads.keep(request.headers()) else {
        respond.send_reset(Reason::REFUSED_STREAM);
        return false;
    };
    let method = request.method().clone();
    let (mut request, mut unread) = with_body(request, length);
    let answered = async {
        let response = {
            let _sending = heads.send(request.headers()).await;
            respond_to(&mut request, &mut respond, &front, &client).await?
        };
        drop((request, kept));
        send(&mut respond, response, &method, unread.as_mut()).await
    };
    let answered = answered.await;
    match answered {
        Ok(()) => {}
        // Without this a response that was cut would look like a whole one.
        Err(Unsent::Cut) => respond.send_reset(Reason::INTERNAL_ERROR),
        Err(Unsent::Untaken | Unsent::Stalled) => respond.send_reset(Reason::CANCEL),
    }
    matches!(answered, Err(Unsent::Stalled))
}

fn with_body(request: Request<RecvStream>, length: Option<u64>) -> (Request<ClientBody>, Option<Unread>) {
    let (head, stream) = request.into_parts();
    if stream.is_end_stream() {
        return (Request::from_parts(head, ClientBody::None), None);
    }
    let (body, unread) = Http2Body::new(stream, length);
    (Request::from_parts(head, ClientBody::Http2(body)), Some(unread))
}

/// Waits for the handler, while hints go out. A client that gives its request up is noticed.
async fn respond_to(
    request: &mut Request<ClientBody>,
    respond: &mut SendResponse<Bytes>,
    front: &Arc<Front>,
    client: &Arc<Client>,
) -> Result<Response<ResponseBody>, Unsent> {
    let (waiting, mut left) = (EarlyHints::default(), early_hints::MOST);
    let mut handled = pin!(handle(front, client, &waiting, request));
    let handled = poll_fn(|cx| {
        let handled = handled.as_mut().poll(cx);
        for hint in waiting.take().into_iter().take(left) {
            left -= 1;
            // Where it is too late for one, so it is for the answer.
            let _ = respond.send_informational(hint.into());
        }
        if let Poll::Ready(handled) = handled {
            return Poll::Ready(Ok(handled));
        }
        respond.poll_reset(cx).map(|_| Err(Unsent::Untaken))
    });
    match handled.await? {
        Ok(Handled::Response(response)) => Ok(response),
        // Other protocols are switched to from HTTP/1.1 only.
        Ok(Handled::Switch(..)) | Err(_) => Err(Unsent::Cut),
    }
}

async fn send(
    respond: &mut SendResponse<Bytes>,
    response: Response<ResponseBody>,
    method: &Method,
    unread: Option<&mut Unread>,
) -> Result<(), Unsent> {
    let (mut head, mut body) = response.into_parts();
    let follows = complete(&mut head.headers, head.status, &body, method);
    let early = unread.and_then(|unread| (!unread.is_over()).then_some(unread));
    let mut to = respond.send_response(Response::from_parts(head, ()), !follows && early.is_none())?;
    let mut end = End::Data(Bytes::new());
    while follows && let Some(frame) = next(&mut body, &mut to).await? {
        match frame.into_data() {
            Ok(data) if body.is_end_stream() => {
                end = End::Data(data);
                break;
            }
            Ok(data) => send_data(&mut to, data, false).await?,
            Err(frame) => {
                end = End::Trailers(encode::may_trail(frame.into_trailers().unwrap_or_default()));
                break;
            }
        }
    }
    let is_early = early.is_some();
    if let Some(unread) = early {
        // With that goes what was still being sent to the target.
        body.let_go();
        if let End::Data(data) = &mut end {
            send_data(&mut to, data.split_to(data.len().saturating_sub(LAST)), false).await?;
        }
        unread.hear_out().await;
    }
    match end {
        _ if !follows && !is_early => {}
        End::Data(data) => send_data(&mut to, data, true).await?,
        End::Trailers(trailers) => to.send_trailers(trailers)?,
    }
    body.delivered();
    Ok(())
}

async fn next(body: &mut ResponseBody, to: &mut SendStream<Bytes>) -> Result<Option<Frame<Bytes>>, Unsent> {
    poll_fn(|cx| {
        if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
            return Poll::Ready(frame.transpose().map_err(|_| Unsent::Cut));
        }
        to.poll_reset(cx).map(|_| Err(Unsent::Untaken))
    })
    .await
}

/// Sends a piece as the client has room for it, which may be the last.
async fn send_data(to: &mut SendStream<Bytes>, mut data: Bytes, last: bool) -> Result<(), Unsent> {
    if data.is_empty() && last {
        to.send_data(data, true)?;
        return Ok(());
    }
    while !data.is_empty() {
        to.reserve_capacity(data.len());
        let room = match to.capacity() {
            0 => timeout(STALL, poll_fn(|cx| poll_room(to, cx))).await??,
            room => room,
        };
        let piece = data.split_to(room.min(data.len()));
        to.send_data(piece, last && data.is_empty())?;
    }
    Ok(())
}

fn poll_room(to: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Result<usize, Unsent>> {
    loop {
        match ready!(to.poll_capacity(cx)).transpose()? {
            Some(0) => {}
            Some(room) => return Poll::Ready(Ok(room)),
            None => return Poll::Ready(Err(Unsent::Untaken)),
        }
    }
}
