//! The points of the OCI distribution specification, request by request; those about manifests are in
//! [`super::manifests`].
//!
//! Each table is one conversation. In what is asked and what is expected `{name}` stands for the digest of the content
//! of that name, and `{location}` for the last `Location` that was told.

use super::*;

/// What is pushed, and called by in the tables.
struct Contents(Vec<(&'static str, String)>);

impl Contents {
    /// Two layers and the manifests over them.
    fn new() -> Self {
        let mut contents =
            Self(vec![("hello", "hello".into()), ("config", "{}".into()), ("other", "0123456789".into())]);
        let manifest = |contents: &Self, media_type: &str, about: Option<&str>| {
            let mut manifest = json!({
                "schemaVersion": 2, "mediaType": media_type,
                "config": { "mediaType": "application/vnd.example.kind", "digest": contents.digest("config"), "size": 2 },
                "layers": [{ "mediaType": "application/vnd.example.layer", "digest": contents.digest("hello"), "size": 5 }],
            });
            if let Some(about) = about {
                manifest["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": contents.digest(about), "size": contents.of(about).len() });
                manifest["artifactType"] = "application/vnd.example.signature".into();
                manifest["annotations"] = json!({ "by": "ann" });
            }
            manifest.to_string()
        };
        let image = manifest(&contents, OCI_MANIFEST, None);
        contents.0.push(("image", image));
        let docker = manifest(&contents, MANIFEST, None);
        contents.0.push(("docker", docker));
        let signature = manifest(&contents, OCI_MANIFEST, Some("image"));
        contents.0.push(("signature", signature));
        let index = |contents: &Self, architecture: &str| {
            json!({
                "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{
                    "mediaType": OCI_MANIFEST, "digest": contents.digest("image"), "size": contents.of("image").len(),
                    "platform": { "os": "linux", "architecture": architecture },
                }],
            })
            .to_string()
        };
        let amd64 = index(&contents, "amd64");
        contents.0.push(("index", amd64));
        let arm64 = index(&contents, "arm64");
        contents.0.push(("index for arm64", arm64));
        contents
    }

    fn of(&self, name: &str) -> &str {
        &self.0.iter().find(|(called, _)| *called == name).unwrap().1
    }

    fn digest(&self, name: &str) -> String {
        sha256(self.of(name).as_bytes()).to_string()
    }

    /// Text with digests for names; `=name` alone is the content itself.
    fn fill(&self, text: &str, location: &str) -> String {
        if let Some((_, content)) = self.0.iter().find(|(name, _)| text.strip_prefix('=') == Some(name)) {
            return content.clone();
        }
        let text = text.replace("{location}", location);
        self.0.iter().fold(text, |text, (name, content)| {
            let long = Algorithm::Sha512.of(content.as_bytes()).to_string();
            let text = text.replace(&format!("{{{name}}}"), &sha256(content.as_bytes()).to_string());
            text.replace(&format!("{{{name}/512}}"), &long)
        })
    }
}

/// What is asked: method, path, headers, body; and expected: status, and headers, or `code` or `body`.
pub(super) type Row =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str, u16, Expected);
pub(super) type Expected = &'static [(&'static str, &'static str)];

pub(super) async fn converse(rows: &[Row]) {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let contents = Contents::new();
    let mut location = String::new();
    for (method, path, headers, body, status, expected) in rows {
        let row = format!("{method} {path} {headers:?}");
        let headers = headers.iter().map(|(name, value)| (*name, contents.fill(value, &location))).collect::<Vec<_>>();
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>();
        let (path, body) = (contents.fill(path, &location), contents.fill(body, &location));
        let (answer, got) = client.call(method, &path, &headers, body).await;

        assert_eq!(answer.status().as_u16(), *status, "{row}: {got:?}");
        assert_eq!(header(&answer, "docker-distribution-api-version"), "registry/2.0", "{row}");
        if *method == "HEAD" {
            assert!(got.is_empty(), "{row}");
        } else if *status != 204 {
            assert_eq!(header(&answer, "content-length"), got.len().to_string(), "{row}");
        }
        for (name, value) in *expected {
            let value = contents.fill(value, &location);
            let actual = match *name {
                "body" => String::from_utf8(got.to_vec()).unwrap(),
                "code" => {
                    let body = serde_json::from_slice::<Value>(&got).unwrap_or_else(|_| panic!("{row}: {got:?}"));
                    body["errors"][0]["code"].as_str().unwrap().to_owned()
                }
                "without" => {
                    assert!(!answer.headers().contains_key(&value), "{row}: {value}");
                    continue;
                }
                name => header(&answer, name),
            };
            // Uploads have names nobody can foretell.
            if let Some(start) = value.strip_suffix('*') {
                assert!(actual.starts_with(start), "{row}: {name}: {actual}");
            } else {
                assert_eq!(actual, value, "{row}: {name}");
            }
        }
        if let Some(told) = answer.headers().get("location") {
            location = told.to_str().unwrap().to_owned();
        }
    }
}

