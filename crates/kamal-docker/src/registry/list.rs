//! What the registry holds, for people.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::time::SystemTime;

use serde::Serialize;

use super::digest::Digest;
use super::media::Manifest;
use super::store::{Store, if_found};

/// A repository and its tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Repository {
    /// Its name, as `org/app`.
    pub name: String,
    /// Its tags, the last pushed first.
    pub tags: Vec<Tag>,
    /// Its manifests that no tag points at, the images of indexes among them.
    pub untagged: Vec<Digest>,
}

/// A tag of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tag {
    /// Its name, as `latest`.
    pub name: String,
    /// The digest of the manifest it points at.
    pub digest: Digest,
    /// Bytes of all that belongs to the manifest, what it shares with others included.
    pub size: u64,
    /// When it was pushed.
    pub pushed: SystemTime,
}

/// Lists all repositories, by name; blocks while it reads.
pub(super) fn repositories(store: &Store) -> io::Result<Vec<Repository>> {
    let mut repositories = Vec::new();
    for name in store.repository_names()? {
        let mut tags = Vec::new();
        for tag in store.tags(&name)?.unwrap_or_default() {
            // Another process may take away what was there a moment ago.
            let Some(digest) = store.target(&name, &tag)? else { continue };
            let Some(metadata) = if_found(fs::metadata(store.tag(&name, &tag)))? else { continue };
            let mut sizes = BTreeMap::new();
            measure(store, &name, &digest, &mut sizes)?;
            tags.push(Tag { name: tag, size: sizes.values().sum(), digest, pushed: metadata.modified()? });
        }
        tags.sort_by_key(|tag| Reverse(tag.pushed));
        let tagged = tags.iter().map(|tag| &tag.digest).collect::<BTreeSet<_>>();
        let mut untagged = store.manifest_digests(&name)?;
        untagged.retain(|digest| !tagged.contains(digest));
        untagged.sort_unstable();
        repositories.push(Repository { name, tags, untagged });
    }
    Ok(repositories)
}

/// Notes the size of a manifest and of all it is made of.
fn measure(store: &Store, name: &str, digest: &Digest, sizes: &mut BTreeMap<Digest, u64>) -> io::Result<()> {
    let mut pending = vec![digest.clone()];
    while let Some(digest) = pending.pop() {
        let blob = store.blob(&digest);
        let Some(metadata) = if_found(fs::metadata(&blob))? else { continue };
        if sizes.insert(digest.clone(), metadata.len()).is_some() || !store.manifest(name, &digest).exists() {
            continue;
        }
        let content = if_found(fs::read(&blob))?.unwrap_or_default();
        if let Ok(manifest) = Manifest::parse(&content) {
            pending.extend(manifest.parts().map(|part| part.digest.clone()));
        }
    }
    Ok(())
}
