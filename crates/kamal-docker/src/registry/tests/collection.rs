//! Collections on real files. What goes is decided, and tried, in [`super::super::gc`].

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes everything in the registry look as if it was last needed two days ago.
fn age(registry: &Registry) {
    let mut folders = vec![registry.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                File::open(entry.path()).unwrap().set_modified(SystemTime::now() - 2 * DAY).unwrap();
            }
        }
    }
}

fn policy(tags: Option<usize>) -> Policy {
    Policy { tags, ..Policy::default() }
}

fn files_in(registry: &Registry, folder: &str) -> usize {
    fs::read_dir(registry.folder().join(folder)).unwrap().count()
}

#[tokio::test]
async fn what_goes_is_told_and_what_stays_is_served() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let old = client.push_image("org/app", "v1", &[b"base", b"first"]).await;
    age(&registry);
    client.push_image("org/app", "v2", &[b"base", b"second"]).await;
    age(&registry);
    // Asked for lately, that is, since it looks so old.
    assert_eq!(client.status("HEAD", "/v2/org/app/manifests/v2").await, 200);

    let freed = registry.gc(policy(Some(1))).await.unwrap();
    // Its layer of its own, its configuration, its manifest.
    assert_eq!((freed.tags, freed.manifests, freed.blobs), (vec!["org/app:v1".to_owned()], 1, 3));
    assert!(!registry.has(&old).await.unwrap() && !registry.has(&sha256(b"first")).await.unwrap());
    assert!(freed.bytes > 5);
    for content in [&b"base"[..], b"second"] {
        assert_eq!(client.status("GET", &format!("/v2/org/app/blobs/{}", sha256(content))).await, 200);
    }
    assert_eq!(registry.gc(policy(Some(1))).await.unwrap(), Freed::default());
}

#[tokio::test]
async fn nothing_is_left_of_a_repository_without_tags() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let kept = client.push_image("org/app/web", "v1", &[b"layer"]).await;
    age(&registry);
    let keep = Policy { keep: BTreeSet::from([kept]), ..policy(Some(0)) };
    let freed = registry.gc(keep).await.unwrap();
    assert_eq!((freed.tags.len(), freed.manifests, freed.blobs), (1, 0, 0));
    let freed = registry.gc(policy(Some(0))).await.unwrap();
    assert_eq!((freed.manifests, freed.blobs), (1, 3));
    assert_eq!((files_in(&registry, "repositories"), files_in(&registry, "blobs/sha256")), (0, 0));
    // And one of its name may come again.
    client.push_image("org/app/web", "v2", &[b"layer"]).await;
    assert_eq!(registry.ls().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_push_or_pull_needed_lately_stays() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    client.push_image("app", "v1", &[b"one"]).await;
    let digest = client.push_image("app", "v1", &[b"two"]).await;
    for content in ["asked", "mounted", "pulled", "idle"] {
        client.push("app", content).await;
    }
    let replaced = registry.ls().await.unwrap()[0].untagged[0].clone();
    age(&registry);
    // A push looks which layers are there, and relies on them; a pull relies on all its manifest leads to.
    assert_eq!(client.status("HEAD", &format!("/v2/app/blobs/{}", sha256(b"asked"))).await, 200);
    assert_eq!(client.status("GET", &format!("/v2/app/blobs/{}", sha256(b"pulled"))).await, 200);
    let mount = format!("/v2/other/blobs/uploads/?mount={}&from=app", sha256(b"mounted"));
    assert_eq!(client.status("POST", &mount).await, 201);
    assert_eq!(client.status("GET", &format!("/v2/app/manifests/{replaced}")).await, 200);

    let freed = registry.gc(policy(Some(0))).await.unwrap();
    // The tag is old, and what it led to: layer, configuration, manifest; and the blob nobody asked for.
    assert_eq!((freed.tags.len(), freed.manifests, freed.blobs), (1, 1, 4));
    assert!(!registry.has(&digest).await.unwrap() && !registry.has(&sha256(b"idle")).await.unwrap());
    for content in [&b"one"[..], b"asked", b"mounted", b"pulled"] {
        assert!(registry.has(&sha256(content)).await.unwrap(), "{content:?}");
    }
}

#[tokio::test]
async fn uploads_end_when_nobody_goes_on_with_them() {
    let (_folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let mut begin = async || {
        let location = header(&client.call("POST", "/v2/app/blobs/uploads/", &[], "").await.0, "location");
        client.call("PATCH", &location, &[], "12345").await;
        location
    };
    let (given_up, written) = (begin().await, begin().await);
    age(&registry);
    let young = begin().await;
    // Somebody is writing to it, however long that takes.
    let file = File::open(registry.folder().join("uploads").join(written.rsplit('/').next().unwrap())).unwrap();
    file.lock().unwrap();

    let freed = registry.gc(policy(None)).await.unwrap();
    assert_eq!((freed.uploads, freed.bytes), (1, 5));
    assert_eq!(client.status("GET", &given_up).await, 404);
    assert_eq!((client.status("GET", &written).await, client.status("GET", &young).await), (204, 204));
    assert_eq!(client.status("PATCH", &written).await, 409);
}

#[tokio::test]
async fn collections_and_pushes_of_the_same_go_on_side_by_side() {
    let (_folder, registry) = registry();
    let pushes = (0..4).map(|number| {
        let registry = Registry::open(registry.folder()).unwrap();
        tokio::spawn(async move {
            let mut client = Client::of(&registry).await;
            for round in 0..10 {
                let layer = format!("layer {}", round % 3);
                client.push_image("app", &format!("v{number}"), &[b"base", layer.as_bytes()]).await;
                assert_eq!(client.status("GET", &format!("/v2/app/manifests/v{number}")).await, 200);
            }
        })
    });
    let pushes = pushes.collect::<Vec<_>>();
    // The shortest grace with which a push has a moment between its steps.
    let policy = Policy { tags: Some(1), grace: Duration::from_secs(2), ..Policy::default() };
    while !pushes.iter().all(task::JoinHandle::is_finished) {
        registry.gc(policy.clone()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for push in pushes {
        push.await.unwrap();
    }
    // Whatever is tagged is whole.
    let mut client = Client::of(&registry).await;
    for tag in &registry.ls().await.unwrap()[0].tags {
        let image = registry.image_facts("app", &tag.name).await.unwrap().remove(0);
        for layer in image.layers {
            assert_eq!(client.status("GET", &format!("/v2/app/blobs/{}", layer.digest)).await, 200);
        }
    }
}
