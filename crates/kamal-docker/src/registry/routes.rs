//! Which part of the API a request means.
//!
//! OCI distribution specification, "Endpoints". Repository names hold slashes, so the fixed words are looked for from the
//! right.

use hyper::body::Incoming;
use hyper::header::HeaderName;
use hyper::{Method, Request, Response, StatusCode, Uri};
use serde_json::json;

use super::answer::{Body, Refusal, json_body, set};
use super::digest::Digest;
use super::manifests::Reference;
use super::names::is_repository;
use super::store::Store;
use super::{blobs, manifests, uploads};

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
enum Route<'a> {
    /// `/v2/`: whether this is a registry at all, and whether the credentials are right. Any are.
    Base,
    Tags,
    Manifest(&'a str),
    Blob(&'a str),
    /// The id is empty when an upload begins.
    Upload(&'a str),
}

/// Answers one request.
pub(super) async fn respond(store: &Store, request: Request<Incoming>) -> Response<Body> {
    let mut response = dispatch(store, request).await.unwrap_or_else(Refusal::into_response);
    set(&mut response, HeaderName::from_static("docker-distribution-api-version"), "registry/2.0");
    response
}

async fn dispatch(store: &Store, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let (name, route) = parse(&path).ok_or(Refusal::NameUnknown)?;
    if route != Route::Base && !is_repository(name) {
        return Err(Refusal::NameInvalid);
    }
    let reading = method == Method::GET || method == Method::HEAD;
    match route {
        Route::Base if reading => Ok(json_body(StatusCode::OK, &json!({}))),
        Route::Tags if reading => manifests::tags(store, name, request.uri()).await,
        Route::Manifest(text) if reading => manifests::get(store, name, &Reference::parse(text)?, &method).await,
        Route::Manifest(text) if method == Method::PUT => {
            manifests::put(store, name, &Reference::parse(text)?, request).await
        }
        Route::Blob(text) if reading => {
            let digest = Digest::parse(text).ok_or(Refusal::DigestInvalid)?;
            blobs::get(store, &digest, &method, request.headers()).await
        }
        Route::Upload("") if method == Method::POST => uploads::begin(store, name, request).await,
        Route::Upload(id) if reading => uploads::stand(store, name, id).await,
        Route::Upload(id) if method == Method::PATCH => uploads::append(store, name, id, request).await,
        Route::Upload(id) if method == Method::PUT => uploads::finish(store, name, id, request).await,
        Route::Upload(id) if method == Method::DELETE => uploads::cancel(store, id).await,
        _ => Err(Refusal::Unsupported),
    }
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
    if let Some(name) = rest.strip_suffix("/blobs/uploads") {
        return Some((name, Route::Upload("")));
    }
    let (front, last) = rest.rsplit_once('/')?;
    if let Some(name) = front.strip_suffix("/blobs/uploads") {
        return Some((name, Route::Upload(last)));
    }
    let (name, kind) = front.rsplit_once('/')?;
    match kind {
        "manifests" => Some((name, Route::Manifest(last))),
        "blobs" => Some((name, Route::Blob(last))),
        _ => None,
    }
}

/// The value of a query parameter, percent-decoded. Clients write the colon of a digest as `%3A`.
pub(super) fn query(uri: &Uri, key: &str) -> Option<String> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| *name == key).and_then(|(_, value)| percent_decode(value))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_depth_are_told_from_the_fixed_words() {
        assert_eq!(parse("/v2/"), Some(("", Route::Base)));
        assert_eq!(parse("/v2"), Some(("", Route::Base)));
        assert_eq!(parse("/v2/app/tags/list"), Some(("app", Route::Tags)));
        assert_eq!(parse("/v2/a/b/c/manifests/latest"), Some(("a/b/c", Route::Manifest("latest"))));
        assert_eq!(parse("/v2/blobs/blobs/x"), Some(("blobs", Route::Blob("x"))));
        assert_eq!(parse("/v2/a/b/blobs/uploads/"), Some(("a/b", Route::Upload(""))));
        assert_eq!(parse("/v2/a/b/blobs/uploads"), Some(("a/b", Route::Upload(""))));
        assert_eq!(parse("/v2/a/blobs/uploads/77"), Some(("a", Route::Upload("77"))));
        assert_eq!(parse("/v1/search"), None);
        assert_eq!(parse("/v2x/"), None);
    }

    #[test]
    fn query_values_are_percent_decoded() {
        let uri: Uri = "/v2/a/blobs/uploads/1?state=x&digest=sha256%3Aab".parse().unwrap();
        assert_eq!(query(&uri, "digest").as_deref(), Some("sha256:ab"));
        assert_eq!(query(&uri, "mount"), None);
        assert_eq!(percent_decode("%zz"), None);
        assert_eq!(percent_decode("%4"), None);
    }
}
