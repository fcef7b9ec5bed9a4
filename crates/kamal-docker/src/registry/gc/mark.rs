//! What is garbage, decided without a disk.
//!
//! A manifest stays when it is tagged, wanted, or was needed lately, and then so does all that belongs to it: what it is
//! made of, what it is about, and what is about it. A blob stays that belongs to such a manifest of any repository, is
//! wanted, or was needed lately.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::Policy;
use crate::registry::digest::Digest;

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) repositories: BTreeMap<String, Shelf>,
    /// What each manifest names.
    pub(super) named: BTreeMap<Digest, Named>,
    pub(super) blobs: BTreeMap<Digest, Content>,
}

/// A repository.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) tags: BTreeMap<String, Tagged>,
    /// Each with when it was last needed.
    pub(super) manifests: BTreeMap<Digest, SystemTime>,
}

#[derive(Debug)]
pub(super) struct Tagged {
    pub(super) digest: Digest,
    pub(super) pushed: SystemTime,
}

#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) parts: BTreeSet<Digest>,
    pub(super) subject: Option<Digest>,
}

#[derive(Debug)]
pub(super) struct Content {
    pub(super) size: u64,
    pub(super) needed: SystemTime,
}

/// What is to go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Garbage<'a> {
    /// Of which repository.
    pub(super) tags: Vec<(&'a str, &'a str)>,
    /// Of which repository.
    pub(super) manifests: Vec<(&'a str, &'a Digest)>,
    /// With their sizes.
    pub(super) blobs: Vec<(&'a Digest, u64)>,
}

/// What the policy lets go of what there is.
pub(super) fn garbage<'a>(inventory: &'a Inventory, policy: &Policy, now: SystemTime) -> Garbage<'a> {
    let mut garbage = Garbage::default();
    let mut live = policy.keep.iter().collect::<BTreeSet<_>>();
    for (name, shelf) in &inventory.repositories {
        let (kept, dropped) = retain(shelf, policy, now);
        garbage.tags.extend(dropped.into_iter().map(|tag| (name.as_str(), tag)));
        let lately = shelf.manifests.iter().filter(|(_, needed)| is_young(**needed, policy.grace, now));
        let roots = kept.into_iter().chain(&policy.keep).chain(lately.map(|(digest, _)| digest));
        let reached = reach(shelf, inventory, roots);
        let unreached = shelf.manifests.keys().filter(|digest| !reached.contains(digest));
        garbage.manifests.extend(unreached.map(|digest| (name.as_str(), digest)));
        live.extend(reached);
    }
    let dead = inventory
        .blobs
        .iter()
        .filter(|(digest, content)| !live.contains(digest) && !is_young(content.needed, policy.grace, now));
    garbage.blobs.extend(dead.map(|(digest, content)| (digest, content.size)));
    garbage
}

/// Whether something was needed within the time of grace, or will have been, by a clock that was set back since.
pub(super) fn is_young(needed: SystemTime, grace: Duration, now: SystemTime) -> bool {
    now.duration_since(needed).map_or(true, |age| age < grace)
}

/// The manifests of the tags that stay, and the tags that do not.
fn retain<'a>(shelf: &'a Shelf, policy: &Policy, now: SystemTime) -> (Vec<&'a Digest>, Vec<&'a str>) {
    let mut tags = shelf.tags.iter().collect::<Vec<_>>();
    tags.sort_by_key(|(_, tagged)| Reverse(tagged.pushed));
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for (place, (tag, tagged)) in tags.into_iter().enumerate() {
        if policy.tags.is_none_or(|count| place < count) || is_young(tagged.pushed, policy.grace, now) {
            kept.push(&tagged.digest);
        } else {
            dropped.push(tag.as_str());
        }
    }
    (kept, dropped)
}

