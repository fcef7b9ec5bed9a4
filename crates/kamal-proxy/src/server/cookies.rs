//! The few things the proxy does with cookies: reading one, keeping readers behind writers (spec 7.3), and scoping
//! paths to the prefix a service is mounted at (spec 8.10).

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};

use super::client::Scheme;
use super::go_duration::GoDuration;

const WRITER: &str = "kamal-writer";
const AFFINITY: HeaderName = HeaderName::from_static("x-writer-affinity");

/// The value of the first cookie of that name, without surrounding double quotes. Each cookie is read by itself: what
/// others a browser sends has no say in it, nor has one whose value cannot be one.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(COOKIE).into_iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| {
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        let value = std::str::from_utf8(value).ok().filter(|value| value.is_ascii())?;
        Some(value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value))
    })
}

/// Whether the client wrote so recently that it must read from a writer.
pub(crate) fn has_writer_affinity(headers: &HeaderMap) -> bool {
    find(headers, WRITER)
        .and_then(|value| value.parse::<i64>().ok())
        .is_some_and(|until| until > Timestamp::now().as_millisecond())
}

/// What a cookie has at its end that is set for a client over TLS: it is not to be sent without.
pub(crate) const fn secure(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Https => "; Secure",
        Scheme::Http => "",
    }
}

/// Makes the client read from writers for a while, unless the application says it wrote nothing.
pub(crate) fn keep_to_writer(headers: &mut HeaderMap, during: GoDuration, scheme: Scheme) {
    if headers.remove(AFFINITY).is_some_and(|value| value == "false") {
        return;
    }
    let until = Timestamp::now().saturating_add(SignedDuration::from_nanos(during.0));
    let Ok(until) = until else { return };
    let expires = until.saturating_add(SignedDuration::from_secs(1)).unwrap_or(until);
    let cookie = format!(
        "{WRITER}={}; Path=/; Expires={}; HttpOnly{}",
        until.as_millisecond(),
        expires.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        secure(scheme)
    );
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        headers.append(SET_COOKIE, value);
    }
}

/// Moves the paths of cookies the application sets for this host under its prefix.
pub(crate) fn scope_paths(headers: &mut HeaderMap, prefix: &str, host: &str) {
    if !headers.contains_key(SET_COOKIE) {
        return;
    }
    let cookies: Vec<_> = headers.get_all(SET_COOKIE).iter().map(|value| scope(value, prefix, host)).collect();
    headers.remove(SET_COOKIE);
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
}

fn scope(cookie: &HeaderValue, prefix: &str, host: &str) -> HeaderValue {
    let mut parts = cookie.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let pair = parts.next().filter(|pair| pair.iter().position(|byte| *byte == b'=').is_some_and(|at| at > 0));
    let Some(pair) = pair else { return cookie.clone() };
    let attributes: Vec<&[u8]> = parts.collect();
    let domain = attributes.iter().find_map(|part| attribute(part, "domain")).unwrap_or_default();
    if !domain.is_empty() && domain != host.as_bytes() {
        return cookie.clone();
    }
    let path = attributes.iter().find_map(|part| attribute(part, "path")).unwrap_or_default();
    let path = [b"Path=", &join(prefix.as_bytes(), path)[..]].concat();
    // Where Go writes it: right behind the value.
    let kept = attributes.into_iter().filter(|part| attribute(part, "path").is_none());
    let scoped = [pair, &path].into_iter().chain(kept).collect::<Vec<_>>().join(&b"; "[..]);
    HeaderValue::from_bytes(&scoped).unwrap_or_else(|_| cookie.clone())
}

/// The value of an attribute of a cookie, where it is the one of that name.
fn attribute<'a>(part: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let at = part.iter().position(|byte| *byte == b'=');
    let (key, value) = at.map_or((part, &b""[..]), |at| (&part[..at], &part[at + 1..]));
    key.trim_ascii().eq_ignore_ascii_case(name.as_bytes()).then_some(value.trim_ascii())
}

