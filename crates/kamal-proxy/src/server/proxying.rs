//! Passing a request to its target and the response back (spec 8.2 to 8.4, 8.7).

pub(crate) mod clock;
mod headers;
mod tunnel;

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, response};
use http_body::Body;
use tokio::sync::oneshot;
use tokio::time::sleep;

use self::clock::Clock;
pub(crate) use self::headers::is_websocket;
pub(crate) use self::tunnel::{Session, Tunnel};
use super::balancer::{Among, Balancer};
use super::body::buffer::{BufferError, Limits, collect};
use super::body::client::ClientBody;
use super::body::held::Held;
use super::body::patience;
use super::body::request::{Fault, RequestBody, UploadFault, upload_fault};
use super::body::response::{Relayed, ResponseBody};
use super::client::Client;
use super::cookies;
use super::early_hints::EarlyHints;
use super::go_duration::GoDuration;
use super::host;
use super::observe::access::{CLIENT_CLOSED_REQUEST, Record};
use super::observe::log::Log;
use super::options::TargetOptions;
use super::peers;
use super::target::pool::{self, SendError};
use super::target::reply::ReplyBody;
use super::target::{Claim, Target};
use super::wire::WireError;

/// Whether whoever stands between may keep a response back.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How long a request waits for a target without a name, where there is no other: docker forgets those of all its
/// containers when its host leaves a swarm, and is told them again at once.
const NAMELESS: Duration = Duration::from_secs(5);

/// What is known about a request besides itself.
#[derive(Debug)]
pub(crate) struct Forwarding<'a> {
    pub(crate) client: &'a Client,
    /// Where goes what precedes the answer.
    pub(crate) hints: Option<&'a EarlyHints>,
    /// As received, with port.
    pub(crate) host: &'a str,
    /// What to ask the target for, where that differs from what the client asked for.
    pub(crate) path: Option<PathAndQuery>,
    /// The prefix that was taken off.
    pub(crate) scope_cookies_to: Option<String>,
    /// How long the client is to read from writers after this request.
    pub(crate) writer_affinity: Option<GoDuration>,
    /// Where another target is found when one cannot be reached.
    pub(crate) set: &'a Balancer,
    pub(crate) among: Among,
    pub(crate) prefer_reader: bool,
    pub(crate) log: &'a Log,
    /// For what is kept whole and does not fit into memory.
    pub(crate) temporary: &'a Path,
}

/// What comes of a request.
#[derive(Debug)]
pub(crate) enum Reply {
    Response(Response<ResponseBody>),
    /// The response that ends HTTP on this connection, and what follows it.
    Upgraded(Response<()>, Tunnel),
}

/// Why there is no response of the target to pass on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The proxy answers itself, with a page.
    Status(StatusCode, Option<Arc<str>>),
    /// The connection is cut; the status is for the log.
    Aborted(u16),
    /// It comes from a peer, nothing came of it at any target here, and it may be sent again.
    Unanswered,
}

impl From<StatusCode> for Failure {
    fn from(status: StatusCode) -> Self {
        Self::Status(status, None)
    }
}

/// The upload of a request, as far as its end matters to others.
struct Upload {
    fault: Option<Arc<Fault>>,
    /// Resolves when all has been sent.
    sent: Option<oneshot::Receiver<()>>,
}

