//! Manifests, tags and referrers, request by request.

use super::api::{Row, converse};
use super::*;
use crate::registry::manifests::LIMIT;

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
    for (size, status) in [(LIMIT, 201), (LIMIT + 1, 413)] {
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
