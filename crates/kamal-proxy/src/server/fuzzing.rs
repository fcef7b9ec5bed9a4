//! Entry points for the fuzz targets: what clients and files decide, judged by rules that are simpler than the code.

use std::sync::Arc;

use bytes::BytesMut;
use http::{Method, Request};

use super::balancer::Balancer;
use super::host;
use super::listen::http1::head;
use super::observe::log::Log;
use super::options::{ServiceOptions, TargetOptions};
use super::path;
use super::pause::{Pause, PauseState};
use super::routes::Routes;
use super::service::{Assets, Service, TlsPolicy};
use super::state;
use super::target::Health;
use super::target::address::Address;
use super::wire::framing::{Framing, Taken};
use super::wire::head as answer_head;

/// Routes a request among services. Lines of the text are services (`hosts prefixes`, each separated by commas), the
/// last one is the request (`host path`).
///
/// # Panics
///
/// When a service gets a request that is not for it, or one that another has the better claim to.
pub fn route(text: &str) {
    let mut lines: Vec<&str> = text.lines().take(16).collect();
    let Some((given_host, raw_path)) = lines.pop().and_then(|line| line.split_once(' ')) else { return };
    let services = lines.iter().enumerate().map(|(number, line)| service(number, line)).collect::<Vec<_>>();
    let routes = Routes::new(services.clone());
    let name = host::without_port(given_host);
    let decoded = path::decode(raw_path);
    let Some((found, prefix)) = routes.find(name, &decoded) else { return };

    let claims = |service: &Service| -> Vec<(usize, usize)> {
        let hosts = service.options.hosts.iter().filter_map(|host| claim_of_host(host, name));
        let prefixes = service.options.path_prefixes.iter().filter(|prefix| is_below(&decoded, prefix));
        hosts.flat_map(|host| prefixes.clone().map(move |prefix| (host, prefix.len()))).collect()
    };
    let best = claims(found).into_iter().max();
    assert!(best.is_some(), "{} is not for {name}{decoded}", found.name);
    assert!(is_below(&decoded, prefix), "{prefix} is not the beginning of {decoded}");
    // Among services for the same host the longest prefix wins; which host counts is settled before.
    let host = best.map_or(0, |(host, _)| host);
    for service in &services {
        let rival = claims(service).into_iter().filter(|(claim, _)| *claim == host).max();
        assert!(rival <= best, "{} has the better claim to {name}{decoded} than {}", service.name, found.name);
    }
    let rest = path::strip(raw_path, prefix);
    assert!(rest.starts_with('/') || prefix == "/" || !raw_path.starts_with('/'), "{rest} of {raw_path}");
    assert!(rest.len() <= raw_path.len() + 1);
}

fn service(number: usize, line: &str) -> Service {
    let (hosts, prefixes) = line.split_once(' ').unwrap_or((line, ""));
    let list = |text: &str| text.split(',').take(8).map(str::to_owned).collect();
    let options = ServiceOptions { hosts: list(hosts), path_prefixes: list(prefixes), ..ServiceOptions::default() };
    let targets = Balancer::new(&[], &[], &Arc::default(), Health::Healthy, &Log::none());
    Service {
        name: number.to_string(),
        options: Arc::new(options.normalised()),
        target_options: Arc::new(TargetOptions::default()),
        assets: Assets::default(),
        active: targets.unwrap_or_else(|_| unreachable!("there is no target to be wrong")),
        rollout: None,
        split: None,
        pause: Pause::new(PauseState::default()),
        in_flight: Arc::default(),
        watched: Arc::default(),
        tls: TlsPolicy { enabled: false, redirect: false },
    }
}

