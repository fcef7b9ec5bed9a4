//! The points of the OCI distribution specification, request by request.
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
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str, u16, Expected);
type Expected = &'static [(&'static str, &'static str)];

async fn converse(rows: &[Row]) {
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

/// The beginning of every conversation about manifests.
const PUSHED: [Row; 2] = [
    ("POST", "/v2/app/blobs/uploads/?digest={hello}", &[], "hello", 201, &[]),
    ("POST", "/v2/app/blobs/uploads/?digest={config}", &[], "{}", 201, &[]),
];

#[tokio::test]
async fn manifests_are_pushed_and_pulled_by_tag_and_digest() {
    let rows: &[Row] = &[
        (
            "PUT",
            "/v2/app/manifests/v1",
            &[("content-type", OCI_MANIFEST)],
            "=image",
            201,
            &[
                ("location", "/v2/app/manifests/{image}"),
                ("docker-content-digest", "{image}"),
                ("without", "oci-subject"),
            ],
        ),
        (
            "GET",
            "/v2/app/manifests/v1",
            &[],
            "",
            200,
            &[("body", "=image"), ("content-type", OCI_MANIFEST), ("docker-content-digest", "{image}")],
        ),
        ("GET", "/v2/app/manifests/{image}", &[], "", 200, &[("body", "=image")]),
        (
            "HEAD",
            "/v2/app/manifests/v1",
            &[],
            "",
            200,
            &[("docker-content-digest", "{image}"), ("content-type", OCI_MANIFEST)],
        ),
        ("HEAD", "/v2/app/manifests/{image}", &[], "", 200, &[("docker-content-digest", "{image}")]),
        // Parameters of the type do not count, and a type may be left to the manifest.
        (
            "PUT",
            "/v2/app/manifests/v2",
            &[("content-type", "application/vnd.docker.distribution.manifest.v2+json; charset=utf-8")],
            "=docker",
            201,
            &[],
        ),
        ("GET", "/v2/app/manifests/v2", &[], "", 200, &[("content-type", MANIFEST)]),
        ("PUT", "/v2/app/manifests/{docker}", &[], "=docker", 201, &[]),
        // A tag moves.
        ("PUT", "/v2/app/manifests/v1", &[("content-type", MANIFEST)], "=docker", 201, &[]),
        ("GET", "/v2/app/manifests/v1", &[], "", 200, &[("docker-content-digest", "{docker}")]),
        // By a digest, with tags; by a longer digest.
        (
            "PUT",
            "/v2/app/manifests/{image}?tag=a&tag=B",
            &[("content-type", OCI_MANIFEST)],
            "=image",
            201,
            &[("oci-tag", "a, B")],
        ),
        ("GET", "/v2/app/manifests/B", &[], "", 200, &[("docker-content-digest", "{image}")]),
        ("GET", "/v2/app/manifests/b", &[], "", 404, &[]),
        ("PUT", "/v2/app/manifests/{image/512}", &[], "=image", 201, &[("docker-content-digest", "{image/512}")]),
        ("GET", "/v2/app/manifests/{image/512}", &[], "", 200, &[("body", "=image")]),
        // Manifests belong to repositories.
        ("GET", "/v2/other/manifests/{image}", &[], "", 404, &[("code", "MANIFEST_UNKNOWN")]),
        // An index takes what is there.
        ("PUT", "/v2/app/manifests/all", &[("content-type", OCI_INDEX)], "=index", 201, &[]),
        ("GET", "/v2/app/manifests/all", &[], "", 200, &[("content-type", OCI_INDEX), ("body", "=index")]),
        (
            "PUT",
            "/v2/other/manifests/all",
            &[("content-type", OCI_INDEX)],
            "=index",
            400,
            &[("code", "MANIFEST_BLOB_UNKNOWN")],
        ),
    ];
    converse(&[&PUSHED, rows].concat()).await;
}

#[tokio::test]
async fn manifests_that_cannot_be_right_are_refused() {
    let rows: &[Row] = &[
        ("PUT", "/v2/app/manifests/{other}", &[], "=image", 400, &[("code", "DIGEST_INVALID")]),
        ("PUT", "/v2/app/manifests/sha256:bad", &[], "=image", 400, &[("code", "DIGEST_INVALID")]),
        ("PUT", "/v2/app/manifests/-v", &[], "=image", 400, &[("code", "MANIFEST_INVALID")]),
        ("PUT", "/v2/app/manifests/{image}?tag=-v", &[], "=image", 400, &[("code", "MANIFEST_INVALID")]),
        (
            "PUT",
            "/v2/app/manifests/v1",
            &[("content-type", OCI_MANIFEST)],
            "no JSON",
            400,
            &[("code", "MANIFEST_INVALID")],
        ),
        ("PUT", "/v2/app/manifests/v1", &[("content-type", OCI_MANIFEST)], "[]", 400, &[("code", "MANIFEST_INVALID")]),
        ("PUT", "/v2/app/manifests/v1", &[("content-type", MANIFEST)], "=image", 400, &[("code", "MANIFEST_INVALID")]),
        ("PUT", "/v2/app/manifests/v1", &[], "{}", 400, &[("code", "MANIFEST_INVALID")]),
        (
            "PUT",
            "/v2/app/manifests/v1",
            &[("content-type", "application/vnd.docker.distribution.manifest.v1+prettyjws")],
            "{}",
            400,
            &[("code", "MANIFEST_INVALID")],
        ),
        ("GET", "/v2/app/manifests/v1", &[], "", 404, &[]),
        // Lists may be left out or nothing, as Go writes them.
        ("PUT", "/v2/app/manifests/v1", &[("content-type", OCI_MANIFEST)], "{\"layers\":null}", 201, &[]),
    ];
    converse(&[&PUSHED, rows].concat()).await;
    // Nothing was pushed before.
    converse(&[(
        "PUT",
        "/v2/app/manifests/v1",
        &[("content-type", OCI_MANIFEST)],
        "=image",
        400,
        &[("code", "MANIFEST_BLOB_UNKNOWN")],
    )])
    .await;
}

#[tokio::test]
async fn every_hole_of_a_manifest_is_told_and_foreign_layers_are_none() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let [one, two] = ["one", "two"].map(|content| sha256(content.as_bytes()).to_string());
    let manifest = json!({ "config": { "digest": one }, "layers": [{ "digest": two }] }).to_string();
    let (_, body) = client.call("PUT", "/v2/app/manifests/v1", &[("content-type", MANIFEST)], manifest).await;
    let errors = serde_json::from_slice::<Value>(&body).unwrap()["errors"].clone();
    assert_eq!(errors.as_array().unwrap().len(), 2);
    assert!(errors[0]["message"].as_str().unwrap().contains(&one) && errors[1]["detail"]["digest"] == two, "{errors}");

    let foreign = json!({ "layers": [
        { "digest": one, "urls": ["https://example.com/layer"] },
        { "digest": two, "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" },
    ] });
    client.put_manifest("app", "v1", MANIFEST, &foreign).await;
}

