//! Proxies of other hosts that serve the same service. Requests are spread over all of them; one that comes from a peer
//! goes to a target of this proxy's own, or back. So each proxy switches its own targets as ever, and drains them, and the
//! others need not know which these are.
//!
//! Peers reach each other over a network of their own. Who says that he is one is believed when he comes from where one of
//! the service's peers is found, by name, once a second.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::EXPECT;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri};
use tokio::net::lookup_host;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::body::response::ResponseBody;
use super::client::Client;
use super::routes::Routes;
use super::service::Service;
use super::target::address::Address;
use super::target::health::{CheckError, get};

/// How often a peer is looked for and asked.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);
/// How long it may take to answer that.
const LIMIT: Duration = Duration::from_secs(2);

/// In a request: the service it is for, which the peer that passes it on has routed it to. In an answer: whether the peer
/// has a target.
const PEER: HeaderName = HeaderName::from_static("kamal-proxy-peer");
/// In a request: a question about certificates, which begins with the name of the service.
const ASK: HeaderName = HeaderName::from_static("kamal-proxy-peer-ask");
/// Bytes of the longest answer to that: a key and a chain, sealed.
const LONGEST: usize = 256 * 1024;
/// In a request: the service that is asked about.
const CHECK: HeaderName = HeaderName::from_static("kamal-proxy-peer-check");
const READY: HeaderValue = HeaderValue::from_static("ready");
const NOBODY: HeaderValue = HeaderValue::from_static("nobody");

/// What a target that is a peer has besides.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The service, as the value of a header.
    service: HeaderValue,
    addresses: ArcSwap<Vec<IpAddr>>,
    /// Wakes requests that wait for an answer of it when it is lost.
    lost: Notify,
}

/// What somebody asks who says that he is a peer, and is.
#[derive(Debug)]
pub(crate) enum PeerQuestion {
    /// Whether this proxy has a target for the service.
    HasHealthy(Arc<Service>),
    /// To take a request for the service.
    Serve(Arc<Service>),
    /// Something about the certificates of the service.
    Tell(Arc<Service>, String),
}

impl Peer {
    pub(crate) fn new(service: &str) -> Self {
        let service = HeaderValue::from_str(service).unwrap_or(NOBODY);
        Self { service, addresses: ArcSwap::default(), lost: Notify::new() }
    }

    /// Looks for it, and asks whether it has a target.
    pub(crate) async fn check(&self, address: &Address) -> Result<(), CheckError> {
        timeout(LIMIT, self.ask(address)).await.unwrap_or(Err(CheckError::Timeout))
    }

    async fn ask(&self, address: &Address) -> Result<(), CheckError> {
        let found = lookup_host((address.host(), address.port())).await;
        let found = found.map(|all| all.map(|found| found.ip().to_canonical()).collect::<Vec<_>>());
        self.addresses.store(Arc::new(found.as_ref().map(Clone::clone).unwrap_or_default()));
        found?;
        let response = get(&root(address)?, "", false, Some((&CHECK, &self.service)), 0).await?;
        match response.headers().get(&PEER) {
            Some(answer) if *answer == READY => Ok(()),
            Some(_) => Err(CheckError::NoTarget),
            None => Err(CheckError::NoPeer),
        }
    }

    /// Marks a request that goes to it.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(PEER, self.service.clone());
    }

    /// Tells requests that wait for it that it is lost.
    pub(crate) fn lose(&self) {
        self.lost.notify_waiters();
    }

    /// Resolves when it is lost.
    pub(crate) async fn until_lost(&self) {
        self.lost.notified().await;
    }

    fn is_at(&self, address: IpAddr) -> bool {
        self.addresses.load().contains(&address)
    }
}

/// Takes off what marks a request for a peer, or an answer of one.
pub(crate) fn unmark(headers: &mut HeaderMap) {
    headers.remove(PEER);
}

/// What is asked by somebody who is a peer. What others say about that is taken off.
pub(crate) fn question(routes: &Routes, client: &Client, headers: &mut HeaderMap) -> Option<PeerQuestion> {
    let (ask, check, take) = (headers.remove(ASK), headers.remove(CHECK), headers.remove(PEER));
    let text = ask.as_ref().or(check.as_ref()).or(take.as_ref())?.to_str().ok()?;
    let name = text.split(' ').next()?;
    let service = routes.get(name)?;
    let address = client.address?;
    service.active.targets().iter().filter_map(|target| target.peer.as_ref()).find(|peer| peer.is_at(address))?;
    // This proxy says to go on with the body as soon as a target takes it.
    headers.remove(EXPECT);
    let service = Arc::clone(service);
    Some(match (ask.is_some(), check.is_some()) {
        (true, _) => PeerQuestion::Tell(service, text.to_owned()),
        (_, true) => PeerQuestion::HasHealthy(service),
        _ => PeerQuestion::Serve(service),
    })
}

/// Asks a peer something about certificates.
pub(crate) async fn ask(address: &Address, question: &HeaderValue) -> Option<Vec<u8>> {
    let response = get(&root(address).ok()?, "", false, Some((&ASK, question)), LONGEST).await.ok()?;
    Some(response.into_body()).filter(|answer| answer.len() <= LONGEST)
}

fn root(address: &Address) -> Result<Uri, CheckError> {
    let url = format!("http://{}:{}/", address.host(), address.port());
    url.parse().map_err(|_| CheckError::Url(url))
}

/// What is told to somebody who asks about certificates.
pub(crate) fn told(sealed: Option<String>) -> Response<ResponseBody> {
    sealed.map_or_else(nobody, |sealed| Response::new(ResponseBody::full(sealed)))
}

/// Whether there is a target here.
pub(crate) fn whether(service: &Service) -> Response<ResponseBody> {
    if !(service.pause.is_running() && service.active.has_own()) {
        return nobody();
    }
    let mut response = Response::new(ResponseBody::empty());
    response.headers_mut().insert(PEER, READY);
    response
}

/// There is no target here: the peer is to ask another.
pub(crate) fn nobody() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(PEER, NOBODY);
    response
}

/// Whether that is what a peer answered.
pub(crate) fn is_nobody<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::SERVICE_UNAVAILABLE
        && response.headers().get(&PEER).is_some_and(|answer| *answer == NOBODY)
}
