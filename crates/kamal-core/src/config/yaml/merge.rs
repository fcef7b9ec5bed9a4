//! The two ways mappings are laid over each other: YAML's merge key inside a file, and Kamal's destinations across
//! two files (spec 2.1).

use super::node::{Entry, Kind, Map, Node};

/// Lays a destination's value over the base's: mappings merge all the way down, everything else is replaced, an
/// explicit null too (ActiveSupport's `deep_merge`).
pub(crate) fn overlay(base: Node, over: Node) -> Node {
    match (base.kind, over.kind) {
        (Kind::Map(mut into), Kind::Map(from)) => {
            for (key, entry) in from {
                let merged = match into.get_mut(&key) {
                    Some(old) => {
                        let value = std::mem::replace(&mut old.value, Node { span: entry.key, kind: Kind::Null });
                        overlay(value, entry.value)
                    }
                    None => entry.value,
                };
                into.insert(key, Entry { key: entry.key, form: entry.form, value: merged });
            }
            // The place of the base: errors about what is missing are about the file everybody shares.
            Node { span: base.span, kind: Kind::Map(into) }
        }
        (_, kind) => Node { span: over.span, kind },
    }
}

/// Applies `<<: value` to a mapping in the making, as Psych does: what stands before is overwritten, in its place.
/// Gives the value back when it is nothing that can be merged.
pub(crate) fn merge_key(into: &mut Map, value: Node) -> Result<(), Node> {
    match value.kind {
        Kind::Map(from) => {
            into.extend(from);
            Ok(())
        }
        Kind::List(items) if items.iter().all(|item| item.map().is_some()) => {
            let mut sum = Map::new();
            // The first of several wins.
            for item in items.into_iter().rev() {
                if let Kind::Map(from) = item.kind {
                    sum.extend(from);
                }
            }
            into.extend(sum);
            Ok(())
        }
        kind => Err(Node { span: value.span, kind }),
    }
}