#[tokio::test]
async fn manifests_have_a_largest_size() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let of_size = |size: usize| {
        let text = json!({ "annotations": { "long": "" } }).to_string();
        text.replace("\"\"", &format!("\"{}\"", "x".repeat(size - text.len())))
    };
    for (size, status) in [(manifests::LIMIT, 201), (manifests::LIMIT + 1, 413)] {
        let (put, _) =
            client.call("PUT", "/v2/app/manifests/v1", &[("content-type", OCI_MANIFEST)], of_size(size)).await;
        assert_eq!(put.status().as_u16(), status);
    }
}

#[tokio::test]
async fn a_client_gets_a_manifest_it_understands() {
    let rows: &[Row] = &[
        ("PUT", "/v2/app/manifests/image", &[("content-type", OCI_MANIFEST)], "=image", 201, &[]),
        ("PUT", "/v2/app/manifests/index", &[("content-type", OCI_INDEX)], "=index", 201, &[]),
        ("PUT", "/v2/app/manifests/arm", &[("content-type", OCI_INDEX)], "=index for arm64", 201, &[]),
        ("GET", "/v2/app/manifests/image", &[("accept", OCI_MANIFEST)], "", 200, &[("content-type", OCI_MANIFEST)]),
        ("GET", "/v2/app/manifests/image", &[("accept", MANIFEST), ("accept", OCI_MANIFEST)], "", 200, &[]),
        ("GET", "/v2/app/manifests/image", &[("accept", "*/*")], "", 200, &[]),
        ("GET", "/v2/app/manifests/image", &[("accept", MANIFEST)], "", 404, &[("code", "MANIFEST_UNKNOWN")]),
        ("GET", "/v2/app/manifests/index", &[("accept", OCI_INDEX)], "", 200, &[("docker-content-digest", "{index}")]),
        // Who knows no indexes gets the usual image of one, by its tag alone.
        (
            "GET",
            "/v2/app/manifests/index",
            &[("accept", OCI_MANIFEST)],
            "",
            200,
            &[("docker-content-digest", "{image}")],
        ),
        (
            "HEAD",
            "/v2/app/manifests/index",
            &[("accept", OCI_MANIFEST)],
            "",
            200,
            &[("docker-content-digest", "{image}")],
        ),
        ("GET", "/v2/app/manifests/{index}", &[("accept", OCI_MANIFEST)], "", 404, &[]),
        ("GET", "/v2/app/manifests/arm", &[("accept", OCI_MANIFEST)], "", 404, &[]),
    ];
    converse(&[&PUSHED, rows].concat()).await;
}

