//! Manifests and tags. A manifest is taken only when everything it names is there, so a pull can never find a hole.
//!
//! OCI distribution specification, "Pushing manifests" and "Listing tags".

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION};
use hyper::{Method, Request, Response, StatusCode, Uri};
use serde::Deserialize;
use serde_json::json;
use tokio::fs;

use super::answer::{Body, Refusal, empty, full, json_body, set, with_body};
use super::digest::Digest;
use super::names::is_tag;
use super::routes::query;
use super::store::{Store, if_found};

/// Largest manifest that is taken; the specification asks for at least this.
const LIMIT: usize = 4 * 1024 * 1024;

/// What a manifest is asked for by.
#[derive(Debug)]
pub(super) enum Reference {
    Tag(String),
    Digest(Digest),
}

impl Reference {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        match Digest::parse(text) {
            Some(digest) => Ok(Self::Digest(digest)),
            None if is_tag(text) => Ok(Self::Tag(text.to_owned())),
            None => Err(Refusal::ManifestInvalid("neither a tag nor a sha256 digest".to_owned())),
        }
    }
}

/// The fields of a manifest or an index that name other content.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    media_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: String,
    /// Foreign layers live elsewhere and are never pushed.
    #[serde(default)]
    urls: Vec<String>,
}

/// `PUT /v2/NAME/manifests/REFERENCE`.
pub(super) async fn put(
    store: &Store,
    name: &str,
    reference: &Reference,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let announced_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let content = match Limited::new(request.into_body(), LIMIT).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(Refusal::ManifestInvalid(format!("larger than {LIMIT} bytes")));
        }
        Err(error) => return Err(std::io::Error::other(error).into()),
    };
    let digest = Digest::of(&content);
    if matches!(reference, Reference::Digest(announced) if *announced != digest) {
        return Err(Refusal::DigestInvalid);
    }
    let manifest: Manifest = serde_json::from_slice(&content)
        .map_err(|error| Refusal::ManifestInvalid(format!("not a manifest: {error}")))?;
    require_content(store, &manifest).await?;
    let media_type = announced_type
        .or(manifest.media_type)
        .ok_or_else(|| Refusal::ManifestInvalid("neither Content-Type nor mediaType is given".to_owned()))?;

    store.write(&store.blob(&digest), &content).await?;
    store.write(&store.manifests(name).join(digest.hex()), media_type.as_bytes()).await?;
    if let Reference::Tag(tag) = reference {
        store.write(&store.tags(name).join(tag), digest.to_string().as_bytes()).await?;
    }
    let mut response = empty(StatusCode::CREATED);
    set(&mut response, LOCATION, &format!("/v2/{name}/manifests/{digest}"));
    set(&mut response, HeaderName::from_static("docker-content-digest"), &digest.to_string());
    Ok(response)
}

/// `GET` or `HEAD /v2/NAME/manifests/REFERENCE`.
pub(super) async fn get(
    store: &Store,
    name: &str,
    reference: &Reference,
    method: &Method,
) -> Result<Response<Body>, Refusal> {
    let digest = match reference {
        Reference::Digest(digest) => digest.clone(),
        Reference::Tag(tag) => {
            let target = if_found(fs::read_to_string(store.tags(name).join(tag)).await)?;
            target.and_then(|text| Digest::parse(&text)).ok_or(Refusal::ManifestUnknown)?
        }
    };
    let media_type = if_found(fs::read_to_string(store.manifests(name).join(digest.hex())).await)?;
    let content = if_found(fs::read(store.blob(&digest)).await)?;
    let (Some(media_type), Some(content)) = (media_type, content) else { return Err(Refusal::ManifestUnknown) };

    let length = content.len().to_string();
    let mut response =
        if method == Method::HEAD { empty(StatusCode::OK) } else { with_body(StatusCode::OK, full(content.into())) };
    set(&mut response, CONTENT_LENGTH, &length);
    set(&mut response, CONTENT_TYPE, &media_type);
    set(&mut response, HeaderName::from_static("docker-content-digest"), &digest.to_string());
    Ok(response)
}

/// `GET /v2/NAME/tags/list`, sorted, with the paging parameters `n` and `last`.
pub(super) async fn tags(store: &Store, name: &str, uri: &Uri) -> Result<Response<Body>, Refusal> {
    let mut folder = if_found(fs::read_dir(store.tags(name)).await)?.ok_or(Refusal::NameUnknown)?;
    let mut tags = Vec::new();
    while let Some(entry) = folder.next_entry().await? {
        tags.extend(entry.file_name().into_string());
    }
    tags.sort_unstable();
    if let Some(last) = query(uri, "last") {
        tags.retain(|tag| *tag > last);
    }
    if let Some(count) = query(uri, "n").and_then(|text| text.parse().ok()) {
        tags.truncate(count);
    }
    Ok(json_body(StatusCode::OK, &json!({ "name": name, "tags": tags })))
}

async fn require_content(store: &Store, manifest: &Manifest) -> Result<(), Refusal> {
    let named = manifest.config.iter().chain(&manifest.layers).chain(&manifest.manifests);
    for descriptor in named.filter(|descriptor| descriptor.urls.is_empty()) {
        let digest = Digest::parse(&descriptor.digest)
            .ok_or_else(|| Refusal::ManifestInvalid(format!("{} is no sha256 digest", descriptor.digest)))?;
        if !fs::try_exists(store.blob(&digest)).await? {
            return Err(Refusal::ManifestBlobUnknown(descriptor.digest.clone()));
        }
    }
    Ok(())
}
