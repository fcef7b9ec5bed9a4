//! Headers whose values are to be in the log (spec 9.2).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

/// A header, and the name its value has in the log.
#[derive(Debug)]
pub(crate) struct Logged {
    name: HeaderName,
    pub(super) key: String,
}

impl Logged {
    /// Those of a list whose names can be names of headers; the names in the log begin with `prefix`.
    pub(crate) fn all(prefix: &str, names: &[String]) -> Vec<Self> {
        let names = names.iter().filter_map(|name| name.parse::<HeaderName>().ok());
        names.map(|name| Self { key: format!("{prefix}{}", name.as_str().replace('-', "_")), name }).collect()
    }

    /// What a message has under each name.
    pub(super) fn values(all: &[Self], headers: &HeaderMap) -> Vec<Vec<HeaderValue>> {
        all.iter().map(|logged| headers.get_all(&logged.name).iter().cloned().collect()).collect()
    }
}

/// The values of one header as the log has them.
pub(super) fn joined(values: &[HeaderValue]) -> Cow<'_, str> {
    match values {
        [] => Cow::Borrowed(""),
        [value] => super::access::text(Some(value)),
        values => values.iter().map(|value| super::access::text(Some(value))).collect::<Vec<_>>().join(",").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_of_headers() {
        let names = ["X-One", "two words", "accept", "x-none"].map(str::to_owned);
        let all = Logged::all("req_", &names);
        assert_eq!(
            all.iter().map(|logged| logged.key.as_str()).collect::<Vec<_>>(),
            ["req_x_one", "req_accept", "req_x_none"]
        );
        let mut headers = HeaderMap::new();
        for (name, value) in [("accept", "a"), ("x-one", "1"), ("accept", "b")] {
            headers.append(name, value.parse().unwrap());
        }
        let values = Logged::values(&all, &headers);
        assert_eq!(values.iter().map(|values| joined(values)).collect::<Vec<_>>(), ["1", "a,b", ""]);
    }
}
