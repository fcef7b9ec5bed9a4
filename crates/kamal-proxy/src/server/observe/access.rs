//! One line and one count per request, when the request is over (spec 9.2, 9.4).
//!
//! A record travels with its request: through the handler, then inside the response's body or the tunnel of an
//! upgraded connection. Whatever way the request ends, the record is dropped, and that writes the line.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use super::Observer;
use super::log::{Level, Line};
use super::logged::{Logged, joined};
use super::metrics::Counted;
use crate::server::client::Client;
use crate::server::forwarded;
use crate::server::path;
use crate::server::service::Service;
use crate::server::target::Target;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Status for the log of a request whose client left before there was a response.
pub(crate) const CLIENT_CLOSED_REQUEST: u16 = 499;

/// What will be logged and counted of one request.
#[derive(Debug)]
pub(crate) struct Record {
    observer: Arc<Observer>,
    client: Arc<Client>,
    start: Instant,
    host: String,
    method: Method,
    uri: Uri,
    version: Version,
    request_id: Option<HeaderValue>,
    request_type: Option<HeaderValue>,
    request_length: i64,
    user_agent: Option<HeaderValue>,
    forwarded_for: Option<HeaderValue>,
    /// What the header says that the service takes the client's address from.
    pub(crate) named_client: Option<HeaderValue>,
    pub(crate) service: Option<Arc<Service>>,
    pub(crate) target: Option<Arc<Target>>,
    /// Counts the request in flight; `None` also when the request stays out of the metrics.
    pub(crate) counted: Option<Counted>,
    pub(crate) excluded: bool,
    /// Of the headers the target wants logged.
    request_values: Vec<Vec<HeaderValue>>,
    response_values: Vec<Vec<HeaderValue>>,
    status: u16,
    response_type: Option<HeaderValue>,
    response_length: i64,
    sent: Sent,
    silent: bool,
}

/// How far the response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// There is none, or nothing follows its head.
    None,
    Begun,
    /// There was no more of it to send.
    Short,
    Whole,
}

impl Record {
    /// Begins a record; `unknown_length` says the body comes without a declared length.
    pub(crate) fn begin<B>(
        observer: &Arc<Observer>,
        client: &Arc<Client>,
        host: &str,
        request: &http::Request<B>,
        unknown_length: bool,
    ) -> Box<Self> {
        let headers = request.headers();
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        Box::new(Self {
            observer: Arc::clone(observer),
            client: Arc::clone(client),
            start: Instant::now(),
            host: host.to_owned(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            request_id: headers.get(REQUEST_ID).cloned(),
            request_type: headers.get(CONTENT_TYPE).cloned(),
            request_length: if unknown_length { -1 } else { length.unwrap_or(0) },
            user_agent: headers.get(USER_AGENT).cloned(),
            forwarded_for: headers.get(FORWARDED_FOR).cloned(),
            named_client: None,
            service: None,
            target: None,
            counted: None,
            excluded: false,
            request_values: Vec::new(),
            response_values: Vec::new(),
            status: CLIENT_CLOSED_REQUEST,
            response_type: None,
            response_length: 0,
            sent: Sent::None,
            silent: false,
        })
    }

    /// Makes this one of a request of the proxy's own, which is neither logged nor counted.
    pub(crate) fn silence(&mut self) {
        self.silent = true;
    }

    /// Notes the target that takes the request, and the headers its options want logged.
    pub(crate) fn reached(&mut self, target: &Arc<Target>, headers: &HeaderMap) {
        self.request_values = Logged::values(&target.logged_of_requests, headers);
        self.target = Some(Arc::clone(target));
    }

    /// Notes the head of the response.
    pub(crate) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = status.as_u16();
        self.count();
        self.response_type = headers.get(CONTENT_TYPE).cloned();
        if let Some(target) = &self.target {
            self.response_values = Logged::values(&target.logged_of_responses, headers);
        }
    }

