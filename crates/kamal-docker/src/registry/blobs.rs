//! Blobs on their way out: whole, or the range a client resumes at.
//!
//! OCI distribution specification, "Pulling blobs".

use std::io::SeekFrom;

use futures_util::TryStreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, RANGE};
use hyper::{HeaderMap, Method, Response, StatusCode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::answer::{Body, Refusal, empty, set, with_body};
use super::digest::Digest;
use super::store::{Store, if_found};

/// Read from disk and handed to the connection in pieces of this size.
const PIECE: usize = 128 * 1024;

/// `GET` or `HEAD /v2/NAME/blobs/DIGEST`.
pub(super) async fn get(
    store: &Store,
    digest: &Digest,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let mut file = if_found(File::open(store.blob(digest)).await)?.ok_or(Refusal::BlobUnknown)?;
    let size = file.metadata().await?.len();
    let range = match headers.get(RANGE).and_then(|value| value.to_str().ok()) {
        Some(text) => parse_range(text, size)?,
        None => None,
    };
    let (status, start, length) = match range {
        Some((start, end)) => (StatusCode::PARTIAL_CONTENT, start, end - start + 1),
        None => (StatusCode::OK, 0, size),
    };
    let mut response = if method == Method::HEAD {
        empty(status)
    } else {
        file.seek(SeekFrom::Start(start)).await?;
        let stream = ReaderStream::with_capacity(file.take(length), PIECE).map_ok(Frame::data);
        with_body(status, BodyExt::boxed(StreamBody::new(stream)))
    };
    set(&mut response, CONTENT_LENGTH, &length.to_string());
    set(&mut response, CONTENT_TYPE, "application/octet-stream");
    set(&mut response, ACCEPT_RANGES, "bytes");
    set(&mut response, HeaderName::from_static("docker-content-digest"), &digest.to_string());
    if let Some((start, end)) = range {
        set(&mut response, CONTENT_RANGE, &format!("bytes {start}-{end}/{size}"));
    }
    Ok(response)
}

/// The first and last byte of a single range, `None` for what HTTP lets a server ignore (RFC 9110, 14.2).
fn parse_range(text: &str, size: u64) -> Result<Option<(u64, u64)>, Refusal> {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|spec| spec.split_once('-')) else {
        return Ok(None);
    };
    let end_of_file = size.saturating_sub(1);
    let (start, end) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(start), Ok(end)) if start <= end => (start, end.min(end_of_file)),
        (Ok(start), Err(_)) if last.trim().is_empty() => (start, end_of_file),
        (Err(_), Ok(count)) if first.trim().is_empty() && count > 0 => (size.saturating_sub(count), end_of_file),
        _ => return Ok(None),
    };
    if start >= size {
        return Err(Refusal::RangeInvalid);
    }
    Ok(Some((start, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob() {
        for (text, expected) in [
            ("bytes=0-", Some((0, 9))),
            ("bytes=4-6", Some((4, 6))),
            ("bytes=4-99", Some((4, 9))),
            ("bytes=-3", Some((7, 9))),
            ("bytes=-99", Some((0, 9))),
            ("bytes=6-4", None),
            ("bytes=0-1,4-5", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(parse_range(text, 10).unwrap(), expected, "{text}");
        }
        assert!(matches!(parse_range("bytes=10-", 10), Err(Refusal::RangeInvalid)));
        assert!(matches!(parse_range("bytes=0-", 0), Err(Refusal::RangeInvalid)));
    }
}
