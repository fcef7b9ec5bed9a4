//! Addresses.

use super::super::run::{Found, Run};
use super::super::value::Value;
use super::{Call, Method, plain};

/// `URI` itself.
pub(super) const MODULE: &[Method] = &[
    plain("parse", 1, 1, parsed),
    plain("join", 2, 2, |_, call| Err(call.unknown())),
    plain("encode_www_form", 1, 1, |run, call| {
        let mut parts = Vec::new();
        for pair in super::listed(run, call.value(0), call.place)? {
            let pair = super::listed(run, &pair, call.place)?;
            let mut escaped = Vec::new();
            for part in &pair {
                let value = run.send(&Value::module("CGI"), "escape", std::slice::from_ref(part), call.place)?;
                escaped.push(value.print());
            }
            parts.push(escaped.join("="));
        }
        Ok(Value::text(parts.join("&")))
    }),
];

pub(super) const METHODS: &[Method] = &[
    plain("scheme host hostname port path query fragment user password userinfo", 0, 0, |_, call| {
        let text = call.subject()?;
        let parts = Parts::of(&text);
        Ok(match call.name {
            "scheme" => Value::or_nil(parts.scheme.map(str::to_lowercase)),
            "host" => Value::or_nil(parts.host),
            "hostname" => Value::or_nil(parts.host.map(|host| host.trim_matches(['[', ']']))),
            "port" => match (parts.port.and_then(|port| port.parse().ok()), parts.scheme) {
                (Some(port), _) => Value::Int(port),
                (None, Some("http" | "ws")) => Value::Int(80),
                (None, Some("https" | "wss")) => Value::Int(443),
                (None, Some("ftp")) => Value::Int(21),
                _ => Value::Nil,
            },
            "path" => Value::text(parts.path),
            "query" => Value::or_nil(parts.query),
            "fragment" => Value::or_nil(parts.fragment),
            "userinfo" => Value::or_nil(parts.user),
            "user" => Value::or_nil(parts.user.map(|user| user.split(':').next().unwrap_or(user))),
            _ => Value::or_nil(parts.user.and_then(|user| user.split_once(':')).map(|(_, password)| password)),
        })
    }),
    plain("to_s to_str", 0, 0, |_, call| Ok(Value::text(call.subject()?))),
    plain("host= port= path= query= scheme= user= password=", 1, 1, |_, call| Err(call.unknown())),
];

/// `URI.parse(text)` and `URI(text)`.
pub(super) fn parsed(_: &mut Run<'_>, call: &Call<'_>) -> Found {
    let text = match call.value(0) {
        Value::Uri(uri) => uri.to_string(),
        _ => call.text(0)?,
    };
    if text.contains([' ', '\n', '\t', '<', '>', '"', '{', '}', '|', '\\', '^', '`']) || !text.is_ascii() {
        let message = format!("bad URI (is not URI?): {}", call.value(0).inspect());
        return Err(call.raise("URI::InvalidURIError", message));
    }
    Ok(Value::Uri(text.into()))
}

#[derive(Default)]
struct Parts<'t> {
    scheme: Option<&'t str>,
    user: Option<&'t str>,
    host: Option<&'t str>,
    port: Option<&'t str>,
    path: &'t str,
    query: Option<&'t str>,
    fragment: Option<&'t str>,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Self {
        let mut parts = Self::default();
        let (text, fragment) = text.split_once('#').map_or((text, None), |(text, fragment)| (text, Some(fragment)));
        let (text, query) = text.split_once('?').map_or((text, None), |(text, query)| (text, Some(query)));
        (parts.fragment, parts.query) = (fragment, query);
        let letters = |scheme: &str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let text = match text.split_once(':') {
            Some((scheme, rest)) if letters(scheme) => {
                parts.scheme = Some(scheme);
                rest
            }
            _ => text,
        };
        let Some(rest) = text.strip_prefix("//") else {
            parts.path = text;
            return parts;
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        parts.path = path;
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        parts.user = user;
        let colon = host.rfind(':').filter(|at| !host[*at..].contains(']'));
        let (host, port) = colon.map_or((host, None), |at| (&host[..at], Some(&host[at + 1..])));
        parts.host = Some(host);
        parts.port = port.filter(|port| !port.is_empty());
        parts
    }
}
