//! Which types of manifest a request takes, by its `Accept` headers (RFC 9110, 12.5.1).

use hyper::HeaderMap;
use hyper::header::ACCEPT;

/// Whether what a request accepts includes `media_type`. One that says nothing takes all.
pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let mut ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    if !headers.contains_key(ACCEPT) {
        return true;
    }
    ranges.any(|range| {
        let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
        let refused = parameters.split(';').any(|parameter| {
            let quality = parameter.trim().strip_prefix("q=").map(str::parse::<f32>);
            matches!(quality, Some(Ok(quality)) if quality <= 0.0)
        });
        // Every manifest is JSON, and older clients ask for no more than that.
        let name = name.trim().to_ascii_lowercase();
        !refused && (name == media_type || matches!(&*name, "*/*" | "application/*" | "application/json"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_accepted_by_name_by_wildcard_or_by_silence() {
        let accept = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(ACCEPT, value.parse().unwrap());
            }
            accepts(&headers, "application/vnd.oci.image.index.v1+json")
        };
        for good in [
            &[][..],
            &["*/*"],
            &["text/html, application/*;q=0.1"],
            &["application/json"],
            &["application/vnd.oci.image.index.v1+json;q=0.9"],
            &["application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.index.v1+json"],
        ] {
            assert!(accept(good), "{good:?}");
        }
        for bad in [&["text/html"][..], &["application/vnd.oci.image.index.v1+json;q=0"], &[""]] {
            assert!(!accept(bad), "{bad:?}");
        }
    }
}
