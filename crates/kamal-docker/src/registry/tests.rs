//! The registry as its clients meet it: over a byte stream, with the requests Docker sends.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::digest::Digest;
use super::*;

/// A client at the other end of a duplex pipe, as an SSH channel would be.
struct Client {
    send: SendRequest<Full<Bytes>>,
    _folder: TempDir,
}

impl Client {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve_connection(far, store));
        let (send, connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
        tokio::spawn(connection);
        Self { send, _folder: folder }
    }

    async fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> (Response<()>, Bytes) {
        let mut request = Request::builder().method(method).uri(path).header("host", "registry");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.send.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (Response::from_parts(parts, ()), body.collect().await.unwrap().to_bytes())
    }

    async fn push(&mut self, name: &str, content: &str) -> Digest {
        let digest = Digest::of(content.as_bytes());
        let (begun, _) = self.call("POST", &format!("/v2/{name}/blobs/uploads/"), &[], "").await;
        assert_eq!(begun.status(), StatusCode::ACCEPTED);
        let location = header(&begun, "location");
        let (patched, _) = self.call("PATCH", &location, &[], content.to_owned()).await;
        assert_eq!(patched.status(), StatusCode::ACCEPTED);
        let put = format!("{location}?digest={}", digest.to_string().replace(':', "%3A"));
        assert_eq!(self.call("PUT", &put, &[], "").await.0.status(), StatusCode::CREATED);
        digest
    }
}

fn header<T>(response: &Response<T>, name: &str) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

fn code(body: &[u8]) -> String {
    serde_json::from_slice::<Value>(body).unwrap()["errors"][0]["code"].as_str().unwrap().to_owned()
}

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

#[tokio::test]
async fn a_pushed_image_comes_back_by_tag_and_by_digest() {
    let mut client = Client::new().await;
    let config = client.push("org/app", "{}").await;
    let layer = client.push("org/app", "layer").await;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": { "digest": config.to_string() }, "layers": [{ "digest": layer.to_string() }],
    })
    .to_string();
    let digest = Digest::of(manifest.as_bytes());
    let (put, _) =
        client.call("PUT", "/v2/org/app/manifests/v1", &[("content-type", MANIFEST)], manifest.clone()).await;
    assert_eq!(put.status(), StatusCode::CREATED);
    assert_eq!(header(&put, "docker-content-digest"), digest.to_string());

    for reference in ["v1".to_owned(), digest.to_string()] {
        let (got, body) = client.call("GET", &format!("/v2/org/app/manifests/{reference}"), &[], "").await;
        assert_eq!((got.status(), header(&got, "content-type").as_str()), (StatusCode::OK, MANIFEST));
        assert_eq!(body, manifest.as_bytes());
    }
    let (head, _) = client.call("HEAD", "/v2/org/app/manifests/v1", &[], "").await;
    assert_eq!(header(&head, "content-length"), manifest.len().to_string());
    let (_, tags) = client.call("GET", "/v2/org/app/tags/list", &[], "").await;
    assert_eq!(serde_json::from_slice::<Value>(&tags).unwrap(), json!({ "name": "org/app", "tags": ["v1"] }));
}

#[tokio::test]
async fn blobs_are_served_whole_and_in_ranges() {
    let mut client = Client::new().await;
    let digest = client.push("app", "0123456789").await;
    let path = format!("/v2/app/blobs/{digest}");
    assert_eq!(client.call("GET", &path, &[], "").await.1, "0123456789");
    let (part, body) = client.call("GET", &path, &[("range", "bytes=7-")], "").await;
    assert_eq!((part.status(), &body[..]), (StatusCode::PARTIAL_CONTENT, &b"789"[..]));
    assert_eq!(header(&part, "content-range"), "bytes 7-9/10");
    let (head, body) = client.call("HEAD", &path, &[], "").await;
    assert_eq!((header(&head, "content-length").as_str(), body.len()), ("10", 0));
    assert_eq!(client.call("GET", &path, &[("range", "bytes=10-")], "").await.0.status(), 416);
}

