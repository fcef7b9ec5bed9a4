//! What a disk did to content.

use std::fs;

use super::*;

fn path(registry: &Registry, digest: &Digest) -> PathBuf {
    registry.folder().join("blobs").join(digest.algorithm().name()).join(digest.hex())
}

fn flip(registry: &Registry, digest: &Digest) {
    let path = path(registry, digest);
    let mut content = fs::read(&path).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(path, content).unwrap();
}

fn shorten(registry: &Registry, digest: &Digest) {
    let path = path(registry, digest);
    let content = fs::read(&path).unwrap();
    fs::write(path, &content[..content.len() / 2]).unwrap();
}

/// How much comes of a blob, and whether that is said to be all of it.
async fn pull(registry: &Registry, digest: &Digest) -> (usize, bool) {
    let (mut send, connection) = http1::handshake(TokioIo::new(connect(registry))).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("/v2/app/blobs/{digest}")).header("host", "registry");
    // Of a short one not even the head need come.
    let Ok(response) = send.send_request(request.body(Full::<Bytes>::default()).unwrap()).await else {
        return (0, false);
    };
    let mut body = response.into_body();
    let mut came = 0;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => came += frame.data_ref().map_or(0, Bytes::len),
            Err(_) => return (came, false),
        }
    }
    (came, true)
}

#[tokio::test]
async fn a_damaged_blob_is_never_given_out_whole_and_can_be_pushed_again() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    for damage in [flip, shorten] {
        for size in [1_000, 128 * 1024, 1_000_001] {
            let content = vec![7; size];
            let digest = client.push("app", content.clone()).await;
            assert_eq!(pull(&registry, &digest).await, (size, true));
            damage(&registry, &digest);
            let (came, whole) = pull(&registry, &digest).await;
            assert!(!whole && came < size, "{came} of {size}");
            let blob = format!("/v2/app/blobs/{digest}");
            assert_eq!(client.status("HEAD", &blob).await, 404);
            client.push("app", content).await;
            assert_eq!(pull(&registry, &digest).await, (size, true));
        }
    }
}

#[tokio::test]
async fn an_image_whose_content_was_damaged_is_not_one() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let layers = [&b"base"[..], b"top"];
    let manifest = client.push_image("app", "v1", &layers).await;
    let config = registry.image_facts("app", "v1").await.unwrap().remove(0).config;
    let top = sha256(b"top");
    for (damaged, damage, says) in [
        (&top, shorten as fn(&Registry, &Digest), format!("its layer {top} is missing or was damaged")),
        (&config, flip, "its configuration is missing".to_owned()),
        (&manifest, flip, "no image app:v1".to_owned()),
    ] {
        damage(&registry, damaged);
        let error = registry.image_facts("app", "v1").await.unwrap_err().to_string();
        assert!(error.contains(&says), "{error}");
        assert!(!path(&registry, damaged).exists());
        // Docker asks what is there and pushes what is not.
        client.push_image("app", "v1", &layers).await;
        registry.image_facts("app", "v1").await.unwrap();
    }
}

#[tokio::test]
async fn a_manifest_is_not_taken_while_a_layer_is_short_and_nothing_goes_because_one_is_wrong() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    client.push_image("app", "v1", &[b"base"]).await;
    let (base, config) = (sha256(b"base"), client.push("app", "{}").await);
    let manifest = |size: usize| {
        json!({
            "config": { "digest": config, "size": 2 },
            "layers": [{ "digest": base, "size": size, "mediaType": "application/vnd.oci.image.layer.v1.tar" }],
        })
        .to_string()
    };
    // It is the manifest that is wrong: the layer stays.
    client.call("PUT", "/v2/app/manifests/wrong", &[("content-type", OCI_MANIFEST)], manifest(5)).await;
    assert_eq!(pull(&registry, &base).await, (4, true));
    shorten(&registry, &base);
    let (put, said) = client.call("PUT", "/v2/app/manifests/v2", &[("content-type", OCI_MANIFEST)], manifest(4)).await;
    assert_eq!(put.status(), StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(&said).contains("MANIFEST_BLOB_UNKNOWN"), "{said:?}");
    client.push("app", &b"base"[..]).await;
    client.put_manifest("app", "v2", OCI_MANIFEST, &serde_json::from_str(&manifest(4)).unwrap()).await;
}
