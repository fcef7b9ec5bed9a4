//! Content on its way in: `POST` begins an upload, `PATCH` appends, `PUT` checks the digest and makes it a blob.
//!
//! An upload is a file, so it outlives the process: who lost the connection asks how far it is and goes on from there. The
//! file is locked while somebody writes to it. One that nobody finishes goes with the next collection after its time.
//!
//! OCI distribution specification, "Pushing blobs".

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName, LOCATION, RANGE};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, StatusCode};
use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};

use super::answer::{Body, DOCKER_CONTENT_DIGEST, Refusal, empty, set, upload_range};
use super::blocking;
use super::digest::{Algorithm, Digest};
use super::query::query;
use super::store::{Store, if_found, is_id, touch};

/// Written to disk in pieces of this size.
const PIECE: usize = 256 * 1024;

/// `POST /v2/NAME/blobs/uploads/`: mounts a blob that is there, takes a whole one, or begins an upload.
pub(super) async fn begin(
    store: &Store,
    name: &str,
    parts: &Parts,
    body: &mut Incoming,
) -> Result<Response<Body>, Refusal> {
    if let Some(algorithm) = query(&parts.uri, "digest-algorithm")
        && Algorithm::parse(&algorithm).is_none()
    {
        return Err(Refusal::DigestInvalid(format!(
            "digests of {algorithm} are not supported, of sha256 and sha512 are"
        )));
    }
    // Blobs are shared by all repositories, so mounting one from anywhere is only a question of whether it is there.
    if let Some(digest) = query(&parts.uri, "mount").and_then(|text| text.parse::<Digest>().ok())
        && needed(store, digest.clone()).await?
    {
        return Ok(created(name, &digest));
    }
    let announced = announced(parts)?;
    let (id, file) = {
        let store = store.clone();
        blocking(move || store.new_upload()).await?
    };
    let Some(announced) = announced else { return Ok(progress(StatusCode::ACCEPTED, name, &id, 0)) };
    let path = store.upload(&id);
    let taken = take(store, name, &Session { id, file, size: 0 }, announced, &parts.headers, body).await;
    if taken.is_err() {
        // Nobody was told its name, so nobody will go on with it.
        blocking(move || if_found(fs::remove_file(path))).await?;
    }
    taken
}

/// `GET` of an upload: how far it is.
pub(super) async fn stand(store: &Store, name: &str, id: &str) -> Result<Response<Body>, Refusal> {
    let size = size(store, id).await?;
    Ok(progress(StatusCode::NO_CONTENT, name, id, size))
}

/// `PATCH`: appends the body.
pub(super) async fn append(
    store: &Store,
    name: &str,
    id: &str,
    parts: &Parts,
    body: &mut Incoming,
) -> Result<Response<Body>, Refusal> {
    let session = Session::open(store, id).await?;
    let size = session.receive(&parts.headers, body).await?;
    Ok(progress(StatusCode::ACCEPTED, name, id, size))
}

/// `PUT ?digest=`: appends the body, if any, and makes the upload a blob when its digest is the announced one.
pub(super) async fn finish(
    store: &Store,
    name: &str,
    id: &str,
    parts: &Parts,
    body: &mut Incoming,
) -> Result<Response<Body>, Refusal> {
    let announced = announced(parts)?.ok_or_else(|| Refusal::DigestInvalid("`digest` is missing".to_owned()))?;
    let session = Session::open(store, id).await?;
    take(store, name, &session, announced, &parts.headers, body).await
}

