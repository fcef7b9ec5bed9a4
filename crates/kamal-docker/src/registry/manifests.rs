//! Manifests. One is taken only when everything it names is there, so a pull can never find a hole.
//!
//! OCI distribution specification, "Pulling manifests", "Pushing manifests" and "Deleting manifests".

use std::fs;
use std::io;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};

use super::accept::accepts;
use super::answer::{Body, DOCKER_CONTENT_DIGEST, Refusal, empty, full, set, with_body};
use super::blocking;
use super::digest::{Algorithm, Digest};
use super::media::{Manifest, Platform, is_index, is_manifest};
use super::names::is_tag;
use super::query::queries;
use super::store::{Store, if_found, touch};

/// Largest manifest that is taken; the specification asks for at least this.
pub(super) const LIMIT: usize = 4 * 1024 * 1024;

/// What a manifest is asked for by.
#[derive(Debug, Clone)]
pub(super) enum Reference {
    Tag(String),
    Digest(Digest),
}

impl Reference {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        if text.contains(':') {
            let digest = text.parse::<Digest>().map_err(|error| Refusal::DigestInvalid(error.to_string()))?;
            return Ok(Self::Digest(digest));
        }
        is_tag(text).then(|| Self::Tag(text.to_owned())).ok_or_else(|| {
            Refusal::ManifestInvalid(
                "a tag is at most 128 letters, digits, '_', '.' or '-', and begins with none of the last two"
                    .to_owned(),
            )
        })
    }
}

/// A manifest as it lies in a repository.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) content: Vec<u8>,
}

/// The manifest behind a reference, which somebody relies on from now on. The store is locked while it is looked for.
pub(super) fn find(store: &Store, name: &str, reference: &Reference) -> io::Result<Option<Stored>> {
    let _guard = store.shared()?;
    let digest = match reference {
        Reference::Digest(digest) => digest.clone(),
        Reference::Tag(tag) => match store.target(name, tag)? {
            Some(digest) => digest,
            None => return Ok(None),
        },
    };
    read(store, name, digest)
}

fn read(store: &Store, name: &str, digest: Digest) -> io::Result<Option<Stored>> {
    let path = store.manifest(name, &digest);
    let Some(media_type) = if_found(fs::read_to_string(&path))? else { return Ok(None) };
    let Some(content) = store.content(&digest)? else { return Ok(None) };
    touch(&path)?;
    Ok(Some(Stored { digest, media_type, content }))
}

/// `GET` or `HEAD /v2/NAME/manifests/REFERENCE`.
pub(super) async fn get(
    store: &Store,
    name: &str,
    reference: Reference,
    parts: &Parts,
) -> Result<Response<Body>, Refusal> {
    let (store, name, headers) = (store.clone(), name.to_owned(), parts.headers.clone());
    let stored = blocking(move || {
        let stored = find(&store, &name, &reference)?.ok_or(Refusal::ManifestUnknown)?;
        acceptable(&store, &name, &reference, &headers, stored)
    })
    .await?;

    let (length, digest) = (stored.content.len().to_string(), stored.digest.to_string());
    let mut response = if parts.method == Method::HEAD {
        empty(StatusCode::OK)
    } else {
        with_body(StatusCode::OK, full(stored.content.into()))
    };
    set(&mut response, CONTENT_LENGTH, &length);
    set(&mut response, CONTENT_TYPE, &stored.media_type);
    set(&mut response, DOCKER_CONTENT_DIGEST, &digest);
    set(&mut response, ETAG, &format!("\"{digest}\""));
    Ok(response)
}

/// What a client gets that asked for certain types: the manifest, if it is of one. A client that knows no indexes gets of
/// a tag's the image it means, which is the one for `linux/amd64`, since such clients ran on nothing else.
fn acceptable(
    store: &Store,
    name: &str,
    reference: &Reference,
    headers: &HeaderMap,
    stored: Stored,
) -> Result<Stored, Refusal> {
    if accepts(headers, &stored.media_type) {
        return Ok(stored);
    }
    if let (Reference::Tag(_), true) = (reference, is_index(&stored.media_type)) {
        let index = Manifest::parse(&stored.content).map_err(io::Error::other)?;
        let usual = Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None };
        let image = index.manifests.into_iter().find(|image| image.platform.as_ref() == Some(&usual));
        if let Some(image) = image.filter(|image| accepts(headers, &image.media_type))
            && let Some(stored) = find(store, name, &Reference::Digest(image.digest))?
        {
            return Ok(stored);
        }
    }
    Err(Refusal::ManifestNotAcceptable(stored.media_type))
}

