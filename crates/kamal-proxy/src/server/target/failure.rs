//! What a failed health check saw, for whoever has to find out why.

use std::fmt;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// Bytes of a body that are kept.
pub(crate) const BODY: usize = 1024;

/// The last failed check of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckFailure {
    pub(crate) target: String,
    pub(crate) url: String,
    pub(crate) error: String,
    /// `None` where there was no response.
    pub(crate) response: Option<SeenResponse>,
}

/// The response that was not good enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// The first kilobyte.
    pub(crate) body: String,
}

impl SeenResponse {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The headers, names and values, as they came.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The first kilobyte of the body.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    pub(crate) fn new(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
        Self { status, headers, body: text(body.get(..BODY).unwrap_or(body)) }
    }
}

/// One line, as it ends the error of a deploy.
impl fmt::Display for CheckFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.target, self.error)
    }
}

impl CheckFailure {
    /// The address of the target, as given at deploy.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What was asked.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Why the answer is not good enough, or that there was none.
    #[must_use]
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The answer, if there was one.
    #[must_use]
    pub const fn response(&self) -> Option<&SeenResponse> {
        self.response.as_ref()
    }

    /// What was asked and answered, a line each; nothing in it moves a terminal's cursor.
    pub(crate) fn details(&self) -> String {
        let mut text = format!("  GET {}\n", self.url);
        if let Some(response) = &self.response {
            text.push_str(&format!("  HTTP {}\n", response.status));
            for (name, value) in &response.headers {
                text.push_str(&format!("  {name}: {value}\n"));
            }
            for line in response.body.lines().filter(|line| !line.trim().is_empty()) {
                text.push_str(&format!("  | {line}\n"));
            }
        }
        text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_told() {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static("https://a/"));
        let body = format!("first\n\n\x1b[2Jsecond{}", "x".repeat(2 * BODY));
        let response = SeenResponse::new(301, &headers, body.as_bytes());
        assert_eq!(response.body.len(), BODY);
        let failure = CheckFailure {
            target: "web:80".into(),
            url: "http://web:80/up".into(),
            error: "unexpected status (301)".into(),
            response: Some(response),
        };
        assert_eq!(failure.to_string(), "web:80: unexpected status (301)");
        let details = failure.details();
        assert!(details.starts_with(
            "  GET http://web:80/up\n  HTTP 301\n  location: https://a/\n  | first\n  | \u{fffd}[2Jsecondx"
        ));
        assert!(!details.contains('\x1b'));
    }
}
