//! The registry as the program uses it: what is in it, and what images are.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::*;

#[tokio::test]
async fn images_are_listed_the_last_pushed_first() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let first = client.push_image("org/app", "v1", &[b"base", b"one"]).await;
    std::thread::sleep(std::time::Duration::from_millis(20));
    let second = client.push_image("org/app", "v2", &[b"base", b"three"]).await;
    client
        .put_manifest(
            "org/app",
            "all",
            OCI_INDEX,
            &json!({ "manifests": [
        { "mediaType": OCI_MANIFEST, "digest": first }, { "mediaType": OCI_MANIFEST, "digest": second },
    ] }),
        )
        .await;
    client.push_image("another", "latest", &[]).await;
    assert_eq!(client.status("DELETE", "/v2/org/app/manifests/v1").await, 202);

    let repositories = registry.ls().await.unwrap();
    assert_eq!(repositories.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["another", "org/app"]);
    let app = &repositories[1];
    assert_eq!(app.tags.iter().map(|tag| &*tag.name).collect::<Vec<_>>(), ["all", "v2"]);
    assert_eq!((&app.tags[1].digest, &app.untagged), (&second, &vec![first]));
    let image = registry.image_facts("org/app", "v2").await.unwrap().remove(0);
    assert_eq!(app.tags[1].size, image.size());
    // What both images of the index share counts once.
    assert!(app.tags[0].size > app.tags[1].size && app.tags[0].size < 2 * app.tags[1].size + 300);
}

#[tokio::test]
async fn what_an_image_needs_is_known_beforehand() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let digest = client.push_image("app", "v1", &[b"base", b"top"]).await;
    for reference in ["v1", &digest.to_string()] {
        let images = registry.image_facts("app", reference).await.unwrap();
        let image = &images[0];
        assert_eq!((images.len(), &image.digest, &*image.platform.architecture), (1, &digest, "amd64"));
        let layers = image.layers.iter().map(|layer| (&layer.digest, &layer.diff_id, layer.size)).collect::<Vec<_>>();
        let (base, top) = (sha256(b"base"), sha256(b"top"));
        assert_eq!(layers, [(&base, &base, 4), (&top, &top, 3)]);
        assert_eq!(image.unpacked(), Some(7));
        assert_eq!(image.size(), 7 + image.config_size + image.manifest_size);
    }
}

#[tokio::test]
async fn gzip_tells_how_much_it_unpacks_to() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    // Made with `printf %1000s | gzip -9n`.
    let packed =
        [31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 83, 80, 24, 5, 163, 96, 20, 12, 119, 0, 0, 130, 227, 147, 205, 232, 3, 0, 0];
    let layer = client.push("app", packed.to_vec()).await;
    let config = json!({
        "os": "linux", "architecture": "arm64", "variant": "v8", "rootfs": { "diff_ids": [sha256(b"x"), sha256(b"y")] },
    });
    let config = client.push("app", config.to_string()).await;
    let kind = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let manifest = json!({ "config": { "digest": config }, "layers": [
        { "digest": layer, "size": packed.len(), "mediaType": kind },
        { "digest": layer, "size": packed.len(), "mediaType": "application/vnd.oci.image.layer.v1.tar+zstd" },
    ] });
    client.put_manifest("app", "v1", MANIFEST, &manifest).await;
    let image = registry.image_facts("app", "v1").await.unwrap().remove(0);
    assert_eq!(image.layers.iter().map(|layer| layer.unpacked).collect::<Vec<_>>(), [Some(1000), None]);
    assert_eq!((image.unpacked(), image.platform.variant.as_deref()), (None, Some("v8")));
}

#[tokio::test]
async fn an_index_is_an_image_for_each_platform() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let image = client.push_image("app", "v1", &[b"layer"]).await;
    let said = client.push("app", "{}").await;
    let said = client.put_manifest("app", "said", OCI_MANIFEST, &json!({ "config": { "digest": said } })).await;
    let index = json!({ "manifests": [
        { "mediaType": OCI_MANIFEST, "digest": image, "platform": { "os": "linux", "architecture": "amd64" } },
        { "mediaType": OCI_MANIFEST, "digest": said, "platform": { "os": "unknown", "architecture": "unknown" } },
    ] });
    client.put_manifest("app", "all", OCI_INDEX, &index).await;
    let images = registry.image_facts("app", "all").await.unwrap();
    assert_eq!(images.iter().map(|one| &one.digest).collect::<Vec<_>>(), [&image]);
}

