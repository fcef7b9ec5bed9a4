//! A destination's file over the base's (spec 2.1): mappings merge, everything else is replaced. Where Kamal does that in
//! silence, or cannot do what was meant, more is known here.

use super::diagnostic::Report;
use super::shape::check::join;
use super::yaml::{Kind, Node, overlay};

/// Keys of which one mapping may have only one: a destination's takes the place of the base's, whichever that is. `*`
/// stands for any name.
const EXCLUSIVE: [(&[&str], &[&str]); 8] = [
    (&["proxy"], &HOSTS),
    (&["servers", "*", "proxy"], &HOSTS),
    (&["accessories", "*", "proxy"], &HOSTS),
    (&["proxy"], &PREFIXES),
    (&["servers", "*", "proxy"], &PREFIXES),
    (&["accessories", "*", "proxy"], &PREFIXES),
    (&["accessories", "*"], &["host", "hosts", "role", "roles", "tag", "tags"]),
    (&["ssh"], &["proxy", "proxy_command"]),
];
const HOSTS: [&str; 3] = ["host", "hosts", "tls_on_demand_url"];
const PREFIXES: [&str; 2] = ["path_prefix", "path_prefixes"];

/// Lays a destination's file over the base's.
pub(crate) fn lay_over(mut base: Node, over: Node, report: &mut Report<'_>) -> Node {
    warn_of_dropped(&base, &over, "", report);
    for (place, keys) in EXCLUSIVE {
        displace(&mut base, &over, place, keys);
    }
    overlay(base, over)
}

/// Takes `keys` out of the base's mapping at `place` where the destination's has one of them.
fn displace(base: &mut Node, over: &Node, place: &[&str], keys: &[&str]) {
    let (Kind::Map(base), Kind::Map(over)) = (&mut base.kind, &over.kind) else { return };
    let Some((step, rest)) = place.split_first() else {
        if keys.iter().any(|key| over.contains_key(*key)) {
            base.retain(|key, _| !keys.contains(&key.as_str()) || over.contains_key(key));
        }
        return;
    };
    for (name, entry) in base.iter_mut().filter(|(name, _)| *step == "*" || name == step) {
        if let Some(over) = over.get(name) {
            displace(&mut entry.value, &over.value, rest, keys);
        }
    }
}

/// Secrets the base lists and the destination does not: its list takes the place of the whole.
fn warn_of_dropped(base: &Node, over: &Node, path: &str, report: &mut Report<'_>) {
    for (name, entry) in over.map().into_iter().flatten() {
        let Some(old) = base.get(name) else { continue };
        let path = join(path, name);
        let (Some(before), Some(after)) = (old.list(), entry.value.list()) else {
            warn_of_dropped(old, &entry.value, &path, report);
            continue;
        };
        if name != "secret" && path != "builder/secrets" {
            continue;
        }
        let after: Vec<String> = after.iter().filter_map(variable).collect();
        let dropped: Vec<String> = before.iter().filter_map(variable).filter(|name| !after.contains(name)).collect();
        let Some((last, others)) = dropped.split_last() else { continue };
        let names = if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) };
        let (file, line) = (report.file(old.span), report.line(old.span));
        report.warn(
            entry.value.span,
            format!("{path}: this list takes the place of the one in {file}, line {line}, and so drops {names}"),
            Some("list them here too if they are still needed".to_owned()),
        );
    }
}

/// The variable of `NAME` or `NAME:KEY`.
fn variable(item: &Node) -> Option<String> {
    Some(item.text()?.split(':').next().unwrap_or_default().to_owned())
}