/// Sends a request to the claimed target.
pub(crate) async fn forward(
    request: &mut Request<ClientBody>,
    claim: Claim,
    forwarding: Forwarding<'_>,
    record: &mut Record,
) -> Result<Reply, Failure> {
    let target = Arc::clone(claim.target());
    let upgrade = headers::upgrade(request.headers()).filter(|_| request.version() == Version::HTTP_11);
    // HTTP/1.0 has none.
    let hints = forwarding.hints.filter(|_| request.version() != Version::HTTP_10);
    let body = std::mem::take(request.body_mut());
    let (headers, uri) = (request.headers(), request.uri());
    let (body, upload) = outgoing_body(body, headers, &target.options, &claim, &forwarding, uri).await?;
    let mut outgoing = outgoing_request(request, body, forwarding.path.as_ref());
    headers::prepare(outgoing.headers_mut(), request.version(), &forwarding, &target, upgrade.as_ref());
    drop(target);

    let path = request.uri().path();
    let (response, claim) = exchange(&mut outgoing, claim, upload, &forwarding, hints, path, record).await?;
    drop(outgoing);
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return switch(response, claim, upgrade.as_ref(), &forwarding, path);
    }
    relay(response, claim, &forwarding, path).await
}

/// Reads the whole body first where the options say so.
async fn outgoing_body(
    body: ClientBody,
    headers: &HeaderMap,
    options: &TargetOptions,
    claim: &Claim,
    forwarding: &Forwarding<'_>,
    uri: &Uri,
) -> Result<(RequestBody, Upload), Failure> {
    if body.is_end_stream() {
        return Ok((RequestBody::Empty, Upload { fault: None, sent: None }));
    }
    // A call of gRPC may be answered before its request has ended.
    let call = options.h2c && body.size_hint().exact().is_none();
    if !options.buffer_requests || call || headers::upgrade(headers).is_some() {
        let (body, fault, sent) = RequestBody::streamed(body);
        return Ok((body, Upload { fault: Some(fault), sent: Some(sent) }));
    }
    let limits = limits(options, options.max_request_body_size, forwarding.temporary);
    let collected = tokio::select! {
        collected = Box::pin(collect(patience::Upload::new(body), limits)) => collected,
        () = claim.until_cut() => return Err(StatusCode::GATEWAY_TIMEOUT.into()),
    };
    match collected {
        Ok(buffered) => Ok((RequestBody::Buffered(Box::new(buffered)), Upload { fault: None, sent: None })),
        Err(BufferError::TooLarge) => Err(StatusCode::PAYLOAD_TOO_LARGE.into()),
        Err(BufferError::Read(error)) => match upload_fault(&error) {
            UploadFault::Malformed => {
                log_malformed(forwarding.log, uri.path(), &error.to_string());
                Err(StatusCode::BAD_REQUEST.into())
            }
            UploadFault::Gone => Err(Failure::Aborted(CLIENT_CLOSED_REQUEST)),
        },
        Err(BufferError::Spill(error)) => {
            let about = [("path", uri.path().into()), ("error", error.to_string().into())];
            forwarding.log.error("Error buffering request", &about);
            Err(StatusCode::INTERNAL_SERVER_ERROR.into())
        }
    }
}

fn limits<'a>(options: &TargetOptions, total: i64, folder: &'a Path) -> Limits<'a> {
    let bytes = |size: i64| u64::try_from(size).unwrap_or(0);
    Limits { memory: bytes(options.max_memory_buffer_size), total: bytes(total), folder }
}

/// A fresh request of version 1.1 in origin form, with the headers of another.
fn outgoing_request(
    request: &mut Request<ClientBody>,
    body: RequestBody,
    path: Option<&PathAndQuery>,
) -> Request<RequestBody> {
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = request.method().clone();
    *outgoing.headers_mut() = std::mem::take(request.headers_mut());
    let uri = request.uri();
    *outgoing.uri_mut() = match path.or_else(|| uri.authority().and_then(|_| uri.path_and_query())) {
        Some(path) => Uri::from(path.clone()),
        None => uri.clone(),
    };
    outgoing
}

