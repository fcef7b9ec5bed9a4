//! Parameters behind the `?` of a request.

use hyper::Uri;

/// The value of a parameter, decoded. Clients write the colon of a digest as `%3A`.
pub(super) fn query(uri: &Uri, key: &str) -> Option<String> {
    queries(uri, key).next()
}

/// All values of a parameter that may be given several times.
pub(super) fn queries(uri: &Uri, key: &str) -> impl Iterator<Item = String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(name, _)| *name == key).filter_map(|(_, value)| decode(value))
}

/// A value as it stands behind the `?` of an address.
pub(super) fn encode(value: &str) -> String {
    value.bytes().fold(String::with_capacity(value.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded() {
        let uri: Uri = "/v2/a/blobs/uploads/1?state=x&digest=sha256%3Aab&tag=1&tag=2&type=a+json".parse().unwrap();
        assert_eq!(query(&uri, "digest").as_deref(), Some("sha256:ab"));
        assert_eq!(query(&uri, "mount"), None);
        // Media types hold a plus, and come as they are.
        assert_eq!(query(&uri, "type").as_deref(), Some("a+json"));
        assert_eq!(queries(&uri, "tag").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(decode("%zz"), None);
        assert_eq!(decode("%4"), None);
        assert_eq!(decode(&encode("a b/%é")).as_deref(), Some("a b/%é"));
    }
}
