//! Garbage collection: what no tag leads to, and nobody needed for a while, goes.
//!
//! What is to go is decided from a list of what there is ([`mark`]), without looking at the disk. The list is made and the
//! files are removed while the store is locked, so that nobody comes to rely on something in between. Pushes and pulls of
//! other processes go on: what they carry was needed a moment ago, and content they read stays readable when its file is
//! removed.

mod mark;

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use self::mark::{Content, Inventory, Shelf, Tagged};
use super::digest::{Algorithm, Digest};
use super::media::Manifest;
use super::store::{Store, file_names, if_found};

/// What a collection keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How many tags of each repository stay: those pushed last. `None` keeps all.
    pub tags: Option<usize>,
    /// Manifests and blobs that stay in any case, with all that belongs to them.
    pub keep: BTreeSet<Digest>,
    /// What was pushed, asked for or pulled within this time stays, as somebody may be at work with it.
    pub grace: Duration,
}

impl Default for Policy {
    /// Keeps all tags, and for a day what nothing leads to.
    fn default() -> Self {
        Self { tags: None, keep: BTreeSet::new(), grace: Duration::from_secs(24 * 60 * 60) }
    }
}

/// What a collection removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Freed {
    /// Tags, as `REPOSITORY:TAG`.
    pub tags: Vec<String>,
    /// Manifests, counted once for each repository they were in.
    pub manifests: usize,
    /// Blobs, the contents of manifests among them.
    pub blobs: usize,
    /// Uploads that nobody finished.
    pub uploads: usize,
    /// Bytes on disk of the blobs and uploads.
    pub bytes: u64,
}

/// Collects what the policy does not keep; blocks while it does.
pub(super) fn collect(store: &Store, policy: &Policy) -> io::Result<Freed> {
    let _guard = store.exclusive()?;
    let now = SystemTime::now();
    let inventory = inventory(store)?;
    let garbage = mark::garbage(&inventory, policy, now);

    let mut freed = Freed::default();
    // Whoever leads to something goes before it does, so that no end leaves a hole.
    for (name, tag) in garbage.tags {
        if_found(fs::remove_file(store.tag(name, tag)))?;
        freed.tags.push(format!("{name}:{tag}"));
    }
    for (name, digest) in garbage.manifests {
        if_found(fs::remove_file(store.manifest(name, digest)))?;
        freed.manifests += 1;
    }
    for (digest, size) in garbage.blobs {
        if_found(fs::remove_file(store.blob(digest)))?;
        freed.blobs += 1;
        freed.bytes += size;
    }
    for name in inventory.repositories.keys() {
        remove_empty(store, name);
    }
    remove_uploads(store, policy.grace, now, &mut freed)?;
    Ok(freed)
}

/// Whether a manifest of any repository names this content.
pub(super) fn is_named(store: &Store, digest: &Digest) -> io::Result<bool> {
    let inventory = inventory(store)?;
    let shelves = inventory.repositories.values();
    Ok(shelves.flat_map(|shelf| &shelf.manifests).any(|(manifest, _)| {
        manifest == digest || inventory.named.get(manifest).is_some_and(|named| named.parts.contains(digest))
    }))
}

fn inventory(store: &Store) -> io::Result<Inventory> {
    let mut inventory = Inventory::default();
    for algorithm in Algorithm::ALL {
        for file in file_names(&store.blobs(algorithm))?.unwrap_or_default() {
            let Some(digest) = Digest::from_parts(algorithm, &file) else { continue };
            let Some(metadata) = if_found(fs::metadata(store.blob(&digest)))? else { continue };
            inventory.blobs.insert(digest, Content { size: metadata.len(), needed: metadata.modified()? });
        }
    }
    for name in store.repository_names()? {
        let mut shelf = Shelf::default();
        for tag in store.tags(&name)?.unwrap_or_default() {
            let Some(digest) = store.target(&name, &tag)? else { continue };
            let pushed = fs::metadata(store.tag(&name, &tag))?.modified()?;
            shelf.tags.insert(tag, Tagged { digest, pushed });
        }
        for digest in store.manifest_digests(&name)? {
            let needed = fs::metadata(store.manifest(&name, &digest))?.modified()?;
            if !inventory.named.contains_key(&digest) {
                inventory.named.insert(digest.clone(), named(store, &digest)?);
            }
            shelf.manifests.insert(digest, needed);
        }
        inventory.repositories.insert(name, shelf);
    }
    Ok(inventory)
}

/// What a manifest names. One whose content is gone or no manifest names nothing.
fn named(store: &Store, digest: &Digest) -> io::Result<mark::Named> {
    let content = if_found(fs::read(store.blob(digest)))?;
    let Some(manifest) = content.and_then(|content| Manifest::parse(&content).ok()) else {
        return Ok(mark::Named::default());
    };
    Ok(mark::Named {
        parts: manifest.parts().map(|part| part.digest.clone()).collect(),
        subject: manifest.subject.as_ref().map(|subject| subject.digest.clone()),
    })
}

/// Removes what is left of a repository that holds nothing any more. A folder that is not empty is not removed, which is
/// all the errors say.
fn remove_empty(store: &Store, name: &str) {
    for algorithm in Algorithm::ALL {
        let _ = fs::remove_dir(store.manifests(name, algorithm));
    }
    let root = store.repositories();
    let repository = root.join(name);
    let _ = fs::remove_dir(repository.join("_manifests"));
    let _ = fs::remove_dir(repository.join("_tags"));
    for folder in repository.ancestors().take_while(|folder| *folder != root) {
        let _ = fs::remove_dir(folder);
    }
}

fn remove_uploads(store: &Store, grace: Duration, now: SystemTime, freed: &mut Freed) -> io::Result<()> {
    for id in file_names(&store.uploads())?.unwrap_or_default() {
        if let Some(size) = remove_upload(&store.upload(&id), grace, now)? {
            freed.uploads += 1;
            freed.bytes += size;
        }
    }
    Ok(())
}

/// Removes an upload nobody wrote to for a while, nor is about to, and tells its size.
fn remove_upload(path: &Path, grace: Duration, now: SystemTime) -> io::Result<Option<u64>> {
    let Some(file) = if_found(File::open(path))? else { return Ok(None) };
    let metadata = file.metadata()?;
    if mark::is_young(metadata.modified()?, grace, now) {
        return Ok(None);
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    fs::remove_file(path)?;
    Ok(Some(metadata.len()))
}
