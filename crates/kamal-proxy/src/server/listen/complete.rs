//! What the head of a response says besides what its target said, over HTTP/2 and HTTP/3.

use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body::Body;

use crate::server::body::response::ResponseBody;
use crate::server::wire::date;

/// Adds length and time where they are missing; gives whether a body follows.
pub(super) fn complete(headers: &mut HeaderMap, status: StatusCode, body: &ResponseBody, method: &Method) -> bool {
    let bodiless = *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(length) = body.size_hint().exact().filter(|_| !bodiless && !headers.contains_key(CONTENT_LENGTH)) {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if !headers.contains_key(DATE)
        && let Ok(now) = date::with_now(HeaderValue::from_str)
    {
        headers.insert(DATE, now);
    }
    !bodiless && !body.is_end_stream()
}
