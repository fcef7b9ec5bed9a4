//! The request pipeline: from a client's request to a response, whoever makes it (spec 0, layers 0 to 13).

mod early;
mod probe;
mod redirect;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use http::header::{ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};

use super::balancer::{Among, Balancer, Refused};
use super::body::client::ClientBody;
use super::body::response::ResponseBody;
use super::client::{Client, Scheme};
use super::connections::Connections;
use super::cookies;
use super::early_hints::EarlyHints;
use super::error_pages;
use super::host;
use super::middleware::sticky;
use super::observe::Observer;
use super::observe::access::Record;
use super::observe::metrics::Counted;
use super::path;
use super::pause::Outcome;
use super::peers::{self, PeerQuestion};
use super::proxying::{self, Failure, Forwarding, Reply, Session};
use super::router::Router;
use super::service::Service;
use super::target::Claim;

/// How often a request looks again when the targets it found are just being replaced.
const ATTEMPTS: usize = 8;
/// Where authorities look (RFC 8555, 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) router: Arc<Router>,
    pub(crate) observer: Arc<Observer>,
    pub(crate) connections: Arc<Connections>,
    /// What answers over HTTPS say of HTTP/3, where that is served.
    pub(crate) alt_svc: Option<HeaderValue>,
    /// For what is kept whole and does not fit into memory.
    pub(crate) temporary: PathBuf,
}

/// What a client gets.
#[derive(Debug)]
pub(crate) enum Handled {
    Response(Response<ResponseBody>),
    /// The response that ends HTTP on this connection, and what follows it.
    Switch(Response<()>, Box<Session>),
}

/// Answers one request; an error means that the client's connection is to be cut. Of the request is taken what goes on
/// to a target: what waits for the answer, under way as a future in a future, would otherwise have room for it in each.
pub(crate) async fn handle(
    front: &Arc<Front>,
    client: &Arc<Client>,
    hints: &EarlyHints,
    request: &mut Request<ClientBody>,
) -> io::Result<Handled> {
    let version = request.version();
    let mut response = match early::answer(request) {
        Some(refusal) => refusal,
        None => match answer(front, client, hints, request).await? {
            Handled::Response(response) => response,
            switch @ Handled::Switch(..) => return Ok(switch),
        },
    };
    if matches!(version, Version::HTTP_2 | Version::HTTP_3) {
        response.headers_mut().remove(CONNECTION);
    } else if front.connections.is_leaving() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(Handled::Response(response))
}