#[tokio::test]
async fn a_wrong_digest_is_refused_and_leaves_nothing() {
    let mut client = Client::new().await;
    let wrong = Digest::of(b"something else");
    let (begun, _) = client.call("POST", "/v2/app/blobs/uploads/", &[], "").await;
    let location = header(&begun, "location");
    let (put, body) = client.call("PUT", &format!("{location}?digest={wrong}"), &[], "content").await;
    assert_eq!((put.status(), code(&body).as_str()), (StatusCode::BAD_REQUEST, "DIGEST_INVALID"));
    assert_eq!(client.call("GET", &location, &[], "").await.0.status(), StatusCode::NOT_FOUND);
    assert_eq!(client.call("HEAD", &format!("/v2/app/blobs/{wrong}"), &[], "").await.0.status(), 404);

    let (put, body) = client.call("PUT", &format!("/v2/app/manifests/{wrong}"), &[], "{}").await;
    assert_eq!((put.status(), code(&body).as_str()), (StatusCode::BAD_REQUEST, "DIGEST_INVALID"));
}

#[tokio::test]
async fn a_manifest_with_a_hole_is_refused() {
    let mut client = Client::new().await;
    let missing = Digest::of(b"never pushed");
    let manifest = json!({ "config": { "digest": missing.to_string() } }).to_string();
    let (put, body) = client.call("PUT", "/v2/app/manifests/v1", &[("content-type", MANIFEST)], manifest).await;
    assert_eq!((put.status(), code(&body).as_str()), (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"));
    let (_, body) = client.call("GET", "/v2/app/manifests/v1", &[], "").await;
    assert_eq!(code(&body), "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn chunks_must_follow_each_other() {
    let mut client = Client::new().await;
    let (begun, _) = client.call("POST", "/v2/app/blobs/uploads/", &[], "").await;
    let location = header(&begun, "location");
    let (first, _) = client.call("PATCH", &location, &[("content-range", "0-3")], "abcd").await;
    assert_eq!(header(&first, "range"), "0-3");
    let (gap, body) = client.call("PATCH", &location, &[("content-range", "9-9")], "x").await;
    assert_eq!((gap.status().as_u16(), code(&body).as_str()), (416, "RANGE_INVALID"));
    let put = format!("{location}?digest={}", Digest::of(b"abcdef"));
    assert_eq!(client.call("PUT", &put, &[("content-range", "4-5")], "ef").await.0.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_blob_mounts_from_another_repository_and_an_unknown_one_begins_an_upload() {
    let mut client = Client::new().await;
    let digest = client.push("a", "shared").await;
    let (mounted, _) = client.call("POST", &format!("/v2/b/blobs/uploads/?mount={digest}&from=a"), &[], "").await;
    assert_eq!(mounted.status(), StatusCode::CREATED);
    let unknown = Digest::of(b"unknown");
    let (begun, _) = client.call("POST", &format!("/v2/b/blobs/uploads/?mount={unknown}&from=a"), &[], "").await;
    assert_eq!(begun.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn any_credentials_log_in() {
    let mut client = Client::new().await;
    let (answer, _) = client.call("GET", "/v2/", &[("authorization", "Basic eDp5")], "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header(&answer, "docker-distribution-api-version"), "registry/2.0");
}

#[tokio::test]
async fn paths_that_leave_the_store_are_refused() {
    let mut client = Client::new().await;
    for path in [
        "/v2/../../etc/manifests/passwd",
        "/v2/a/../../../etc/tags/list",
        "/v2/app/manifests/..",
        "/v2/app/blobs/sha256:..",
        "/v2/app/blobs/uploads/..",
        "/v2/UPPER/manifests/x",
        "/v2/%2e%2e/manifests/x",
    ] {
        let (answer, _) = client.call("GET", path, &[], "").await;
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
    }
    assert_eq!(client.call("DELETE", "/v2/app/manifests/x", &[], "").await.0.status(), 405);
}
