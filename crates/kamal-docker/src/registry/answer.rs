//! Answers of the registry: the success ones, and the error body every client of the API knows how to show.
//!
//! OCI distribution specification, "Error Codes".

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::ext::ReasonPhrase;
use hyper::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RANGE};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::digest::Digest;

/// The body of every answer: made in memory, or streamed from a file.
pub(super) type Body = BoxBody<Bytes, io::Error>;

pub(super) const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// An answer that says no, in the API's own words.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(
        "a repository name is made of lower-case letters and digits with '.', '_' or '-' between them, its parts of '/'"
    )]
    NameInvalid,
    #[error("no such repository")]
    NameUnknown,
    #[error("no such blob")]
    BlobUnknown,
    #[error("no such upload; begin anew")]
    UploadUnknown,
    #[error("{0}")]
    UploadInvalid(String),
    #[error("another request is writing to this upload")]
    UploadBusy,
    #[error("the upload stands at {0} bytes, the chunk begins elsewhere")]
    UploadOutOfOrder(u64),
    #[error("the chunk has {came} bytes, its range {announced}")]
    SizeInvalid { announced: u64, came: u64 },
    #[error("{0}")]
    DigestInvalid(String),
    #[error("no such manifest")]
    ManifestUnknown,
    #[error("the manifest is of type {0}, which the request does not accept")]
    ManifestNotAcceptable(String),
    #[error("{0}")]
    ManifestInvalid(String),
    #[error("the manifest is larger than {0} bytes")]
    ManifestTooLarge(usize),
    #[error("the manifest names content that was never pushed")]
    ManifestBlobUnknown(Vec<Digest>),
    #[error("the range lies outside of the blob's {0} bytes")]
    RangeInvalid(u64),
    #[error("`n` is a number of tags")]
    PageInvalid,
    #[error("not part of this registry")]
    NotFound,
    #[error("this can be done here: {0}")]
    MethodNotAllowed(&'static str),
    #[error("a manifest needs this blob; delete that first")]
    BlobInUse,
    #[error("images are only pulled from here")]
    ReadOnly,
    #[error("no space is left for images in {}; free some there", .0.display())]
    Full(PathBuf),
    #[error("the store failed: {0}")]
    Store(#[from] io::Error),
}

impl Refusal {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NameInvalid => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
            Self::NameUnknown => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Self::BlobUnknown => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            Self::UploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            Self::UploadInvalid(_) => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            Self::UploadBusy => (StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID"),
            Self::UploadOutOfOrder(_) => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
            Self::SizeInvalid { .. } => (StatusCode::BAD_REQUEST, "SIZE_INVALID"),
            Self::DigestInvalid(_) => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            Self::ManifestUnknown | Self::ManifestNotAcceptable(_) => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Self::ManifestInvalid(_) => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            Self::ManifestTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID"),
            Self::ManifestBlobUnknown(_) => (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
            Self::RangeInvalid(_) => (StatusCode::RANGE_NOT_SATISFIABLE, "UNSUPPORTED"),
            Self::PageInvalid => (StatusCode::BAD_REQUEST, "UNSUPPORTED"),
            Self::NotFound => (StatusCode::NOT_FOUND, "UNSUPPORTED"),
            Self::MethodNotAllowed(_) | Self::BlobInUse => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::ReadOnly => (StatusCode::METHOD_NOT_ALLOWED, "DENIED"),
            // Of a status from 500 on Docker shows the number alone, and tries five times more.
            Self::Full(_) => (StatusCode::PAYLOAD_TOO_LARGE, "DENIED"),
            Self::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        }
    }

    /// Tells a disk that is full from other failures of the store in `folder`.
    pub(super) fn of_store_in(self, folder: &Path) -> Self {
        match self {
            Self::Store(error) if is_full(&error) => Self::Full(folder.to_owned()),
            other => other,
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let (status, code) = self.status_and_code();
        let message = self.to_string();
        let errors = match &self {
            Self::ManifestBlobUnknown(missing) => missing
                .iter()
                .map(|digest| {
                    json!({ "code": code, "message": format!("{message}: {digest}"), "detail": { "digest": digest } })
                })
                .collect::<Value>(),
            _ => json!([{ "code": code, "message": message }]),
        };
        let mut response = json_body(status, &json!({ "errors": errors }));
        match self {
            Self::UploadOutOfOrder(size) => set(&mut response, RANGE, &upload_range(size)),
            Self::RangeInvalid(size) => set(&mut response, CONTENT_RANGE, &format!("bytes */{size}")),
            Self::MethodNotAllowed(allowed) => set(&mut response, ALLOW, allowed),
            // Of a failed push containerd shows the status line alone.
            Self::Full(_) => {
                response.extensions_mut().insert(ReasonPhrase::from_static(b"No Space Left for Images"));
            }
            Self::BlobInUse | Self::ReadOnly => set(&mut response, ALLOW, "GET, HEAD"),
            _ => {}
        }
        response
    }
}

/// Whether the disk, or what the user may have of it, is used up.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    with_body(status, Empty::new().map_err(|never| match never {}).boxed())
}

/// An answer whose body is `value`.
pub(super) fn json_body(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = with_body(status, full(Bytes::from(value.to_string())));
    set(&mut response, CONTENT_TYPE, "application/json");
    response
}

pub(super) fn full(content: Bytes) -> Body {
    Full::new(content).map_err(|never| match never {}).boxed()
}

pub(super) fn with_body(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// Sets a header, unless the value cannot stand in one. All values here come from checked names and numbers.
pub(super) fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The `Range` of an upload of `size` bytes: inclusive, and by convention `0-0` for an empty one.
pub(super) fn upload_range(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}
