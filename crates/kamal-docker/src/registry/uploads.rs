//! Content on its way in: `POST` begins an upload, `PATCH` appends, `PUT` checks the digest and makes it a blob.
//!
//! OCI distribution specification, "Pushing blobs".

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_RANGE, HeaderName, LOCATION, RANGE};
use hyper::{Request, Response, StatusCode};
use tokio::fs::{self, OpenOptions};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::task;

use super::answer::{Body, Refusal, empty, set, upload_range};
use super::digest::Digest;
use super::routes::query;
use super::store::{Store, if_found, is_id, new_id};

/// `POST /v2/NAME/blobs/uploads/`: mounts a blob that is there, takes a whole one, or begins an upload.
pub(super) async fn begin(store: &Store, name: &str, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let uri = request.uri().clone();
    // Blobs are shared by all repositories, so mounting one from anywhere is only a question of whether it is there.
    if let Some(digest) = query(&uri, "mount").and_then(|text| Digest::parse(&text))
        && fs::try_exists(store.blob(&digest)).await?
    {
        return Ok(created(name, &digest));
    }
    let id = new_id()?;
    fs::write(store.upload(&id), b"").await?;
    if query(&uri, "digest").is_some() {
        return finish(store, name, &id, request).await;
    }
    Ok(progress(StatusCode::ACCEPTED, name, &id, 0))
}

/// `GET` of an upload: how far it is.
pub(super) async fn stand(store: &Store, name: &str, id: &str) -> Result<Response<Body>, Refusal> {
    Ok(progress(StatusCode::NO_CONTENT, name, id, size(store, id).await?))
}

/// `PATCH`: appends the body.
pub(super) async fn append(
    store: &Store,
    name: &str,
    id: &str,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let size = receive(store, id, request).await?;
    Ok(progress(StatusCode::ACCEPTED, name, id, size))
}

/// `PUT ?digest=`: appends the body, if any, and makes the upload a blob when its digest is the announced one.
pub(super) async fn finish(
    store: &Store,
    name: &str,
    id: &str,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let announced =
        query(request.uri(), "digest").and_then(|text| Digest::parse(&text)).ok_or(Refusal::DigestInvalid)?;
    receive(store, id, request).await?;
    let path = store.upload(id);
    let read = path.clone();
    let digest = task::spawn_blocking(move || Digest::of_file(&read)).await.map_err(std::io::Error::other)??;
    if digest != announced {
        fs::remove_file(&path).await?;
        return Err(Refusal::DigestInvalid);
    }
    // Not synced: a blob that a power cut emptied fails its digest check in every client, and is pushed again.
    fs::rename(&path, store.blob(&digest)).await?;
    Ok(created(name, &digest))
}

/// `DELETE`: forgets the upload.
pub(super) async fn cancel(store: &Store, id: &str) -> Result<Response<Body>, Refusal> {
    size(store, id).await?;
    fs::remove_file(store.upload(id)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Appends the body to the upload and tells its new size.
async fn receive(store: &Store, id: &str, request: Request<Incoming>) -> Result<u64, Refusal> {
    let mut size = size(store, id).await?;
    if let Some(range) = request.headers().get(CONTENT_RANGE) {
        let start = range.to_str().ok().and_then(|text| text.split('-').next()).and_then(|text| text.parse().ok());
        if start != Some(size) {
            return Err(Refusal::UploadOutOfOrder(size));
        }
    }
    let file = OpenOptions::new().append(true).open(store.upload(id)).await?;
    let mut writer = BufWriter::with_capacity(256 * 1024, file);
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(std::io::Error::other)?;
        if let Some(data) = frame.data_ref() {
            writer.write_all(data).await?;
            size += data.len() as u64;
        }
    }
    writer.flush().await?;
    Ok(size)
}

async fn size(store: &Store, id: &str) -> Result<u64, Refusal> {
    if !is_id(id) {
        return Err(Refusal::UploadUnknown);
    }
    let found = if_found(fs::metadata(store.upload(id)).await)?;
    found.map(|metadata| metadata.len()).ok_or(Refusal::UploadUnknown)
}

fn progress(status: StatusCode, name: &str, id: &str, size: u64) -> Response<Body> {
    let mut response = empty(status);
    set(&mut response, LOCATION, &format!("/v2/{name}/blobs/uploads/{id}"));
    set(&mut response, HeaderName::from_static("docker-upload-uuid"), id);
    set(&mut response, RANGE, &upload_range(size));
    response
}

fn created(name: &str, digest: &Digest) -> Response<Body> {
    let mut response = empty(StatusCode::CREATED);
    set(&mut response, LOCATION, &format!("/v2/{name}/blobs/{digest}"));
    set(&mut response, HeaderName::from_static("docker-content-digest"), &digest.to_string());
    response
}
