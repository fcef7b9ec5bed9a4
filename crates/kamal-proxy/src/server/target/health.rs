//! One health check: is the target up? (spec 4.3)

use std::io;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, HOST, LOCATION, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Address;
use super::failure::{BODY, SeenResponse};
use crate::server::control::client::reason;
use crate::server::options::HealthCheckOptions;

const REDIRECTS: usize = 10;
/// Used where an interval or a timeout that is not positive would mean checking without pause or never.
const FALLBACK_INTERVAL: Duration = Duration::from_secs(1);
const FALLBACK_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a target does not count as healthy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("unexpected status ({})", .0.status)]
    Status(Box<SeenResponse>),
    #[error("request timed out")]
    Timeout,
    #[error("connect: {}", reason(.0))]
    Connect(#[from] io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("invalid health check URL {0:?}")]
    Url(String),
    #[error("it has no healthy target of its own")]
    NoTarget,
    #[error("it does not know this proxy as a peer")]
    NoPeer,
    #[error("cannot follow the redirect to {0:?}")]
    Redirect(String),
}

impl HealthCheckOptions {
    pub(crate) fn pause(&self) -> Duration {
        if self.interval.0 > 0 { self.interval.as_std() } else { FALLBACK_INTERVAL }
    }
}

/// Asks once; any 2xx as the final status is good.
pub(crate) async fn check(address: &Address, options: &HealthCheckOptions, h2c: bool) -> Result<(), CheckError> {
    let limit = if options.timeout.0 > 0 { options.timeout.as_std() } else { FALLBACK_TIMEOUT };
    timeout(limit, follow(check_url(address, options), &options.host, h2c)).await.unwrap_or(Err(CheckError::Timeout))
}

/// The URL that is asked, also for the log (spec 11.D.94-97).
pub(crate) fn check_url(address: &Address, options: &HealthCheckOptions) -> String {
    let path = clean(&options.path);
    match (options.port, address.as_str().contains(':')) {
        (0, true) => format!("http://{address}{path}"),
        (0, false) => format!("http://{}{path}", address.host()),
        (port, _) => format!("http://{}:{port}{path}", address.host()),
    }
}

/// Roots a path and percent-encodes what cannot stand in one; a query is therefore impossible.
fn clean(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        out.push('/');
    }
    for byte in path.bytes() {
        match byte {
            b'?' | b'#' | b'"' | b'<' | b'>' | b'`' | b'{' | b'}' | 0..=b' ' | 0x7f.. => {
                out.push_str(&format!("%{byte:02X}"));
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

async fn follow(mut url: String, host: &str, h2c: bool) -> Result<(), CheckError> {
    for _ in 0..=REDIRECTS {
        let uri: Uri = url.parse().map_err(|_| CheckError::Url(url.clone()))?;
        let response = get(&uri, host, h2c, None, BODY).await?;
        let status = response.status();
        match response.headers().get(LOCATION).and_then(|value| value.to_str().ok()) {
            Some(location) if is_redirect(status) => url = resolve(&uri, location)?,
            _ if status.is_success() => return Ok(()),
            _ => {
                let seen = SeenResponse::new(status.as_u16(), response.headers(), response.body());
                return Err(CheckError::Status(Box::new(seen)));
            }
        }
    }
    Err(CheckError::Redirect(url))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn resolve(from: &Uri, location: &str) -> Result<String, CheckError> {
    if location.starts_with("http://") {
        return Ok(location.to_owned());
    }
    match from.authority() {
        Some(authority) if location.starts_with('/') && !location.starts_with("//") => {
            Ok(format!("http://{authority}{location}"))
        }
        _ => Err(CheckError::Redirect(location.to_owned())),
    }
}

/// The response with the beginning of its body, of about `keep` bytes, after all of that has come.
pub(crate) async fn get(
    uri: &Uri,
    host: &str,
    h2c: bool,
    header: Option<(&HeaderName, &HeaderValue)>,
    keep: usize,
) -> Result<Response<Vec<u8>>, CheckError> {
    let invalid = || CheckError::Url(uri.to_string());
    let authority = uri.authority().ok_or_else(invalid)?;
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
    stream.set_nodelay(true)?;
    let asked_host = if host.is_empty() { authority.as_str() } else { host };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path).header(USER_AGENT, "kamal-proxy").header(ACCEPT_ENCODING, "gzip");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    // Either connection ends by itself once the sender is gone.
    let response = if h2c {
        let asked = format!("http://{asked_host}{path}");
        let request = request.uri(asked).body(Empty::<Bytes>::new()).map_err(|_| invalid())?;
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    } else {
        let request = request.header(HOST, asked_host).body(Empty::<Bytes>::new()).map_err(|_| invalid())?;
        let mut builder = hyper::client::conn::http1::Builder::new();
        let (mut sender, connection) = builder.title_case_headers(true).handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    };
    let (head, mut body) = response.into_parts();
    let mut beginning = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref().filter(|_| beginning.len() < keep) {
            beginning.extend_from_slice(data);
        }
    }
    Ok(Response::from_parts(head, beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec 11.D.94-97
    #[test]
    fn urls() {
        for (address, path, port, url) in [
            ("localhost:3000", "/up", 0, "http://localhost:3000/up"),
            ("localhost:3000", "/health", 8080, "http://localhost:8080/health"),
            ("localhost", "/status", 9090, "http://localhost:9090/status"),
            ("localhost", "up", 0, "http://localhost/up"),
            ("localhost", "/up?x=1", 0, "http://localhost/up%3Fx=1"),
        ] {
            let options = HealthCheckOptions { path: path.into(), port, ..HealthCheckOptions::default() };
            assert_eq!(check_url(&Address::parse(address).unwrap(), &options), url);
        }
    }
}