#[tokio::test]
async fn support_is_determined_and_what_is_not_there_is_refused() {
    converse(&[
        ("GET", "/v2/", &[], "", 200, &[("body", "{}")]),
        ("HEAD", "/v2/", &[], "", 200, &[("content-length", "2")]),
        ("GET", "/v2/", &[("authorization", "Basic eDp5")], "", 200, &[]),
        ("GET", "/v1/_ping", &[], "", 404, &[("code", "UNSUPPORTED")]),
        ("GET", "/", &[], "", 404, &[("code", "UNSUPPORTED")]),
        ("GET", "/v2/app/nothing/x", &[], "", 404, &[("code", "UNSUPPORTED")]),
        ("POST", "/v2/", &[], "", 405, &[("allow", "GET, HEAD"), ("code", "UNSUPPORTED")]),
        ("PUT", "/v2/app/tags/list", &[], "", 405, &[("allow", "GET, HEAD")]),
        ("POST", "/v2/app/manifests/v1", &[], "{}", 405, &[("allow", "GET, HEAD, PUT, DELETE")]),
        ("PUT", "/v2/app/blobs/{hello}", &[], "hello", 405, &[("allow", "GET, HEAD, DELETE")]),
        ("GET", "/v2/app/blobs/uploads/", &[], "", 405, &[("allow", "POST")]),
        ("POST", "/v2/app/blobs/uploads/00", &[], "", 405, &[("allow", "GET, HEAD, PATCH, PUT, DELETE")]),
        ("OPTIONS", "/v2/app/referrers/{hello}", &[], "", 405, &[("allow", "GET, HEAD")]),
        ("GET", "/v2/app/blobs/{hello}", &[], "", 404, &[("code", "BLOB_UNKNOWN")]),
        ("HEAD", "/v2/app/blobs/{hello}", &[], "", 404, &[]),
        ("GET", "/v2/app/blobs/sha256:abc", &[], "", 400, &[("code", "DIGEST_INVALID")]),
        ("GET", "/v2/app/manifests/v1", &[], "", 404, &[("code", "MANIFEST_UNKNOWN")]),
        ("GET", "/v2/app/manifests/{image}", &[], "", 404, &[("code", "MANIFEST_UNKNOWN")]),
        ("HEAD", "/v2/app/manifests/v1", &[], "", 404, &[]),
        ("GET", "/v2/app/manifests/sha256:abc", &[], "", 400, &[("code", "DIGEST_INVALID")]),
        ("GET", "/v2/app/tags/list", &[], "", 404, &[("code", "NAME_UNKNOWN")]),
        (
            "GET",
            "/v2/app/blobs/uploads/00000000000000000000000000000000",
            &[],
            "",
            404,
            &[("code", "BLOB_UPLOAD_UNKNOWN")],
        ),
        ("DELETE", "/v2/app/blobs/{hello}", &[], "", 404, &[("code", "BLOB_UNKNOWN")]),
        ("DELETE", "/v2/app/manifests/v1", &[], "", 404, &[("code", "MANIFEST_UNKNOWN")]),
        ("DELETE", "/v2/app/manifests/{image}", &[], "", 404, &[("code", "MANIFEST_UNKNOWN")]),
    ])
    .await;
}

#[tokio::test]
async fn no_name_leaves_the_store() {
    converse(&[
        ("GET", "/v2/../../etc/manifests/passwd", &[], "", 400, &[("code", "NAME_INVALID")]),
        ("GET", "/v2/a/../../../etc/tags/list", &[], "", 400, &[("code", "NAME_INVALID")]),
        ("GET", "/v2/UPPER/manifests/x", &[], "", 400, &[("code", "NAME_INVALID")]),
        ("GET", "/v2/%2e%2e/manifests/x", &[], "", 400, &[("code", "NAME_INVALID")]),
        ("GET", "/v2/a/_tags/manifests/x", &[], "", 400, &[("code", "NAME_INVALID")]),
        ("GET", "/v2/app/manifests/..", &[], "", 400, &[("code", "MANIFEST_INVALID")]),
        ("GET", "/v2/app/blobs/sha256:..", &[], "", 400, &[("code", "DIGEST_INVALID")]),
        ("GET", "/v2/app/blobs/uploads/..", &[], "", 404, &[("code", "BLOB_UPLOAD_UNKNOWN")]),
        ("PATCH", "/v2/app/blobs/uploads/../../lock", &[], "x", 404, &[("code", "UNSUPPORTED")]),
    ])
    .await;
}