/// Waits for the head of the response: as long as the options allow from the end of the upload on, unless the target is
/// drained before. A target that cannot be reached has seen nothing of the request, so the next one is asked.
async fn exchange(
    outgoing: &mut Request<RequestBody>,
    mut claim: Claim,
    upload: Upload,
    forwarding: &Forwarding<'_>,
    hints: Option<&EarlyHints>,
    path: &str,
    record: &mut Record,
) -> Result<(Response<ReplyBody>, Claim), Failure> {
    let patience = claim.target().options.response_timeout.as_std();
    let out_of_patience = async {
        if let Some(sent) = upload.sent {
            // Sent or given up: either way nothing more goes out.
            let _ = sent.await;
        }
        if patience.is_zero() {
            std::future::pending::<()>().await;
        }
        Clock::set(patience).await;
    };
    tokio::pin!(out_of_patience);
    // To send it again changes nothing, so that it is sent to another when it is not known what became of it.
    let repeatable = forwarding.set.has_peers() && pool::is_repeatable(outgoing);
    // A peer without a target has done nothing with it, and is asked before a body that is not at hand goes out.
    let held = if forwarding.set.has_peers() { outgoing.body_mut().hold() } else { None };
    let kept = if forwarding.set.has_peers() { outgoing.body().again() } else { None };
    let untouched = || held.as_ref().is_some_and(Held::is_whole);
    let asks = outgoing.headers().contains_key(EXPECT);
    let connect_timeout = forwarding.set.connect_timeout();
    let mut tried = Vec::new();
    let mut unknown_since = None;
    let (target, error, seen) = loop {
        let target = Arc::clone(claim.target());
        let about = || [("target", target.address.as_str().into()), ("path", path.into())];
        if let Some(held) = &held {
            offer(held, outgoing.headers_mut(), &target, asks);
        }
        let hear = |hint: response::Parts| {
            if let Some(held) = held.as_ref().filter(|_| hint.status == StatusCode::CONTINUE) {
                held.let_go();
            }
            pass_on(hint, hints);
        };
        let error = tokio::select! {
            biased;
            sent = target.pool.send(forwarding.client.shard, outgoing, connect_timeout, hear) => match sent {
                Ok(response) if target.peer.is_some() && peers::is_nobody(&response) => None,
                Ok(mut response) => {
                    if forwarding.set.has_peers() {
                        peers::unmark(response.headers_mut());
                    }
                    return Ok((response, claim));
                }
                Err(error) => Some(error),
            },
            () = lost(&target, || repeatable || untouched()) => None,
            () = claim.until_cut() => {
                forwarding.log.info("Request cancelled due to draining", &about());
                return Err(StatusCode::GATEWAY_TIMEOUT.into());
            }
            () = &mut out_of_patience => return Err(StatusCode::GATEWAY_TIMEOUT.into()),
        };
        tried.push(target.number);
        let seen = matches!(error, Some(SendError::Wire(_) | SendError::Http2(_))) && !untouched();
        if error.is_none() || untouched() {
            let Some(body) = kept.as_ref().and_then(RequestBody::again) else {
                return Err(StatusCode::SERVICE_UNAVAILABLE.into());
            };
            *outgoing.body_mut() = body;
        }
        let Forwarding { set, among, prefer_reader, client, .. } = *forwarding;
        let next =
            if seen && !repeatable { None } else { set.claim_another(among, prefer_reader, client.shard, &tried) };
        let Some(next) = next else {
            match error {
                // A peer has others to ask.
                Some(SendError::Lookup { .. })
                    if among == Among::All && unknown_since.get_or_insert_with(Instant::now).elapsed() < NAMELESS =>
                {
                    sleep(NAMELESS / 50).await;
                    continue;
                }
                Some(error) => break (target, error, seen),
                None => return Err(StatusCode::SERVICE_UNAVAILABLE.into()),
            }
        };
        let why = error.as_ref().map_or_else(|| "the peer is lost, or has no target".to_owned(), |error| chain(error));
        let [target, path] = about();
        forwarding.log.warn("Trying another target", &[target, path, ("error", why.into())]);
        claim = next;
        headers::readdress(outgoing.headers_mut(), claim.target());
        record.target = Some(Arc::clone(claim.target()));
    };
    let may_repeat = repeatable || !seen;
    Err(failure(&error, &target, upload.fault.as_deref(), may_repeat, forwarding, path))
}

