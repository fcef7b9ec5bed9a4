//! Answers of the registry: the success ones, and the error body every client of the API knows how to show.
//!
//! OCI distribution specification, "Error Codes".

use std::io;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;

/// The body of every answer: made in memory, or streamed from a file.
pub(super) type Body = BoxBody<Bytes, io::Error>;

/// An answer that says no, in the API's own words.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("repository names are lower-case letters, digits, '.', '_', '-' and '/'")]
    NameInvalid,
    #[error("no such repository")]
    NameUnknown,
    #[error("no such blob")]
    BlobUnknown,
    #[error("no such upload; begin anew")]
    UploadUnknown,
    #[error("the upload stands at {0} bytes, the chunk begins elsewhere")]
    UploadOutOfOrder(u64),
    #[error("content does not have the digest it was announced with")]
    DigestInvalid,
    #[error("no such manifest")]
    ManifestUnknown,
    #[error("{0}")]
    ManifestInvalid(String),
    #[error("the manifest names {0}, which was never pushed")]
    ManifestBlobUnknown(String),
    #[error("the range cannot be served")]
    RangeInvalid,
    #[error("not part of this registry")]
    Unsupported,
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
            Self::UploadOutOfOrder(_) | Self::RangeInvalid => (StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID"),
            Self::DigestInvalid => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            Self::ManifestUnknown => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Self::ManifestInvalid(_) => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            Self::ManifestBlobUnknown(_) => (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
            Self::Unsupported => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let (status, code) = self.status_and_code();
        let body = json!({ "errors": [{ "code": code, "message": self.to_string() }] });
        let mut response = json_body(status, &body);
        if let Self::UploadOutOfOrder(size) = self {
            set(&mut response, HeaderName::from_static("range"), &upload_range(size));
        }
        response
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    with_body(status, Empty::new().map_err(|never| match never {}).boxed())
}

/// An answer whose body is `value`.
pub(super) fn json_body(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
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
