//! Redirects to HTTPS and to the canonical host, both in one hop (spec 8.6).

use http::header::{CONNECTION, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};

use crate::server::body::response::ResponseBody;
use crate::server::client::Scheme;
use crate::server::service::Service;

/// The redirect a request gets, if it is not where it should be. `host` has no port.
pub(crate) fn answer<B>(
    service: &Service,
    scheme: Scheme,
    host: &str,
    request: &Request<B>,
) -> Option<Response<ResponseBody>> {
    let canonical = &service.options.canonical_host;
    let to_https = service.tls.enabled && service.tls.redirect && scheme == Scheme::Http;
    let to_canonical = !canonical.is_empty() && host != canonical;
    if !to_https && !to_canonical {
        return None;
    }
    let scheme = if to_https { "https" } else { scheme.name() };
    let host = if canonical.is_empty() { host } else { canonical };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = HeaderValue::from_str(&format!("{scheme}://{host}{path}")).ok()?;

    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        let escaped =
            format!("{scheme}://{host}{path}").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let link = escaped.replace('"', "&#34;").replace('\'', "&#39;");
        *response.body_mut() = ResponseBody::full(format!("<a href=\"{link}\">Moved Permanently</a>.\n\n"));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}