/// How good a claim a host of a service has to a request's: 3 for the same, 2 for a wildcard, 1 for all hosts.
fn claim_of_host(host: &str, name: &str) -> Option<usize> {
    let fold = |text: &str| text.strip_suffix('.').filter(|rest| !rest.is_empty()).unwrap_or(text).to_ascii_lowercase();
    let (host, name) = (fold(host), fold(name));
    let after_label = name.find('.').filter(|dot| *dot > 0).map(|dot| name[dot..].to_owned());
    match host.strip_prefix('*') {
        _ if host == name => Some(3),
        Some(rest) if after_label.as_deref() == Some(rest) => Some(2),
        _ => host.is_empty().then_some(1),
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    let with_slash = |text: &str| format!("{}/", text.trim_end_matches('/'));
    prefix == "/" || path == prefix || path.starts_with(&with_slash(prefix))
}

/// Reads a state file, and reads again what it would be written as.
///
/// # Panics
///
/// When the second reading finds something else than the first, or an address is not what it was made from.
pub fn restore(text: &[u8]) {
    let Ok(elements) = serde_json::from_slice(text) else { return };
    let loaded = state::sort(elements);
    for (saved, _) in loaded.services {
        let _ = saved.options.clone().normalised().validate();
        for target in saved.active_targets.iter().flatten() {
            if let Ok(address) = Address::parse(target) {
                assert_eq!(address.as_str(), target);
                assert!(target.starts_with(address.host()));
            }
        }
        let written = serde_json::to_value(&saved).ok();
        let again = serde_json::value::to_raw_value(&saved).ok().map(|value| state::sort(vec![value]));
        let again = again.and_then(|loaded| loaded.services.into_iter().next()).map(|(saved, _)| saved);
        assert_eq!(again.and_then(|saved| serde_json::to_value(saved).ok()), written);
    }
}

/// Reads what a client sends as requests, whole and in pieces; the first byte is the length of a piece.
///
/// # Panics
///
/// When the requests depend on how they were cut into pieces.
pub fn requests(bytes: &[u8]) {
    let Some((length, bytes)) = bytes.split_first() else { return };
    let (whole, refused) = read_requests(bytes, bytes.len().max(1));
    let (pieces, later) = read_requests(bytes, usize::from(*length).max(1));
    assert_eq!(pieces, whole);
    // A head that comes in pieces is looked at once it may be whole, so it may be refused later.
    assert!(refused || !later);
}

/// The heads and bodies of the requests in what comes, and whether something else is among it.
fn read_requests(bytes: &[u8], piece: usize) -> (Vec<String>, bool) {
    let (mut buffer, mut seen, mut requests) = (BytesMut::new(), 0, Vec::new());
    let mut body: Option<Framing> = None;
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            let Some(framing) = &mut body else {
                let mut request = Request::new(());
                match head::take(&mut buffer, &mut seen, &mut request) {
                    Ok(Some(head)) => {
                        requests.push(format!("{request:?} {head:?}"));
                        body = Some(head.into_framing()).filter(|framing| !framing.is_over());
                        continue;
                    }
                    Ok(None) => break,
                    Err(_) => return (requests, true),
                }
            };
            match framing.take(&mut buffer) {
                Ok(Taken::Frame(frame)) => {
                    let text =
                        frame.data_ref().map_or_else(|| format!("{frame:?}"), |data| data.escape_ascii().to_string());
                    requests.last_mut().into_iter().for_each(|request| request.push_str(&text));
                    body = body.filter(|framing| !framing.is_over());
                }
                Ok(Taken::End) => body = None,
                Ok(Taken::More) => break,
                Err(_) => return (requests, true),
            }
        }
    }
    (requests, false)
}

/// Reads what a target sends as an answer, whole and in pieces; the first byte is the length of a piece, and odd where a
/// HEAD was asked.
///
/// # Panics
///
/// When the answer depends on how it was cut into pieces.
pub fn answers(bytes: &[u8]) {
    let Some((length, bytes)) = bytes.split_first() else { return };
    let method = if length % 2 == 0 { Method::GET } else { Method::HEAD };
    let whole = read_answer(bytes, bytes.len().max(1), &method);
    let pieces = read_answer(bytes, usize::from(*length).max(1), &method);
    // What is refused may be so before all of it has come, or not yet.
    if let Ok(whole) = whole {
        assert_eq!(pieces, Ok(whole));
    }
}

/// The head and the body as far as they have come; an error where something else came.
fn read_answer(bytes: &[u8], piece: usize, method: &Method) -> Result<String, ()> {
    let (mut buffer, mut seen, mut text) = (BytesMut::new(), 0, String::new());
    let mut body: Option<Framing> = None;
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        if body.is_none() {
            let hints = &mut text;
            let hint = |hint: http::response::Parts| hints.push_str(&format!("{hint:?}"));
            let head = answer_head::take(&mut buffer, method, &mut seen, hint).map_err(drop)?;
            let Some(head) = head else { continue };
            text.push_str(&format!("{:?} {}", head.parts, head.keeps));
            body = Some(head.framing);
        }
        let Some(framing) = &mut body else { continue };
        while let Taken::Frame(frame) = framing.take(&mut buffer).map_err(drop)? {
            text.push_str(
                &frame.data_ref().map_or_else(|| format!("{frame:?}"), |data| data.escape_ascii().to_string()),
            );
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::wire::damaged::damaged;

    #[test]
    fn what_is_nearly_right() {
        let answer = b"\x03HTTP/1.1 103 EarlyHints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        damaged(answer, 5_000).for_each(|bytes| answers(&bytes));
        let request = b"\x02PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nokGET / HTTP/1.1\r\nHost: b\r\n\r\n";
        damaged(request, 5_000).for_each(|bytes| requests(&bytes));
        let state = br#"[{"name":"a","options":{"hosts":["a.test"]},"active_targets":["web:80"],"x":[[[]]]},{}]"#;
        damaged(state, 5_000).for_each(|bytes| restore(&bytes));
    }
}