#[tokio::test]
async fn blobs_are_pushed_whole() {
    converse(&[
        ("POST", "/v2/app/blobs/uploads/?digest={hello}", &[], "hello", 201, &[("location", "/v2/app/blobs/{hello}")]),
        ("GET", "{location}", &[], "", 200, &[("body", "hello"), ("docker-content-digest", "{hello}")]),
        ("POST", "/v2/app/blobs/uploads/?digest={other}", &[], "hello", 400, &[("code", "DIGEST_INVALID")]),
        ("POST", "/v2/app/blobs/uploads/?digest=md5:00", &[], "hello", 400, &[("code", "DIGEST_INVALID")]),
        // Begun, then put; the colon may be encoded.
        ("POST", "/v2/app/blobs/uploads/", &[], "", 202, &[("location", "/v2/app/blobs/uploads/*"), ("range", "0-0")]),
        ("PUT", "{location}?digest={other}", &[], "0123456789", 201, &[("docker-content-digest", "{other}")]),
        (
            "HEAD",
            "/v2/app/blobs/{other}",
            &[],
            "",
            200,
            &[("content-length", "10"), ("docker-content-digest", "{other}")],
        ),
        // Once more is the same.
        ("POST", "/v2/app/blobs/uploads", &[], "", 202, &[]),
        ("PUT", "{location}?digest={other}", &[], "0123456789", 201, &[]),
        ("GET", "/v2/app/blobs/{other}", &[], "", 200, &[("body", "0123456789")]),
    ])
    .await;
}

#[tokio::test]
async fn blobs_are_pushed_by_longer_digests() {
    converse(&[
        ("POST", "/v2/app/blobs/uploads/?digest-algorithm=sha512", &[], "", 202, &[]),
        ("PUT", "{location}?digest={hello/512}", &[], "hello", 201, &[("location", "/v2/app/blobs/{hello/512}")]),
        ("GET", "{location}", &[], "", 200, &[("body", "hello"), ("docker-content-digest", "{hello/512}")]),
        ("POST", "/v2/app/blobs/uploads/?digest-algorithm=md5", &[], "", 400, &[("code", "DIGEST_INVALID")]),
        ("POST", "/v2/app/blobs/uploads/?digest={hello/512}", &[], "other", 400, &[("code", "DIGEST_INVALID")]),
    ])
    .await;
}

#[tokio::test]
async fn blobs_are_pushed_in_chunks_and_resumed() {
    converse(&[
        ("POST", "/v2/app/blobs/uploads/", &[], "", 202, &[]),
        ("PATCH", "{location}", &[("content-range", "0-3")], "0123", 202, &[("range", "0-3")]),
        ("GET", "{location}", &[], "", 204, &[("range", "0-3"), ("location", "{location}")]),
        ("HEAD", "{location}", &[], "", 204, &[("range", "0-3")]),
        // What does not follow is refused, with the place to go on from.
        ("PATCH", "{location}", &[("content-range", "6-9")], "6789", 416, &[("range", "0-3")]),
        ("PATCH", "{location}", &[("content-range", "0-3")], "0123", 416, &[("range", "0-3")]),
        ("PUT", "{location}?digest={other}", &[("content-range", "6-9")], "6789", 416, &[("range", "0-3")]),
        ("PATCH", "{location}", &[("content-range", "four")], "4", 400, &[("code", "BLOB_UPLOAD_INVALID")]),
        ("PATCH", "{location}", &[("content-range", "4-9")], "4", 400, &[("code", "SIZE_INVALID")]),
        ("GET", "{location}", &[], "", 204, &[("range", "0-3")]),
        ("PATCH", "{location}", &[("content-range", "4-5")], "45", 202, &[("range", "0-5")]),
        ("PUT", "{location}?digest={other}", &[("content-range", "6-9")], "6789", 201, &[]),
        ("GET", "/v2/app/blobs/{other}", &[], "", 200, &[("body", "0123456789")]),
    ])
    .await;
    converse(&[
        // Streamed, without ranges.
        ("POST", "/v2/app/blobs/uploads/", &[], "", 202, &[]),
        ("PATCH", "{location}", &[], "01234", 202, &[("range", "0-4")]),
        ("PATCH", "{location}", &[], "56789", 202, &[("range", "0-9")]),
        ("PUT", "{location}", &[], "", 400, &[("code", "DIGEST_INVALID")]),
        ("PUT", "{location}?digest={other}", &[], "", 201, &[]),
        ("GET", "{location}", &[], "", 200, &[("body", "0123456789")]),
    ])
    .await;
}

