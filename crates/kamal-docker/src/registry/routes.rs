//! Which part of the API a request means.
//!
//! OCI distribution specification, "Endpoints". Repository names hold slashes, so the fixed words are looked for from the
//! right.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderName;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::answer::{Body, Refusal, json_body, set};
use super::digest::Digest;
use super::lead::{Lead, SHOWS_ITSELF};
use super::manifests::Reference;
use super::names::is_repository;
use super::store::Store;
use super::{Access, blobs, manifests, referrers, tags, uploads};

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route<'a> {
    /// `/v2/`: whether this is a registry at all, and whether the credentials are right. Any are.
    Base,
    Tags,
    Manifest(&'a str),
    Blob(&'a str),
    Referrers(&'a str),
    Uploads,
    Upload(&'a str),
}

impl Route<'_> {
    /// The methods it has.
    fn allowed(self) -> &'static str {
        match self {
            Self::Base | Self::Tags | Self::Referrers(_) => "GET, HEAD",
            Self::Manifest(_) => "GET, HEAD, PUT, DELETE",
            Self::Blob(_) => "GET, HEAD, DELETE",
            Self::Uploads => "POST",
            Self::Upload(_) => "GET, HEAD, PATCH, PUT, DELETE",
        }
    }
}

/// Answers one request.
pub(super) async fn respond(store: &Store, access: &Access, lead: &Lead, request: Request<Incoming>) -> Response<Body> {
    let (parts, mut body) = request.into_parts();
    if parts.uri.path() == SHOWS_ITSELF
        && let Some(shown) = lead.shows(&parts.headers)
    {
        return shown;
    }
    let answer = match access {
        Access::Pull(_) if !matches!(parts.method, Method::GET | Method::HEAD) => Err(Refusal::ReadOnly),
        // Who may not see a repository does not learn that it is there.
        Access::Pull(Some(seen)) if !shows(seen, parts.uri.path()) => Err(Refusal::NotFound),
        _ => dispatch(store, lead, &parts, &mut body).await,
    };
    // A client reads the answer only when it has sent everything, and would miss one that hangs up before.
    while let Some(Ok(_)) = body.frame().await {}
    let mut response = answer.unwrap_or_else(|refusal| refusal.of_store_in(store.root()).into_response());
    set(&mut response, HeaderName::from_static("docker-distribution-api-version"), "registry/2.0");
    response
}

/// Whether a path is about one of some repositories, or about none.
fn shows(repositories: &[String], path: &str) -> bool {
    parse(path).is_none_or(|(name, route)| route == Route::Base || repositories.iter().any(|seen| seen == name))
}

async fn dispatch(store: &Store, lead: &Lead, parts: &Parts, body: &mut Incoming) -> Result<Response<Body>, Refusal> {
    let (name, route) = parse(parts.uri.path()).ok_or(Refusal::NotFound)?;
    if route != Route::Base && !is_repository(name) {
        return Err(Refusal::NameInvalid);
    }
    let method = &parts.method;
    match (route, method.as_str()) {
        (Route::Base, "GET" | "HEAD") => Ok(json_body(StatusCode::OK, &json!({}))),
        (Route::Tags, "GET" | "HEAD") => tags::list(store, name, &parts.uri).await,
        (Route::Referrers(text), "GET" | "HEAD") => referrers::list(store, name, digest(text)?, &parts.uri).await,
        (Route::Manifest(text), "GET" | "HEAD") => manifests::get(store, name, Reference::parse(text)?, parts).await,
        (Route::Manifest(text), "PUT") => manifests::put(store, name, Reference::parse(text)?, parts, body).await,
        (Route::Manifest(text), "DELETE") => manifests::delete(store, name, Reference::parse(text)?).await,
        (Route::Blob(text), "GET" | "HEAD") => {
            let digest = digest(text)?;
            let onward = |size| lead.onward(name, &digest, size, method, &parts.headers);
            blobs::get(store, &digest, method, &parts.headers, onward).await
        }
        (Route::Blob(text), "DELETE") => blobs::delete(store, digest(text)?).await,
        (Route::Uploads, "POST") => uploads::begin(store, name, parts, body).await,
        (Route::Upload(id), "GET" | "HEAD") => uploads::stand(store, name, id).await,
        (Route::Upload(id), "PATCH") => uploads::append(store, name, id, parts, body).await,
        (Route::Upload(id), "PUT") => uploads::finish(store, name, id, parts, body).await,
        (Route::Upload(id), "DELETE") => uploads::cancel(store, id).await,
        _ => Err(Refusal::MethodNotAllowed(route.allowed())),
    }
}

fn digest(text: &str) -> Result<Digest, Refusal> {
    text.parse::<Digest>().map_err(|error| Refusal::DigestInvalid(error.to_string()))
}

/// The repository name, not yet checked, and what is asked of it.
fn parse(path: &str) -> Option<(&str, Route<'_>)> {
    let rest = path.strip_prefix("/v2")?;
    if rest.is_empty() || rest == "/" {
        return Some(("", Route::Base));
    }
    let rest = rest.strip_prefix('/')?;
    if let Some(name) = rest.strip_suffix("/tags/list") {
        return Some((name, Route::Tags));
    }
    if let Some(name) = rest.strip_suffix("/blobs/uploads").or_else(|| rest.strip_suffix("/blobs/uploads/")) {
        return Some((name, Route::Uploads));
    }
    let (front, last) = rest.rsplit_once('/')?;
    if let Some(name) = front.strip_suffix("/blobs/uploads") {
        return Some((name, Route::Upload(last)));
    }
    let (name, kind) = front.rsplit_once('/')?;
    match kind {
        "manifests" => Some((name, Route::Manifest(last))),
        "blobs" => Some((name, Route::Blob(last))),
        "referrers" => Some((name, Route::Referrers(last))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_shown_some_repositories_sees_no_others() {
        let seen = ["a/b".to_owned()];
        for (path, shown) in [
            ("/v2/", true),
            ("/v2/a/b/manifests/latest", true),
            ("/v2/a/b/blobs/x", true),
            ("/v2/a/manifests/latest", false),
            ("/v2/a/b/c/blobs/x", false),
            ("/v2/a/b/c/tags/list", false),
            ("/elsewhere", true),
        ] {
            assert_eq!(shows(&seen, path), shown, "{path}");
        }
    }

    #[test]
    fn names_of_any_depth_are_told_from_the_fixed_words() {
        assert_eq!(parse("/v2/"), Some(("", Route::Base)));
        assert_eq!(parse("/v2"), Some(("", Route::Base)));
        assert_eq!(parse("/v2/app/tags/list"), Some(("app", Route::Tags)));
        assert_eq!(parse("/v2/a/b/c/manifests/latest"), Some(("a/b/c", Route::Manifest("latest"))));
        assert_eq!(parse("/v2/blobs/blobs/x"), Some(("blobs", Route::Blob("x"))));
        assert_eq!(parse("/v2/a/b/blobs/uploads/"), Some(("a/b", Route::Uploads)));
        assert_eq!(parse("/v2/a/b/blobs/uploads"), Some(("a/b", Route::Uploads)));
        assert_eq!(parse("/v2/a/blobs/uploads/77"), Some(("a", Route::Upload("77"))));
        assert_eq!(parse("/v2/a/referrers/x"), Some(("a", Route::Referrers("x"))));
        assert_eq!(parse("/v1/search"), None);
        assert_eq!(parse("/v2x/"), None);
    }
}