/// `PUT /v2/NAME/manifests/REFERENCE`, of a digest also with `?tag=` once or more.
pub(super) async fn put(
    store: &Store,
    name: &str,
    reference: Reference,
    parts: &Parts,
    body: &mut Incoming,
) -> Result<Response<Body>, Refusal> {
    let content = match Limited::new(body, LIMIT).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Refusal::ManifestTooLarge(LIMIT)),
        Err(error) => return Err(Refusal::ManifestInvalid(format!("the manifest broke off: {error}"))),
    };
    let (digest, tags) = match reference {
        Reference::Tag(tag) => (Algorithm::Sha256.of(&content), vec![tag]),
        Reference::Digest(announced) => {
            let digest = announced.algorithm().of(&content);
            if digest != announced {
                return Err(Refusal::DigestInvalid(format!("the manifest's digest is {digest}, not {announced}")));
            }
            (digest, queries(&parts.uri, "tag").collect())
        }
    };
    if let Some(bad) = tags.iter().find(|tag| !is_tag(tag)) {
        return Err(Refusal::ManifestInvalid(format!("`{bad}` is not a tag")));
    }
    let manifest =
        Manifest::parse(&content).map_err(|error| Refusal::ManifestInvalid(format!("not a manifest: {error}")))?;
    let media_type = media_type(&parts.headers, &manifest)?;

    let mut response = empty(StatusCode::CREATED);
    set(&mut response, LOCATION, &format!("/v2/{name}/manifests/{digest}"));
    set(&mut response, DOCKER_CONTENT_DIGEST, &digest.to_string());
    if let Some(subject) = &manifest.subject {
        set(&mut response, HeaderName::from_static("oci-subject"), &subject.digest.to_string());
    }
    if !tags.is_empty() {
        set(&mut response, HeaderName::from_static("oci-tag"), &tags.join(", "));
    }
    let (store, name) = (store.clone(), name.to_owned());
    blocking(move || {
        let _guard = store.shared()?;
        require_parts(&store, &name, &manifest)?;
        if !touch(&store.blob(&digest))? {
            store.write(&store.blob(&digest), &content)?;
        }
        store.write(&store.manifest(&name, &digest), media_type.as_bytes())?;
        for tag in tags {
            store.write(&store.tag(&name, &tag), digest.to_string().as_bytes())?;
        }
        Ok::<_, Refusal>(())
    })
    .await?;
    Ok(response)
}

/// `DELETE /v2/NAME/manifests/REFERENCE`: a tag alone, or a manifest and the tags that point at it. Its content stays for
/// the next collection.
pub(super) async fn delete(store: &Store, name: &str, reference: Reference) -> Result<Response<Body>, Refusal> {
    let (store, name) = (store.clone(), name.to_owned());
    blocking(move || {
        let _guard = store.exclusive()?;
        let removed = match reference {
            Reference::Tag(tag) => if_found(fs::remove_file(store.tag(&name, &tag)))?,
            Reference::Digest(digest) => {
                for tag in store.tags(&name)?.unwrap_or_default() {
                    if store.target(&name, &tag)?.as_ref() == Some(&digest) {
                        fs::remove_file(store.tag(&name, &tag))?;
                    }
                }
                if_found(fs::remove_file(store.manifest(&name, &digest)))?
            }
        };
        removed.map(|()| empty(StatusCode::ACCEPTED)).ok_or(Refusal::ManifestUnknown)
    })
    .await
}

/// What the manifest is: what the request says, which must be what the manifest says itself.
fn media_type(headers: &HeaderMap, manifest: &Manifest) -> Result<String, Refusal> {
    let header = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let announced = header.split(';').next().unwrap_or_default().trim();
    let media_type = if announced.is_empty() { &manifest.media_type } else { announced };
    if !is_manifest(media_type) {
        return Err(Refusal::ManifestInvalid(format!(
            "`{media_type}` is not a type of manifest; OCI's and Docker's (version 2) are taken"
        )));
    }
    if !manifest.media_type.is_empty() && manifest.media_type != media_type {
        let own = &manifest.media_type;
        return Err(Refusal::ManifestInvalid(format!("the request calls the manifest {media_type}, it itself {own}")));
    }
    Ok(media_type.to_owned())
}

/// Sees that everything the manifest is made of is there, and relied on from now on.
fn require_parts(store: &Store, name: &str, manifest: &Manifest) -> Result<(), Refusal> {
    let mut missing = Vec::new();
    for part in manifest.parts().filter(|part| !part.is_foreign()) {
        let is_there = store.holds(&part.digest, part.size)?
            && (!is_manifest(&part.media_type) || touch(&store.manifest(name, &part.digest))?);
        if !is_there {
            missing.push(part.digest.clone());
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Refusal::ManifestBlobUnknown(missing)) }
}
