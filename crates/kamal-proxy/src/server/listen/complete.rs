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
    if status == StatusCode::NO_CONTENT {
        // Whatever a target says of one, there is no body, and some clients take it for broken off (RFC 9110, 8.6).
        headers.remove(CONTENT_LENGTH);
    }
    if !headers.contains_key(DATE)
        && let Ok(now) = date::with_now(HeaderValue::from_str)
    {
        headers.insert(DATE, now);
    }
    !bodiless && !body.is_end_stream()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_and_taken_away() {
        for (method, status, body, declared, length, follows) in [
            (Method::GET, 200, "four", None, Some("4"), true),
            (Method::GET, 200, "", None, Some("0"), false),
            (Method::HEAD, 200, "", Some("9"), Some("9"), false),
            (Method::HEAD, 404, "page", None, None, false),
            (Method::GET, 304, "", Some("9"), Some("9"), false),
            (Method::GET, 204, "", Some("9"), None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(declared.map(|length| (CONTENT_LENGTH, HeaderValue::from_static(length))));
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                complete(&mut headers, status, &ResponseBody::full(body), &method),
                follows,
                "{method} {status}"
            );
            let found = headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap());
            assert_eq!((found, headers.contains_key(DATE)), (length, true), "{method} {status}");
        }
    }
}
