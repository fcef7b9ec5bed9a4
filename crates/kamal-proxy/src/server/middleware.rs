//! What stands between a request and its service where the service asks for it: who may come, how often, where to, and
//! how small the answer gets.
//!
//! A service that asks for nothing has no policy, and its requests pass with one look at that.

mod addresses;
mod basic_auth;
pub(crate) mod compress;
mod rate;
mod redirects;
pub(crate) mod sticky;
mod turns;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use self::addresses::{Addresses, NetworkError};
use self::basic_auth::{BasicAuth, UsersError};
use self::compress::{Compression, Encoding};
use self::rate::{Rate, RateError};
use self::redirects::{RedirectError, Redirects};
use super::balancer::Balancer;
use super::body::response::ResponseBody;
use super::client::{Client, Scheme};
use super::error_pages::{self, Pages};

use super::options::Policies;
use super::proxying::{Failure, Reply};
use super::surroundings::Variables;
use super::target::Target;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What one service asks for, ready to be used.
#[derive(Debug)]
pub(crate) struct Policy {
    addresses: Addresses,
    rate: Option<Rate>,
    redirects: Redirects,
    basic_auth: Option<BasicAuth>,
    compression: Option<Compression>,
    pub(crate) sticky: bool,
    /// Failures in a row after which a target is left alone.
    eject_after: Option<u32>,
}

/// Why a policy cannot be put into force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolicyError {
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Rate(#[from] RateError),
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    #[error(transparent)]
    Users(#[from] UsersError),
}

impl Policy {
    /// Reads what the options name; `None` where they ask for nothing.
    pub(crate) fn new(options: &Policies, variables: &Variables) -> Result<Option<Self>, PolicyError> {
        if options.is_off() {
            return Ok(None);
        }
        Ok(Some(Self {
            addresses: Addresses::new(&options.allow, &options.deny, &options.trusted_proxies)?,
            rate: Rate::new(&options.rate_limit, options.rate_limit_burst)?,
            redirects: Redirects::new(&options.redirects)?,
            basic_auth: BasicAuth::load(&options.basic_auth_file, &options.basic_auth_env, variables)?,
            compression: options.compress.then(|| Compression::new(options)),
            sticky: options.sticky,
            eject_after: u32::try_from(options.eject_after).ok().filter(|after| *after > 0),
        }))
    }

    /// Turns away who may not come at all, and who comes too often; asked before anything else.
    pub(crate) fn screen(
        &self,
        client: &Client,
        headers: &HeaderMap,
        pages: Option<&Pages>,
    ) -> Option<Response<ResponseBody>> {
        let address = client.address.and_then(|peer| self.addresses.client(peer, headers.get_all(FORWARDED_FOR)));
        if !self.addresses.admit(address) {
            return Some(refusal(StatusCode::FORBIDDEN, pages, None));
        }
        // Those nobody knows share one rate.
        let address = address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let wait = self.rate.as_ref().and_then(|rate| rate.take(address).err())?;
        let seconds = HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        Some(refusal(StatusCode::TOO_MANY_REQUESTS, pages, Some((RETRY_AFTER, seconds))))
    }

    /// Sends elsewhere and asks for a password; asked once it is settled that this is the right scheme and host.
    pub(crate) async fn admit<B>(
        &self,
        host: &str,
        request: &Request<B>,
        pages: Option<&Pages>,
    ) -> Option<Response<ResponseBody>> {
        if let Some(redirect) = self.redirects.answer(host, request.method(), request.uri()) {
            return Some(redirect);
        }
        let auth = self.basic_auth.as_ref()?;
        if auth.admits(auth.given(request.headers())).await {
            return None;
        }
        let challenge = HeaderValue::from_static("Basic realm=\"Restricted\", charset=\"UTF-8\"");
        Some(refusal(StatusCode::UNAUTHORIZED, pages, Some((WWW_AUTHENTICATE, challenge))))
    }

    /// The credentials for this service are not for its targets.
    pub(crate) fn checks_passwords(&self) -> bool {
        self.basic_auth.is_some()
    }
}

/// What a policy has to do once there is a response.
#[derive(Debug)]
pub(crate) struct Finish {
    policy: Arc<Policy>,
    encoding: Option<Encoding>,
    /// The target the client is to come back to, unless it has come to it by itself.
    keep_to: Option<u64>,
    scheme: Scheme,
    set: Arc<Balancer>,
    target: Arc<Target>,
}

impl Policy {
    /// Remembers of a request what matters for its response.
    pub(crate) fn finish(
        self: Arc<Self>,
        method: &Method,
        headers: &HeaderMap,
        scheme: Scheme,
        set: &Arc<Balancer>,
        target: &Arc<Target>,
    ) -> Finish {
        let encoding = self.compression.as_ref().and_then(|compression| compression.choose(method, headers));
        let keep_to = Some(target.number).filter(|number| self.sticky && sticky::asked(headers) != Some(*number));
        Finish { policy: self, encoding, keep_to, scheme, set: Arc::clone(set), target: Arc::clone(target) }
    }
}

impl Finish {
    /// Notes whether the target did well, and makes the response what the policy wants it to be. `by` is the target that
    /// answered in the end, if any did.
    pub(crate) fn finish(self, reply: Result<Reply, Failure>, by: Option<&Arc<Target>>) -> Result<Reply, Failure> {
        let by_another = by.is_some_and(|target| !Arc::ptr_eq(target, &self.target));
        if let Some(after) = self.policy.eject_after {
            let failed = by_another
                || matches!(reply, Err(Failure::Status(StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT, _)));
            if self.target.went(!failed) >= after {
                self.set.eject(&self.target);
            }
        }
        let mut response = match reply {
            Ok(Reply::Response(response)) => response,
            other => return other,
        };
        if let Some(number) = self.keep_to.filter(|_| !by_another) {
            sticky::keep(response.headers_mut(), number, self.scheme);
        }
        Ok(Reply::Response(match &self.policy.compression {
            Some(compression) => compression.apply(self.encoding, response),
            None => response,
        }))
    }
}

fn refusal(
    status: StatusCode,
    pages: Option<&Pages>,
    header: Option<(HeaderName, HeaderValue)>,
) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(error_pages::render(pages, status, None)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers_mut().extend(header);
    response
}