/// All that belongs to `roots`, manifests of this repository and what they are made of.
fn reach<'a>(
    shelf: &'a Shelf,
    inventory: &'a Inventory,
    roots: impl Iterator<Item = &'a Digest>,
) -> BTreeSet<&'a Digest> {
    let mut about = BTreeMap::<&Digest, Vec<&Digest>>::new();
    for manifest in shelf.manifests.keys() {
        if let Some(subject) = inventory.named.get(manifest).and_then(|named| named.subject.as_ref()) {
            about.entry(subject).or_default().push(manifest);
        }
    }
    let mut reached = BTreeSet::new();
    let mut pending = roots.collect::<Vec<_>>();
    while let Some(digest) = pending.pop() {
        if !reached.insert(digest) || !shelf.manifests.contains_key(digest) {
            continue;
        }
        if let Some(named) = inventory.named.get(digest) {
            pending.extend(named.parts.iter().chain(&named.subject));
        }
        pending.extend(about.get(digest).into_iter().flatten());
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::digest::Algorithm;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn digest(name: &str) -> Digest {
        Algorithm::Sha256.of(name.as_bytes())
    }

    /// A clock, hours after the beginning.
    fn at(hours: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + HOUR * 1000 + HOUR * hours
    }

    /// A store that is filled hour by hour.
    #[derive(Default)]
    struct Filled(Inventory);

    impl Filled {
        fn blob(&mut self, name: &str, hour: u32) {
            self.0.blobs.insert(digest(name), Content { size: 10, needed: at(hour) });
        }

        fn manifest(&mut self, repository: &str, name: &str, parts: &[&str], subject: Option<&str>, hour: u32) {
            let shelf = self.0.repositories.entry(repository.to_owned()).or_default();
            shelf.manifests.insert(digest(name), at(hour));
            let named = Named { parts: parts.iter().map(|part| digest(part)).collect(), subject: subject.map(digest) };
            self.0.named.insert(digest(name), named);
            for content in parts.iter().chain([&name]) {
                self.blob(content, hour);
            }
        }

        fn tag(&mut self, repository: &str, tag: &str, name: &str, hour: u32) {
            let shelf = self.0.repositories.entry(repository.to_owned()).or_default();
            shelf.tags.insert(tag.to_owned(), Tagged { digest: digest(name), pushed: at(hour) });
        }

        /// What goes at hour 100, by name.
        fn garbage(&self, policy: &Policy, names: &[&str]) -> (Vec<String>, Vec<String>, Vec<String>) {
            let garbage = garbage(&self.0, policy, at(100));
            let of = |digest: &Digest| names.iter().find(|name| self::digest(name) == *digest).unwrap().to_string();
            let mut manifests =
                garbage.manifests.iter().map(|(repo, d)| format!("{repo}/{}", of(d))).collect::<Vec<_>>();
            let mut blobs = garbage.blobs.iter().map(|(digest, _)| of(digest)).collect::<Vec<_>>();
            manifests.sort_unstable();
            blobs.sort_unstable();
            (garbage.tags.iter().map(|(repo, tag)| format!("{repo}:{tag}")).collect(), manifests, blobs)
        }
    }

    fn policy(tags: Option<usize>, keep: &[&str]) -> Policy {
        Policy { tags, keep: keep.iter().map(|name| digest(name)).collect(), grace: HOUR }
    }

    #[test]
    fn what_tags_lead_to_stays_and_the_rest_goes() {
        let mut store = Filled::default();
        store.manifest("app", "v1", &["config1", "base"], None, 1);
        store.manifest("app", "v2", &["config2", "base"], None, 2);
        store.tag("app", "latest", "v2", 2);
        store.blob("stray", 3);
        let names = ["v1", "v2", "config1", "config2", "base", "stray"];
        let (tags, manifests, blobs) = store.garbage(&policy(None, &[]), &names);
        assert_eq!(tags, [""; 0]);
        assert_eq!(manifests, ["app/v1"]);
        assert_eq!(blobs, ["config1", "stray", "v1"]);
        // What is wanted stays with all of its own.
        assert_eq!(store.garbage(&policy(None, &["v1", "stray"]), &names), (vec![], vec![], vec![]));
    }

    #[test]
    fn the_tags_pushed_last_stay() {
        let mut store = Filled::default();
        for (hour, name) in [(1, "v1"), (2, "v2"), (3, "v3")] {
            store.manifest("app", name, &[], None, hour);
            store.tag("app", name, name, hour);
            store.tag("app", "latest", name, hour);
        }
        store.manifest("other", "v1", &[], None, 1);
        store.tag("other", "v1", "v1", 1);
        let names = ["v1", "v2", "v3"];
        let (tags, manifests, blobs) = store.garbage(&policy(Some(2), &[]), &names);
        assert_eq!(tags, ["app:v2", "app:v1"]);
        assert_eq!(manifests, ["app/v1", "app/v2"]);
        // Another repository still needs the first.
        assert_eq!(blobs, ["v2"]);
    }

    #[test]
    fn what_was_needed_lately_stays_with_all_of_its_own() {
        let mut store = Filled::default();
        store.manifest("app", "pulled", &["old layer"], None, 1);
        store.0.repositories.get_mut("app").unwrap().manifests.insert(digest("pulled"), at(100) - HOUR / 2);
        store.blob("pushed", 100);
        store.blob("by a clock that was ahead", 200);
        store.tag("app", "young", "pulled", 100);
        assert_eq!(store.garbage(&policy(Some(0), &[]), &[]), (vec![], vec![], vec![]));
    }

    #[test]
    fn images_of_an_index_and_what_is_about_an_image_stay_with_it() {
        let mut store = Filled::default();
        store.manifest("app", "amd64", &["layer"], None, 1);
        store.manifest("app", "index", &["amd64"], None, 1);
        store.manifest("app", "signature", &["signed"], Some("amd64"), 1);
        store.manifest("app", "note on the signature", &[], Some("signature"), 1);
        store.manifest("app", "signature of what is gone", &[], Some("gone"), 1);
        let names =
            ["amd64", "index", "layer", "signature", "signed", "note on the signature", "signature of what is gone"];
        store.tag("app", "v1", "index", 1);
        let (_, manifests, blobs) = store.garbage(&policy(None, &[]), &names);
        assert_eq!(
            (manifests, blobs),
            (vec!["app/signature of what is gone".into()], vec!["signature of what is gone".into()])
        );
        // Together they go as well, though they name each other.
        let (_, manifests, blobs) = store.garbage(&policy(Some(0), &[]), &names);
        assert_eq!((manifests.len(), blobs.len()), (5, 7));
    }
}
