//! Where keys of one kind stand: below `accessories/*` are those of every accessory.

use super::super::shape::check::join;
use super::super::yaml::Node;

/// Keys by where they stand; `*` stands for any name.
pub(crate) type Places = [(&'static [&'static str], &'static [&'static str])];

/// The values of all those keys that are there, each with its path.
pub(crate) fn values<'n>(root: &'n Node, places: &Places) -> Vec<(String, &'n Node)> {
    let mut found = Vec::new();
    for (place, keys) in places {
        for (path, owner) in below(root, place, String::new()) {
            found.extend(keys.iter().filter_map(|key| Some((join(&path, key), owner.get(key)?))));
        }
    }
    found
}

fn below<'n>(node: &'n Node, place: &[&str], path: String) -> Vec<(String, &'n Node)> {
    let Some((step, rest)) = place.split_first() else { return vec![(path, node)] };
    let entries = node.map().into_iter().flatten().filter(|(name, _)| *step == "*" || name == step);
    entries.flat_map(|(name, entry)| below(&entry.value, rest, join(&path, name))).collect()
}
