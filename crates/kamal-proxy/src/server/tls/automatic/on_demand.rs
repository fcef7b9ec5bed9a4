//! Asking whether a name may have a certificate, where a service takes any (spec 8.12).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::denials::Denial;
use super::outbound::Outbound;
use crate::server::body::response::ResponseBody;
use crate::server::observe::log::Log;
use crate::server::service::Service;

const PATIENCE: Duration = Duration::from_secs(2);
/// How long a no holds, and how long nobody is asked again who had no answer.
const DENIED: Duration = Duration::from_secs(60);
const UNANSWERED: Duration = Duration::from_secs(5);
/// Bytes of a denial that are told.
const MOST: usize = 256;

/// Asks the service itself, by `ask`, or the URL it names.
pub(super) async fn may_have<A, F>(
    outbound: &Outbound,
    log: &Log,
    service: &Arc<Service>,
    name: &str,
    ask: A,
) -> Result<(), Denial>
where
    A: FnOnce(Arc<Service>, String, Request<()>) -> F,
    F: Future<Output = Result<Response<ResponseBody>, StatusCode>>,
{
    let url = question(&service.options.tls_on_demand_url, name);
    let deadline = Instant::now() + PATIENCE;
    let late = || "no answer in time".to_owned();
    let answered = async {
        let (status, body) = if url.starts_with('/') {
            let request = Request::get(&url).header("host", name).body(()).map_err(|error| error.to_string())?;
            let asked = ask(Arc::clone(service), name.to_owned(), request).await;
            let (head, body) = asked.map_err(|status| status.to_string())?.into_parts();
            (head.status, beginning(body, deadline).await)
        } else {
            let (head, body) = outbound.get(&url).await?.into_parts();
            (head.status, beginning(body, deadline).await)
        };
        Ok::<_, String>((status, body))
    };
    let (status, body) = timeout_at(deadline, answered)
        .await
        .unwrap_or_else(|_| Err(late()))
        .map_err(|why| format!("asking whether {name} may have a certificate: {why}"))
        .map_err(|why| Denial { why, lasts: UNANSWERED })?;
    if status == StatusCode::OK {
        return Ok(());
    }
    let about = [("host", name.into()), ("status", status.as_u16().into()), ("body", body.as_str().into())];
    log.warn("TLS on-demand check denied host", &about);
    let why = format!("{name} is not allowed to get a certificate (status: {}, body: {body:?})", status.as_u16());
    Err(Denial { why, lasts: DENIED })
}

/// The URL that is asked: with the name among its parameters, which are sorted as Go's are.
fn question(url: &str, name: &str) -> String {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parameters: Vec<(String, String)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .filter(|(key, _)| key != "host")
        .collect();
    parameters.push(("host".to_owned(), escape(name)));
    parameters.sort_by(|one, other| one.0.cmp(&other.0));
    let query: Vec<String> = parameters.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{path}?{}", query.join("&"))
}

fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// As much of a body as is told.
async fn beginning<B>(body: B, deadline: Instant) -> String
where
    B: Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let mut begun = Vec::new();
    while begun.len() < MOST
        && let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await
    {
        begun.extend(frame.into_data().unwrap_or_default());
    }
    begun.truncate(MOST);
    String::from_utf8_lossy(&begun).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec 11.L.201
    #[test]
    fn the_name_is_put_among_the_parameters() {
        for (url, name, asked) in [
            ("/check", "example.com", "/check?host=example.com"),
            ("/check", "example.com:8443", "/check?host=example.com%3A8443"),
            ("/c?tok=1", "x", "/c?host=x&tok=1"),
            ("/c?b=2&a=1", "x", "/c?a=1&b=2&host=x"),
            ("https://a.com/c?host=other", "x", "https://a.com/c?host=x"),
        ] {
            assert_eq!(question(url, name), asked);
        }
    }
}