/// `DELETE`: forgets the upload.
pub(super) async fn cancel(store: &Store, id: &str) -> Result<Response<Body>, Refusal> {
    Session::open(store, id).await?;
    let path = store.upload(id);
    blocking(move || if_found(fs::remove_file(path))).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn take(
    store: &Store,
    name: &str,
    session: &Session,
    announced: Digest,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Result<Response<Body>, Refusal> {
    session.receive(headers, body).await?;
    let response = created(name, &announced);
    let (store, id, file) = (store.clone(), session.id.clone(), session.file.try_clone()?);
    blocking(move || keep(&store, &id, &file, &announced)).await?;
    Ok(response)
}

/// Makes an upload a blob. What is digested is what lies on disk, whichever processes wrote it.
fn keep(store: &Store, id: &str, file: &File, announced: &Digest) -> Result<(), Refusal> {
    let digest = announced.algorithm().of_file(&File::open(store.upload(id))?)?;
    if digest != *announced {
        fs::remove_file(store.upload(id))?;
        return Err(Refusal::DigestInvalid(format!("the content's digest is {digest}, not {announced}")));
    }
    // Outside of the lock, where writing to disk takes its time.
    file.sync_all()?;
    let _guard = store.shared()?;
    let blob = store.blob(announced);
    if touch(&blob)? {
        return Ok(fs::remove_file(store.upload(id))?);
    }
    Ok(store.publish(id, file, &blob)?)
}

/// An upload that this request alone writes to.
#[derive(Debug)]
struct Session {
    id: String,
    file: File,
    size: u64,
}

impl Session {
    async fn open(store: &Store, id: &str) -> Result<Self, Refusal> {
        if !is_id(id) {
            return Err(Refusal::UploadUnknown);
        }
        let (path, id) = (store.upload(id), id.to_owned());
        blocking(move || {
            let file = if_found(OpenOptions::new().append(true).open(path))?.ok_or(Refusal::UploadUnknown)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Refusal::UploadBusy),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            let size = file.metadata()?.len();
            Ok(Self { id, file, size })
        })
        .await
    }

    /// Appends the body and tells the upload's new size. What came before a connection broke is kept.
    async fn receive(&self, headers: &HeaderMap, body: &mut Incoming) -> Result<u64, Refusal> {
        let announced = self.announced(headers)?;
        let mut writer = BufWriter::with_capacity(PIECE, tokio::fs::File::from_std(self.file.try_clone()?));
        let mut came = 0;
        let written = copy(body, &mut writer, &mut came).await;
        let flushed = writer.flush().await;
        match written.and(flushed.map_err(Refusal::from)) {
            Err(Refusal::Store(error)) => {
                // What the disk has no room for is not to take what is left; that it is full is the error that counts.
                let _ = self.file.set_len(self.size);
                return Err(error.into());
            }
            written => written?,
        }
        match announced {
            Some(announced) if announced != came => {
                self.file.set_len(self.size)?;
                Err(Refusal::SizeInvalid { announced, came })
            }
            _ => Ok(self.size + came),
        }
    }

    /// How much the chunk has, if the request tells where it belongs; which must be at the end.
    fn announced(&self, headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
        let Some(range) = headers.get(CONTENT_RANGE) else { return Ok(None) };
        let (first, last) = range.to_str().ok().and_then(chunk).ok_or_else(|| {
            Refusal::UploadInvalid("the Content-Range of a chunk is its first and last byte, as 0-1023".to_owned())
        })?;
        if first != self.size {
            return Err(Refusal::UploadOutOfOrder(self.size));
        }
        let announced = (last - first).saturating_add(1);
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        match length {
            Some(came) if came != announced => Err(Refusal::SizeInvalid { announced, came }),
            _ => Ok(Some(announced)),
        }
    }
}

/// Writes the body, and counts what came of it.
async fn copy(body: &mut Incoming, writer: &mut (impl AsyncWrite + Unpin), came: &mut u64) -> Result<(), Refusal> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::UploadInvalid(format!("the content broke off: {error}")))?;
        if let Some(data) = frame.data_ref() {
            writer.write_all(data).await?;
            *came += data.len() as u64;
        }
    }
    Ok(())
}

/// The first and the last byte of a chunk. Unlike HTTP's, its `Content-Range` has neither unit nor size.
fn chunk(text: &str) -> Option<(u64, u64)> {
    let digits =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let (first, last) = text.split_once('-')?;
    let (first, last) = (digits(first)?, digits(last)?);
    (first <= last).then_some((first, last))
}

/// The digest the content is said to have.
fn announced(parts: &Parts) -> Result<Option<Digest>, Refusal> {
    let parse = |text: String| text.parse::<Digest>().map_err(|error| Refusal::DigestInvalid(error.to_string()));
    query(&parts.uri, "digest").map(parse).transpose()
}

async fn size(store: &Store, id: &str) -> Result<u64, Refusal> {
    if !is_id(id) {
        return Err(Refusal::UploadUnknown);
    }
    let path = store.upload(id);
    let found = blocking(move || if_found(fs::metadata(path))).await?;
    found.map(|metadata| metadata.len()).ok_or(Refusal::UploadUnknown)
}

/// Whether the blob is there, which from now on somebody relies on.
async fn needed(store: &Store, digest: Digest) -> io::Result<bool> {
    let store = store.clone();
    blocking(move || {
        let _guard = store.shared()?;
        touch(&store.blob(&digest))
    })
    .await
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
    set(&mut response, DOCKER_CONTENT_DIGEST, &digest.to_string());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_two_numbers_in_order() {
        assert_eq!(chunk("0-0"), Some((0, 0)));
        assert_eq!(chunk("5-1023"), Some((5, 1023)));
        for bad in ["", "-", "5-", "-5", "6-5", "bytes 0-5", "0-5/6", "+0-5", "99999999999999999999-1"] {
            assert_eq!(chunk(bad), None, "{bad}");
        }
    }
}
