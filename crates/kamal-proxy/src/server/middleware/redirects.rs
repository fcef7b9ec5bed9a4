//! Redirects from hosts and paths that have moved.

use http::header::{CONNECTION, LOCATION};
use http::{HeaderValue, Method, Response, StatusCode, Uri};

use crate::server::body::response::ResponseBody;

/// The redirects of one service, in the order given; the first that fits counts.
#[derive(Debug)]
pub(super) struct Redirects(Vec<Redirect>);

#[derive(Debug)]
struct Redirect {
    from: From,
    /// A path or a URL.
    to: String,
}

#[derive(Debug)]
enum From {
    /// Everything on a host; path and query are kept.
    Host(String),
    /// One path.
    Path(String),
    /// Every path that begins so; what follows is kept where the target ends in `*`.
    Below(String),
}

/// A text that is no redirect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a redirect such as /old=/new, /blog/*=https://blog.example.com/* or www.example.com=https://example.com"
)]
pub(crate) struct RedirectError(String);

impl Redirects {
    pub(super) fn new(texts: &[String]) -> Result<Self, RedirectError> {
        texts
            .iter()
            .map(|text| parse(text).ok_or_else(|| RedirectError(text.clone())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Where to instead, if anywhere. `host` has no port.
    pub(super) fn answer(&self, host: &str, method: &Method, uri: &Uri) -> Option<Response<ResponseBody>> {
        let location = self.0.iter().find_map(|redirect| redirect.location(host, uri))?;
        let location = HeaderValue::from_str(&location).ok()?;
        let mut response = Response::new(ResponseBody::empty());
        // 308 keeps the method, which browsers do not with 301.
        let read = matches!(*method, Method::GET | Method::HEAD);
        *response.status_mut() = if read { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT };
        response.headers_mut().insert(LOCATION, location);
        if !read {
            // What the client is about to send is for somebody else.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Some(response)
    }
}

fn parse(text: &str) -> Option<Redirect> {
    let (from, to) = text.split_once('=')?;
    let behind_scheme = to.strip_prefix("http://").or_else(|| to.strip_prefix("https://"));
    // Without a host of its own it would take one from the path that was asked for.
    let is_url =
        behind_scheme.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '\\', '*', '?', '#', '@', ':']));
    // What begins with two slashes is a host, and to browsers either slash is one.
    let is_path = to.starts_with('/') && !to[1..].starts_with(['/', '\\']);
    if from.is_empty() || HeaderValue::from_str(to).is_err() || !(is_url || is_path) {
        return None;
    }
    let from = match (from.starts_with('/'), from.strip_suffix('*')) {
        (true, Some(beginning)) => From::Below(beginning.to_owned()),
        (true, None) => From::Path(from.to_owned()),
        (false, None) if is_url && !from.contains('/') => From::Host(from.to_ascii_lowercase()),
        _ => return None,
    };
    Some(Redirect { from, to: to.to_owned() })
}

impl Redirect {
    fn location(&self, host: &str, uri: &Uri) -> Option<String> {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        match &self.from {
            From::Host(from) => from.eq_ignore_ascii_case(host).then(|| {
                let base = self.to.trim_end_matches(['*', '/']);
                format!("{base}{}{query}", uri.path())
            }),
            From::Path(from) => (from == uri.path()).then(|| format!("{}{query}", self.to)),
            From::Below(from) => {
                let rest = uri.path().strip_prefix(from.as_str())?;
                match self.to.strip_suffix('*') {
                    Some(to) if ends_in_host(to) => {
                        Some(format!("{}/{}{query}", to.trim_end_matches('/'), rest.trim_start_matches(['/', '\\'])))
                    }
                    Some(to) => Some(format!("{to}{rest}{query}")),
                    None => Some(format!("{}{query}", self.to)),
                }
            }
        }
    }
}

/// Whether what follows could become the name of a host, or a part of one: behind a single slash, and behind the host of
/// a URL without a path.
fn ends_in_host(to: &str) -> bool {
    let behind_scheme = to.split_once("://").map_or(to.strip_prefix('/').unwrap_or(to), |(_, rest)| rest);
    !behind_scheme.contains(['/', '?', '#']) && (to == "/" || to.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to() {
        let texts =
            ["www.example.com=https://example.com", "/old=/new", "/blog/*=https://blog.test/*", "/x/*=/*", "/gone/*=/"];
        let redirects = Redirects::new(&texts.map(str::to_owned)).unwrap();
        for (host, uri, location) in [
            ("WWW.example.com", "/a/b?c=d", Some("https://example.com/a/b?c=d")),
            ("example.com", "/old?x", Some("/new?x")),
            ("example.com", "/older", None),
            ("example.com", "/blog/2020/a%2Fb", Some("https://blog.test/2020/a%2Fb")),
            ("example.com", "/blog", None),
            ("example.com", "/x//evil.test/", Some("/evil.test/")),
            ("example.com", "/gone/away", Some("/")),
            ("example.com", "/", None),
        ] {
            let response = redirects.answer(host, &Method::GET, &uri.parse().unwrap());
            let found = response.as_ref().map(|response| response.headers()[LOCATION].to_str().unwrap());
            assert_eq!(found, location, "{host}{uri}");
        }
        let texts = ["/blog*=https://blog.test*", "/x/*=https://example.com*", "/p*=https://p.test/q*", "/z*=/y*"];
        let redirects = Redirects::new(&texts.map(str::to_owned)).unwrap();
        for (uri, location) in [
            ("/blog", "https://blog.test/"),
            ("/blog/x?y", "https://blog.test/x?y"),
            ("/blog.evil.test/", "https://blog.test/.evil.test/"),
            ("/blog@evil.test/", "https://blog.test/@evil.test/"),
            ("/blog:x@evil.test/", "https://blog.test/:x@evil.test/"),
            ("/blog:80", "https://blog.test/:80"),
            ("/x/.evil.test", "https://example.com/.evil.test"),
            ("/p@evil.test", "https://p.test/q@evil.test"),
            ("/z//evil.test", "/y//evil.test"),
        ] {
            let response = redirects.answer("example.com", &Method::GET, &uri.parse().unwrap()).unwrap();
            assert_eq!(response.headers()[LOCATION], location, "{uri}");
        }
        let texts = ["/x/*=/*", "/old=/new"];
        let redirects = Redirects::new(&texts.map(str::to_owned)).unwrap();
        let turned = redirects.answer("example.com", &Method::GET, &r"/x/\\evil.test/".parse().unwrap()).unwrap();
        assert_eq!(turned.headers()[LOCATION], "/evil.test/");
        let post = redirects.answer("example.com", &Method::POST, &"/old".parse().unwrap()).unwrap();
        assert_eq!(post.status(), 308);
    }

    #[test]
    fn what_is_no_redirect() {
        for wrong in [
            "",
            "/a",
            "=/b",
            "/a=",
            "/a=b",
            "/a=//b",
            r"/a=/\b",
            "www.example.com=/x",
            "a*=https://b",
            "/a=/b\n",
            "/a/*=https://*",
            "/a/*=https:///*",
            "/a=http://?b",
            "a=https://",
        ] {
            assert!(Redirects::new(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
