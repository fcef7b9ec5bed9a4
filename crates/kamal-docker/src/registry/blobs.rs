//! Blobs on their way out: whole, or the range a client resumes at.
//!
//! OCI distribution specification, "Pulling blobs" and "Deleting blobs".

use std::fs::{self, File};
use std::io::SeekFrom;
use std::time::SystemTime;

use futures_util::TryStreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE};
use hyper::{HeaderMap, Method, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::answer::{Body, DOCKER_CONTENT_DIGEST, Refusal, empty, set, with_body};
use super::digest::Digest;
use super::range::{self, Part};
use super::store::{Store, if_found};
use super::{blocking, gc};

/// A range is read from disk and handed to the connection in pieces of this size.
const PIECE: usize = 128 * 1024;

/// `GET` or `HEAD /v2/NAME/blobs/DIGEST`; `onward` may lead to another place for one of that size.
pub(super) async fn get(
    store: &Store,
    digest: &Digest,
    method: &Method,
    headers: &HeaderMap,
    onward: impl FnOnce(u64) -> Option<Response<Body>>,
) -> Result<Response<Body>, Refusal> {
    let (file, size) = open(store, digest.clone()).await?.ok_or(Refusal::BlobUnknown)?;
    if let Some(onward) = onward(size) {
        return Ok(onward);
    }
    let tag = format!("\"{digest}\"");
    let (status, start, length) = match part(method, headers, &tag, size) {
        Part::Whole => (StatusCode::OK, 0, size),
        Part::Bytes(start, end) => (StatusCode::PARTIAL_CONTENT, start, end - start + 1),
        Part::Unsatisfiable => return Err(Refusal::RangeInvalid(size)),
    };
    let mut response = if method == Method::HEAD {
        empty(status)
    } else if length == size {
        with_body(status, BodyExt::boxed(StreamBody::new(store.stream(digest, file, size)?.map_ok(Frame::data))))
    } else {
        // Whoever goes on where it was cut has the beginning, and checks the whole itself.
        let mut file = tokio::fs::File::from_std(file);
        file.seek(SeekFrom::Start(start)).await?;
        let stream = ReaderStream::with_capacity(file.take(length), PIECE).map_ok(Frame::data);
        with_body(status, BodyExt::boxed(StreamBody::new(stream)))
    };
    set(&mut response, CONTENT_LENGTH, &length.to_string());
    set(&mut response, CONTENT_TYPE, "application/octet-stream");
    set(&mut response, ACCEPT_RANGES, "bytes");
    set(&mut response, ETAG, &tag);
    set(&mut response, DOCKER_CONTENT_DIGEST, &digest.to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        set(&mut response, CONTENT_RANGE, &format!("bytes {start}-{}/{size}", start + length - 1));
    }
    Ok(response)
}

/// `DELETE /v2/NAME/blobs/DIGEST`. As all repositories share a blob, it can go only when none needs it.
pub(super) async fn delete(store: &Store, digest: Digest) -> Result<Response<Body>, Refusal> {
    let store = store.clone();
    blocking(move || {
        let _guard = store.exclusive()?;
        if !fs::exists(store.blob(&digest))? {
            return Err(Refusal::BlobUnknown);
        }
        if gc::is_named(&store, &digest)? {
            return Err(Refusal::BlobInUse);
        }
        fs::remove_file(store.blob(&digest))?;
        Ok(empty(StatusCode::ACCEPTED))
    })
    .await
}

/// Opens a blob and tells its size. Whoever asks for one relies on it from now on.
async fn open(store: &Store, digest: Digest) -> Result<Option<(File, u64)>, Refusal> {
    let store = store.clone();
    blocking(move || {
        let _guard = store.shared()?;
        let Some(file) = if_found(File::open(store.blob(&digest)))? else { return Ok(None) };
        file.set_modified(SystemTime::now())?;
        let size = file.metadata()?.len();
        Ok(Some((file, size)))
    })
    .await
}

/// HTTP knows ranges of `GET` alone, and only of what the client had the beginning of.
fn part(method: &Method, headers: &HeaderMap, tag: &str, size: u64) -> Part {
    let text = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let same = headers.get(IF_RANGE).is_none_or(|value| value == tag);
    match text {
        Some(text) if method == Method::GET && same => range::parse(text, size),
        _ => Part::Whole,
    }
}