#[tokio::test]
async fn what_is_no_image_is_called_by_name() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let config = client.push("app", "{}").await;
    client.put_manifest("app", "chart", OCI_MANIFEST, &json!({ "config": { "digest": config } })).await;
    client.put_manifest("app", "none", OCI_INDEX, &json!({})).await;
    for (repository, reference, expected) in [
        ("app", "v9", "the image registry holds no image app:v9"),
        ("../app", "v1", "the image registry holds no image ../app:v1"),
        ("app", "sha256:00", "the image registry holds no image app@sha256:00"),
        ("app", "chart", "app:chart is not an image that can be run: its configuration is not an image's: "),
        ("app", "none", "app:none is not an image that can be run: its index names no image"),
    ] {
        let error = registry.image_facts(repository, reference).await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[tokio::test]
async fn only_the_owner_reads_what_is_in_a_registry() {
    let (folder, registry) = registry();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut client = Client::of(&registry).await;
    client.push_image("app", "v1", &[b"layer"]).await;
    client.call("POST", "/v2/app/blobs/uploads/", &[], "").await;
    let (mut folders, mut files) = (vec![registry.folder().to_owned()], 0);
    while let Some(folder) = folders.pop() {
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
                files += 1;
            }
        }
    }
    // Layer, configuration and manifest; its place and its tag; the upload and the lock.
    assert_eq!(files, 7);
}

#[tokio::test]
async fn a_full_disk_is_told_in_words() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let (begun, _) = client.call("POST", "/v2/app/blobs/uploads/", &[], "").await;
    let location = header(&begun, "location");
    let file = registry.folder().join("uploads").join(location.rsplit('/').next().unwrap());
    fs::remove_file(&file).unwrap();
    symlink("/dev/full", &file).unwrap();
    let (patch, body) = client.call("PATCH", &location, &[], vec![0; 3_000_000]).await;
    let body = serde_json::from_slice::<Value>(&body).unwrap();
    assert_eq!((patch.status().as_u16(), body["errors"][0]["code"].as_str()), (413, Some("DENIED")));
    let expected = format!("no space is left for images in {}; free some there", registry.folder().display());
    assert_eq!(body["errors"][0]["message"], expected);
    // The connection goes on.
    assert_eq!(client.status("GET", "/v2/").await, 200);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Registry::open(file.join("registry")).unwrap_err().to_string();
    assert!(error.starts_with(&format!("the image registry in {}/registry: ", file.display())), "{error}");
}

#[test]
fn whoever_only_looks_makes_nothing() {
    let folder = TempDir::new().unwrap();
    for missing in [folder.path().join("registry"), folder.path().join("deeper/registry")] {
        assert!(Registry::find(&missing).unwrap().is_none());
        assert!(!missing.exists());
    }
    fs::write(folder.path().join("file"), "").unwrap();
    let said = Registry::find(folder.path().join("file")).unwrap_err().to_string();
    assert!(said.contains("it is a file"), "{said}");
    Registry::open(folder.path().join("registry")).unwrap();
    assert!(Registry::find(folder.path().join("registry")).unwrap().is_some());
}

#[test]
fn somebody_elses_folder_is_left_alone() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // As when `sudo` keeps the user's HOME: what root writes there the user cannot change any more.
    let folder = TempDir::new().unwrap();
    chown(folder.path(), Some(65_534), None).unwrap();
    for error in [Registry::open(folder.path()).unwrap_err(), Registry::find(folder.path()).unwrap_err()] {
        let said = error.to_string();
        assert!(said.contains("it belongs to the user 65534, and this is run by the user 0"), "{said}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_registry_for_hosts_is_only_pulled_from() {
    let (_folder, registry) = registry();
    let mut builder = Client::of(&registry).await;
    let digest = builder.push_image("app", "v1", &[b"layer"]).await;
    let (begun, _) = builder.call("POST", "/v2/app/blobs/uploads/", &[], "").await;
    let mut host = Client::of(&registry.read_only()).await;
    for (method, path) in [
        ("POST", "/v2/app/blobs/uploads/".to_owned()),
        ("PATCH", header(&begun, "location")),
        ("PUT", format!("{}?digest={}", header(&begun, "location"), sha256(b""))),
        ("DELETE", header(&begun, "location")),
        ("PUT", "/v2/app/manifests/v1".to_owned()),
        ("DELETE", "/v2/app/manifests/v1".to_owned()),
        ("DELETE", format!("/v2/app/blobs/{}", sha256(b"layer"))),
    ] {
        let (refused, body) = host.call(method, &path, &[], "").await;
        let body = serde_json::from_slice::<Value>(&body).unwrap();
        assert_eq!((refused.status().as_u16(), &body["errors"][0]["code"]), (405, &json!("DENIED")), "{method} {path}");
    }
    let (pulled, _) = host.call("GET", "/v2/app/manifests/v1", &[], "").await;
    assert_eq!(header(&pulled, "docker-content-digest"), digest.to_string());
    assert_eq!(host.call("GET", &format!("/v2/app/blobs/{}", sha256(b"layer")), &[], "").await.1, "layer");
}