/// What comes of a request that no target answered.
fn failure(
    error: &SendError,
    target: &Target,
    fault: Option<&Fault>,
    may_repeat: bool,
    forwarding: &Forwarding<'_>,
    path: &str,
) -> Failure {
    match fault.and_then(Fault::get) {
        Some(UploadFault::Malformed) => {
            log_malformed(forwarding.log, path, &error.to_string());
            return StatusCode::BAD_REQUEST.into();
        }
        Some(UploadFault::Gone) => return Failure::Aborted(CLIENT_CLOSED_REQUEST),
        None => {}
    }
    let late = is_timeout(error);
    if !late {
        let about = [("target", target.address.as_str().into()), ("path", path.into()), ("error", chain(error).into())];
        forwarding.log.error("Error while proxying", &about);
    }
    if forwarding.among == Among::Own && may_repeat {
        return Failure::Unanswered;
    }
    if late { StatusCode::GATEWAY_TIMEOUT.into() } else { StatusCode::BAD_GATEWAY.into() }
}

/// Keeps a body back from a peer until that says to go on; a target of one's own gets it at once. `asks` says that the
/// client waits for such a word itself.
fn offer(held: &Held, headers: &mut HeaderMap, target: &Target, asks: bool) {
    if target.peer.is_some() {
        headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        return;
    }
    if !asks {
        headers.remove(EXPECT);
    }
    held.let_go();
}

/// Resolves when a target that is a peer is lost, while a request to it may go to another.
async fn lost(target: &Target, may_repeat: impl Fn() -> bool) {
    let Some(peer) = &target.peer else { return std::future::pending().await };
    loop {
        peer.until_lost().await;
        if may_repeat() {
            return;
        }
    }
}

/// Lets the client know what a target says before its answer, where the protocol has a way to. What says to go on with
/// the body is between the target and this proxy.
fn pass_on(mut hint: response::Parts, to: Option<&EarlyHints>) {
    if let Some(hints) = to.filter(|_| hint.status != StatusCode::CONTINUE) {
        headers::strip_hop_by_hop(&mut hint.headers);
        // It has no body, and whoever believed it had would take the answer for that.
        hint.headers.remove(CONTENT_LENGTH);
        hints.push(hint.status, hint.headers);
    }
}

fn is_timeout(error: &SendError) -> bool {
    let timed_out = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
    match error {
        SendError::ConnectTimeout(_) => true,
        SendError::Connect { error, .. } | SendError::Lookup { error, .. } => timed_out(error),
        SendError::Wire(WireError::Io(error)) => timed_out(error),
        SendError::Wire(_) | SendError::Http2(_) => false,
    }
}

/// An error with its causes; hyper keeps the interesting part there.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

fn log_malformed(log: &Log, path: &str, error: &str) {
    log.info("Malformed chunked request", &[("path", path.into()), ("error", error.into())]);
}

/// Connects client and target for good, if the target agreed to what the client asked for.
fn switch(
    response: Response<ReplyBody>,
    claim: Claim,
    asked: Option<&HeaderValue>,
    forwarding: &Forwarding<'_>,
    path: &str,
) -> Result<Reply, Failure> {
    let agreed = headers::upgrade_value(response.headers());
    let same = asked.zip(agreed).is_some_and(|(a, b)| a.as_bytes().eq_ignore_ascii_case(b.as_bytes()));
    let (head, body) = response.into_parts();
    let Some(target) = body.into_stream().filter(|_| same) else {
        forwarding.log.error(
            "Error while proxying",
            &[
                ("target", claim.target().address.as_str().into()),
                ("path", path.into()),
                ("error", "the target switched to a protocol that was not asked for".into()),
            ],
        );
        return Err(StatusCode::BAD_GATEWAY.into());
    };
    let tunnel = Tunnel::new(target, claim);
    Ok(Reply::Upgraded(Response::from_parts(head, ()), tunnel))
}