/// Answers a request that is to be logged.
async fn answer(
    front: &Arc<Front>,
    client: &Arc<Client>,
    hints: &EarlyHints,
    request: &mut Request<ClientBody>,
) -> io::Result<Handled> {
    early::stamp(request.headers_mut());
    let host = host::of(request);
    let unknown_length = http_body::Body::size_hint(request.body()).exact().is_none();
    let mut record = Record::begin(&front.observer, client, &host, request, unknown_length);
    let version = request.version();
    let mut response = match respond(front, client, hints, request, &host, &mut record).await {
        Ok(Reply::Response(response)) => response,
        Ok(Reply::Upgraded(response, tunnel)) => {
            record.answered(response.status(), response.headers());
            let session = Session::new(tunnel, record, front.connections.busy());
            return Ok(Handled::Switch(response, Box::new(session)));
        }
        Err(Failure::Aborted(status)) => {
            record.aborted(status);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Err(Failure::Unanswered) => error_response(&record, StatusCode::BAD_GATEWAY, None),
        Err(Failure::Status(status, message)) => error_response(&record, status, message.as_deref()),
    };
    if let Some(alt_svc) = &front.alt_svc
        && client.scheme == Scheme::Https
        && version != Version::HTTP_3
    {
        response.headers_mut().insert(ALT_SVC, alt_svc.clone());
    }
    record.answered(response.status(), response.headers());
    Ok(Handled::Response(response.map(|body| body.recorded(record))))
}

async fn respond(
    front: &Arc<Front>,
    client: &Client,
    hints: &EarlyHints,
    request: &mut Request<ClientBody>,
    host: &str,
    record: &mut Record,
) -> Result<Reply, Failure> {
    let asked = {
        let routes = front.router.routes();
        if routes.peers { peers::question(&routes, client, request.headers_mut()) } else { None }
    };
    match asked {
        Some(PeerQuestion::HasHealthy(service)) => {
            record.silence();
            return Ok(Reply::Response(peers::whether(&service)));
        }
        Some(PeerQuestion::Tell(service, question)) => {
            record.silence();
            let told = Box::pin(front.router.certificates().tell(&service, &question)).await;
            return Ok(Reply::Response(peers::told(told)));
        }
        Some(PeerQuestion::Serve(service)) => {
            return Box::pin(take(front, client, hints, request, host, service, record)).await;
        }
        None => {}
    }
    let name = host::without_port(host);
    let not_found = || Failure::Status(StatusCode::NOT_FOUND, None);
    let (service, stripped) = {
        let routes = front.router.routes();
        let Some((service, prefix)) = routes.find(name, &path::decode(request.uri().path())) else {
            return probe::answer(&routes, host, request).map(Reply::Response).ok_or_else(not_found);
        };
        let stripped = (service.options.strip_prefix && prefix != "/").then(|| prefix.to_owned());
        (Arc::clone(service), stripped)
    };
    record.service = Some(Arc::clone(&service));
    let raw_path = match &stripped {
        Some(prefix) => path::strip(request.uri().path(), prefix),
        None => request.uri().path().into(),
    };
    let seen_path = path::decode(&raw_path);
    record.excluded = service.excludes_from_metrics(&seen_path);
    if !record.excluded && front.observer.metrics.is_some() {
        record.counted = Some(Counted::new(&service.in_flight));
    }
    if let Some(answer) = challenge(front, &service, request.uri().path()).await {
        return Ok(Reply::Response(answer));
    }
    if client.scheme == Scheme::Https && !service.tls.enabled {
        return Err(Failure::Status(StatusCode::SERVICE_UNAVAILABLE, None));
    }
    let probe = matches!(*request.method(), Method::GET | Method::HEAD)
        && seen_path == service.target_options.health_check_config.path.as_str();
    let target_path = stripped.as_ref().and_then(|_| with_query(&raw_path, request.uri().query()));

    let policy = service.assets.policy.clone();
    if let Some(policy) = &policy
        && let Some(refusal) = policy.screen(client, request.headers(), service.assets.pages.as_deref())
    {
        return Ok(Reply::Response(refusal));
    }
    if let Some(address) = rewrite_client_address(&service, request.headers_mut()) {
        record.named_client = Some(address);
    }
    if let Some(response) = redirect::answer(&service, client.scheme, name, request) {
        return Ok(Reply::Response(response));
    }
    if let Some(policy) = &policy {
        if let Some(answer) = Box::pin(policy.admit(name, request, service.assets.pages.as_deref())).await {
            return Ok(Reply::Response(answer));
        }
        if policy.checks_passwords() {
            request.headers_mut().remove(AUTHORIZATION);
        }
    }
    if probe && !service.pause.is_running() {
        return Ok(Reply::Response(Response::new(ResponseBody::empty())));
    }
    let Claimed { service, set, claim, prefer_reader } = claim(front, client, service, request).await?;
    record.service = Some(Arc::clone(&service));
    record.reached(claim.target(), request.headers());
    let forwarding = Forwarding {
        client,
        hints: Some(hints),
        host,
        path: target_path,
        scope_cookies_to: stripped,
        writer_affinity: (set.has_readers() && !is_read(&service, request))
            .then_some(service.options.writer_affinity_timeout)
            .filter(|timeout| timeout.0 > 0),
        set: &set,
        among: Among::All,
        prefer_reader,
        log: &front.observer.log,
        temporary: &front.temporary,
    };
    let Some(policy) = policy else { return proxying::forward(request, claim, forwarding, record).await };
    let finish = policy.finish(request.method(), request.headers(), client.scheme, &set, claim.target());
    let reply = proxying::forward(request, claim, forwarding, record).await;
    finish.finish(reply, record.target.as_ref())
}

/// Gives a request that comes from a peer to a target of this proxy's own. The peer has done with it what the service asks
/// for, and said who it is of; here it goes on as it is.
async fn take(
    front: &Arc<Front>,
    client: &Client,
    hints: &EarlyHints,
    request: &mut Request<ClientBody>,
    host: &str,
    mut service: Arc<Service>,
    record: &mut Record,
) -> Result<Reply, Failure> {
    for _ in 0..ATTEMPTS {
        record.service = Some(Arc::clone(&service));
        if !service.pause.is_running() {
            break;
        }
        match service.active.claim_own(client.shard) {
            Ok(claim) => {
                record.reached(claim.target(), request.headers());
                let forwarding = Forwarding {
                    client,
                    hints: Some(hints),
                    host,
                    path: None,
                    scope_cookies_to: None,
                    writer_affinity: None,
                    set: &service.active,
                    among: Among::Own,
                    prefer_reader: false,
                    log: &front.observer.log,
                    temporary: &front.temporary,
                };
                match proxying::forward(request, claim, forwarding, record).await {
                    Err(Failure::Unanswered) => break,
                    reply => return reply,
                }
            }
            Err(Refused::NoneHealthy) => break,
            Err(Refused::Draining) => service = current(front, service),
        }
    }
    Ok(Reply::Response(peers::nobody()))
}

/// The answer to an authority that looks for its proof (spec 0, layer 9). Every such path is the proxy's own while
/// certificates come from an authority.
async fn challenge(front: &Front, service: &Service, path: &str) -> Option<Response<ResponseBody>> {
    let authority = service.assets.authority.as_ref()?;
    let token = path.strip_prefix(CHALLENGES)?;
    let answer = Box::pin(front.router.certificates().challenges.answer(authority, token)).await;
    let mut response = match answer {
        Some(answer) => Response::new(ResponseBody::full(answer)),
        None => {
            let mut response = Response::new(ResponseBody::full("acme: no challenge of this name\n"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(response)
}

/// Asks a service something on the proxy's own account: neither logged nor redirected, but subject to its pause switch.
pub(crate) async fn ask(
    front: &Front,
    service: Arc<Service>,
    host: String,
    request: Request<()>,
) -> Result<Response<ResponseBody>, StatusCode> {
    let client = Arc::new(Client::nobody());
    let mut request = request.map(|()| ClientBody::None);
    let mut record = Record::begin(&front.observer, &client, &host, &request, false);
    record.silence();
    record.counted = front.observer.metrics.is_some().then(|| Counted::new(&service.in_flight));
    let of = |failure| match failure {
        Failure::Status(status, _) => status,
        Failure::Aborted(_) | Failure::Unanswered => StatusCode::BAD_GATEWAY,
    };
    let Claimed { set, claim, prefer_reader, .. } = claim(front, &client, service, &request).await.map_err(of)?;
    let forwarding = Forwarding {
        client: &client,
        hints: None,
        host: &host,
        path: None,
        scope_cookies_to: None,
        writer_affinity: None,
        set: &set,
        among: Among::All,
        prefer_reader,
        log: &front.observer.log,
        temporary: &front.temporary,
    };
    match proxying::forward(&mut request, claim, forwarding, &mut record).await.map_err(of)? {
        Reply::Response(response) => Ok(response.map(|body| body.recorded(record))),
        Reply::Upgraded(..) => Err(StatusCode::BAD_GATEWAY),
    }
}

/// A request's place at a target of a service.
struct Claimed {
    service: Arc<Service>,
    set: Arc<Balancer>,
    claim: Claim,
    prefer_reader: bool,
}

/// Waits while the service is paused, then takes a place at one of its targets. A request that comes to targets which
/// are just being drained looks again: the table already names those that took over.
async fn claim(
    front: &Front,
    client: &Client,
    mut service: Arc<Service>,
    request: &Request<ClientBody>,
) -> Result<Claimed, Failure> {
    let unavailable = || Failure::Status(StatusCode::SERVICE_UNAVAILABLE, None);
    for _ in 0..ATTEMPTS {
        if !service.pause.is_running() {
            match Box::pin(service.pause.wait()).await {
                Outcome::Proceed => service = current(front, service),
                Outcome::Stopped(message) => {
                    return Err(Failure::Status(StatusCode::SERVICE_UNAVAILABLE, Some(message)));
                }
                Outcome::Expired => {
                    let path = path::decode(request.uri().path()).into_owned();
                    front.observer.log.warn(
                        "Rejecting request due to expired pause",
                        &[("service", service.name.as_str().into()), ("path", path.into())],
                    );
                    return Err(Failure::Status(StatusCode::GATEWAY_TIMEOUT, None));
                }
            }
        }
        let set = match (&service.rollout, &service.split) {
            (Some(rollout), Some(split)) if split.includes(request.headers()) => {
                front.observer.log.debug("Using rollout for request", &[("service", service.name.as_str().into())]);
                rollout
            }
            _ => &service.active,
        };
        let prefer_reader = set.has_readers()
            && is_read(&service, request)
            && !(service.options.writer_affinity_timeout.0 > 0 && cookies::has_writer_affinity(request.headers()));
        let sticky = service.assets.policy.as_ref().is_some_and(|policy| policy.sticky);
        let number = if sticky { sticky::asked(request.headers()) } else { None };
        match set.claim(prefer_reader, client.shard, number) {
            Ok(claim) => {
                let set = Arc::clone(set);
                return Ok(Claimed { service, set, claim, prefer_reader });
            }
            Err(Refused::NoneHealthy) => return Err(unavailable()),
            Err(Refused::Draining) => service = current(front, service),
        }
    }
    Err(unavailable())
}

/// The service as it is now; one that was removed meanwhile stays as it was.
fn current(front: &Front, service: Arc<Service>) -> Arc<Service> {
    front.router.routes().get(&service.name).map_or(service, Arc::clone)
}

fn is_read<B>(service: &Service, request: &Request<B>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
        && (service.options.read_targets_accept_websockets || !proxying::is_websocket(request))
}

/// Takes the client's address from the header the service says; gives it, where there is one.
fn rewrite_client_address(service: &Service, headers: &mut HeaderMap) -> Option<HeaderValue> {
    let name = Some(service.options.client_ip_header.as_str()).filter(|name| !name.is_empty())?;
    let address = headers.get(name).filter(|value| !value.is_empty()).cloned()?;
    headers.insert(FORWARDED_FOR, address.clone());
    Some(address)
}

fn with_query(path: &str, query: Option<&str>) -> Option<PathAndQuery> {
    match query {
        Some(query) => format!("{path}?{query}").parse().ok(),
        None => path.parse().ok(),
    }
}

fn error_response(record: &Record, status: StatusCode, message: Option<&str>) -> Response<ResponseBody> {
    let own = record.service.as_ref().and_then(|service| service.assets.pages.as_deref());
    let mut response = Response::new(ResponseBody::full(error_pages::render(own, status, message)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}
