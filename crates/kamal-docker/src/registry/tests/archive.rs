//! Archives for `docker load`. What real engines make of them is tried end to end.

use std::collections::BTreeMap;
use std::io::Read;

use futures_util::TryStreamExt;

use super::*;

/// The files of an archive.
async fn files(registry: &Registry, held: &Held) -> BTreeMap<String, Vec<u8>> {
    let image = registry.image_facts("app", "v1").await.unwrap().remove(0);
    let names = ["localhost:5000/app:v1".to_owned(), "localhost:5000/app:latest".to_owned()];
    let mut archives = registry.archives(&image, &names, held).await.unwrap();
    assert_eq!(archives.len(), 1);
    files_of(&archives.remove(0)).await
}

async fn files_of(archive: &Archive) -> BTreeMap<String, Vec<u8>> {
    let pieces = archive.read().try_collect::<Vec<_>>().await.unwrap();
    assert!(pieces.iter().all(|piece| piece.len() <= 256 * 1024), "it is read in pieces");
    let written = pieces.concat();
    assert_eq!(written.len() as u64, archive.size());
    let mut tar = tar::Archive::new(&*written);
    let files = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    });
    files.collect()
}

fn json(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

#[tokio::test]
async fn an_archive_is_in_both_forms() {
    let (_folder, registry) = registry();
    let digest = Client::of(&registry).await.push_image("app", "v1", &[b"base", b"top"]).await;
    let files = files(&registry, &Held::default()).await;
    assert_eq!(json(&files, "oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }));
    let index = json(&files, "index.json");
    assert_eq!(index["manifests"][1]["annotations"]["io.containerd.image.name"], "localhost:5000/app:latest");
    assert_eq!(index["manifests"][0]["digest"], digest.to_string());
    let legacy = json(&files, "manifest.json");
    assert_eq!(legacy[0]["RepoTags"], json!(["localhost:5000/app:v1", "localhost:5000/app:latest"]));
    assert_eq!(legacy[0]["Layers"], json!([blob(&sha256(b"base")), blob(&sha256(b"top"))]));
    for content in [&b"base"[..], b"top"] {
        assert_eq!(files[&blob(&sha256(content))], content);
    }
    let config = legacy[0]["Config"].as_str().unwrap();
    assert_eq!(blob(&sha256(&files[config])), config);
    assert_eq!(sha256(&files[&blob(&digest)]), digest);
}

#[tokio::test]
async fn layers_a_host_has_are_left_out_if_all_below_is_there_too() {
    let (_folder, registry) = registry();
    Client::of(&registry).await.push_image("app", "v1", &[b"base", b"middle", b"top"]).await;
    let [base, middle, top] = [&b"base"[..], b"middle", b"top"].map(sha256);
    for (images, left_out) in [
        (vec![vec![]], 0),
        (vec![vec![base.clone()]], 1),
        (vec![vec![base.clone(), middle.clone()]], 2),
        (vec![vec![base.clone(), top.clone()]], 1),
        // The engine knows them only on top of what they are on here.
        (vec![vec![middle.clone(), top.clone()]], 0),
        (vec![vec![middle.clone()], vec![base.clone(), middle.clone(), top.clone(), base.clone()]], 3),
    ] {
        let mut held = Held::default();
        for image in &images {
            held.image(image);
        }
        let files = files(&registry, &held).await;
        let missing = [&base, &middle, &top].iter().filter(|layer| !files.contains_key(&blob(layer))).count();
        assert_eq!(missing, left_out, "{images:?}");
    }
}

#[tokio::test]
async fn names_longer_than_a_tar_holds_are_in_it_all_the_same() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let layer = Algorithm::Sha512.of(b"layer");
    client.call("POST", &format!("/v2/app/blobs/uploads/?digest={layer}"), &[], "layer").await;
    let config = json!({ "os": "linux", "architecture": "amd64", "rootfs": { "diff_ids": [layer] } });
    let config = client.push("app", config.to_string()).await;
    let manifest = json!({ "config": { "digest": config }, "layers": [{ "digest": layer, "size": 5 }] });
    client.put_manifest("app", "v1", MANIFEST, &manifest).await;
    assert_eq!(files(&registry, &Held::default()).await[&format!("blobs/sha512/{}", layer.hex())], b"layer");
}

#[tokio::test]
async fn large_layers_come_in_parts_that_are_whole_images_each() {
    let (_folder, registry) = registry();
    let large = [1, 2].map(|byte| vec![byte; 17 << 20]);
    let layers = [&b"base"[..], &large[0], b"middle", &large[1], b"top"];
    Client::of(&registry).await.push_image("app", "v1", &layers).await;
    let image = registry.image_facts("app", "v1").await.unwrap().remove(0);
    let names = ["localhost:5000/app:v1".to_owned()];
    let [base, first, middle, second, top] = layers.map(sha256);
    let diff_ids = [&base, &first, &middle, &second, &top].map(Clone::clone);
    let mut held = Held::default();
    // Whoever has loaded the parts so far is sent the others.
    for loaded in [0, 2, 4] {
        held.image(&diff_ids[..loaded]);
        let archives = registry.archives(&image, &names, &held).await.unwrap();
        let ends: Vec<usize> = [2, 4, 5].into_iter().filter(|end| *end > loaded).collect();
        assert_eq!(archives.len(), ends.len());
        let mut begin = loaded;
        for (archive, end) in archives.iter().zip(ends) {
            let files = files_of(archive).await;
            let layers = diff_ids.iter().filter(|layer| files.contains_key(&blob(layer))).collect::<Vec<_>>();
            assert_eq!(layers, diff_ids[begin..end].iter().collect::<Vec<_>>());
            begin = end;
            let legacy = json(&files, "manifest.json");
            let named = if end == 5 { json!(names) } else { json!([]) };
            assert_eq!(legacy[0]["RepoTags"], named);
            assert_eq!(legacy[0]["Layers"].as_array().unwrap().len(), end);
            let config = json(&files, legacy[0]["Config"].as_str().unwrap());
            assert_eq!(config["rootfs"]["diff_ids"], json!(diff_ids[..end]));
            let index = json(&files, "index.json");
            let digest: Digest = index["manifests"][0]["digest"].as_str().unwrap().parse().unwrap();
            let manifest = &files[&blob(&digest)];
            assert_eq!(
                (sha256(manifest), manifest.len()),
                (digest, index["manifests"][0]["size"].as_u64().unwrap() as usize)
            );
            let manifest: Value = serde_json::from_slice(manifest).unwrap();
            assert_eq!(manifest["layers"].as_array().unwrap().len(), end);
            let config = manifest["config"]["digest"].as_str().unwrap().parse().unwrap();
            assert_eq!(sha256(&files[&blob(&config)]), config);
        }
    }
}