/// Passes a response on, whole or as it comes.
async fn relay(
    response: Response<ReplyBody>,
    claim: Claim,
    forwarding: &Forwarding<'_>,
    path: &str,
) -> Result<Reply, Failure> {
    let options = Arc::clone(&claim.target().options);
    let (mut head, body) = response.into_parts();
    let streams = streams(&head.headers, &body);
    if head.headers.contains_key(TRANSFER_ENCODING) {
        // Then the length is not that of the body.
        head.headers.remove(CONTENT_LENGTH);
    }
    headers::strip_hop_by_hop(&mut head.headers);
    if let Some(during) = forwarding.writer_affinity {
        cookies::keep_to_writer(&mut head.headers, during, forwarding.client.scheme);
    }
    if let Some(prefix) = forwarding.scope_cookies_to.as_ref().filter(|_| options.scope_cookie_paths) {
        cookies::scope_paths(&mut head.headers, prefix, host::without_port(forwarding.host));
    }
    let limits = limits(&options, options.max_response_body_size, forwarding.temporary);
    if !options.buffer_responses || body.is_end_stream() {
        let relayed = Relayed::new(body, claim, 0);
        return Ok(Reply::Response(Response::from_parts(head, relayed.into())));
    }
    if streams {
        let relayed = Relayed::new(body, claim, limits.total);
        return Ok(Reply::Response(Response::from_parts(head, relayed.into())));
    }
    match Box::pin(collect(Relayed::new(body, claim, 0), limits)).await {
        Ok(buffered) => Ok(Reply::Response(Response::from_parts(head, ResponseBody::buffered(buffered)))),
        Err(BufferError::TooLarge) => {
            forwarding.log.info("Response exceeded max response limit", &[("path", path.into())]);
            Err(StatusCode::INTERNAL_SERVER_ERROR.into())
        }
        Err(BufferError::Read(_)) => Err(Failure::Aborted(head.status.as_u16())),
        Err(BufferError::Spill(error)) => {
            forwarding
                .log
                .error("Error sending response", &[("path", path.into()), ("error", error.to_string().into())]);
            Err(StatusCode::INTERNAL_SERVER_ERROR.into())
        }
    }
}

/// Whether a response is made to be read while it is written: events, whatever has no length, and what says so (as to
/// nginx, which others have learnt from).
fn streams(headers: &HeaderMap, body: &impl Body) -> bool {
    let says = |name: &HeaderName, end: u8, word: &[u8]| {
        let value = headers.get(name).and_then(|value| value.as_bytes().split(|byte| *byte == end).next());
        value.is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(word))
    };
    body.size_hint().exact().is_none()
        || says(&CONTENT_TYPE, b';', b"text/event-stream")
        || says(&ACCEL_BUFFERING, b',', b"no")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{Full, StreamBody};

    use super::*;

    // spec 11.I.153-167
    #[test]
    fn what_is_not_buffered() {
        let whole = Full::new(Bytes::from_static(b"whole"));
        let open = StreamBody::new(futures_util::stream::pending::<io::Result<http_body::Frame<Bytes>>>());
        assert!(streams(&HeaderMap::new(), &open), "nobody knows how long that is");
        for (name, value, expected) in [
            ("content-type", &b"text/event-stream"[..], true),
            ("content-type", b"Text/Event-Stream ; charset=\xe9", true),
            ("x-accel-buffering", b"No", true),
            ("x-accel-buffering", b"yes", false),
            ("content-type", b"text/plain", false),
            ("content-length", b"5", false),
        ] {
            let headers = [(name.parse().unwrap(), HeaderValue::from_bytes(value).unwrap())].into_iter().collect();
            assert_eq!(streams(&headers, &whole), expected, "{name}: {}", value.escape_ascii());
        }
    }
}