/// Joins two paths and resolves `.` and `..`.
fn join(prefix: &[u8], path: &[u8]) -> Vec<u8> {
    let mut segments = Vec::new();
    for segment in [prefix, path].into_iter().flat_map(|path| path.split(|byte| *byte == b'/')) {
        match segment {
            b"" | b"." => {}
            b".." => _ = segments.pop(),
            _ => segments.push(segment),
        }
    }
    [b"/", &segments.join(&b"/"[..])[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec 11.A.22-24, 11.K.176-188
    #[test]
    fn paths_move_under_the_prefix() {
        for (cookie, scoped) in [
            ("a=1; Path=/", "a=1; Path=/api"),
            ("a=1; Path=/admin; HttpOnly", "a=1; Path=/api/admin; HttpOnly"),
            ("a=1", "a=1; Path=/api"),
            ("a=1; Path=/x/../y", "a=1; Path=/api/y"),
            ("a=1; Domain=example.com; Path=/", "a=1; Path=/api; Domain=example.com"),
            ("a=1; Domain=other.com; Path=/", "a=1; Domain=other.com; Path=/"),
            ("a=1; Domain=sub.example.com; Path=/", "a=1; Domain=sub.example.com; Path=/"),
            ("nonsense", "nonsense"),
            ("näme=Jos\u{e9}; path=/x", "näme=Jos\u{e9}; Path=/api/x"),
            ("=1; Path=/", "=1; Path=/"),
        ] {
            let given = HeaderValue::from_bytes(cookie.as_bytes()).unwrap();
            assert_eq!(scope(&given, "/api", "example.com").as_bytes(), scoped.as_bytes(), "{cookie}");
        }
    }

    #[test]
    fn each_cookie_is_read_by_itself() {
        for (lines, found) in [
            (&[&b"kamal-writer=1"[..]][..], Some("1")),
            (&[b"name=Jos\xc3\xa9; kamal-writer=1"], Some("1")),
            (&[b"kamal-writer=1; name=Jos\xe9"], Some("1")),
            (&[b"n=\xff", b"kamal-writer=\"1\""], Some("1")),
            (&[b"kamal-writer=\xff; kamal-writer=2"], Some("2")),
            (&[b"kamal-writers=1; xkamal-writer=1; kamal-writer"], None),
            (&[b"Kamal-Writer=1"], None),
        ] {
            let values = lines.iter().map(|line| (COOKIE, HeaderValue::from_bytes(line).unwrap()));
            assert_eq!(find(&HeaderMap::from_iter(values), WRITER), found, "{lines:?}");
        }
    }

    // spec 11.E.106, 11.E.107, 11.E.110
    #[test]
    fn writer_affinity() {
        let mut response = HeaderMap::new();
        keep_to_writer(&mut response, GoDuration::from_secs(60), Scheme::Http);
        let cookie = response[SET_COOKIE].to_str().unwrap().to_owned();
        assert!(cookie.contains("; Path=/; Expires=") && cookie.ends_with(" GMT; HttpOnly"), "{cookie}");

        let mut request = HeaderMap::new();
        request.insert(COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
        assert!(has_writer_affinity(&request));
        request.insert(COOKIE, HeaderValue::from_static("kamal-writer=1"));
        assert!(!has_writer_affinity(&request));

        let mut over_tls = HeaderMap::new();
        keep_to_writer(&mut over_tls, GoDuration::from_secs(60), Scheme::Https);
        assert!(over_tls[SET_COOKIE].to_str().unwrap().ends_with("; HttpOnly; Secure"), "{over_tls:?}");

        let mut declined = HeaderMap::new();
        declined.insert(AFFINITY, HeaderValue::from_static("false"));
        keep_to_writer(&mut declined, GoDuration::from_secs(60), Scheme::Https);
        assert!(declined.is_empty());
    }
}