#[tokio::test]
async fn what_has_another_digest_leaves_nothing() {
    converse(&[
        ("POST", "/v2/app/blobs/uploads/", &[], "", 202, &[]),
        ("PUT", "{location}?digest={other}", &[], "hello", 400, &[("code", "DIGEST_INVALID")]),
        ("GET", "{location}", &[], "", 404, &[("code", "BLOB_UPLOAD_UNKNOWN")]),
        ("HEAD", "/v2/app/blobs/{other}", &[], "", 404, &[]),
        ("HEAD", "/v2/app/blobs/{hello}", &[], "", 404, &[]),
    ])
    .await;
}

#[tokio::test]
async fn uploads_are_cancelled() {
    converse(&[
        ("POST", "/v2/app/blobs/uploads/", &[], "", 202, &[]),
        ("PATCH", "{location}", &[], "01234", 202, &[]),
        ("DELETE", "{location}", &[], "", 204, &[]),
        ("GET", "{location}", &[], "", 404, &[]),
        ("PATCH", "{location}", &[], "56789", 404, &[("code", "BLOB_UPLOAD_UNKNOWN")]),
        ("PUT", "{location}?digest={other}", &[], "", 404, &[("code", "BLOB_UPLOAD_UNKNOWN")]),
        ("DELETE", "{location}", &[], "", 404, &[("code", "BLOB_UPLOAD_UNKNOWN")]),
    ])
    .await;
}

#[tokio::test]
async fn blobs_are_mounted_from_other_repositories() {
    converse(&[
        ("POST", "/v2/a/blobs/uploads/?digest={hello}", &[], "hello", 201, &[]),
        ("POST", "/v2/b/blobs/uploads/?mount={hello}&from=a", &[], "", 201, &[("location", "/v2/b/blobs/{hello}")]),
        ("GET", "{location}", &[], "", 200, &[("body", "hello")]),
        ("POST", "/v2/c/blobs/uploads/?mount={hello}", &[], "", 201, &[("docker-content-digest", "{hello}")]),
        // One that is not there is to be pushed.
        ("POST", "/v2/b/blobs/uploads/?mount={other}&from=a", &[], "", 202, &[("location", "/v2/b/blobs/uploads/*")]),
        ("PUT", "{location}?digest={other}", &[], "0123456789", 201, &[]),
    ])
    .await;
}

#[tokio::test]
async fn downloads_are_resumed() {
    converse(&[
        ("POST", "/v2/app/blobs/uploads/?digest={other}", &[], "0123456789", 201, &[]),
        ("GET", "/v2/app/blobs/{other}", &[], "", 200, &[("accept-ranges", "bytes"), ("etag", "\"{other}\"")]),
        (
            "GET",
            "/v2/app/blobs/{other}",
            &[("range", "bytes=7-")],
            "",
            206,
            &[("body", "789"), ("content-range", "bytes 7-9/10")],
        ),
        (
            "GET",
            "/v2/app/blobs/{other}",
            &[("range", "bytes=0-0")],
            "",
            206,
            &[("body", "0"), ("content-range", "bytes 0-0/10")],
        ),
        (
            "GET",
            "/v2/app/blobs/{other}",
            &[("range", "bytes=8-99")],
            "",
            206,
            &[("body", "89"), ("content-length", "2")],
        ),
        ("GET", "/v2/app/blobs/{other}", &[("range", "bytes=-4")], "", 206, &[("body", "6789")]),
        ("GET", "/v2/app/blobs/{other}", &[("range", "bytes=10-")], "", 416, &[("content-range", "bytes */10")]),
        ("GET", "/v2/app/blobs/{other}", &[("range", "bytes=5-0")], "", 416, &[("content-range", "bytes */10")]),
        ("GET", "/v2/app/blobs/{other}", &[("range", "bytes=0-1,3-4")], "", 200, &[("body", "0123456789")]),
        (
            "GET",
            "/v2/app/blobs/{other}",
            &[("range", "bytes=7-"), ("if-range", "\"{other}\"")],
            "",
            206,
            &[("body", "789")],
        ),
        (
            "GET",
            "/v2/app/blobs/{other}",
            &[("range", "bytes=7-"), ("if-range", "\"x\"")],
            "",
            200,
            &[("body", "0123456789")],
        ),
        ("HEAD", "/v2/app/blobs/{other}", &[("range", "bytes=7-")], "", 200, &[("content-length", "10")]),
    ])
    .await;
}
