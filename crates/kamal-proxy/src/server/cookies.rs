//! The few things the proxy does with cookies: reading one, keeping readers behind writers (spec 7.3), and scoping
//! paths to the prefix a service is mounted at (spec 8.10).

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};

use super::go_duration::GoDuration;

const WRITER: &str = "kamal-writer";
const AFFINITY: HeaderName = HeaderName::from_static("x-writer-affinity");

/// The value of the first cookie of that name, without surrounding double quotes.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    Some(value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value))
}

/// Whether the client wrote so recently that it must read from a writer.
pub(crate) fn has_writer_affinity(headers: &HeaderMap) -> bool {
    find(headers, WRITER)
        .and_then(|value| value.parse::<i64>().ok())
        .is_some_and(|until| until > Timestamp::now().as_millisecond())
}

/// Makes the client read from writers for a while, unless the application says it wrote nothing.
pub(crate) fn keep_to_writer(headers: &mut HeaderMap, during: GoDuration) {
    if headers.remove(AFFINITY).is_some_and(|value| value == "false") {
        return;
    }
    let until = Timestamp::now().saturating_add(SignedDuration::from_nanos(during.0));
    let Ok(until) = until else { return };
    let expires = until.saturating_add(SignedDuration::from_secs(1)).unwrap_or(until);
    let cookie = format!(
        "{WRITER}={}; Path=/; Expires={}; HttpOnly",
        until.as_millisecond(),
        expires.strftime("%a, %d %b %Y %H:%M:%S GMT")
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
    let Ok(text) = cookie.to_str() else { return cookie.clone() };
    let attribute = |part: &str, name: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    };
    let mut parts: Vec<&str> = text.split(';').map(str::trim).collect();
    let has_name = |pair: &&str| pair.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    if parts.first().filter(|pair| has_name(pair)).is_none() {
        return cookie.clone();
    }
    let domain = parts[1..].iter().find_map(|part| attribute(part, "domain")).unwrap_or_default();
    if !domain.is_empty() && domain != host {
        return cookie.clone();
    }
    let path = parts[1..].iter().find_map(|part| attribute(part, "path")).unwrap_or_default();
    let path = format!("Path={}", join(prefix, &path));
    // Where Go writes it: right behind the value.
    let kept: Vec<&str> = parts.drain(1..).filter(|part| attribute(part, "path").is_none()).collect();
    let scoped = [&[parts[0], path.as_str()][..], &kept].concat().join("; ");
    HeaderValue::from_str(&scoped).unwrap_or_else(|_| cookie.clone())
}

/// Joins two paths and resolves `.` and `..`.
fn join(prefix: &str, path: &str) -> String {
    let mut segments = Vec::new();
    for segment in prefix.split('/').chain(path.split('/')) {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
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
        ] {
            assert_eq!(scope(&HeaderValue::from_static(cookie), "/api", "example.com"), scoped, "{cookie}");
        }
    }

    // spec 11.E.106, 11.E.107, 11.E.110
    #[test]
    fn writer_affinity() {
        let mut response = HeaderMap::new();
        keep_to_writer(&mut response, GoDuration::from_secs(60));
        let cookie = response[SET_COOKIE].to_str().unwrap().to_owned();
        assert!(cookie.contains("; Path=/; Expires=") && cookie.ends_with(" GMT; HttpOnly"), "{cookie}");

        let mut request = HeaderMap::new();
        request.insert(COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
        assert!(has_writer_affinity(&request));
        request.insert(COOKIE, HeaderValue::from_static("kamal-writer=1"));
        assert!(!has_writer_affinity(&request));

        let mut declined = HeaderMap::new();
        declined.insert(AFFINITY, HeaderValue::from_static("false"));
        keep_to_writer(&mut declined, GoDuration::from_secs(60));
        assert!(declined.is_empty());
    }
}