#[tokio::test]
async fn tags_are_listed_page_by_page() {
    let rows: &[Row] = &[
        ("PUT", "/v2/app/manifests/{image}?tag=b&tag=a&tag=c&tag=B", &[], "=image", 201, &[]),
        (
            "GET",
            "/v2/app/tags/list",
            &[],
            "",
            200,
            &[
                ("body", r#"{"name":"app","tags":["B","a","b","c"]}"#),
                ("content-type", "application/json"),
                ("without", "link"),
            ],
        ),
        ("HEAD", "/v2/app/tags/list", &[], "", 200, &[("content-length", "39")]),
        (
            "GET",
            "/v2/app/tags/list?n=2",
            &[],
            "",
            200,
            &[("body", r#"{"name":"app","tags":["B","a"]}"#), ("link", "</v2/app/tags/list?n=2&last=a>; rel=\"next\"")],
        ),
        (
            "GET",
            "/v2/app/tags/list?n=2&last=a",
            &[],
            "",
            200,
            &[("body", r#"{"name":"app","tags":["b","c"]}"#), ("without", "link")],
        ),
        ("GET", "/v2/app/tags/list?last=b", &[], "", 200, &[("body", r#"{"name":"app","tags":["c"]}"#)]),
        ("GET", "/v2/app/tags/list?n=9&last=c", &[], "", 200, &[("body", r#"{"name":"app","tags":[]}"#)]),
        ("GET", "/v2/app/tags/list?n=0", &[], "", 200, &[("body", r#"{"name":"app","tags":[]}"#), ("without", "link")]),
        ("GET", "/v2/app/tags/list?n=many", &[], "", 400, &[]),
        ("GET", "/v2/app/tags/list?n=-1", &[], "", 400, &[]),
    ];
    converse(&[&PUSHED, rows].concat()).await;
}

#[tokio::test]
async fn what_is_about_a_manifest_is_listed() {
    let rows: &[Row] = &[
        (
            "GET",
            "/v2/app/referrers/{image}",
            &[],
            "",
            200,
            &[
                ("body", r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#),
                ("content-type", OCI_INDEX),
            ],
        ),
        ("GET", "/v2/app/referrers/sha256:bad", &[], "", 400, &[("code", "DIGEST_INVALID")]),
        // In either order.
        ("PUT", "/v2/app/manifests/{signature}", &[], "=signature", 201, &[("oci-subject", "{image}")]),
        ("PUT", "/v2/app/manifests/v1", &[], "=image", 201, &[]),
        (
            "GET",
            "/v2/app/referrers/{image}",
            &[],
            "",
            200,
            &[(
                "body",
                r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{signature}"*"#,
            )],
        ),
        (
            "GET",
            "/v2/app/referrers/{image}?artifactType=application/vnd.example.signature",
            &[],
            "",
            200,
            &[
                ("oci-filters-applied", "artifactType"),
                (
                    "body",
                    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{signature}"*"#,
                ),
            ],
        ),
        (
            "GET",
            "/v2/app/referrers/{image}?artifactType=application/vnd.example.other",
            &[],
            "",
            200,
            &[
                ("oci-filters-applied", "artifactType"),
                ("body", r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#),
            ],
        ),
        ("HEAD", "/v2/app/referrers/{image}", &[], "", 200, &[("content-type", OCI_INDEX)]),
    ];
    converse(&[&PUSHED, rows].concat()).await;
}

#[tokio::test]
async fn a_referrer_is_described_as_it_describes_itself() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let subject = client.push_image("app", "v1", &[]).await;
    let about = json!({ "digest": subject });
    let config = client.push("app", "{}").await;
    let by_config = json!({ "config": { "digest": config, "mediaType": "application/vnd.x" }, "subject": about });
    client.put_manifest("app", "x", OCI_MANIFEST, &by_config).await;
    client.put_manifest("app", "y", OCI_INDEX, &json!({ "subject": about, "annotations": { "k": "v" } })).await;
    let (_, body) = client.call("GET", &format!("/v2/app/referrers/{subject}"), &[], "").await;
    let found = serde_json::from_slice::<Value>(&body).unwrap()["manifests"].clone();
    let of =
        |media_type: &str| found.as_array().unwrap().iter().find(|one| one["mediaType"] == media_type).unwrap().clone();
    assert_eq!(of(OCI_MANIFEST)["artifactType"], "application/vnd.x");
    assert_eq!(of(OCI_MANIFEST)["size"], by_config.to_string().len());
    assert_eq!(
        (of(OCI_INDEX)["annotations"]["k"].clone(), of(OCI_INDEX).get("artifactType").cloned()),
        (json!("v"), None)
    );
}

#[tokio::test]
async fn tags_manifests_and_blobs_are_deleted() {
    let rows: &[Row] = &[
        ("PUT", "/v2/app/manifests/{image}?tag=v1&tag=v2", &[], "=image", 201, &[]),
        ("DELETE", "/v2/app/manifests/v1", &[], "", 202, &[]),
        ("GET", "/v2/app/manifests/v1", &[], "", 404, &[]),
        ("GET", "/v2/app/manifests/v2", &[], "", 200, &[]),
        // Not while a manifest needs it.
        ("DELETE", "/v2/app/blobs/{hello}", &[], "", 405, &[("allow", "GET, HEAD"), ("code", "UNSUPPORTED")]),
        ("GET", "/v2/app/blobs/{hello}", &[], "", 200, &[]),
        ("DELETE", "/v2/app/manifests/{image}", &[], "", 202, &[]),
        ("GET", "/v2/app/manifests/{image}", &[], "", 404, &[]),
        ("GET", "/v2/app/manifests/v2", &[], "", 404, &[]),
        ("GET", "/v2/app/tags/list", &[], "", 200, &[("body", r#"{"name":"app","tags":[]}"#)]),
        ("DELETE", "/v2/app/blobs/{hello}", &[], "", 202, &[]),
        ("GET", "/v2/app/blobs/{hello}", &[], "", 404, &[]),
        ("DELETE", "/v2/app/manifests/{image}", &[], "", 404, &[]),
    ];
    converse(&[&PUSHED, rows].concat()).await;
}