    /// Notes the status of a request that gets no response: the client's fault, or that of a target which began one.
    pub(crate) fn aborted(&mut self, status: u16) {
        self.status = status;
        self.count();
        if status != CLIENT_CLOSED_REQUEST {
            self.sent = Sent::Short;
        }
    }

    /// Counts the answer, where somebody watches the service.
    fn count(&self) {
        if let Some(service) = self.service.as_ref().filter(|_| !self.silent && !self.excluded) {
            service.watched.count(self.status, || self.start.elapsed());
        }
    }

    /// The body of the response goes out from here on.
    pub(crate) fn sending(&mut self) {
        self.sent = Sent::Begun;
    }

    /// Notes that all of the response was sent.
    pub(crate) fn delivered(&mut self) {
        self.sent = Sent::Whole;
    }

    /// Notes that the response ended before its end.
    pub(crate) fn cut_short(&mut self) {
        self.sent = Sent::Short;
    }

    /// Who asked, as far as somebody says so who is believed: the header the service names, or where it trusts what it is
    /// told, the usual one as it stands.
    fn remote_address(&self) -> Cow<'_, str> {
        if let Some(named) = self.named_client.as_ref().and_then(forwarded::first) {
            return named.to_string().into();
        }
        let trusts = self.service.as_ref().is_some_and(|service| service.target_options.forward_headers);
        match self.forwarded_for.as_ref().filter(|value| trusts && !value.is_empty()) {
            Some(value) => text(Some(value)),
            None => Cow::Borrowed(self.client.address_text()),
        }
    }

    /// Counts bytes of the response's body.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.response_length = self.response_length.saturating_add_unsigned(bytes as u64);
    }
}

pub(super) fn text(value: Option<&HeaderValue>) -> Cow<'_, str> {
    value.map_or("".into(), |value| String::from_utf8_lossy(value.as_bytes()))
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.silent {
            return;
        }
        let duration = self.start.elapsed();
        let service = self.service.as_ref().map_or("", |service| service.name.as_str());
        if let Some(metrics) = self.observer.metrics.as_ref().filter(|_| !self.excluded) {
            metrics.record(service, &self.method, self.status, duration);
        }
        if !self.observer.log.takes(Level::Info) {
            return;
        }
        let client = &*self.client;
        let mut line = Line::new(Level::Info, "Request");
        line.str("host", &self.host);
        line.int("port", i64::from(client.listener_port));
        line.str("path", &path::decode(self.uri.path()));
        line.str("request_id", &text(self.request_id.as_ref()));
        line.int("status", i64::from(self.status));
        line.str("service", service);
        line.str("target", self.target.as_ref().map_or("", |target| target.address.as_str()));
        line.int("duration", i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX));
        line.str("method", self.method.as_str());
        line.int("req_content_length", self.request_length);
        line.str("req_content_type", &text(self.request_type.as_ref()));
        line.int("resp_content_length", self.response_length);
        line.str("resp_content_type", &text(self.response_type.as_ref()));
        line.str("client_addr", client.address_text());
        line.digits("client_port", client.port);
        line.str("remote_addr", &self.remote_address());
        line.str("user_agent", &text(self.user_agent.as_ref()));
        line.str(
            "proto",
            match self.version {
                Version::HTTP_10 => "HTTP/1.0",
                Version::HTTP_2 => "HTTP/2.0",
                Version::HTTP_3 => "HTTP/3.0",
                _ => "HTTP/1.1",
            },
        );
        line.str("scheme", client.scheme.name());
        line.str("query", self.uri.query().unwrap_or(""));
        if let Some(target) = &self.target {
            let requests = target.logged_of_requests.iter().zip(&self.request_values);
            let responses = target.logged_of_responses.iter().zip(&self.response_values);
            for (logged, values) in requests.chain(responses) {
                line.str(&logged.key, &joined(values));
            }
        }
        match self.sent {
            Sent::Begun => line.str("resp_cut_by", "client"),
            Sent::Short => line.str("resp_cut_by", "target"),
            Sent::None | Sent::Whole => {}
        }
        self.observer.log.send(line);
    }
}
